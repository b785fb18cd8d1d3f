"""The quote that a trade was prepared on."""

from __future__ import annotations

from app.execution.desk import Desk
from app.execution.records import Trade
from app.money import ZERO, from_text
from strategies.model import Quote


def first_quote(desk: Desk, trade: Trade) -> Quote | None:
    """The present one, or after a restart the one on record."""
    symbol = trade.intent.symbol
    if not trade.resumed:
        return desk.market.quote(symbol)
    sql = "SELECT * FROM quotes WHERE trade_id = ? AND stage = 'prepare' ORDER BY id LIMIT 1"
    row = desk.state.reader.one(sql, (trade.id,))
    if row is None:
        return None
    bid, ask = from_text(row["bid"]), from_text(row["ask"])
    return Quote(symbol, row["ts_ms"], bid, ask, ZERO, ZERO, bool(row["synthetic"]))
