"""From a device's signatures to what may be sent: each is verified, and the orders are made from what was signed."""

from __future__ import annotations

from app.accounts import USED
from app.errors import SafetyError
from app.execution.desk import Desk
from app.execution.preparation import Preparation
from app.execution.records import Order, Payload, Trade, signed_transaction
from app.execution.states import PayloadState, TradeState
from app.venues.base import Signed, SignedText
from signers.faults import SignerFault
from signers.verify import verify


def accept(desk: Desk, preparation: Preparation, trade: Trade, signatures: list[bytes]) -> list[Order]:
    """Check every signature of a trade and put it into its payload; answers the orders they permit.

    Raises:
        SignerFault: a signature is not of exactly its payload, or not by the account that was confirmed.
        SafetyError: what was signed does not permit an order that follows from it.
    """
    address = desk.terms.signer_address
    try:
        for payload, signature in zip(trade.payloads, signatures, strict=True):
            verify(payload.to_sign, signature, address)
            payload.signed, payload.signed_ms = _signed(payload, signature, address), desk.clock.now_ms()
        return [order for payload in trade.payloads for order in preparation.orders(trade, payload)]
    except (SignerFault, SafetyError, ValueError) as error:
        for payload in trade.payloads:
            payload.signed = None
        if isinstance(error, ValueError):
            raise SafetyError("authorisation.refused", f"What was signed can not be read: {error}.") from error
        raise


async def record(desk: Desk, trade: Trade, orders: list[Order]) -> None:
    """Make what was signed, the signatures and the client order ids durable, before anything is sent."""
    transition = desk.transition()
    for payload in trade.payloads:
        transition.payload(trade, payload, PayloadState.SIGNED)
        transition.authorisation(trade, payload, desk.terms.signer)
    transition.record(USED, (desk.wall.now_ms(), *desk.terms.account))
    for order in orders:
        transition.new_order(trade, order)
    transition.trade(trade, TradeState.SIGNED)
    transition.took(trade, "sign", desk.clock.monotonic_ns())
    desk.state.signed(trade)
    await desk.commit(transition, "trade.signed", trade.id)


def _signed(payload: Payload, signature: bytes, address: str) -> Signed:
    if payload.body:
        return signed_transaction(payload.body, signature, address)
    return SignedText(payload.text, signature, address)
