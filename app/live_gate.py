"""The live gate: nothing is traded for real money until every condition is on record, or overridden by the trader's
typed word; and the first week runs at pilot caps. What a session asks before it opens, and `doctor --live` shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from app.gate_records import evidence, ramps
from app.risk.live import Condition, State, judge, names, refusal
from app.risk.model import Limits
from app.risk.pilot import Pilot, pilot
from storage.database import Reader

if TYPE_CHECKING:
    from app.config.load import Loaded

LIVE = "live"
"""The profile whose first fill begins the first week."""


@dataclass(frozen=True, slots=True)
class LiveGate:
    """As the record stands at one moment. Make it with `read`.

    Attributes:
        conditions: those of the machine, then those of each module.
        first_live_ms: time of the first live fill, None before it.
        words_ms: wall times of the words that double the pilot caps.
    """

    conditions: tuple[Condition, ...]
    first_live_ms: int | None
    words_ms: tuple[int, ...]
    now_ms: int

    def refusal(self, *modules: str) -> str:
        """Why live is refused to these modules, or "". Without one: whether the machine's conditions hold, which is
        what a session asks that trades by hand alone."""
        wanted = set(names(modules))
        known = {each.name for each in self.conditions}
        unknown = [Condition(name, State.MISSING, "not judged") for name in names(modules) if name not in known]
        return refusal([*(each for each in self.conditions if each.name in wanted), *unknown])

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
    conditions = judge(evidence(loaded, found, paper, clock_now), modules, now_ms)
    first = None if live is None else live.value("SELECT min(ts_ms) FROM fills")
    return LiveGate(conditions, first, ramps(found), now_ms)


def _profile(reader: Reader) -> str:
    return str(reader.value("SELECT value FROM meta WHERE key = 'profile'") or "")
