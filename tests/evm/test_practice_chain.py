"""The practice chain's process: it goes on where it was, ends with its owner, and says what it lacks."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.practice.chain.node import Node
from app.practice.chain.parts import HERE, NO_ANVIL, NO_COMPILER, NO_CONTRACTS, Parts
from app.practice.chain.service import address_of
from app.venues.evm.described import chain_of

TRADER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
WHO = bytes.fromhex(TRADER[2:])
HELD = "balanceOf(address)(uint256)"


class Owner:
    """Starts the process as the product does, and is its owner. `said` is empty when it did not become ready."""

    def __init__(self, folder: Path, *options: str, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.practice", "chain", "--state", str(folder), *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.said: dict[str, Any] = json.loads(line) if line else {}
        self.node = Node(self.said.get("url", ""))
        self._ended: tuple[int, str] | None = None

    def anvil_pid(self) -> int:
        return int(subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, check=True).stdout)

    def balance(self) -> int:
        return self.node.number("eth_getBalance", TRADER, "latest")

    def held(self) -> int:
        """Of the trader, USDC."""
        usdc = next(each["address"] for each in self.said["tokens"] if each["symbol"] == "USDC")
        return int(self.node.call(bytes.fromhex(usdc[2:]), HELD, WHO))

    def until(self, true: Callable[[], bool]) -> None:
        """Ask the node again and again: it answers in less than a millisecond."""
        assert any(true() for _ in range(100_000))

    def end(self) -> tuple[int, str]:
        """Close its input; its exit code and what it complained of."""
        if self._ended is None:
            self.node.close()
            _, words = self.process.communicate(timeout=20)
            self._ended = self.process.returncode, words
        return self._ended


StartOwner = Callable[..., Owner]


@pytest.fixture
def own(chain_parts: Parts, tmp_path: Path) -> Iterator[StartOwner]:
    owners: list[Owner] = []

    def start(*options: str, env: dict[str, str] | None = None) -> Owner:
        owners.append(Owner(tmp_path / "chain", *options, env=env))
        return owners[-1]

    yield start
    for each in owners:
        each.process.kill()
        each.end()


def watch(pid: int) -> int:
    """A descriptor that tells when a process has ended, whoever's child it is."""
    return os.pidfd_open(pid)


