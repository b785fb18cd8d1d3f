"""Liquidity as a module: what `strategies.liquidity` decides about one pool, out of what the chain tells of it.

The pool is the first that is told of the instrument with a fee of `fee_ppm`. What is put in is as much of both tokens
as is free, worth the same on both sides, and no more than `most_quote` together (in quote): around the price a range
takes both in equal parts, so that nothing has to be bought first. It buys nothing itself: what a module bought is kept
for the exits of that purchase, so base must be there, the account's own. What it opened is its own to collect and to
end; other positions of the account are left alone.

A wish that was not fulfilled is not repeated for `again_bars` bars. Estimates are of the past, as said there; nothing
here claims a profit.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from strategies.acts import Provide
from strategies.base import API_VERSION, ModuleSpec, Strategy
from strategies.chain_messages import LiquidityState, Undone
from strategies.liquidity import Costs, Decision, Holding, LiquidityParams, LiquidityProvider, PoolState, View
from strategies.model import Bar, Direction, Position, Signal
from strategies.params import check_bounds
from strategies.wishes import ActWish, ProvideWish

__all__ = ["SPEC", "Provision", "ProvisionParams"]

_NAME: Final = "liquidity"
_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "fee_ppm": (1, 999_999),
    "most_quote": (0.000001, 1e12),
    "again_bars": (1, 1_000_000),
}


@dataclass(frozen=True, slots=True)
class ProvisionParams(LiquidityParams):
    """Settings; `fee_ppm` in hundredths of a basis point, the rest as above."""

    fee_ppm: int = 3000
    most_quote: float = 1000.0
    again_bars: int = 60

    def __post_init__(self) -> None:
        LiquidityParams.__post_init__(self)  # by name: slots make another class of this one, and super() knows the old
        check_bounds(self, _BOUNDS)


class Provision:
    """The strategy of one instrument; see the module's docstring."""

    __slots__ = ("_asked", "_bars", "_params", "_pool", "_provider", "_state", "_volumes")

    def __init__(self, params: ProvisionParams) -> None:
        self._params = params
        self._provider = LiquidityProvider(params)
        self._pool = ""
        self._state: LiquidityState | None = None
        self._volumes: dict[int, float] = {}
        """Quote that was traded since the last bar, by block."""
        self._bars = 0
        self._asked: tuple[ActWish | None, int] = (None, 0)
        """The kind of the last wish, as that wish, and on which bar it was."""

    def on_message(self, message: LiquidityState | Undone) -> None:
        """The pool as it is now."""
        if isinstance(message, Undone):
            self._volumes = {block: sum_ for block, sum_ in self._volumes.items() if block < message.block}
            return
        if message.fee_ppm == self._params.fee_ppm and self._pool in {"", message.pool}:
            self._pool, self._state = message.pool, message
            self._volumes[message.block] = self._volumes.get(message.block, 0.0) + message.volume

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:  # noqa: ARG002 -- what it has is liquidity
        """Take one finished bar."""
        self._bars += 1
        volume, self._volumes = sum(self._volumes.values()), {}
        state = self._state
        if state is None or state.price <= 0.0:
            return None
        decided = self._provider.on_bar(self._view(bar, state, volume))
        return None if decided is None else self._signal(bar.symbol, state, decided)

    def note(self) -> str:
        """Which pool it watches."""
        if self._state is None:
            return f"no pool with a fee of {self._params.fee_ppm / 10_000:g} % was told yet"
        mine = [each.position for each in self._state.held if each.module == _NAME]
        return f"pool {self._pool} of {self._state.dex}; its positions: {', '.join(mine) or 'none'}"

    def _view(self, bar: Bar, state: LiquidityState, volume: float) -> View:
        side = max(0.0, min(float(state.base) * state.price, float(state.quote), self._params.most_quote / 2.0))
        mine = next((each for each in state.held if each.module == _NAME), None)
        holding = None
        if mine is not None:
            holding = Holding(mine.position, mine.lower, mine.upper, mine.liquidity, mine.fees)
        return View(
            bar=bar,
            pool=PoolState(state.price, state.fee_ppm, state.liquidity, volume),
            costs=Costs(state.opening, state.ending, state.collecting),
            base=Decimal(repr(side / state.price)),
            quote=Decimal(repr(side)),
            holding=holding,
        )

    def _signal(self, symbol: str, state: LiquidityState, decided: Decision) -> Signal | None:
        act = decided.act
        if act is None:
            return None  # a trade first: both sides are of one worth, so that none is needed
        wish: ActWish
        if isinstance(act, Provide):
            ends = (float(act.lower), float(act.upper))
            wish = ProvideWish(float(act.base), float(act.quote), act.fee_ppm, *ends, state.base_unit, state.quote_unit)
        else:
            wish = act
        last, when = self._asked
        if type(last) is type(wish) and self._bars - when < self._params.again_bars:
            return None
        self._asked = (wish, self._bars)
        direction = Direction.LONG if isinstance(wish, ProvideWish) else Direction.FLAT
        return Signal(symbol, direction, 0.5, 0.5, decided.reason, act=wish)


def _make(params: ProvisionParams) -> Strategy:
    return Provision(params)


def _warmup_bars(params: ProvisionParams) -> int:
    return params.window_bars


SPEC: Final = ModuleSpec(
    name=_NAME,
    version="1.0.0",
    api=API_VERSION,
    params=ProvisionParams,
    factory=_make,
    warmup_bars=_warmup_bars,
    subscriptions=(LiquidityState, Undone),
    summary="On a chain: provides liquidity in one V3 pool while fees are expected to exceed loss and gas; collects, "
    "and ends what does not.",
)
