"""``countersign signers`` beside a running trader, which alone talks to the device; and a PIN typed on a terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

from app.accounts import accounts
from storage.database import reader
from tests.cli.harness import COMMAND, Cli, until
from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator
from tests.devices.trezor_emulator import TrezorDevice
from tests.execution.test_signers import LEDGER_ADDRESS

_AT_A_TERMINAL = (
    "import fcntl, os, sys, termios\nos.setsid()\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
PATH = "m/44'/60'/0'/0/0"


def test_the_running_trader_is_asked_and_it_alone_talks_to_the_device(cli: Cli) -> None:
    with LedgerEmulator(LedgerDevice()) as emulator, TrezorDevice("T3T1") as trezor:
        url = ("--set", f"signer.ledger={emulator.url}", "--set", f"signer.trezor={trezor.url}")
        trader = cli.trader("--signer", "ledger", *url)
        # The commands know of no device at all: whatever they answer comes from the trader.
        document = cli("signers", "--json", "--db", cli.db).document
        assert document["running"] is True
        ledger = document["signers"][0]
        assert (ledger["kind"], ledger["chosen"], ledger["state"]) == ("ledger", True, "READY")
        assert [each["state"] for each in document["signers"]] == ["READY", "READY", None, "READY"]
        (account,) = document["accounts"]
        assert (account["address"], account["in_use"]) == (LEDGER_ADDRESS, True)

        shown = cli("signers", "address", "--signer", "ledger", "--db", cli.db)
        assert shown.out == f"{LEDGER_ADDRESS}  ledger evm {PATH}\nApproved on the device.\n"
        assert "The running trader asks the device." in shown.err

        done = cli("signers", "test", "--json", "--db", cli.db, "--signer", "ledger").document
        assert (done["address"], done["registered"]) == (LEDGER_ADDRESS, True)

        emulator.device.human = Human.REFUSE
        more = ("signers", "address", "--register", "--signer", "ledger", "--account", "1", "--db", cli.db)
        cli.refused(*more, code=3, says="Refused on the device.")
        emulator.device.human = Human.APPROVE
        assert cli(*more, "--json").document["changed"] is True
        assert cli(*more, "--json").document["changed"] is False

        with reader(cli.db) as data:
            kinds = [row["kind"] for row in data.rows("SELECT kind FROM journal")]
            stored = accounts(data.rows)
        assert kinds.count("account.registered") == 2
        assert [str(each.path) for each in stored] == [PATH, "m/44'/60'/0'/0/1"]
        assert stored[0].used_ms is not None
        assert cli("stop", "--db", cli.db).code == 0
        assert trader.wait().code == 0
        assert cli("journal", "verify", "--db", cli.db).code == 0


def test_ctrl_c_takes_back_what_the_device_shows(cli: Cli) -> None:
    with TrezorDevice("T3T1") as device:
        device.human = "never"
        running = cli.start("signers", "test", "--signer", "trezor", env=cli.env(COUNTERSIGN_TREZOR=device.url))
        until(lambda: device.waits, "the device waits")
        running.signal(signal.SIGINT)
        result = running.wait()
        assert (result.code, result.out) == (130, "")
        assert "Refuse on the device what it still shows." in result.err
        assert not device.waits


def test_a_pin_is_typed_on_the_terminal_and_shown_nowhere(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "home")
    with TrezorDevice("T1B1", pin="1234") as device:
        positions = "".join(str(device.matrix.index(digit) + 1) for digit in "1234")
        ours, theirs = pty.openpty()

        process = subprocess.Popen(
            [sys.executable, "-c", _AT_A_TERMINAL, COMMAND, "signers", "address", "--signer", "trezor", "--no-show"],
            stdin=theirs, stdout=theirs, stderr=theirs, env=cli.env(COUNTERSIGN_TREZOR=device.url), cwd=cli.home,
        )  # fmt: skip
        os.close(theirs)
        try:
            seen = _until(ours, "(not shown): ")
            os.write(ours, positions.encode() + b"\n")
            seen += _until(ours, "trezor evm")
        finally:
            process.wait(30)
            os.close(ours)
    assert process.returncode == 0, seen
    assert "7 8 9" in seen
    assert "not the digits" in seen
    assert positions not in seen


def _until(terminal: int, words: str) -> str:
    seen = ""
    while words not in seen:
        assert select.select([terminal], [], [], 30)[0], seen
        seen += os.read(terminal, 4096).decode(errors="replace")
    return seen


def test_a_hot_key_on_a_computer_without_a_keyring_is_not_called_ready(cli: Cli) -> None:
    config = cli.home / "hot.toml"
    config.write_text("[signer.hot]\nenabled = true\n")
    (hot,) = (
        each for each in cli("signers", "--json", "--config", config).document["signers"] if each["kind"] == "keyring"
    )
    assert hot["state"] == "NO_DEVICE"
    assert "keyring backend is keyring.backends.fail" in hot["words"]
    assert "Install and unlock" in hot["next_step"]


def test_a_path_that_the_device_does_not_allow_names_one_that_it_does(cli: Cli) -> None:
    with LedgerEmulator(LedgerDevice()) as emulator:
        env = cli.env(COUNTERSIGN_LEDGER=emulator.url)
        words = "does not allow m/44/61. (The device said 0x6A15.) Nothing was sent. Name a path of that chain, such as"
        cli.refused("signers", "address", "--signer", "ledger", "--path", "m/44/61", env=env, code=3, says=words)
