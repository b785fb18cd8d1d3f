"""The plug-in contract of a trading module.

A third party ships a package with an entry point in group ``countersign.modules`` that names a `ModuleSpec`. The
engine feeds the strategy what it subscribed to, in market-time order, and turns its signals into intents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from strategies.model import Bar, Position, Signal

API_VERSION = 1
"""Raised when this contract changes; a spec of another version is shown as unavailable, the rest starts."""

MANUAL: Final = "manual"
"""Whose trades the trader's own are. No module may bear this name: its positions would be mixed with the trader's."""

NO_INSTRUMENT: Final = ""
"""`symbol` of a message about what no instrument is for."""


class Strategy(Protocol):
    """Decisions for ONE instrument. Same inputs in the same order give the same outputs: no clock, no randomness
    without a seed in the params, no I/O.

    A strategy may have three more methods. The first two are called where the spec declares their types:

    - ``messages() -> tuple[object, ...]``: what it has to say about the bar just seen (`ModuleSpec.publishes`);
    - ``on_message(message) -> Signal | Notice | None``: a message of another module, or of the chain, about its
      instrument (`ModuleSpec.subscriptions`). During warm-up what it returns is ignored;
    - ``note() -> str``: what it has to say of itself to the trader now, in words; "": nothing.

    Messages about no instrument (`symbol` is "") go to a strategy of their own, which sees no bar and trades nothing.
    """

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:
        """React to a finished bar. `position` is what this module holds of the instrument now.

        During warm-up (the `ModuleSpec.warmup_bars` before the first live bar) returned signals are ignored.
        """
        ...


@dataclass(frozen=True, slots=True)
class ModuleSpec:
    """What a module is and needs.

    Attributes:
        params: a frozen dataclass whose fields have defaults and whose `__post_init__` raises ValueError naming the
            field, its value and what is allowed.
        factory: makes the strategy of one instrument from params.
        warmup_bars: bars the strategy needs before its opinion counts; re-fed after a restart.
        requires: names of distributions that must be installed.
        after: names of modules without which this one can not run; it starts, and sees each bar, after them.
        publishes: message types its strategies may publish: frozen dataclasses with a `symbol`.
        subscriptions: message types its strategies listen to, those of `strategies.chain_messages` among them, which a
            session on a chain tells. Nobody needs to publish them; where another module does, that one sees each bar
            first, so that what it says of a bar is known when this one decides on it.
    """

    name: str
    version: str
    api: int
    params: type[Any]
    factory: Callable[[Any], Strategy]
    warmup_bars: Callable[[Any], int]
    requires: tuple[str, ...] = field(default=())
    summary: str = ""
    after: tuple[str, ...] = field(default=())
    publishes: tuple[type[Any], ...] = field(default=())
    subscriptions: tuple[type[Any], ...] = field(default=())
