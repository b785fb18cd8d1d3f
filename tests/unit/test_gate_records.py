"""What the live gate finds in real databases, and what it does not believe."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.accounts import REGISTER
from app.cli import alone
from app.clock_check import Verdict
from app.config.load import Loaded, load
from app.config.signer import Signer
from app.errors import UsageError
from app.gate_records import (
    CLOCK_CHECKED,
    LIFTED,
    OVERRIDDEN,
    RAMPED,
    SIGNER_TESTED,
    STOPPED,
    clock_checked,
    lifted,
    overridden,
    ramped,
    signed_test,
)
from app.live_gate import LiveGate, read
from app.risk.live import State
from app.risk.model import Limits
from app.risk.pilot import WEEK_MS
from app.trial_signature import Trial
from app.wallets import Which
from signers.base import Clarity, SignerKind
from signers.paths import Path as KeyPath
from signers.payloads import Chain
from storage.database import open_for_trading, reader
from storage.journal import canonical

NOW = 1_700_000_000_000
PATH = KeyPath.parse("m/44'/60'/0'/0/0")
WHICH = Which(SignerKind.LEDGER, Chain.EVM, PATH)
TRIAL = Trial(WHICH, "0xabc", "text", b"", Clarity.CLEAR, "Ledger Flex 1.2", 1, 2, 3)


def made(path: Path, profile: str = "paper") -> Path:
    open_for_trading(path, profile).close()
    return path


def settings(tmp_path: Path, **overrides: str) -> Loaded:
    config = tmp_path / "c.toml"
    config.touch()
    return load(config, {}, {key.replace("__", "."): value for key, value in overrides.items()})


@contextmanager
def readers(*paths: Path) -> Iterator[list[Any]]:
    with ExitStack() as stack:
        yield [stack.enter_context(reader(each)) for each in paths]


def gate(loaded: Loaded, *paths: Path, now_ms: int = NOW) -> LiveGate:
    with readers(*paths) as found:
        return read(loaded, found, now_ms)


def state(found: LiveGate, name: str) -> State:
    return next(each.state for each in found.conditions if each.name == name)


def journal(db: Path, kind: str, *entries: tuple[Any, ...]) -> None:
    alone.journal(db, kind, canonical({"set": [list(each) for each in entries]}))


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return made(tmp_path / "paper.db")


def register(db: Path) -> None:
    row = ("ledger", "evm", str(PATH), "0xabc", "Ledger Flex", NOW - 2_000)
    alone.record(db, lambda _: [(REGISTER, row)])


def test_a_device_that_signed_a_test_after_its_address_was_registered(tmp_path: Path, db: Path) -> None:
    loaded = settings(tmp_path)
    journal(db, SIGNER_TESTED, signed_test(TRIAL, loaded.settings.signer, NOW - 1_000))
    assert state(gate(loaded, db), "signer") is State.MISSING, "an address that nobody compared"
    register(db)
    assert state(gate(loaded, db), "signer") is State.ON_RECORD
    named = settings(tmp_path, signer__ledger="tcp://127.0.0.1:9999")
    assert state(gate(named, db), "signer") is State.MISSING, "the settings name an emulator now"


def test_an_emulator_is_no_device(tmp_path: Path, db: Path) -> None:
    register(db)
    emulator = Signer(ledger="tcp://127.0.0.1:9999")
    journal(db, SIGNER_TESTED, signed_test(TRIAL, emulator, NOW - 1_000))
    assert state(gate(settings(tmp_path), db), "signer") is State.MISSING


def test_a_drill_is_a_stop_and_its_lifting_in_this_order(tmp_path: Path, db: Path) -> None:
    loaded = settings(tmp_path)
    journal(db, LIFTED, lifted(NOW - 1_000))
    assert state(gate(loaded, db), "stop-drill") is State.MISSING
    journal(db, STOPPED, ("stop", "in_force", "words"))
    assert state(gate(loaded, db), "stop-drill") is State.MISSING
    journal(db, LIFTED, ("stop", "lifted"))
    assert state(gate(loaded, db), "stop-drill") is State.MISSING, "an older version's row does not say when"
    journal(db, LIFTED, lifted(NOW - 1_000))
    assert state(gate(loaded, db), "stop-drill") is State.MISSING, "there was no stop before that one"
    journal(db, STOPPED, ("stop", "in_force", "words"))
    journal(db, LIFTED, lifted(NOW - 1_000))
    assert state(gate(loaded, db), "stop-drill") is State.ON_RECORD


def test_words_and_checks_are_read_back(tmp_path: Path, db: Path) -> None:
    loaded = settings(tmp_path)
    verdict = Verdict(checked=True, words="", worst_ms=700, sources=("a", "b"))
    journal(db, CLOCK_CHECKED, clock_checked(verdict, NOW - 1_000))
    journal(db, OVERRIDDEN, overridden("stop-drill", "me", " api_key=abcdefghijkl \x1b[31m", NOW - 1_000))
    found = gate(loaded, db)
    assert state(found, "clock") is State.ON_RECORD
    assert state(found, "stop-drill") is State.OVERRIDDEN
    words = next(each.words for each in found.conditions if each.name == "stop-drill")
    assert "abcdefghijkl" not in words
    assert "\x1b" not in words


def test_what_was_written_by_hand_counts_for_nothing(tmp_path: Path, db: Path) -> None:
    loaded = settings(tmp_path)
    journal(db, OVERRIDDEN, overridden("clock", "me", "why", NOW - 1_000))
    assert state(gate(loaded, db), "clock") is State.OVERRIDDEN
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute("UPDATE journal SET body = replace(body, 'clock', 'stop-drill')")
        row = connection.execute("SELECT * FROM journal").fetchone()
        body = canonical({"set": [list(overridden("limits", "me", "why", NOW))]})
        connection.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)", (row[0] + 1, *row[1:4], body, *row[5:]))
    found = gate(loaded, db)
    assert {state(found, name) for name in ("clock", "stop-drill", "limits")} == {State.MISSING}


@pytest.mark.parametrize(
    "body",
    ["", "junk", "[]", "{}", '{"set":1}', '{"set":[1,"override",[],["override"],["override","clock","me","why","1"]]}',
     '{"set":[["override","clock","me","why",true]]}', '{"set":[["override","clock",null,"why",1]]}'],
)  # fmt: skip
def test_a_row_that_is_none_of_ours_counts_for_nothing(tmp_path: Path, db: Path, body: str) -> None:
    alone.journal(db, OVERRIDDEN, body)
    found = gate(settings(tmp_path), db)
    assert {each.state for each in found.conditions} == {State.MISSING}


def test_limits_that_the_trader_set(tmp_path: Path, db: Path) -> None:
    three = {"risk__position": "10", "risk__exposure": "50", "risk__daily_loss": "50"}
    assert state(gate(settings(tmp_path, **three), db), "limits") is State.ON_RECORD, "to their defaults, and meant"
    assert state(gate(settings(tmp_path, risk__position="10"), db), "limits") is State.MISSING


def fill(db: Path, number: int, *, module: str = "momentum", reduce_only: int = 0, ts_ms: int = NOW) -> None:
    trade = f"{module}{number}"
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        intent = (trade, module, "A", "buy", "1", "1", "1", "", "", reduce_only, "", "", "", 0, 0, 1)
        marks = ", ".join("?" * len(intent))
        connection.execute(f"INSERT INTO intents VALUES (0, {marks})", intent)
        row = ("v", trade, trade, trade, module, "A", "buy", "1", "1", "0", "A", ts_ms)
        connection.execute(f"INSERT INTO fills VALUES (0, {', '.join('?' * len(row))})", row)


def test_only_filled_entries_of_the_module_on_the_paper_profile_are_paper_trades(tmp_path: Path, db: Path) -> None:
    loaded, live = settings(tmp_path), made(tmp_path / "live.db", "live")
    for number in range(99):
        fill(db, number)
    fill(db, 99, reduce_only=1)
    fill(db, 99, module="mean_reversion")
    fill(live, 1)
    assert state(gate(loaded, live, db), "paper-trades:momentum") is State.MISSING
    fill(db, 100)
    assert state(gate(loaded, live, db), "paper-trades:momentum") is State.ON_RECORD
    assert state(gate(loaded, live, db), "paper-trades:mean_reversion") is State.MISSING
    assert state(gate(loaded, live), "paper-trades:momentum") is State.MISSING, "the live profile's trades are none"


def test_a_refusal_is_the_machines_and_that_of_the_modules_asked_about(tmp_path: Path, db: Path) -> None:
    loaded = settings(tmp_path, modules__mean_reversion__enabled="false")
    for name in ("signer", "limits", "stop-drill", "test-alert", "clock"):
        assert f"{name} (" in gate(loaded, db).refusal()
        journal(db, OVERRIDDEN, overridden(name, "me", "why", NOW))
    assert gate(loaded, db).refusal() == ""
    assert "paper-trades:momentum" in gate(loaded, db).refusal("momentum")
    assert "judgement:other (not judged)" in gate(loaded, db).refusal("other"), "one nobody asked about is refused"


def test_the_first_week_begins_with_the_first_live_fill(tmp_path: Path, db: Path) -> None:
    loaded, live = settings(tmp_path), made(tmp_path / "live.db", "live")
    loose = Limits(position=Decimal(1000))
    fill(db, 1, ts_ms=NOW - 100 * WEEK_MS)
    journal(live, RAMPED, ramped("me", NOW - 2))
    assert gate(loaded, live, db).first_live_ms is None, "a paper fill begins nothing"
    assert gate(loaded, live, db).pilot(loose, Decimal(10_000)).step == 0
    fill(live, 1, ts_ms=NOW - WEEK_MS - 2)
    found = gate(loaded, live, db)
    assert found.first_live_ms == NOW - WEEK_MS - 2
    assert found.words_ms == (NOW - 2,)
    assert found.pilot(loose, Decimal(10_000)).limits.position == 20


def test_a_word_needs_a_reason() -> None:
    with pytest.raises(UsageError, match="reason"):
        overridden("clock", "me", "  ", NOW)
