"""Trades that are signed as a text: the exact text of a trade, and the exact orders of a signed text."""

from __future__ import annotations

from app.errors import SafetyError
from app.execution.admission import already_sold, worse_price
from app.execution.authorisation import parse, refusal, render
from app.execution.basket_preview import BasketPreview, walk_legs
from app.execution.desk import Desk
from app.execution.orders import orders_of
from app.execution.preview import Preview, walk
from app.execution.records import Order, Payload, Trade
from app.execution.signed_terms import Authorisation
from app.ids import payload_id
from app.money import to_text
from app.venues.base import SignedText
from signers.faults import SignerFault
from signers.verify import verify_text
from storage.journal import canonical


class TextPreparation:
    """`Preparation` by an authorisation in words, for venues that take orders."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def draft(self, trade: Trade) -> None:  # noqa: ARG002 -- everything is known already
        """The book is here."""
        return

    async def until_read(self) -> None:
        """A venue that tells of a fill knows of it."""
        return

    def payloads(self, trade: Trade, draft: object) -> tuple[Payload, ...] | str:  # noqa: ARG002 -- there is none
        """The one text."""
        payload = prepare(self._desk, trade)
        return payload if isinstance(payload, str) else (payload,)

    def orders(self, trade: Trade, payload: Payload) -> tuple[Order, ...]:  # noqa: ARG002 -- the text says whose it is
        """Entry and exits, or a close.

        Raises:
            SafetyError: the text does not permit one of them.
        """
        return permitted_orders(payload.text, self._desk.clock.now_ms(), self._desk.terms.venue)

    def unlike_signed(self, trade: Trade, payload: Payload) -> str | None:
        """Why what is in memory is not what was confirmed and signed, or None."""
        return unlike_signed(self._desk, trade, payload)

    async def stands(self, trade: Trade) -> None:  # noqa: ARG002 -- exits rest at the venue
        """There are none."""
        return

    async def worse(self, trade: Trade, payload: Payload) -> None:  # noqa: ARG002 -- the quotes say all
        """The desk knows by itself."""
        return


def prepare(desk: Desk, trade: Trade) -> Payload | str:
    """Walk the book and put the trade into words; or why it is denied."""
    intent = trade.intent
    book, quote = desk.market.book(intent.symbol), desk.market.quote(intent.symbol)
    if book is None or quote is None:
        return "There is no market to prepare the trade on."
    if intent.legs and not desk.venue_info.capabilities.baskets:
        return f"{desk.venue_info.name} does not take several entries in one list."
    taker = desk.venue_info.taker_fee_bps
    preview: Preview | BasketPreview
    if intent.legs:
        preview = walk_legs(book, intent, taker)
    else:
        preview = walk(book, intent.side, intent.quantity, intent.worst_price, taker)
    if (worse := already_sold(desk, trade) or worse_price(quote, trade)) is not None:
        return worse
    if preview.fee > intent.max_fee:
        return f"The fee would be {to_text(preview.fee)}; the intent allows {to_text(intent.max_fee)}."
    try:
        return _payload(desk, trade, preview)
    except ValueError as error:
        return f"The trade can not be put into words: {error}."


def _payload(desk: Desk, trade: Trade, preview: Preview | BasketPreview) -> Payload:
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
        time_in_force_ms=intent.rest_ms or intent.time_in_force_ms or desk.terms.time_in_force_ms,
        valid_until_ms=valid_until - valid_until % 1000,
        rests=intent.rests,
        legs=intent.legs,
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


def unlike_signed(desk: Desk, trade: Trade, payload: Payload) -> str | None:
    """Why what a restart found on disk is not what was confirmed and signed, or None. The projections it was read from
    are not covered by the hash chain, and these bytes are about to be sent."""
    signed = payload.signed
    if not isinstance(signed, SignedText):
        return "there is no signature of a text"
    if signed.text != payload.text or signed.address not in desk.terms.addresses:
        return "the text or the signer is not the one that was confirmed"
    requests = [order.request for order in trade.orders.values()]
    try:
        verify_text(signed.text, signed.signature, signed.address)
        wanted = permitted_orders(signed.text, desk.clock.now_ms(), desk.terms.venue)
    except (SignerFault, SafetyError) as error:
        return error.what
    except ValueError as error:
        return str(error)
    if sorted(order.request.client_id for order in wanted) != sorted(request.client_id for request in requests):
        return "its orders are not those of the text"
    refused = (refusal(signed.text, request, desk.terms.venue) for request in requests)
    return next((why for why in refused if why is not None), None)
