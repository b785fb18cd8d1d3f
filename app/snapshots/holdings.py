"""Positions in full, what was closed today, and what all of it comes to: from memory, at the newest marks."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from app.execution.desk import Desk
from app.money import ZERO, add, div, mul, sub
from app.portfolio.equity import DAY_MS
from app.snapshots.account import ExitView, PositionView, positions

_BPS: Final = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class HeldView:
    """One module's position. Amounts in the quote asset; `realised` and `fees` are those of this position alone.

    Attributes:
        distances: basis points from the mark to each of `seen.exits`, negative below it; None without a mark.
        uncovered: the quantity that no stop covers.
        return_bps: unrealised profit against the cost of the open lots; None without a mark.
        lots: quantity and price, the one that is sold first in front.
    """

    seen: PositionView
    base: str
    cost: Decimal
    realised: Decimal
    fees: Decimal
    uncovered: Decimal
    distances: tuple[Decimal | None, ...]
    return_bps: Decimal | None
    lots: tuple[tuple[Decimal, Decimal], ...]

    @property
    def key(self) -> str:
        """What tells it from the others."""
        return f"{self.seen.symbol} {self.seen.module}"


@dataclass(frozen=True, slots=True)
class TripView:
    """A position that was closed. Prices are averages, rounded to 12 places; amounts in the quote asset."""

    module: str
    symbol: str
    quantity: Decimal
    entry: Decimal
    exit: Decimal
    fees: Decimal
    net: Decimal
    quote: str
    opened_ms: int
    closed_ms: int
    tick: Decimal


@dataclass(frozen=True, slots=True)
class TotalView:
    """What everything in one quote asset came to, since the database began. `unrealised` and `net` are None while an
    open position has no mark, `value` (net in account currency) also while nothing values the asset."""

    asset: str
    unrealised: Decimal | None
    realised: Decimal
    fees: Decimal
    net: Decimal | None
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class GasView:
    """What gas has cost since the database began: coins, and account currency at the coin's last price, None without
    one."""

    asset: str
    amount: Decimal
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class ActsView:
    """What acts have won of one asset since the database began (negative: lost), gas not counted.

    Attributes:
        won: by those that have ended.
        open: by positions of liquidity, as they were last seen.
        value: both in account currency, None while nothing values the asset.
    """

    asset: str
    won: Decimal
    open: Decimal
    value: Decimal | None


def acts(desk: Desk) -> tuple[ActsView, ...]:
    """By asset."""
    stakes, found = desk.state.stakes, []
    earned = stakes.earned()
    for asset in sorted(earned):
        won, rate = stakes.gains.get(asset, ZERO), desk.valuation.last_rate(asset)
        if won or earned[asset]:
            value = None if rate is None else mul(earned[asset], rate)
            found.append(ActsView(asset, won, sub(earned[asset], won), value))
    return tuple(found)


def gas(desk: Desk) -> tuple[GasView, ...]:
    """By coin."""
    found = []
    for asset, amount in sorted(desk.state.gas.items()):
        rate = desk.valuation.last_rate(asset)
        if amount:
            found.append(GasView(asset, amount, None if rate is None else mul(amount, rate)))
    return tuple(found)


def held(desk: Desk) -> tuple[HeldView, ...]:
    """Open positions by module and symbol."""
    return tuple(_held(desk, seen) for seen in positions(desk))


def _held(desk: Desk, seen: PositionView) -> HeldView:
    holding = desk.state.positions.holding(seen.module, seen.symbol)
    earned = None
    if seen.unrealised is not None and holding.cost:
        earned = div(mul(seen.unrealised, _BPS), holding.cost, 1, ROUND_HALF_EVEN)
    return HeldView(
        seen=seen,
        base=desk.instruments[seen.symbol].base,
        cost=holding.cost,
        realised=holding.trip_realised,
        fees=holding.trip_fees,
        uncovered=seen.uncovered,
        distances=tuple(_distance(seen.mark, each) for each in seen.exits),
        return_bps=earned,
        lots=holding.lots,
    )


def _distance(mark: Decimal | None, exit_: ExitView) -> Decimal | None:
    return div(mul(sub(exit_.price, mark), _BPS), mark, 0, ROUND_HALF_EVEN) if mark else None


def closed_today(desk: Desk) -> tuple[TripView, ...]:
    """Round trips that ended since 00:00 UTC, the newest first."""
    now = desk.clock.now_ms()
    found = []
    for trip in reversed(desk.state.positions.trips):
        if trip.closed_ms < now - now % DAY_MS:
            break
        instrument = desk.instruments[trip.symbol]
        found.append(
            TripView(
                module=trip.module,
                symbol=trip.symbol,
                quantity=trip.quantity,
                entry=div(trip.cost, trip.quantity, 12, ROUND_HALF_EVEN),
                exit=div(trip.proceeds, trip.quantity, 12, ROUND_HALF_EVEN),
                fees=trip.fees,
                net=trip.net,
                quote=instrument.quote,
                opened_ms=trip.opened_ms,
                closed_ms=trip.closed_ms,
                tick=instrument.tick,
            )
        )
    return tuple(found)


def totals(desk: Desk) -> tuple[TotalView, ...]:
    """By quote asset, those with a fill."""
    realised: dict[str, Decimal] = {}
    fees: dict[str, Decimal] = {}
    unrealised: dict[str, Decimal | None] = {}
    for holding in desk.state.positions.holdings.values():
        if not (holding.quantity or holding.realised or holding.fees):
            continue  # looked up, and nothing was ever traded
        asset = desk.instruments[holding.symbol].quote
        realised[asset] = add(realised.get(asset, ZERO), holding.realised)
        fees[asset] = add(fees.get(asset, ZERO), holding.fees)
        so_far = unrealised.setdefault(asset, ZERO)
        if holding.quantity and so_far is not None:
            mark = desk.market.mark(holding.symbol)
            unrealised[asset] = None if mark is None else add(so_far, holding.unrealised(mark[0]))
    return tuple(_total(desk, asset, unrealised[asset], realised[asset], fees[asset]) for asset in sorted(realised))


def _total(desk: Desk, asset: str, unrealised: Decimal | None, realised: Decimal, fees: Decimal) -> TotalView:
    net = None if unrealised is None else add(sub(realised, fees), unrealised)
    rate = desk.valuation.last_rate(asset)
    value = None if net is None or rate is None else mul(net, rate)
    return TotalView(asset, unrealised, realised, fees, net, value)


def account_total(found: tuple[TotalView, ...]) -> Decimal | None:
    """All of it in account currency; None while a part of it has no value."""
    result = ZERO
    for each in found:
        if each.value is None:
            return None
        result = add(result, each.value)
    return result
