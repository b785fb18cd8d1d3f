"""What the live gate asks for, as rows of the journal: how each is written, and how all are read again.

Each is an entry of a hashed journal row and ends with wall time, ms UTC: market time may run faster than any day.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from app.accounts import stored
from app.alert_service import TESTED
from app.devices import HARDWARE
from app.errors import SafetyError, UsageError
from app.execution.control import Handler
from app.redact import redact_text
from app.risk.live import (
    LIMITS,
    AlertTest,
    ClockCheck,
    Drill,
    Evidence,
    Registered,
    Setting,
    SignerTest,
    Word,
)
from app.text import escape_untrusted
from storage.database import Reader
from storage.journal import row_hash

if TYPE_CHECKING:
    from app.clock_check import Verdict
    from app.config.load import Loaded
    from app.config.signer import Signer
    from app.session import Session
    from app.trial_signature import Trial

SIGNER_TESTED: Final = "signer.tested"
STOPPED: Final = "stop.emergency"
LIFTED: Final = "stop.lifted"
CLOCK_CHECKED: Final = "gate.clock"
OVERRIDDEN: Final = "gate.override"
RAMPED: Final = "gate.ramp"
_KINDS: Final = (SIGNER_TESTED, TESTED, STOPPED, LIFTED, CLOCK_CHECKED, OVERRIDDEN, RAMPED)

OVERRIDE: Final = "LIVE"
RAMP: Final = "RAMP"
"""What a trader types."""
_MOST_REASON: Final = 200
_MOST_NAME: Final = 64

Entry = tuple[Any, ...]
T = TypeVar("T")


def user() -> str:
    """Whose word it is: the name of the user of this computer."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"  # one without a name, as in a container


# -- written --------------------------------------------------------------------------------------------------------


def signed_test(made: Trial, signer: Signer, wall_ms: int) -> Entry:
    """A test text was signed by a registered account, on the device or by an emulator of it."""
    where = "emulator" if emulated(made.which.kind.value, signer) else "device"
    which = made.which
    return (
        "signer_test", which.kind.value, which.chain.value, str(which.path), made.address, made.device, where, wall_ms,
    )  # fmt: skip


def emulated(kind: str, signer: Signer) -> bool:
    """Whether the settings name an emulator in the place of a device of this kind."""
    return bool({"ledger": signer.ledger, "trezor": signer.trezor}.get(kind, ""))


def lifted(wall_ms: int) -> Entry:
    """The emergency stop was lifted."""
    return "stop", "lifted", wall_ms


def clock_checked(verdict: Verdict, wall_ms: int) -> Entry:
    """The clock was found right."""
    assert verdict.worst_ms is not None
    return "clock", verdict.worst_ms, ",".join(verdict.sources), wall_ms


def overridden(condition: str, by: str, reason: str, wall_ms: int) -> Entry:
    """A word in the place of a condition.

    Raises:
        UsageError: no reason was given.
    """
    words = escape_untrusted(redact_text(reason.strip()), _MOST_REASON)
    if not words:
        raise UsageError("gate.reason", "A condition is overridden with a reason.", next_step="Nothing was changed.")
    return "override", condition, escape_untrusted(by, _MOST_NAME), words, wall_ms


def ramped(by: str, wall_ms: int) -> Entry:
    """A word that doubles the pilot caps."""
    return "ramp", escape_untrusted(by, _MOST_NAME), wall_ms


def gate_handlers(session: Session) -> Mapping[str, Handler]:
    """What a running trader journals for the gate. The word was typed where the command runs, and is looked at here
    again: no other program of ours can leave it out."""

    async def journal(kind: str, subject: str, entry: Entry) -> dict[str, Any]:
        transition = session.desk.transition()
        transition.change(*entry)
        seq = await session.desk.commit(transition, kind, subject)
        from app.live_watch import look  # noqa: PLC0415 -- it imports this module

        await look(session)
        return {"seq": seq}

    async def override(request: dict[str, Any]) -> dict[str, Any]:
        if request.get("word") != OVERRIDE:
            raise SafetyError("gate.word", "The word was not typed. Nothing was changed.")
        condition, now_ms = str(request["condition"])[:200], session.desk.wall.now_ms()
        entry = overridden(condition, str(request["by"]), str(request["reason"]), now_ms)
        return await journal(OVERRIDDEN, condition, entry)

    async def ramp(request: dict[str, Any]) -> dict[str, Any]:
        if request.get("word") != RAMP:
            raise SafetyError("gate.word", "The word was not typed. Nothing was changed.")
        session.rules.may_ramp()
        return await journal(RAMPED, "", ramped(str(request["by"]), session.desk.wall.now_ms()))

    async def clock(request: dict[str, Any]) -> dict[str, Any]:
        worst = request["worst_ms"]
        if type(worst) is not int or worst < 0:
            raise UsageError("gate.clock", "worst_ms is a whole number from 0.")
        sources = escape_untrusted(str(request["sources"]), 500)
        return await journal(CLOCK_CHECKED, "", ("clock", worst, sources, session.desk.wall.now_ms()))

    return {"gate_override": override, "gate_ramp": ramp, "gate_clock": clock}


# -- read -----------------------------------------------------------------------------------------------------------


