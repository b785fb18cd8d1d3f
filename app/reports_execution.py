"""How trades were executed: what each step took, and what the fills cost against the market that was sent to."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

from app.money import CEILING, ZERO, add, div, from_text, mul, sub, to_text
from app.reports import Document
from storage.database import Reader

STEPS: Final = ("decide", "prepare", "confirm", "sign", "send")
"""In the order of a trade's life. Each begins when the one before was done, so its commit counts to the next, and
``confirm`` and ``sign`` include the person: risk and reservation; quote, payload and preview; the trader's answer; the
device and the check of its signature; re-check and the venue's answer."""

_NEWEST: Final = 1_000
_BPS: Final = Decimal(10_000)
_FILLS: Final = """
    SELECT t.module, t.symbol, t.side, f.trade_id, f.price, f.quantity, q.bid, q.ask
    FROM fills f
    CROSS JOIN (SELECT trade_id, max(id) AS id FROM quotes WHERE stage = 'submit' GROUP BY trade_id) s
        ON s.trade_id = f.trade_id
    JOIN quotes q ON q.id = s.id JOIN orders o ON o.client_id = f.client_id JOIN trades t ON t.id = f.trade_id
    WHERE o.role IN ('entry', 'close') AND o.terms ->> '$.basket' IS NULL
    ORDER BY f.seq, f.rowid
"""
"""CROSS JOIN keeps the fills outside: neither they nor the quotes have an index by trade, and SQLite makes one for the
inner side only. The other way round every fill is read once for each trade."""


def latencies(reader: Reader) -> Document:
    """Median and 90th percentile of each step's newest thousand, microseconds (nearest rank)."""
    result: Document = {}
    for step in STEPS:
        rows = reader.rows("SELECT micros FROM latencies WHERE step = ? ORDER BY id DESC LIMIT ?", (step, _NEWEST))
        micros = sorted(row["micros"] for row in rows)
        if micros:
            result[step] = {"trades": len(micros), "p50_us": _rank(micros, 0.5), "p90_us": _rank(micros, 0.9)}
    return result


def _rank(ordered: list[int], share: float) -> int:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def slippage(reader: Reader) -> list[Document]:
    """Per module and instrument: what entries and closes paid beyond the touch of the quote they were sent at, in basis
    points, weighted by value, and the worst trade. Negative is better than the touch. Exits and the legs
    of baskets rest at the venue: they have no such quote and are not in it."""
    trades: dict[tuple[str, str, str], tuple[Decimal, Decimal]] = {}
    for row in reader.rows(_FILLS):
        buys, quantity = row["side"] == "buy", from_text(row["quantity"])
        price, touch = from_text(row["price"]), from_text(row["ask" if buys else "bid"])
        beyond = sub(price, touch) if buys else sub(touch, price)
        key = (row["module"], row["symbol"], row["trade_id"])
        cost, value = trades.get(key, (ZERO, ZERO))
        trades[key] = add(cost, mul(beyond, quantity)), add(value, mul(touch, quantity))
    result = []
    for module, symbol in sorted({key[:2] for key in trades}):
        mine = [both for key, both in trades.items() if key[:2] == (module, symbol)]
        cost, value = ZERO, ZERO
        for one in mine:
            cost, value = add(cost, one[0]), add(value, one[1])
        worst = max(_bps(*one) for one in mine)
        average = _bps(cost, value)
        result.append(
            {
                "module": module,
                "symbol": symbol,
                "trades": len(mine),
                "average_bps": to_text(average),
                "worst_bps": to_text(worst),
            }
        )
    return result


def _bps(cost: Decimal, value: Decimal) -> Decimal:
    """Rounded up also where it is negative, so that nothing is shown better than it was."""
    return div(mul(cost, _BPS), value, 2, CEILING) if value else ZERO