def ended(descriptor: int) -> bool:
    """Whether it has; waits for it. A process that nobody has taken note of yet has ended as well."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    found = bool(poll.poll(10_000))
    os.close(descriptor)
    return found


def test_a_restart_goes_on_with_the_same_chain(own: StartOwner) -> None:
    first = own("--block-time", "0", "--fund", TRADER)
    assert (first.balance(), first.held()) == (100 * 10**18, 250_000 * 10**6)
    paid = first.node.pay(first.node.accounts()[1], WHO, 5)
    assert json.loads((first.folder / "chain.json").read_text(encoding="utf-8")) == first.said
    assert first.end() == (0, "")
    second = own("--block-time", "0", "--fund", TRADER)
    assert second.said | {"url": first.said["url"], "ws_url": first.said["ws_url"]} == first.said
    assert second.node.rpc("eth_getTransactionReceipt", paid["transactionHash"])["blockHash"] == paid["blockHash"]
    assert (second.balance(), second.held()) == (100 * 10**18 + 5, 250_000 * 10**6), "nothing is given twice"
    assert chain_of(json.dumps(second.said)).chain_id == 31337


def test_a_killed_process_goes_on_with_what_it_mined_for_others(own: StartOwner) -> None:
    first = own("--block-time", "1", "--traders", "3")
    first.node.post(first.node.accounts()[9], WHO, value=7, gas=hex(21_000))
    first.until(lambda: first.balance() == 7)
    mined = first.node.number("eth_blockNumber")
    first.until(lambda: first.node.number("eth_blockNumber") > mined)  # the block before it is kept by now
    first.process.kill()
    first.end()
    second = own("--block-time", "0")
    assert second.balance() == 7
    assert second.node.number("eth_blockNumber") >= mined


def test_blocks_come_at_their_time_and_with_a_base_fee(own: StartOwner) -> None:
    owner = own("--block-time", "1")
    start = owner.node.number("eth_blockNumber")
    owner.until(lambda: owner.node.number("eth_blockNumber") >= start + 2)
    blocks = [owner.node.rpc("eth_getBlockByNumber", hex(start + each), False) for each in (1, 2)]
    assert [int(each["baseFeePerGas"], 16) for each in blocks] == [5 * 10**9] * 2
    assert int(blocks[1]["timestamp"], 16) - int(blocks[0]["timestamp"], 16) in {1, 2}
    assert owner.said["block_ms"] == 1000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends a child with its killed parent")
def test_whoever_is_killed_no_node_is_left(own: StartOwner) -> None:
    owner = own("--block-time", "0")
    node = watch(owner.anvil_pid())
    owner.process.kill()
    assert ended(node)


def test_a_killed_owner_leaves_neither(chain_parts: Parts, tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'app.practice', 'chain', '--block-time', '0', '--state', "
        "sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)\n"
        "child.stdout.readline()\n"
        "print(child.pid, subprocess.run(['pgrep', '-P', str(child.pid)], capture_output=True, text=True).stdout, "
        "flush=True)\n"
        "time.sleep(600)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "c")], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    watched = [watch(int(pid)) for pid in owner.stdout.readline().split()]
    assert len(watched) == 2
    owner.kill()
    owner.communicate()
    assert [ended(each) for each in watched] == [True, True]
    assert (tmp_path / "c" / "state.json").exists()


def test_a_term_signal_ends_it_in_order(own: StartOwner) -> None:
    owner = own("--block-time", "0")
    owner.node.pay(owner.node.accounts()[1], WHO, 3)
    owner.process.send_signal(signal.SIGTERM)
    assert owner.process.wait(20) == 0
    assert own("--block-time", "0").balance() == 3


def test_a_node_that_ends_by_itself_is_told(own: StartOwner) -> None:
    owner = own("--block-time", "1")
    os.kill(owner.anvil_pid(), signal.SIGKILL)
    assert owner.process.wait(20) == 1
    code, words = owner.end()
    assert (code, "Traceback" in words) == (1, False)
    assert "anvil ended by itself" in words or "does not answer" in words


def test_two_on_one_folder_and_another_chain_id_are_refused(own: StartOwner) -> None:
    first = own("--block-time", "0", "--chain-id", "5", "--port", str(_free_port()))
    assert first.node.number("eth_chainId") == 5
    code, words = own("--block-time", "0").end()
    assert code == 1
    assert "another practice chain runs on" in words
    assert first.end() == (0, "")
    code, words = own("--chain-id", "6").end()
    assert code == 1
    assert "has id 5, not 6" in words
    assert own("--block-time", "0").node.number("eth_chainId") == 5


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_a_port_that_is_taken_is_told(own: StartOwner) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        code, words = own("--port", str(sock.getsockname()[1])).end()
    assert code == 1
    assert "anvil did not start" in words
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("chain.json", b"{", "can not be read"),
        ("chain.json", b'{"schema": "other/1"}', "is not a countersign.practice-chain/1"),
        ("state.json", None, "state.json is missing"),
        ("state.json", b"no state", "anvil did not start"),
    ],
)
def test_a_damaged_folder_is_told(
    own: StartOwner, chain_state: Path, tmp_path: Path, file: str, content: bytes | None, told: str
) -> None:
    shutil.copytree(chain_state, tmp_path / "chain")
    path = tmp_path / "chain" / file
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    code, words = own("--block-time", "0").end()
    assert code == 1
    assert told in words
    assert "Traceback" not in words


def test_what_was_not_finished_is_begun_anew(own: StartOwner, tmp_path: Path) -> None:
    (tmp_path / "chain").mkdir()
    (tmp_path / "chain" / "state.json").write_bytes(b"half of a sta")
    assert own("--block-time", "0").said["pools"]


def test_missing_parts_are_named(chain_parts: Parts, tmp_path: Path) -> None:
    """Each alone; and an anvil on PATH serves where there is no package for this machine."""
    parts, tools = tmp_path / "parts", tmp_path / "tools"
    tools.mkdir()
    env = {key: value for key, value in os.environ.items() if key != "PATH"} | {"PATH": str(tools)}

    def words() -> str:
        owner = Owner(tmp_path / "chain", "--parts", str(parts), env=env)
        code, said = owner.end()
        assert (code, owner.said) == (1, {})
        assert len(said.strip().splitlines()) == 1, said
        assert "make .setup-chain" in said
        return said

    assert NO_ANVIL in words()
    (tools / "anvil").symlink_to(chain_parts.anvil())
    assert NO_CONTRACTS in words()
    modules = chain_parts.folder / "node_modules"
    (parts / "node_modules").mkdir(parents=True)
    (parts / "node_modules" / "@uniswap").symlink_to(modules / "@uniswap")
    assert NO_COMPILER in words()
    shutil.rmtree(tools)
    assert NO_ANVIL in words()


@pytest.mark.parametrize(
    "options",
    [
        ("--fund", "0x12"),
        ("--fund", TRADER[:-1] + "e"),
        ("--fund", TRADER.replace("E7", "e7", 1)),
        ("--fund", TRADER[2:]),
        ("--port", "70000"),
        ("--chain-id", "0"),
        ("--block-time", "-1"),
        ("--traders", "1", "--block-time", "0"),
        ("--every", "0"),
    ],
)
def test_wrong_options_are_wrong_use(tmp_path: Path, options: tuple[str, ...]) -> None:
    owner = Owner(tmp_path / "chain", *options)
    code, words = owner.end()
    assert code == 2
    assert options[0] in words
    assert "Traceback" not in words
    assert not (tmp_path / "chain").exists()


def test_an_address_may_be_written_in_one_case_or_as_it_should() -> None:
    for text in (TRADER, TRADER.lower(), "0x" + TRADER[2:].upper()):
        assert address_of(text) == WHO


def test_the_lock_file_names_no_registry_and_every_package_by_its_hash() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert len(packages) > 20
    for name, each in packages.items():
        assert "resolved" not in each, name
        assert each["integrity"].startswith("sha512-"), name
    for part in ("dependencies", "optionalDependencies"):
        assert lock["packages"][""][part] == wanted[part]
        for name, version in wanted[part].items():
            assert packages[f"node_modules/{name}"]["version"] == version, "an exact version"


def make(program: Path) -> subprocess.CompletedProcess[str]:
    """``make .setup-chain`` of a copy of the program, with its own tools alone."""
    return subprocess.run(
        ["make", "-C", str(program), ".setup-chain"],
        env={"PATH": str(program / "tools"), "HOME": str(program)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_make_goes_on_where_the_parts_can_not_be_had(tmp_path: Path) -> None:
    shutil.copytree(HERE, tmp_path / "app" / "practice" / "chain")
    shutil.copy(HERE.parents[2] / "Makefile", tmp_path)
    (tmp_path / "tools").mkdir()
    for tool in ("make", "mkdir", "cp", "rm", "touch"):
        (tmp_path / "tools" / tool).symlink_to(shutil.which(tool) or "")
    done = make(tmp_path)
    assert (done.returncode, "npm is not installed: no practice chain." in done.stdout) == (0, True), done.stderr
    npm = tmp_path / "tools" / "npm"
    npm.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    npm.chmod(0o755)
    done = make(tmp_path)
    assert (done.returncode, "can not be had: no practice chain." in done.stdout) == (0, True), done.stderr
    assert not (tmp_path / ".setup-chain").exists(), "the next make tries again"
    npm.write_text("#!/bin/sh\n[ -f .npmrc ] && [ -f package-lock.json ]\n", encoding="utf-8")
    assert make(tmp_path).returncode == 0
    assert (tmp_path / ".setup-chain").exists()
