"""Following watched addresses: when one of them buys much of an instrument's base, hold some of it for a while.

That a large account buys is known, why is not: it may hedge, move its own money about, or want to be followed so that
it can sell. Nothing here claims that following pays. Addresses are the trader's own list (`chains.NAME.watched`).

**Pressure.** Each move adds its value over `full_value` (1 at most), times `swap_weight` or `transfer_weight`; buys
count up, sells down, and with `contrary` the other way round. A transfer is no trade: its weight is 0 unless the trader
says otherwise. What was added halves every `half_life_bars` bars. Moves below `least_value`, and those that nothing
values, are not counted.

**Entry**, on a finished bar and only while flat: pressure of at least `entry`. Stop and target at `stop_bps` and
`target_bps` of the close. **Exit**: FLAT at a pressure of -`entry` or less, and after `max_hold_bars` bars of time.

What is unsaid (`Undone`) is taken out of the pressure as if it had never been there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from strategies.base import API_VERSION, ModuleSpec, Strategy
from strategies.chain_messages import MoveKind, Undone, WhaleMove
from strategies.model import Bar, Direction, Position, Side, Signal
from strategies.params import check_bounds

__all__ = ["SPEC", "Whales", "WhalesParams"]

_BPS: Final = 10_000.0
_FORGOTTEN: Final = 20
"""Half lives after which a move is as good as gone: less than a millionth of it is left."""
_MOST: Final = 1000
"""Moves that are remembered."""

_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "least_value": (0.0, 1e12),
    "full_value": (1.0, 1e12),
    "swap_weight": (0.0, 1.0),
    "transfer_weight": (0.0, 1.0),
    "half_life_bars": (0.1, 10_000.0),
    "entry": (0.01, 10.0),
    "stop_bps": (1.0, 9000.0),
    "target_bps": (1.0, 100_000.0),
    "max_hold_bars": (1, 1_000_000),
}


@dataclass(frozen=True, slots=True)
class WhalesParams:
    """Settings; values in account currency, lengths in bars. `__post_init__` states what is allowed."""

    least_value: float = 50_000.0
    full_value: float = 500_000.0
    swap_weight: float = 1.0
    transfer_weight: float = 0.0
    contrary: bool = False
    half_life_bars: float = 15.0
    entry: float = 0.5
    stop_bps: float = 150.0
    target_bps: float = 300.0
    max_hold_bars: int = 240

    def __post_init__(self) -> None:
        check_bounds(self, _BOUNDS)
        if not isinstance(self.contrary, bool):
            raise ValueError(f"contrary is {self.contrary!r}; allowed: true or false")  # noqa: TRY004 -- the contract's
        for lower, upper in (("least_value", "full_value"), ("stop_bps", "target_bps")):
            low, high = getattr(self, lower), getattr(self, upper)
            if low >= high:
                raise ValueError(f"{lower} is {low!r}; allowed: below {upper}, which is {high!r}")


@dataclass(frozen=True, slots=True)
class _Push:
    """One move: its block, the bars that had been seen before it, what it adds at first."""

    block: int
    bars: int
    pressure: float
    words: str


class Whales:
    """The strategy of one instrument; see the module's docstring."""

    __slots__ = ("_bars", "_params", "_pushes")

    def __init__(self, params: WhalesParams) -> None:
        self._params = params
        self._bars = 0
        self._pushes: deque[_Push] = deque(maxlen=_MOST)

    def on_message(self, message: WhaleMove | Undone) -> None:
        """Remember it, or that it was not."""
        if isinstance(message, Undone):
            kept = [push for push in self._pushes if push.block < message.block]
            self._pushes = deque(kept, maxlen=_MOST)
            return
        params = self._params
        value = 0.0 if message.value is None else float(message.value)
        weight = params.swap_weight if message.kind is MoveKind.SWAP else params.transfer_weight
        if value < params.least_value or not value or not weight:
            return
        up = (message.side is Side.BUY) is not params.contrary
        pressure = min(1.0, value / params.full_value) * weight * (1.0 if up else -1.0)
        did = "bought" if message.side is Side.BUY else "sold"
        words = f"{message.who} {did} for {value:.6g} ({message.kind.value}, block {message.block})"
        self._pushes.append(_Push(message.block, self._bars, pressure, words))

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:
        """Take one finished bar; LONG, FLAT or no opinion."""
        self._bars += 1
        held = position if position is not None and position.quantity > 0 else None
        pressure = self._pressure()
        if held is not None:
            return self._exit(bar, held, pressure)
        if pressure < self._params.entry:
            return None
        close = float(bar.close)
        stop, target = (close * (1.0 + bps / _BPS) for bps in (-self._params.stop_bps, self._params.target_bps))
        reason = f"pressure {pressure:.3g} of {self._params.entry:g}: {self._strongest()}"
        strength = min(1.0, pressure)
        return Signal(bar.symbol, Direction.LONG, strength, 0.5, reason, stop, target)

    def note(self) -> str:
        """The pressure now."""
        return f"pressure {self._pressure():.3g}, entry at {self._params.entry:g}" if self._pushes else ""

    def _pressure(self) -> float:
        half = self._params.half_life_bars
        while self._pushes and self._bars - self._pushes[0].bars > _FORGOTTEN * half:
            self._pushes.popleft()
        return sum(push.pressure * self._left(push) for push in self._pushes)

    def _left(self, push: _Push) -> float:
        """Of what a move added: all of it on the first bar that ends after it."""
        left: float = 0.5 ** (max(self._bars - push.bars - 1, 0) / self._params.half_life_bars)
        return left

    def _strongest(self) -> str:
        return max(self._pushes, key=lambda push: push.pressure * self._left(push)).words

    def _exit(self, bar: Bar, position: Position, pressure: float) -> Signal | None:
        if pressure <= -self._params.entry:
            reason = f"pressure {pressure:.3g}: watched addresses go the other way"
        elif bar.close_ms - position.opened_ms > self._params.max_hold_bars * bar.timeframe_ms:
            reason = f"held longer than {self._params.max_hold_bars} bars"
        else:
            return None
        return Signal(bar.symbol, Direction.FLAT, 1.0, 1.0, reason)


def _make(params: WhalesParams) -> Strategy:
    return Whales(params)


def _warmup_bars(params: WhalesParams) -> int:  # noqa: ARG001 -- the contract's
    return 0


SPEC: Final = ModuleSpec(
    name="whales",
    version="1.0.0",
    api=API_VERSION,
    params=WhalesParams,
    factory=_make,
    warmup_bars=_warmup_bars,
    subscriptions=(WhaleMove, Undone),
    summary="On a chain: goes along with, or against, large swaps of addresses that you watch, with stop and target.",
)
