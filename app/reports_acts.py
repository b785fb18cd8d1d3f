"""What the database says of acts: what a trade wants beside buying and selling, what acts have won, what lies in
positions of liquidity. Read-only; amounts in documents are canonical texts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from app.execution.act_rows import act_document, act_of, moves_of
from app.money import from_text, neg, to_text
from app.portfolio.ledger import INCOME
from app.wish_words import called, move_words
from storage.database import Reader
from strategies.acts import Act

_LIQUIDITY: Final = "assets:liquidity:"


@dataclass(frozen=True, slots=True)
class Wish:
    """What an intent's row in `intent_acts` says; of an intent without one, nothing.

    Attributes:
        replaces: hash of the transaction whose place it takes.
    """

    act: Act | None = None
    replaces: str = ""


PLAIN: Final = Wish()
"""A purchase or a sale."""


def wishes(reader: Reader, trades: Collection[str]) -> dict[str, Wish]:
    """Of those trades that have one."""
    return {row["intent_id"]: Wish(act_of(row["kind"], row["terms"]), row["replaces"]) for row in _rows(reader, trades)}


def _rows(reader: Reader, trades: Collection[str]) -> list[dict[str, Any]]:
    """None in the database of an older version, which has no such table until its trader runs again."""
    if reader.value("SELECT count(*) FROM sqlite_master WHERE name = 'intent_acts'") == 0:
        return []
    marks = ", ".join("?" * len(trades))
    return reader.rows(f"SELECT * FROM intent_acts WHERE intent_id IN ({marks})", tuple(trades))  # noqa: S608 -- question marks


def name_of_trade(reader: Reader, trade_id: str, side: str, symbol: str) -> str:
    """What a trade is called: ``collect fees uniswap-v3:12``."""
    wish = wishes(reader, (trade_id,)).get(trade_id, PLAIN)
    return called(wish.act, wish.replaces, side, symbol)


def in_words(reader: Reader, rows: tuple[int, ...]) -> list[tuple[int, str]]:
    """What journal rows say of acts: which was wanted, what one moved; the row's number and the words."""
    marks = ", ".join("?" * len(rows))
    wanted = (
        "SELECT a.seq, a.kind, a.terms, a.replaces, i.side, i.symbol FROM intent_acts a "  # noqa: S608 -- question marks
        f"JOIN intents i ON i.id = a.intent_id WHERE a.seq IN ({marks}) ORDER BY a.seq"
    )
    moved = (
        "SELECT seq, detail ->> '$.moves' AS moves FROM order_events "  # noqa: S608 -- question marks
        f"WHERE seq IN ({marks}) AND json_valid(detail) AND detail ->> '$.moves' <> '' ORDER BY seq, rowid"
    )
    found = [(row["seq"], _called(row)) for row in reader.rows(wanted, rows)]
    return found + [
        (row["seq"], ", ".join(move_words(move) for move in moves_of(row["moves"]))) for row in reader.rows(moved, rows)
    ]


def _called(row: dict[str, Any]) -> str:
    return called(act_of(row["kind"], row["terms"]), row["replaces"], row["side"], row["symbol"])


def document(wish: Wish, side: str, symbol: str) -> dict[str, Any]:
    """What a trade is called, its act (its kind and terms) or null, and what it takes the place of."""
    return {
        "title": called(wish.act, wish.replaces, side, symbol),
        "act": act_document(wish.act),
        "replaces": wish.replaces,
    }


def moves(row: dict[str, Any]) -> list[dict[str, str]]:
    """What an order of the table `orders` has moved."""
    return [
        {"asset": each.asset, "amount": to_text(each.amount), "kind": each.kind.value, "position": each.position}
        for each in moves_of(row.get("moves", ""))
    ]


def income(reader: Reader) -> list[dict[str, str]]:
    """What acts have won (negative: lost), by kind of act, module and asset; what is still in a position of liquidity
    is not counted."""
    rows = reader.rows(
        "SELECT account, asset, amount FROM balances WHERE substr(account, 1, ?) = ? AND amount <> '0' "
        "ORDER BY account, asset",
        (len(INCOME), INCOME),
    )
    found = []
    for row in rows:
        kind, _, module = row["account"].removeprefix(INCOME).partition(":")
        amount = to_text(neg(from_text(row["amount"])))
        found.append({"act": kind, "module": module, "asset": row["asset"], "amount": amount})
    return found


def liquidity(reader: Reader) -> list[dict[str, Any]]:
    """Positions of liquidity: what was put in and not taken out, by module and name."""
    rows = reader.rows(
        "SELECT account, asset, amount FROM balances WHERE substr(account, 1, ?) = ? AND amount <> '0' "
        "ORDER BY account, asset",
        (len(_LIQUIDITY), _LIQUIDITY),
    )
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        module, _, position = row["account"].removeprefix(_LIQUIDITY).partition(":")
        found.setdefault((module, position), {})[row["asset"]] = row["amount"]
    return [{"module": module, "position": name, "put_in": put_in} for (module, name), put_in in found.items()]
