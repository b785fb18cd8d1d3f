"""``countersign journal seal`` without a trader: on a device that this database does not know yet, and on one that
another trader may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.accounts import accounts
from app.cli import alone, context
from storage.database import open_for_trading, reader
from tests.cli.harness import Result
from tests.devices.ledger_device import LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator
from tests.execution.test_signers import LEDGER_ADDRESS
from tests.unit.cli.conftest import Call

Journal = Callable[[str], Result]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    open_for_trading(tmp_path / "a.db", "paper").close()
    alone.journal(tmp_path / "a.db", "test", '{"set":[]}')
    return tmp_path / "a.db"


@pytest.fixture
def ledger() -> Iterator[LedgerEmulator]:
    with LedgerEmulator(LedgerDevice()) as emulator:
        yield emulator


@pytest.fixture
def journal(call: Call, tmp_path: Path, db: Path, ledger: LedgerEmulator) -> Journal:
    settings = f'[signer]\nkind = "ledger"\nledger = "{ledger.url}"\ndeadline_s = 10\n'
    (tmp_path / "c.toml").write_text(settings, encoding="utf-8")
    return lambda action: call("journal", action, "--db", db, "--config", tmp_path / "c.toml")


def test_the_address_that_its_person_approved_for_the_seal_is_registered(journal: Journal, db: Path) -> None:
    done = journal("seal")
    assert (done.code, "Sealed: row " in done.out) == (0, True), done.err
    with reader(db) as data:
        assert [each.address for each in accounts(data.rows)] == [LEDGER_ADDRESS]
        kinds = [row["kind"] for row in data.rows("SELECT kind FROM journal ORDER BY seq")]
    assert kinds == ["test", "account.registered", "journal.sealed"]
    verified = journal("verify")
    assert (verified.code, "Sealed to row" in verified.out) == (0, True), verified.out + verified.err
    assert journal("seal").code == 0, "it is known now"


def test_a_device_that_another_trader_may_hold_is_left_alone(
    journal: Journal, ledger: LedgerEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "running", lambda: [Path("/other.db")])
    done = journal("seal")
    assert (done.code, "/other.db" in done.err) == (3, True), done.err
    assert "Compare on the ledger" not in done.err
