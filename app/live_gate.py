"""The live gate: nothing is traded for real money until every condition is on record, or overridden by the trader's
typed word; and the first week runs at pilot caps. What a session asks before it opens, and `doctor --live` shows."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app import paths
from app.gate_records import evidence, ramps
from app.risk.live import Condition, State, judge, names, refusal, verified
from app.risk.model import Limits
from app.risk.pilot import Pilot, pilot
from storage.database import Reader, reader
from storage.identity import is_there

if TYPE_CHECKING:
    from app.config.load import Loaded

LIVE = "live"
"""The profile whose first fill begins the first week."""


_HOLDS: Final = (
    "SELECT 1 FROM module_positions WHERE quantity <> '0' "
    "UNION ALL SELECT 1 FROM balances WHERE account GLOB 'assets:liquidity:*' AND amount <> '0' "
    "UNION ALL SELECT 1 FROM trades WHERE state IN ('SIGNED', 'SUBMITTED', 'PARTIALLY_FILLED') LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class LiveGate:
    """As the record stands at one moment. Make it with `read`.

    Attributes:
        conditions: those of the machine, then those of each module.
        first_live_ms: time of the first live trade, None before it.
        words_ms: wall times of the words that double the pilot caps.
        accounts: signer, chain, path and address of the accounts whose device signed a test.
        holds: the live database has positions, liquidity, or trades that were sent and have not ended: what must be
            possible to close whatever else is missing.
    """

    conditions: tuple[Condition, ...]
    first_live_ms: int | None
    words_ms: tuple[int, ...]
    now_ms: int
    accounts: frozenset[tuple[str, str, str, str]] = frozenset()
    holds: bool = False

    def missing(self, *modules: str) -> tuple[Condition, ...]:
        """What is neither on record nor overridden; of these modules as of the machine."""
        wanted = set(names(modules))
        known = {each.name for each in self.conditions}
        unknown = [Condition(name, State.MISSING, "not judged") for name in names(modules) if name not in known]
        return tuple(each for each in (*self.conditions, *unknown) if each.name in wanted and not each.holds)

    def refusal(self, *modules: str) -> str:
        """Why live is refused to these modules, or "". Without one: whether the machine's conditions hold, which is
        what a session asks that trades by hand alone."""
        return refusal(self.missing(*modules))

    def pilot(self, limits: Limits, capital: Decimal) -> Pilot:
        """The limits in force on the live profile; never looser than `limits`. `capital` in account currency."""
        return pilot(limits, capital, self.first_live_ms, self.words_ms, self.now_ms)


def read(loaded: Loaded, readers: Iterable[Reader], now_ms: int, clock_now: str = "") -> LiveGate:
    """The gate as these databases have it on record: the live profile's own, where there is one, and the paper
    profile's, which has the paper trades. For every module that the settings enable.

    Args:
        now_ms: wall time.
        clock_now: what a comparison of the clock just now came to, where it was no success.

    Raises:
        StorageError: a row of table accounts can not be read.
        sqlite3.Error: a database can not.
    """
    found = tuple(readers)
    paper = next((each for each in found if _profile(each) == "paper"), None)
    live = next((each for each in found if _profile(each) == LIVE), None)
    modules = [name for name, module in sorted(loaded.settings.modules.items()) if module.enabled]
    known = evidence(loaded, found, paper, clock_now)
    first = None if live is None else _first_trade(live)
    holds = live is not None and live.value(_HOLDS) is not None
    return LiveGate(judge(known, modules, now_ms), first, ramps(found), now_ms, verified(known, now_ms), holds)


def on_record(loaded: Loaded, db: Path, now_ms: int, clock_now: str = "") -> LiveGate:
    """The gate for a session on `db`: from that database, and from every profile's own where that is another one. What
    was tried and tested on paper or on a test network need not be done again.

    Raises:
        StorageError, StorageFault, sqlite3.Error: one of them can not be read.
    """
    usual = (Path(os.path.realpath(paths.database(profile))) for profile in (LIVE, "paper", "testnet"))
    with ExitStack() as stack:
        found: list[Reader] = []
        for each in dict.fromkeys((db, *usual)):
            if is_there(each):
                made = stack.enter_context(reader(each))
                if each == db or _profile(made) not in {_profile(other) for other in found}:
                    found.append(made)
        return read(loaded, found, now_ms, clock_now)


def _first_trade(live: Reader) -> int | None:
    """When the first transaction or order did something; the market time of a live profile is that of the wall."""
    first = live.value("SELECT min(ts_ms) FROM fills")
    done = live.value("SELECT min(ts_ms) FROM order_events WHERE to_state IN ('FILLED', 'PARTIALLY_FILLED')")
    return min((int(each) for each in (first, done) if each is not None), default=None)


def _profile(reader: Reader) -> str:
    return str(reader.value("SELECT value FROM meta WHERE key = 'profile'") or "")
