"""Positions by module and instrument: first-in-first-out lots, so that profit is exact (an average price would divide).

Profit and cost are in the instrument's quote asset. `realised` excludes fees; `net` subtracts them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from app.money import DOWN, ZERO, add, div, mul, neg, sub
from app.venues.base import VenueFill
from strategies.model import Position, Side

_TRIPS_KEPT: Final = 1_000
_COST_PLACES: Final = 36
"""Of the part of a lot's cost that goes with a partial sale, where cost is no multiple of a price. What is cut stays
with the rest of the lot, so nothing is lost."""


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A position that went back to zero. `quantity` is all that was bought for it, `cost` what that cost and `proceeds`
    what it brought, both without `fees`; `net` is the profit after them. Quote asset."""

    module: str
    symbol: str
    net: Decimal
    closed_ms: int
    opened_ms: int
    quantity: Decimal
    cost: Decimal
    proceeds: Decimal
    fees: Decimal


@dataclass(slots=True)
class Holding:
    """What one module holds of one instrument, and what it has earned there."""

    module: str
    symbol: str
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    """Quote paid for the open lots, without fees."""
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    opened_ms: int = 0
    _lots: deque[tuple[Decimal, Decimal, Decimal]] = field(default_factory=deque)
    """Quantity, price, cost."""
    _undoable: list[VenueFill] = field(default_factory=list, compare=False)
    """Fills of a chain, in order."""
    _before: tuple[Decimal, Decimal] = (ZERO, ZERO)
    """`realised` and `fees` when the present position was opened."""
    _bought: tuple[Decimal, Decimal] = (ZERO, ZERO)
    """Quantity and cost of all that was bought since then."""

    @property
    def net(self) -> Decimal:
        """Realised profit after fees."""
        return sub(self.realised, self.fees)

    @property
    def lots(self) -> tuple[tuple[Decimal, Decimal], ...]:
        """Quantity and price of each open lot, the one that is sold first in front."""
        return tuple((quantity, price) for quantity, price, _ in self._lots)

    @property
    def opened_by(self) -> tuple[VenueFill, ...]:
        """The purchases of the open lots, on a chain; the one that is sold first in front."""
        bought = [fill for fill in self._undoable if fill.side is Side.BUY]
        return tuple(bought[len(bought) - len(self._lots) :])

    @property
    def trip_realised(self) -> Decimal:
        """Realised profit of the present position alone, before fees."""
        return sub(self.realised, self._before[0])

    @property
    def trip_fees(self) -> Decimal:
        """Fees of the present position alone."""
        return sub(self.fees, self._before[1])

    def unrealised(self, mark: Decimal) -> Decimal:
        """Profit of the open lots at `mark`."""
        return sub(mul(self.quantity, mark), self.cost)

    def view(self) -> Position | None:
        """What a strategy sees; None while flat."""
        if not self.quantity:
            return None
        return Position(self.symbol, self.quantity, div(self.cost, self.quantity, 12, ROUND_HALF_EVEN), self.opened_ms)

    def apply(self, fill: VenueFill) -> RoundTrip | None:
        """Book one fill.

        Raises:
            ValueError: a sale of more than is held.
        """
        if fill.notional is not None:
            self._undoable.append(fill)
        if fill.side is Side.BUY:
            paid = fill.quote_amount
            if not self.quantity:
                self.opened_ms, self._before, self._bought = fill.ts_ms, (self.realised, self.fees), (ZERO, ZERO)
            self._lots.append((fill.quantity, fill.price, paid))
            self.quantity = add(self.quantity, fill.quantity)
            self.cost = add(self.cost, paid)
            self._bought = add(self._bought[0], fill.quantity), add(self._bought[1], paid)
        else:
            self._sell(fill)
        self.fees = add(self.fees, fill.fee)
        if fill.side is Side.SELL and not self.quantity:
            return self._round_trip(fill.ts_ms)
        return None

    def without(self, fill_id: str) -> Holding:
        """As if a fill of a chain had not been.

        Raises:
            ValueError: what it bought was sold since.
        """
        return self.folded_without(fill_id)[0]

    def folded_without(self, fill_id: str) -> tuple[Holding, dict[str, RoundTrip]]:
        """The same, and the round trips that are left, each by the fill that ended it.

        Raises:
            ValueError: as `without`.
        """
        holding, trips = Holding(self.module, self.symbol), {}
        for fill in self._undoable:
            if fill.fill_id != fill_id and (trip := holding.apply(fill)) is not None:
                trips[fill.fill_id] = trip
        return holding, trips

    def _round_trip(self, closed_ms: int) -> RoundTrip:
        realised, fees = self.trip_realised, self.trip_fees
        quantity, cost = self._bought
        return RoundTrip(
            module=self.module,
            symbol=self.symbol,
            net=sub(realised, fees),
            closed_ms=closed_ms,
            opened_ms=self.opened_ms,
            quantity=quantity,
            cost=cost,
            proceeds=add(cost, realised),
            fees=fees,
        )

    def _sell(self, fill: VenueFill) -> None:
        if fill.quantity > self.quantity:
            raise ValueError(f"{self.module} sells {fill.quantity} {self.symbol} and holds {self.quantity}")
        left = fill.quantity
        self.realised = add(self.realised, fill.quote_amount)
        while left:
            quantity, price, cost = self._lots[0]
            taken = min(quantity, left)
            part = _part(cost, price, taken, quantity)
            self.cost = sub(self.cost, part)
            self.realised = sub(self.realised, part)
            left = sub(left, taken)
            if taken == quantity:
                self._lots.popleft()
            else:
                self._lots[0] = (sub(quantity, taken), price, sub(cost, part))
        self.quantity = add(self.quantity, neg(fill.quantity))


