"""The exact text of a trade, and the exact orders of a signed text."""

from __future__ import annotations

from app.errors import SafetyError
from app.execution.authorisation import Authorisation, parse, refusal, render
from app.execution.desk import Desk
from app.execution.orders import orders_of
from app.execution.preview import Preview
from app.execution.records import Order, Payload, Trade
from app.ids import payload_id
from storage.journal import canonical


def build_payload(desk: Desk, trade: Trade, preview: Preview) -> Payload:
    """What the screen shows and the device signs.

    Raises:
        ValueError: it can not be shown in full on the smallest device.
    """
    intent = trade.intent
    groups = desk.state.exit_groups(intent.module, intent.symbol) if intent.reduce_only else []
    valid_until = desk.clock.now_ms() + desk.terms.authorisation_validity_ms
    authorisation = Authorisation(
        trade_id=trade.id,
        side=intent.side,
        quantity=intent.quantity,
        symbol=intent.symbol,
        quote=desk.instruments[intent.symbol].quote,
        venue=desk.terms.venue,
        worst_price=intent.worst_price,
        max_fee=intent.max_fee,
        stop=intent.exits.stop if intent.exits else None,
        target=intent.exits.target if intent.exits else None,
        reduce_only=intent.reduce_only,
        group=groups[0][0] if groups else None,
        time_in_force_ms=desk.terms.time_in_force_ms,
        valid_until_ms=valid_until - valid_until % 1000,
    )
    shown = canonical(preview.as_json())
    return Payload(payload_id(trade.id, 1), render(authorisation), shown, authorisation.valid_until_ms)


def permitted_orders(text: str, now_ms: int, venue: str) -> tuple[Order, ...]:
    """The orders of a signed text for `venue`, made from the text and each checked against it again.

    Raises:
        SafetyError: the text does not permit one of them.
    """
    orders = orders_of(parse(text), now_ms)
    for order in orders:
        if (why := refusal(text, order.request, venue)) is not None:
            raise SafetyError(
                "authorisation.refused", f"The signed text does not permit the {order.role} order: {why}."
            )
    return orders
