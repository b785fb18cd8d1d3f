"""The account as a screen shows it: positions at fresh marks with their exits, and the numbers of the status line."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from app.execution.desk import Desk
from app.execution.records import Order, Role
from app.execution.risk_view import curve_at
from app.execution.standing_terms import StandingExit
from app.execution.standing_view import cover, exits_of, on_chain
from app.money import ZERO, add, div, mul, sub, total
from app.portfolio.positions import Holding
from app.risk.room import exposure_limit
from app.venues.base import OrderState

STANDING: Final = "standing"
"""The role of an exit that is signed, kept, and sent when its price is reached."""


@dataclass(frozen=True, slots=True)
class ExitView:
    """A resting exit: its role, its price, its state, what it still covers. On a chain a ``standing`` one: until when
    its transaction can land, the least that a unit brings, and why it could not be sent now, "" where it could."""

    role: str
    price: Decimal
    state: str
    quantity: Decimal
    until_ms: int | None = None
    least: Decimal | None = None
    why: str = ""

    @property
    def protects(self) -> bool:
        """It is a stop."""
        return self.role in {Role.STOP, STANDING}


@dataclass(frozen=True, slots=True)
class PositionView:
    """One module's position. `unrealised` is in the quote asset, `profit` the same in account currency where a rate is
    known; fees are in neither. `covered`: the resting stops cover all of it, and `uncovered` is what they leave; where
    nothing rests (`stands`) it is one standing exit that covers."""

    module: str
    symbol: str
    quantity: Decimal
    entry: Decimal
    mark: Decimal | None
    mark_age_ms: int | None
    unrealised: Decimal | None
    profit: Decimal | None
    quote: str
    opened_ms: int
    exits: tuple[ExitView, ...]
    covered: bool
    tick: Decimal
    uncovered: Decimal = ZERO
    stands: bool = False


@dataclass(frozen=True, slots=True)
class AccountView:
    """Numbers of the status line, account currency."""

    equity: Decimal
    day_profit: Decimal
    exposure: Decimal
    exposure_limit: Decimal
    open_positions: int


def positions(desk: Desk) -> tuple[PositionView, ...]:
    """Open positions by module and symbol."""
    return tuple(_position(desk, holding) for holding in desk.state.positions.open_holdings())


def _position(desk: Desk, holding: Holding) -> PositionView:
    instrument, mark = desk.instruments[holding.symbol], desk.market.mark(holding.symbol)
    exits = _exits(desk, holding)
    unrealised = None if mark is None else holding.unrealised(mark[0])
    rate = desk.valuation.last_rate(instrument.quote)
    stands = on_chain(desk)
    if stands:
        bare = cover(desk, holding.module, holding.symbol).uncovered
    else:
        bare = max(ZERO, sub(holding.quantity, total([each.quantity for each in exits if each.protects])))
    return PositionView(
        module=holding.module,
        symbol=holding.symbol,
        quantity=holding.quantity,
        entry=div(holding.cost, holding.quantity, 12, ROUND_HALF_EVEN),
        mark=None if mark is None else mark[0],
        mark_age_ms=None if mark is None else max(0, desk.clock.now_ms() - mark[1]),
        unrealised=unrealised,
        profit=None if unrealised is None or rate is None else mul(unrealised, rate),
        quote=instrument.quote,
        opened_ms=holding.opened_ms,
        exits=exits,
        covered=not bare,
        tick=instrument.tick,
        uncovered=bare,
        stands=stands,
    )


def _exits(desk: Desk, holding: Holding) -> tuple[ExitView, ...]:
    if on_chain(desk):
        return tuple(_standing(each) for each in exits_of(desk, holding.module, holding.symbol))
    left = dict(desk.state.exit_groups(holding.module, holding.symbol))
    of_this = (holding.module, holding.symbol)
    return tuple(
        _exit(order, left.get(order.request.group or "", ZERO))
        for trade in desk.state.trades.values()
        if (trade.intent.module, trade.intent.symbol) == of_this
        for order in trade.orders.values()
        if order.role in {Role.STOP, Role.TARGET} and order.state in _RESTING
    )


_RESTING = frozenset({OrderState.OPEN, OrderState.PARTIALLY_FILLED, OrderState.UNKNOWN})


def _standing(each: StandingExit) -> ExitView:
    state = each.standing.name
    return ExitView(STANDING, each.stop, state, each.quantity, each.until_ms, each.least, each.why)


def _exit(order: Order, covers: Decimal) -> ExitView:
    price = order.request.stop_price if order.role is Role.STOP else order.request.limit_price
    assert price is not None  # an exit without a price is refused by the text
    return ExitView(order.role.value, price, order.state.value, covers)


def account(desk: Desk) -> AccountView:
    """Equity, today's profit, exposure; looking leaves no trace in the curve that the gate judges by."""
    equity, _, day_start = curve_at(desk, desk.clock.now_ms()).on(desk.terms.capital)
    exposure = ZERO
    holdings = desk.state.positions.open_holdings()
    for holding in holdings:
        mark = desk.market.mark(holding.symbol)
        rate = desk.valuation.last_rate(desk.instruments[holding.symbol].quote)
        if mark is not None and rate is not None:
            exposure = add(exposure, mul(mul(holding.quantity, mark[0]), rate))
    return AccountView(
        equity=equity,
        day_profit=sub(equity, day_start),
        exposure=exposure,
        exposure_limit=exposure_limit(equity, desk.limits),
        open_positions=len({holding.symbol for holding in holdings}),
    )
