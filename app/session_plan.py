"""What a session is for, and what its database remembers of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.config.load import Loaded
from app.market.live import LiveSource
from app.money import from_text, to_text
from app.venues.evm.chain import Chain
from app.venues.evm.nodes.settings import NodesSettings
from storage.database import reader
from storage.identity import is_there
from strategies.model import Instrument, InstrumentKind


@dataclass(frozen=True, slots=True)
class ChainPlan:
    """The chain a session trades on.

    Attributes:
        source: is fed with its market.
        traders: seed of other accounts that trade on a practice chain; None: nobody does.
    """

    name: str
    source: LiveSource
    traders: int | None = None
    chain: Chain | None = None
    """None: the practice chain, in a process of its own."""
    nodes: NodesSettings | None = None
    """How its nodes are asked; None: as is usual for the chain's own list."""


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What a session is for.

    Attributes:
        source_id: identity of the market source; the database remembers it and refuses another.
        instruments: what the source quotes.
        start_ms: market time before the first event, when the database has none of its own.
    """

    db: Path
    loaded: Loaded
    source_id: str
    instruments: tuple[Instrument, ...]
    start_ms: int
    auto_confirm: bool
    lockstep: bool
    emergency: bool = False
    """Opened only to stop everything: what guards the start of trading must not be in the way."""
    first_event: int = 0
    """Events before this one are the market's past: shown to modules as warm-up, never traded on."""
    reload: Callable[[], Loaded] | None = None
    """Reads the settings again, flags included; None: they stay as they are."""
    attended: bool = False
    """A person sees the demo device's screen and approves there; otherwise it approves what was confirmed."""
    chain: ChainPlan | None = None
    """None: the paper venue."""


def remembered(db: Path, key: str) -> str | None:
    """A fact the database remembers (its market source, its instruments), or None.

    Raises:
        StorageFault: what is there is no file, not a database, another program's, or a newer version's.
    """
    if not is_there(db) or db.stat().st_size == 0:
        return None
    with reader(db) as data:
        found = data.value("SELECT value FROM meta WHERE key = ?", (key,))
        return None if found is None else str(found)


def instruments_to_text(instruments: tuple[Instrument, ...]) -> str:
    """Instruments as remembered in the database."""
    rows = [[i.symbol, i.base, i.quote, to_text(i.tick), to_text(i.lot), i.kind.value] for i in instruments]
    return json.dumps(rows)


def instruments_from_text(text: str) -> tuple[Instrument, ...]:
    """The inverse."""
    return tuple(
        Instrument(symbol, base, quote, from_text(tick), from_text(lot), InstrumentKind(kind))
        for symbol, base, quote, tick, lot, kind in json.loads(text)
    )
