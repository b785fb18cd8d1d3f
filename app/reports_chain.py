"""What the database says of trades on a chain: a transaction in full, what gas has cost. Read-only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.execution.mined import block_of
from app.money import from_text
from app.portfolio.ledger import GAS
from signers.evm import decode
from storage.database import Reader

KIND: Final = "transaction"
"""Of an order that is one."""


@dataclass(frozen=True, slots=True)
class TransactionFacts:
    """One signed transaction.

    Attributes:
        number, of: which of its trade's.
        text: its words, as they were confirmed.
        gas_rate: account currency for one coin when it was prepared, None where none was known.
    """

    chain: str
    number: int
    of: int
    nonce: int
    text: str
    gas_asset: str
    gas_rate: Decimal | None


def transaction(reader: Reader, trade_id: str, client_id: str) -> TransactionFacts | None:
    """The transaction that an order is; None of an order that is none. Payloads and orders of a trade are in the order
    in which they are sent."""
    query = "SELECT text, body, preview FROM payloads WHERE trade_id = ? AND body <> '' ORDER BY rowid"
    payloads = reader.rows(query, (trade_id,))
    orders = reader.rows("SELECT client_id FROM orders WHERE trade_id = ? ORDER BY rowid", (trade_id,))
    names = [row["client_id"] for row in orders]
    if client_id not in names or len(payloads) != len(names):
        return None
    row = payloads[names.index(client_id)]
    preview = json.loads(row["preview"])
    rate = preview.get("gas_rate")
    return TransactionFacts(
        chain=preview["chain"],
        number=names.index(client_id) + 1,
        of=len(names),
        nonce=decode(bytes.fromhex(row["body"].removeprefix("0x"))).nonce,
        text=row["text"],
        gas_asset=preview["gas_asset"],
        gas_rate=None if rate is None else from_text(rate),
    )


def block(row: dict[str, Any]) -> int | None:
    """The block that a transaction's order ended in, of its row in the table `orders`; None of any other order, and
    before it is in one."""
    state, kind = row["state"], json.loads(row["terms"])["kind"]
    mined = kind == KIND and (state == "FILLED" or (state == "REJECTED" and row["gas"] != "0"))
    return block_of(row["venue_order_id"]) if mined else None


def gas(reader: Reader) -> list[dict[str, str]]:
    """What gas has cost: module, asset, amount."""
    rows = reader.rows(
        "SELECT account, asset, amount FROM balances WHERE substr(account, 1, ?) = ? AND amount <> '0' "
        "ORDER BY account, asset",
        (len(GAS), GAS),
    )
    return [
        {"module": row["account"].removeprefix(GAS), "asset": row["asset"], "amount": row["amount"]} for row in rows
    ]
