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

_PUBLISHED: Final = "SELECT max(ts_ms) FROM journal WHERE kind = 'order.published' AND subject = ?"
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
    private: str
    """The host that it was confirmed to go through alone, "" where the public mempool."""
    published_ms: int | None
    """When that was shown to the public since."""


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
        private="" if (way := preview.get("private")) is None else str(way["host"]),
        published_ms=reader.value(_PUBLISHED, (client_id,)),
    )


_STANDING: Final = """
SELECT i.stop, i.quantity, i.worst_price, p.valid_until_ms FROM trades t JOIN intents i ON i.id = t.id
JOIN payloads p ON p.trade_id = t.id AND p.kind = 'transaction:close'
WHERE t.module = ? AND t.symbol = ? AND t.state IN ('SIGNED', 'SUBMITTED')
AND i.reduce_only AND i.stop IS NOT NULL AND p.state = 'SIGNED' AND NOT EXISTS (
    SELECT 1 FROM payloads e WHERE e.trade_id = t.id AND e.rowid < p.rowid AND e.state <> 'LANDED'
) ORDER BY t.rowid
"""


def standing(reader: Reader, module: str, symbol: str) -> list[dict[str, Any]]:
    """The standing exits of a position that are signed and kept. Whether they would land now, only a running trader
    knows."""
    return [
        {
            "role": "standing",
            "price": row["stop"],
            "state": "ARMED",
            "quantity": row["quantity"],
            "least": row["worst_price"],
            "until_ms": row["valid_until_ms"],
        }
        for row in reader.rows(_STANDING, (module, symbol))
    ]


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
