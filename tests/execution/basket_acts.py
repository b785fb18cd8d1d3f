"""Baskets for the scenarios: made by hand, told leg by leg."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise

from app.execution.preview import fee_bound
from app.execution.records import Role, Trade
from app.money import ZERO, sub, total
from app.venues.base import OrderState
from strategies.model import Exits, Intent, Leg
from tests.execution.harness import Rig

THREE = (("99", "1", "101"), ("98", "1", "100"), ("97", "1", "99"))
"""Price, quantity and target of each leg; the market of `rig` stands at 99.90 / 100.00."""
LIFE_MS = 600_000


def basket_intent(
    r: Rig,
    legs: Iterable[tuple[str, str, str]] = THREE,
    *,
    stop: str = "90",
    rest_ms: int = LIFE_MS,
    module: str = "m",
    max_fee: str | None = None,
) -> Intent:
    """An intent as `IntentMaker` makes it."""
    whole = tuple(Leg(Decimal(price), Decimal(size), Decimal(target)) for price, size, target in legs)
    rate = r.desk.venue_info.highest_fee_bps
    plain = r.intent(module=module)
    return Intent(
        id=plain.id,
        module=module,
        symbol=plain.symbol,
        side=plain.side,
        quantity=total([leg.quantity for leg in whole]),
        worst_price=whole[0].price,
        max_fee=total([fee_bound(leg.quantity, leg.price, rate) for leg in whole])
        if max_fee is None
        else Decimal(max_fee),
        exits=Exits(Decimal(stop)),
        reason=plain.reason,
        created_ms=plain.created_ms,
        expires_ms=plain.expires_ms,
        config_version=1,
        legs=whole,
        rest_ms=rest_ms,
    )


async def basket(r: Rig, legs: Iterable[tuple[str, str, str]] = THREE, **terms: str) -> Trade:
    """Propose and settle; it must have been admitted."""
    trade = r.pipeline.propose(basket_intent(r, legs, **terms))  # type: ignore[arg-type]  # texts for amounts
    assert trade is not None, r.desk.counters.by_rule
    await r.settle()
    return trade  # type: ignore[no-any-return]  # the session is created in open()


def legs(r: Rig, trade: Trade) -> list[tuple[str, str, str]]:
    """Entry, stop and target of each leg, as the database has them."""
    rows = r.rows("SELECT role, state FROM orders WHERE trade_id = ? ORDER BY rowid", trade.id)
    found = {role: [row["state"] for row in rows if row["role"] == role] for role in ("entry", "stop", "target")}
    return list(zip(found["entry"], found["stop"], found["target"], strict=True))


def assert_covered(r: Rig) -> None:
    """Every unit that is held has a stop at the venue which would sell it, and no stop would sell more than that."""
    state = r.desk.state
    for holding in state.positions.open_holdings():
        covered = total([left for _, left in state.exit_groups(holding.module, holding.symbol)])
        assert covered == holding.quantity, (holding.module, covered, holding.quantity)
    for trade in state.trades.values():
        for stop in trade.orders.values():
            if stop.role is Role.STOP and stop.live and stop.state is not OrderState.UNKNOWN:
                found = r.venue_rows("SELECT state FROM orders WHERE client_id = ?", stop.request.client_id)
                assert found in ([("OPEN",)], [("PARTIALLY_FILLED",)]), (stop.request.client_id, found)


def assert_within(r: Rig, trade: Trade) -> None:
    """No leg bought more, or dearer, than was signed, and all of them paid no more than was."""
    paid = ZERO
    for entry in trade.entries:
        limit = entry.request.limit_price
        assert limit is not None
        assert entry.filled <= entry.request.quantity
        for price, quantity, fee in r.venue_rows(
            "SELECT price, quantity, fee FROM fills WHERE client_id = ?", entry.request.client_id
        ):
            assert Decimal(price) <= limit
            paid += Decimal(price) * Decimal(quantity) + Decimal(fee)
    bound = total([leg.quantity * leg.price for leg in trade.intent.legs]) + trade.intent.max_fee
    assert paid <= bound
    hold = r.desk.state.purse.holds.get(trade.id)
    if hold is not None:
        assert ZERO <= hold.remaining <= sub(bound, paid)


def assert_falling(amounts: Iterable[Decimal]) -> None:
    """A reservation only shrinks."""
    assert all(later <= earlier for earlier, later in pairwise(amounts))
