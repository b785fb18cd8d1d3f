"""New pools: told once they are old enough, deep enough and their token was looked at; bought, a little, only where the
settings name the token.

Most new tokens are made to be bought and never sold. Nothing here claims a profit; it keeps what is told and bought to
what passed the checks, and the pipeline looks at the token again before any purchase.

**Told**, each pool once, when it is `after_blocks` old, holds `least_liquidity` of the other token (account currency),
and its token's safety was looked at no sooner than that age: what was found, refused or not. A pool that is not there
after `give_up_blocks` is not told. Instruments come from the settings, so a token that they do not name is told and
nothing else: to buy it, its address goes into the settings by the trader's hand.

**Bought**, once for each instrument that had no pool told before: the look refuses nothing and scores at least
`least_score`, and a bar has closed since, whose close the stop (`stop_bps`) and target (`target_bps`) are of. How much
is the sizing's affair, within the module's capital.

**Exit**: FLAT after `max_hold_bars` bars of time, and when its pool has less than half of `least_liquidity` left: what
can not be sold any more is lost, and liquidity that leaves is how it begins.

A pool whose block was dropped (`Undone`) is no pool: it is not bought. If it comes again it is not told twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from strategies.base import API_VERSION, ModuleSpec, Strategy
from strategies.chain_messages import NewPair, Undone
from strategies.model import Bar, Direction, Notice, Position, Signal
from strategies.params import check_bounds

__all__ = ["SPEC", "NewPairs", "NewPairsParams"]

_BPS: Final = 10_000.0
_MOST: Final = 1000
"""Pools that are remembered as told."""

_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "after_blocks": (0, 100_000),
    "give_up_blocks": (1, 100_000),
    "least_liquidity": (0.0, 1e12),
    "least_score": (0, 100),
    "stop_bps": (10.0, 9900.0),
    "target_bps": (10.0, 1_000_000.0),
    "max_hold_bars": (1, 1_000_000),
}


@dataclass(frozen=True, slots=True)
class NewPairsParams:
    """Settings; liquidity in account currency. `__post_init__` states what is allowed."""

    after_blocks: int = 20
    give_up_blocks: int = 900
    least_liquidity: float = 20_000.0
    least_score: int = 60
    stop_bps: float = 2000.0
    target_bps: float = 5000.0
    max_hold_bars: int = 720

    def __post_init__(self) -> None:
        check_bounds(self, _BOUNDS)
        if self.after_blocks >= self.give_up_blocks:
            raise ValueError(
                f"after_blocks is {self.after_blocks}; allowed: below give_up_blocks, which is {self.give_up_blocks}"
            )


class NewPairs:
    """The strategy of the new pools of one instrument, or of all that no instrument is for; see the module's
    docstring."""

    __slots__ = ("_followed", "_liquidity", "_params", "_told", "_wanted")

    def __init__(self, params: NewPairsParams) -> None:
        self._params = params
        self._told: dict[str, None] = {}
        """Pools, in the order in which they were told."""
        self._wanted: NewPair | None = None
        """What is bought on the next bar."""
        self._followed = ""
        """The pool of the purchase."""
        self._liquidity: float | None = None
        """What that pool holds; None: not known."""

    def on_message(self, message: NewPair | Undone) -> Notice | None:
        """Judge a pool as it is now."""
        if isinstance(message, Undone):
            if self._wanted is not None and self._wanted.created >= message.block:
                self._wanted = None
            return None
        if message.pool == self._followed:
            self._liquidity = None if message.liquidity is None else float(message.liquidity)
        if message.pool in self._told or not self._ripe(message):
            return None
        first = not self._told
        self._told[message.pool] = None
        if len(self._told) > _MOST:  # the oldest is past its time, and is not told again for that
            del self._told[next(iter(self._told))]
        buys = bool(message.symbol) and first and self._passes(message)
        if buys:
            self._wanted = message
        return Notice(_words(message, self._params, buys=buys))

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:
        """Buy what was found, or end what is held."""
        found, self._wanted = self._wanted, None
        if position is not None and position.quantity > 0:
            return self._exit(bar, position)
        if found is None:
            return None
        self._followed, self._liquidity = found.pool, None
        close = float(bar.close)
        stop, target = (close * (1.0 + bps / _BPS) for bps in (-self._params.stop_bps, self._params.target_bps))
        reason = f"new pool {found.pool} on {found.dex}, {_liquidity(found)}, safety {found.score} of 100"
        return Signal(bar.symbol, Direction.LONG, 0.1, (found.score or 0) / 100.0, reason, stop, target)

    def note(self) -> str:
        """How many were told, and the newest."""
        if not self._told:
            return ""
        return f"{len(self._told)} new pools told, the last {next(reversed(self._told))}"

    def _ripe(self, pair: NewPair) -> bool:
        params, age = self._params, pair.block - pair.created
        if not params.after_blocks <= age <= params.give_up_blocks:
            return False
        if pair.checked is None or pair.checked - pair.created < params.after_blocks:
            return False
        return pair.liquidity is not None and float(pair.liquidity) >= params.least_liquidity

    def _passes(self, pair: NewPair) -> bool:
        return not pair.refused and pair.score is not None and pair.score >= self._params.least_score

    def _exit(self, bar: Bar, position: Position) -> Signal | None:
        if self._liquidity is not None and self._liquidity < self._params.least_liquidity / 2.0:
            reason = f"its pool holds {self._liquidity:.6g} of {self._params.least_liquidity:g} that it had to hold"
        elif bar.close_ms - position.opened_ms > self._params.max_hold_bars * bar.timeframe_ms:
            reason = f"held longer than {self._params.max_hold_bars} bars"
        else:
            return None
        return Signal(bar.symbol, Direction.FLAT, 1.0, 1.0, reason)


def _liquidity(pair: NewPair) -> str:
    worth = "an unknown amount" if pair.liquidity is None else f"{float(pair.liquidity):.6g}"
    return f"holds {worth} in {pair.against}"


def _words(pair: NewPair, params: NewPairsParams, *, buys: bool) -> str:
    calls = f'token {pair.token}, which calls itself "{pair.name}"' if pair.name else f"token {pair.token}"
    what = f"New pool {pair.pool} on {pair.dex}, made in block {pair.created}: {calls}; it {_liquidity(pair)}."
    if pair.refused:
        return f"{what} {pair.refused}"
    safety = f"Safety {pair.score} of 100"
    if buys:
        return f"{what} {safety}: a purchase of {pair.symbol} is proposed on the next bar."
    if pair.symbol:
        return f"{what} {safety}; nothing is bought (least score {params.least_score}, one pool for each instrument)."
    return f"{what} {safety}. The settings have no instrument for it: it is told, not traded."


def _make(params: NewPairsParams) -> Strategy:
    return NewPairs(params)


def _warmup_bars(params: NewPairsParams) -> int:  # noqa: ARG001 -- the contract's
    return 0


SPEC: Final = ModuleSpec(
    name="new_pairs",
    version="1.0.0",
    api=API_VERSION,
    params=NewPairsParams,
    factory=_make,
    warmup_bars=_warmup_bars,
    subscriptions=(NewPair, Undone),
    summary="On a chain: tells of new pools whose token passed the safety look or failed it, and proposes a small "
    "purchase only of tokens that the settings name.",
)
