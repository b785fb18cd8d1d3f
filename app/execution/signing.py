"""From a device's signatures to what may be sent: each is verified, and the orders are made from what was signed."""

from __future__ import annotations

import json

from app.accounts import USED
from app.errors import SafetyError
from app.execution.desk import Desk
from app.execution.preparation import Preparation
from app.execution.purse import gas_hold
from app.execution.records import Order, Payload, Trade, signed_transaction
from app.execution.states import PayloadState, TradeState
from app.execution.transition import Transition
from app.money import from_text
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
    if trade.standing:
        _hold_no_more(desk, transition, trade)
    await desk.commit(transition, "trade.signed", trade.id)


def _hold_no_more(desk: Desk, transition: Transition, trade: Trade) -> None:
    """A standing exit holds its gas for days: only what its transactions can cost."""
    name, held = gas_hold(trade.id), dict(desk.state.purse.of(trade.id))
    most = from_text(json.loads(trade.payloads[0].preview)["gas_most"])
    if name in held and most < held[name].remaining:
        transition.hold(name, desk.state.purse.shrink(name, most), "OPEN")


def _signed(payload: Payload, signature: bytes, address: str) -> Signed:
    if payload.body:
        return signed_transaction(payload.body, signature, address)
    return SignedText(payload.text, signature, address)
