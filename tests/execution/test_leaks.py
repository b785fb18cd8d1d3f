"""Nothing that is written, printed or raised holds a key, a phrase, a PIN or a passphrase: sessions on a hot key, a
Ledger and two Trezors, at the most talkative log level, with everything going wrong that can, and then every file and
every command's words searched for each secret in every usual spelling."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app import hot_keys, logs, paths
from app.__main__ import main
from app.devices import Devices
from app.errors import SignerError
from app.seal_commands import seal_session
from signers import hot_key
from signers.base import Question
from signers.paths import Path as KeyPath
from signers.payloads import Chain
from tests.devices import keys as ledger_keys
from tests.devices import trezor_keys
from tests.devices.keyring_double import EVM_KEY, HOT, SOLANA_KEY, kept_in, with_key
from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator
from tests.devices.spellings import of_bytes, of_text
from tests.devices.trezor_emulator import Model, TrezorDevice
from tests.execution.harness import Rig, rig
from tests.unit.cli.conftest import Call
from tests.unit.cli.conftest import call as call  # noqa: PLC0414 -- the fixture

PIN, WRONG_PIN = "482957136", "951847263"
PASSPHRASE = "Tr0ub4dor & the horse's staple"
EVM_PATH = KeyPath.parse("m/44'/60'/0'/0/0")
COMMANDS = (
    ("status",), ("positions",), ("orders",), ("pnl",), ("risk",), ("errors",), ("alerts",), ("health",),
    ("journal", "show", "--limit", "1000"), ("journal", "verify"), ("config", "show"), ("hotkey", "list"),
    ("secrets", "list"), ("proposals", "--stats"), ("modules",), ("doctor",), ("signers", "list"),
)  # fmt: skip


@dataclass
class Told:
    """What left a session: words of faults as they would be printed, and where the files are."""

    folder: Path
    words: list[str] = field(default_factory=list)

    def fault(self, error: BaseException) -> None:
        """As every reader of an exception sees it, and as the log writes a crash."""
        self.words += [str(error), repr(error), "".join(traceback.format_exception(error))]
        logs.get("app.test").error("crashed", error=error)

    @contextmanager
    def raised(self, kind: type[BaseException]) -> Iterator[None]:
        with pytest.raises(kind) as caught:
            yield
        self.fault(caught.value)


def written(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below `folder`."""
    for each in sorted(folder.rglob("*")):
        if each.is_file():
            content = each.read_bytes()
            yield str(each.relative_to(folder)), gzip.decompress(content) if each.suffix == ".gz" else content


def leaks(secrets: dict[str, set[bytes]], places: list[tuple[str, bytes]]) -> list[str]:
    """Which secret stands where."""
    found = []
    for place, content in places:
        lowered = content.lower()
        for name, spellings in secrets.items():
            found += [
                f"{name} as {each!r} in {place}" for each in spellings if each in content or each.lower() in lowered
            ]
    return found


def assert_silent(call: Call, told: Told, secrets: dict[str, set[bytes]]) -> None:
    """Run every command beside the finished session, then search everything."""
    db = told.folder / "a.db"
    said = "\n".join(told.words)
    for command in (*COMMANDS, ("backup", str(told.folder / "copy.db"))):
        for flags in ((), ("--json",)) if command[0] != "backup" else ((),):
            result = call(*command, *flags, "--db", db)
            assert result.code in ({0, 1} if command[0] not in {"hotkey", "secrets"} else {0, 3}), result
            said += result.out + result.err
    files = list(written(told.folder))
    assert {"a.db", "copy.db", "log/countersign.jsonl"} <= {name for name, _ in files}
    (log,) = [content for name, content in files if name == "log/countersign.jsonl"]
    assert log.count(b"\n") > 20, "the log is at its most talkative"
    assert leaks(secrets, [("words", said.encode()), *files]) == []


@asynccontextmanager
async def talking(folder: Path, settings: dict[str, str]) -> AsyncIterator[Rig]:
    async with rig(folder, settings={**settings, "signer.deadline_s": "10"}) as r:
        r.session.device.again_s = 1000.0
        yield r


def at_debug(folder: Path) -> None:
    logs.configure(folder / "log", "debug")


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    logs.close()


