"""A database with a long past, written row by row: for screens that must not mind how much there is."""

from __future__ import annotations

from pathlib import Path

from app.execution.records import terms_of
from app.money import from_text
from app.venues.base import OrderKind, OrderRequest
from storage.database import open_for_trading
from storage.journal import GENESIS, canonical, row_hash
from strategies.model import Side

_START = 1_700_000_000_000


def past(db: Path, orders: int) -> None:
    """So many filled orders, each of a trade of its own, and a journal row for each."""
    database = open_for_trading(db, "paper")
    connection, head = database.connection, GENESIS
    connection.execute("BEGIN")
    for number in range(1, orders + 1):
        trade, client, now = f"{number:032x}", f"{number:031x}f", _START + number
        symbol = "ETH-USDT" if number % 10 == 0 else "BTC-USDT"
        request = OrderRequest(
            client, symbol, Side.BUY, OrderKind.LIMIT, from_text("0.1"), now + 60_000, from_text(f"{1000 + number}")
        )
        body = canonical({"set": [["trade", trade, "FILLED", ""]]})
        digest = row_hash(head, number, now, "trade.submitted", trade, body, [])
        row = (number, now, "trade.submitted", trade, body, head, digest)
        head = digest
        connection.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute(
            "INSERT INTO trades VALUES (?, 'momentum', ?, 'buy', 'FILLED', '', ?, ?)", (trade, symbol, now, now)
        )
        connection.execute(
            "INSERT INTO orders VALUES (?, ?, 'entry', ?, 'FILLED', '0.1', 1, ?, ?, '0', '')",
            (client, trade, canonical(terms_of(request)), f"v{number}", now),
        )
    connection.execute("COMMIT")
    database.close()
