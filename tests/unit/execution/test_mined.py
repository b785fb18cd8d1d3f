"""Where a trade's transactions stand, and the words for it: one at a time, in the order in which they are sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from app.execution.mined import Stage, block_of, transactions
from app.execution.records import Order, Payload, Role, Trade
from app.execution.states import PayloadState, TradeState
from app.tui.screens.confirm_text import outcome
from app.venues.base import OrderKind, OrderRequest, OrderState, SignedTransaction
from signers.evm import EvmFields, encode
from strategies.model import Exits, Intent, Side

GAS = Decimal("0.001")


def _trade(state: TradeState, *orders: tuple[OrderState, str, Decimal], close: bool = False) -> Trade:
    """A trade of an approval and a swap, or of a swap alone; of each order its state, its place and its gas."""
    side = Side.SELL if close else Side.BUY
    intent = Intent(
        id="a" * 32, module="m", symbol="ETH-USDC", side=side, quantity=Decimal(1), worst_price=Decimal(2500),
        max_fee=Decimal(0), exits=None if close else Exits(Decimal(2000)), reason="test", created_ms=0,
        expires_ms=1, config_version=1, reduce_only=close,
    )  # fmt: skip
    trade = Trade(intent, state, reason="The market ran away.")
    roles = [Role.APPROVE, Role.CLOSE if close else Role.ENTRY][-len(orders) :]
    for nonce, (role, (order_state, place, gas)) in enumerate(zip(roles, orders, strict=True)):
        body, name = encode(EvmFields(2, 1, nonce, 2, 1, 21_000, bytes(20), 0, b"")), f"0x{nonce:064x}"
        signed = SignedTransaction(body, bytes(65), "0x0", body, name)
        sent = order_state is not OrderState.PENDING
        payload_state = PayloadState.SENT if sent else PayloadState.SIGNED
        trade.payloads.append(Payload(f"p{nonce}", "", "{}", 1, payload_state, signed, body=body, role=role))
        request = OrderRequest(name, "ETH-USDC", side, OrderKind.TRANSACTION, Decimal(1), 1)
        trade.keep(Order(request, trade.id, role, order_state, venue_order_id=place, gas=gas))
    return trade


IN_7: Any = (OrderState.FILLED, "7/0xab", GAS)
IN_9: Any = (OrderState.FILLED, "9/0xab", GAS)
OPEN: Any = (OrderState.OPEN, "", Decimal(0))
UNSENT: Any = (OrderState.PENDING, "", Decimal(0))
REVERTED: Any = (OrderState.REJECTED, "9/0xab", GAS)
REPLACED: Any = (OrderState.CANCELLED, "", Decimal(0))
SUBMITTED = TradeState.SUBMITTED


@pytest.mark.parametrize(
    ("trade", "words"),
    [
        (_trade(SUBMITTED, OPEN), "Sent. Waiting for a block."),
        (_trade(SUBMITTED, OPEN, UNSENT), "The approval is sent. Waiting for a block; the swap goes after it."),
        (_trade(SUBMITTED, IN_7, UNSENT), "The approval is in block 7; now the swap."),
        (_trade(SUBMITTED, IN_7, OPEN), "The approval is in block 7. The swap is sent. Waiting for a block."),
        (_trade(TradeState.FILLED, IN_7, IN_9), "In block 9. It is UNCOVERED until you sign its standing exit"),
        (_trade(TradeState.FILLED, IN_9, close=True), "In block 9. Sold."),
        (_trade(TradeState.REJECTED, IN_7, REVERTED), "The swap was reverted in block 9: nothing was traded"),
        (_trade(TradeState.CANCELLED, REVERTED, UNSENT), "The approval was reverted in block 9: nothing was traded"),
        (_trade(TradeState.CANCELLED, REPLACED), "The swap was replaced: another transaction of nonce 0 is in a"),
        (_trade(TradeState.DENIED, IN_7, UNSENT), "The approval is in block 7 and stays; the swap was not sent."),
        (_trade(SUBMITTED, (OrderState.UNKNOWN, "", Decimal(0))), "Maybe sent. It is being looked up. Do not repeat."),
    ],
)
def test_the_words_follow_the_transactions(trade: Trade, words: str) -> None:
    assert words in outcome(trade, "")[0]


def test_what_the_nodes_refused_was_in_no_block() -> None:
    """A revert costs gas, a refusal does not."""
    trade = _trade(TradeState.REJECTED, (OrderState.REJECTED, "", Decimal(0)))
    assert transactions(trade)[0].stage is Stage.UNSENT
    assert transactions(trade)[0].block is None
    assert "reverted" not in outcome(trade, "")[0]


def test_a_trade_signed_in_words_has_no_transactions() -> None:
    trade = _trade(SUBMITTED, OPEN)
    trade.payloads[0].body = b""
    assert transactions(trade) == ()


def test_the_block_is_what_the_venue_names() -> None:
    assert block_of("412/0xab") == 412
    assert block_of("") is None
    assert block_of("0xab") is None