def _part(cost: Decimal, price: Decimal, taken: Decimal, quantity: Decimal) -> Decimal:
    """What `taken` of a lot has cost."""
    if taken == quantity:
        return cost
    exact = mul(price, quantity) == cost
    return mul(price, taken) if exact else div(mul(cost, taken), quantity, _COST_PLACES, DOWN)


@dataclass(slots=True)
class TripRecord:
    """A module's closed round trips, for Kelly and the losses-in-a-row rule. Amounts in one quote asset per key."""

    wins: int = 0
    losses: int = 0
    gross_win: Decimal = ZERO
    gross_loss: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Undone:
    """What taking a fill back has changed: the holding, the round trips that are none any more, and those that are now
    others than before."""

    holding: Holding
    gone: tuple[RoundTrip, ...]
    again: tuple[RoundTrip, ...]


class PositionBook:
    """Every holding, and the counters the risk gate derives from fills. Rebuilt by folding all fills in order."""

    def __init__(self) -> None:
        self.holdings: dict[tuple[str, str], Holding] = {}
        self.last_fill_ms: dict[str, int] = {}
        self._losses: list[int] = []
        self.records: dict[tuple[str, str], TripRecord] = {}
        self._applied = 0
        self._numbers: dict[str, int] = {}
        """Of fills of a chain, by id: which it was, counted over all that were booked."""
        self._closed: deque[tuple[int, RoundTrip]] = deque(maxlen=_TRIPS_KEPT)
        """`trips`, each with the number of the fill that ended it."""
        self.trips: deque[RoundTrip] = deque(maxlen=_TRIPS_KEPT)
        """The newest closed round trips, oldest first."""

    def losses_since(self, ts_ms: int) -> int:
        """Losing round trips in a row, of those closed at or after `ts_ms`. A new day starts with a clean slate, or a
        few losses would stop trading for ever."""
        return sum(1 for closed_ms in self._losses if closed_ms >= ts_ms)

    def holding(self, module: str, symbol: str) -> Holding:
        """The holding, made when new."""
        return self.holdings.setdefault((module, symbol), Holding(module, symbol))

    def open_holdings(self) -> list[Holding]:
        """Holdings that are not flat, by module and symbol."""
        return [self.holdings[key] for key in sorted(self.holdings) if self.holdings[key].quantity]

    def apply(self, module: str, fill: VenueFill) -> RoundTrip | None:
        """Book one fill for `module`."""
        trip = self.holding(module, fill.symbol).apply(fill)
        self._applied += 1
        if fill.notional is not None:
            self._numbers[fill.fill_id] = self._applied
        self.last_fill_ms[fill.symbol] = max(fill.ts_ms, self.last_fill_ms.get(fill.symbol, 0))
        if trip is not None:
            self.trips.append(trip)
            self._closed.append((self._applied, trip))
            self._count(trip)
            self._follow_losses(trip)
        return trip

    def undo(self, module: str, symbol: str, fill_id: str) -> Undone:
        """Take a fill of a chain out again, with all that followed from it: its round trip, the record of wins and
        losses, and the losses in a row.

        Raises:
            ValueError: what it bought was sold since.
        """
        holding, left = self.holding(module, symbol).folded_without(fill_id)
        self.holdings[module, symbol] = holding
        numbers = {self._numbers[name]: trip for name, trip in left.items()}
        del self._numbers[fill_id]
        oldest = self._closed[0][0] if len(self._closed) == _TRIPS_KEPT else 0  # what was forgotten is long final
        before = {n: trip for n, trip in self._closed if (trip.module, trip.symbol) == (module, symbol)}
        after = {n: trip for n, trip in numbers.items() if n >= oldest}
        gone = tuple(trip for n, trip in before.items() if after.get(n) != trip)
        again = tuple(trip for n, trip in after.items() if before.get(n) != trip)
        if gone or again:
            others = [(n, trip) for n, trip in self._closed if n not in before]
            self._recount(sorted([*others, *after.items()], key=lambda each: each[0]), gone, again)
        return Undone(holding, gone, again)

    def _recount(
        self, closed: list[tuple[int, RoundTrip]], gone: tuple[RoundTrip, ...], again: tuple[RoundTrip, ...]
    ) -> None:
        self._closed = deque(closed, maxlen=_TRIPS_KEPT)
        self.trips = deque((trip for _, trip in closed), maxlen=_TRIPS_KEPT)
        for trip in gone:
            self._count(trip, -1)
        for trip in again:
            self._count(trip)
        self._losses.clear()
        for trip in self.trips:
            self._follow_losses(trip)

    def _count(self, trip: RoundTrip, times: int = 1) -> None:
        """`times` -1 takes it out again."""
        record = self.records.setdefault((trip.module, trip.symbol), TripRecord())
        amount = trip.net if times > 0 else neg(trip.net)
        if trip.net > 0:
            record.wins += times
            record.gross_win = add(record.gross_win, amount)
        elif trip.net < 0:
            record.losses += times
            record.gross_loss = sub(record.gross_loss, amount)

    def _follow_losses(self, trip: RoundTrip) -> None:
        if trip.net > 0:
            self._losses.clear()
        elif trip.net < 0:
            self._losses.append(trip.closed_ms)