def evidence(loaded: Loaded, readers: tuple[Reader, ...], paper: Reader | None, clock_now: str = "") -> Evidence:
    """Everything on record in these databases, and what the settings say. A row that is none of ours, or that its hash
    does not cover, counts for nothing.

    Args:
        readers: databases whose records count, such as the live profile's own and the paper profile's.
        paper: the paper profile's, whose trades are counted.
        clock_now: see `Evidence`.

    Raises:
        StorageError: table accounts has a row that can not be read.
    """
    entries = [(kind, entry) for reader in readers for _, kind, entry in _entries(reader)]
    signer = loaded.settings.signer
    return Evidence(
        registered=tuple(each for reader in readers for each in _registered(reader)),
        tests=_of(entries, SIGNER_TESTED, _signer_test),
        emulators=frozenset(each for each in HARDWARE if emulated(each, signer)),
        limits=tuple(_setting(loaded, readers, key) for key in LIMITS),
        drills=tuple(each for reader in readers for each in _drills(reader)),
        alerts=_of(entries, TESTED, _alert_test),
        channels=frozenset(loaded.settings.alerts.policy().channels),
        clocks=_of(entries, CLOCK_CHECKED, _clock),
        clock_now=clock_now,
        paper={} if paper is None else _paper(paper),
        paper_source="" if paper is None else _source(paper),
        words=_of(entries, OVERRIDDEN, _word),
        hot=signer.kind == "keyring",
    )


def ramps(readers: tuple[Reader, ...]) -> tuple[int, ...]:
    """Wall times of the words that double the pilot caps."""
    found = (entry for reader in readers for _, kind, entry in _entries(reader) if kind == RAMPED)
    return tuple(each[2] for each in found if _is(each, "ramp", str, int))


def _of(entries: list[tuple[str, list[Any]]], kind: str, read: Callable[[list[Any]], T | None]) -> tuple[T, ...]:
    found = (read(entry) for each, entry in entries if each == kind)
    return tuple(each for each in found if each is not None)


def _entries(reader: Reader) -> Iterator[tuple[int, str, list[Any]]]:
    """Journal row, kind and each entry of the rows that the gate reads, in order."""
    marks = ", ".join("?" * len(_KINDS))
    sql = f"SELECT * FROM journal WHERE kind IN ({marks}) ORDER BY seq"  # noqa: S608 -- our own words
    for row in reader.rows(sql, _KINDS):
        # None of these kinds commits hashed rows beside its own.
        facts = (row["seq"], row["ts_ms"], row["kind"], row["subject"], row["body"])
        if row_hash(row["prev_hash"], *facts, []) != row["hash"]:
            continue
        try:
            changes = json.loads(row["body"])["set"]
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        for entry in changes if isinstance(changes, list) else ():
            if isinstance(entry, list):
                yield row["seq"], row["kind"], entry


def _is(entry: list[Any], name: str, *kinds: type) -> bool:
    """Whether an entry is one of ours: its name, and values of these types."""
    return (
        len(entry) == len(kinds) + 1
        and entry[0] == name
        and all(type(value) is kind for value, kind in zip(entry[1:], kinds, strict=True))
    )


def _signer_test(entry: list[Any]) -> SignerTest | None:
    if not _is(entry, "signer_test", str, str, str, str, str, str, int):
        return None
    _, signer, chain, path, address, device, where, at_ms = entry
    return SignerTest(signer, chain, path, address, device, where != "device", at_ms)


def _alert_test(entry: list[Any]) -> AlertTest | None:
    if not _is(entry, "alert_test", str, str, str, int) or entry[2] != "DELIVERED":
        return None
    return AlertTest(entry[1], entry[4])


def _clock(entry: list[Any]) -> ClockCheck | None:
    return ClockCheck(*entry[1:]) if _is(entry, "clock", int, str, int) else None


def _word(entry: list[Any]) -> Word | None:
    return Word(*entry[1:]) if _is(entry, "override", str, str, str, int) else None


def _registered(reader: Reader) -> Iterator[Registered]:
    for each in stored(reader.rows):
        if each.signer in HARDWARE:
            at_ms = each.registered_ms
            yield Registered(each.signer.value, each.chain.value, str(each.path), each.address, at_ms)


def _drills(reader: Reader) -> Iterator[Drill]:
    stopped: int | None = None
    for seq, kind, entry in _entries(reader):
        if kind == STOPPED:
            stopped = seq
        elif kind == LIFTED:
            if stopped is not None and _is(entry, "stop", str, int) and entry[1] == "lifted":
                yield Drill(stopped, seq, entry[2])
            stopped = None


def _setting(loaded: Loaded, readers: tuple[Reader, ...], key: str) -> Setting:
    from app.config.tree import flatten  # noqa: PLC0415 -- loaded with the settings

    value = flatten(loaded.settings)[key]
    return Setting(key, value, loaded.sources[key], _journaled(readers, key, value))


def _journaled(readers: tuple[Reader, ...], key: str, value: str) -> int | None:
    """The row of the newest change of this setting, where the trader made it and it still holds."""
    for reader in readers:
        row = reader.one(
            "SELECT seq, new, source FROM config_changes WHERE key = ? ORDER BY rowid DESC LIMIT 1", (key,)
        )
        if row is not None and row["new"] == value and row["source"] != "default":
            return int(row["seq"])
    return None


def _paper(reader: Reader) -> dict[str, int]:
    """Entries that were filled, by module: a close is the end of a trade, not another."""
    rows = reader.rows(
        "SELECT i.module, count(*) AS n FROM intents i WHERE i.reduce_only = 0 "
        "AND EXISTS (SELECT 1 FROM fills f WHERE f.trade_id = i.id) GROUP BY i.module"
    )
    return {row["module"]: row["n"] for row in rows}


def _source(reader: Reader) -> str:
    """What the paper trades were made on, so that nobody takes a practice market for a real one."""
    text = str(reader.value("SELECT value FROM meta WHERE key = 'source'") or "")
    return f"on the {text.partition(':')[0]} market" if text.startswith("practice:") else "on recorded data"