def test_a_hot_key_leaves_no_trace(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told = Told(tmp_path)

    async def act() -> None:
        async with talking(tmp_path, HOT) as r:
            signer: Any = r.session.device.signer
            await r.trade(quantity="0.05", target=None)
            await r.trade(quantity="1", target=None)
            told.words.append(repr(signer) + str(vars(signer)) + repr(r.session.devices.of(signer.kind)))
            load, signer._load = signer._load, breaks
            await r.trade(quantity="0.05", target=None)
            signer._load = load
            await r.close_position("0.05")
            await seal_session(r.session)

    def breaks(_chain: Chain) -> bytes:
        raise RuntimeError(f"a library's bug: {EVM_KEY!r} {EVM_KEY.hex()} {int.from_bytes(EVM_KEY)} {list(EVM_KEY)}")

    with kept_in(with_key()) as entries:
        at_debug(tmp_path)
        asyncio.run(act())
        entries[hot_keys.name(Chain.EVM)] = EVM_KEY.hex()[:-2]
        with told.raised(SignerError):
            asyncio.run(act())
        entries.clear()
        logs.close()
        for typed, chain in ((EVM_KEY.hex(), "evm"), (str(list(SOLANA_KEY)), "solana"), (trezor_keys.MNEMONIC, "evm")):
            result = call("hotkey", "import", "--chain", chain, stdin=f"HOT\n{typed}\n")
            told.words += [result.out, result.err]
        with monkeypatch.context() as patched:
            patched.setattr(hot_keys, "keep", lambda *_: breaks(Chain.EVM))
            patched.setattr("sys.stdin", io.StringIO(f"HOT\n{EVM_KEY.hex()}\n"))
            entries.clear()
            assert main(["hotkey", "import"]) == 1
        out, err = capfd.readouterr()
        assert "unexpected fault" in err
        told.words += [out, err]
        entries.update(with_key())
        at_debug(tmp_path)
        secrets = {"the key": of_bytes(EVM_KEY), "the Solana key": of_bytes(SOLANA_KEY)}
        assert_silent(call, told, secrets | {"the phrase": of_text(trezor_keys.MNEMONIC)})
    assert paths.log_dir().is_relative_to(tmp_path), "where the crash was reported was searched too"
    assert list(paths.log_dir().glob("*.jsonl"))


def test_a_ledger_leaves_no_trace(call: Call, tmp_path: Path) -> None:
    told, device = Told(tmp_path), LedgerDevice()

    async def act(url: str) -> None:
        async with talking(tmp_path, {"signer.kind": "ledger", "signer.ledger": url}) as r:
            await r.trade()
            for human in (Human.REFUSE, Human.APPROVE):
                device.human = human
                await r.trade()
            device.locked = True
            await r.trade()
            device.locked = False
            await seal_session(r.session)
            await r.close_position("2")

    with LedgerEmulator(device) as emulator:
        at_debug(tmp_path)
        asyncio.run(act(emulator.url))
        seed_words = ledger_keys.PHRASE.split()
        secrets = {"the key": of_bytes(ledger_keys.private_key(Chain.EVM, EVM_PATH))}
        secrets |= {f"words {n}": of_text(" ".join(seed_words[n : n + 3])) for n in range(len(seed_words) - 2)}
        assert_silent(call, told, secrets)


MODELS: tuple[Model, ...] = ("T1B1", "T3T1")


@pytest.mark.parametrize("model", MODELS)
def test_a_trezor_with_pin_and_passphrase_leaves_no_trace(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Model
) -> None:
    told, device, asked = Told(tmp_path), TrezorDevice(model, pin=PIN, passphrase=True), list[Question]()
    device.pins = [PIN]
    positions = {pin: "".join(str(device.matrix.index(digit) + 1) for digit in pin) for pin in (PIN, WRONG_PIN)}
    typed = [positions[WRONG_PIN]]

    async def answers(_: Devices, question: Question) -> str:
        asked.append(question)
        if question is Question.PIN_POSITIONS:
            return typed.pop() if typed else positions[PIN]
        return PASSPHRASE

    settings = {"signer.kind": "trezor", "signer.trezor": "", "signer.trezor_wallet": "hidden-typed"}

    async def act() -> None:
        async with talking(tmp_path, settings | {"signer.trezor": device.url}) as r:
            await r.trade()
            for human in ("refuse", "approve"):
                device.human = human
                await r.trade()
            device.restart()
            await r.trade()
            await seal_session(r.session)
            monkeypatch.setattr(Devices, "_ask", fails)
            device.restart()
            told.words.append(r.stored(await r.trade())["reason"])

    async def fails(_: Devices, question: Question) -> str:
        raise RuntimeError(f"a bug: {question} {PASSPHRASE} {positions[PIN]}")

    monkeypatch.setattr(Devices, "_ask", answers)
    with device:
        at_debug(tmp_path)
        if model == "T1B1":
            with told.raised(SignerError):
                asyncio.run(act())
        asyncio.run(act())
        assert Question.PASSPHRASE in asked
        assert (Question.PIN_POSITIONS in asked) is (model == "T1B1")
        levels = EVM_PATH.levels
        secrets = {
            "the key": of_bytes(bytes(trezor_keys.ethereum(PASSPHRASE, levels).key)),
            "the seed": of_bytes(trezor_keys.seed(PASSPHRASE)),
            "the phrase": of_text(" ".join(["all"] * 3)),
            "the passphrase": of_text(PASSPHRASE),
            **{f"PIN {pin}": of_text(pin) | of_text(positions[pin]) for pin in (PIN, WRONG_PIN)},
        }
        assert_silent(call, told, secrets)


# -- the search itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda key: key,
        lambda key: key.hex().encode(),
        lambda key: b"0x" + key.hex().upper().encode(),
        lambda key: base64.b64encode(b"key=" + key + b";"),
        lambda key: base64.urlsafe_b64encode(b"xy" + key),
        lambda key: str(list(key)).encode(),
        lambda key: repr(key).encode(),
        lambda key: key[::-1].hex().encode(),
        lambda key: str(int.from_bytes(key)).encode(),
        lambda key: b"half " + key[16:].hex().encode(),
    ],
)
def test_the_search_finds_a_key_however_it_is_written(write: Callable[[bytes], bytes]) -> None:
    for key in (hot_key.generate(Chain.EVM), EVM_KEY):
        assert leaks({"it": of_bytes(key)}, [("x", b"before " + write(key) + b" after")])
    assert not leaks({"it": of_bytes(EVM_KEY)}, [("x", EVM_KEY.hex()[2:30].encode())])


@pytest.mark.parametrize("secret", [PIN, PASSPHRASE])
def test_the_search_finds_what_was_typed(secret: str) -> None:
    for text in (secret, json.dumps({"typed": secret}), secret.encode().hex(), secret[::-1], " ".join(secret)):
        assert leaks({"it": of_text(secret)}, [("x", text.encode())])
