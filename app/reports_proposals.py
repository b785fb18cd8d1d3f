"""What became of proposals, and what the declined and the expired ones would have made. Read-only."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from app.execution.counterfactual import HORIZON_MS, MOST, Ending
from app.money import ZERO, add, from_text, to_text
from app.reports import Document
from storage.database import Reader

_KINDS: Final = {
    "shown": "trade.shown",
    "confirmed": "trade.confirmed",
    "declined": "trade.declined",
    "expired": "trade.expired",
    "withdrawn": "trade.withdrawn",
}
"""Counter and the kind of journal row that it counts trades by. `confirmed` holds those that paper confirmed itself,
`expired` those whose session ended before they were signed."""

LABEL: Final = (
    "HYPOTHETICAL: never traded. Bought at the worst price, every fee at the higher rate, the stop before the target, "
    f"sold after {HORIZON_MS // 3_600_000} hours at the latest."
)


def answers(reader: Reader) -> Document:
    """Counters over the whole life of the database, from its journal; and the reasons declined for, where given."""
    rows = reader.rows("SELECT kind, count(DISTINCT subject) AS n FROM journal WHERE kind LIKE 'trade.%' GROUP BY kind")
    found = {row["kind"]: row["n"] for row in rows}
    codes = reader.rows("SELECT code, count(*) AS n FROM answers WHERE code <> '' GROUP BY code ORDER BY code")
    return {
        "proposed": reader.value("SELECT count(*) FROM intents"),
        **{name: found.get(kind, 0) for name, kind in _KINDS.items()},
        "declined_because": {row["code"]: row["n"] for row in codes},
    }


def missed(reader: Reader) -> Document:
    """What declined and expired entries would have made, each apart: `LABEL` has the rules.

    Per answer: ``followed`` (open ones included), ``open``, ``won``, ``lost``, ``not_filled`` (the price was gone),
    ``not_followed`` (more than `MOST` at once), ``by_asset`` (profit of the ended in each quote asset), ``value`` (the
    same in account currency), ``not_valued`` (ended ones without a rate, missing in ``value``).
    """
    rows = reader.rows("SELECT answer, asset, state, result, value FROM hypotheticals ORDER BY begun_ms, trade_id")
    parts = {answer: _sum([row for row in rows if row["answer"] == answer]) for answer in ("declined", "expired")}
    return {"label": LABEL, "horizon_ms": HORIZON_MS, "most_followed": MOST, **parts}


def lines(counts: Document, found: Document) -> list[str]:
    """Both in words."""
    told = [", ".join(f"{n} {name}" for name, n in counts.items() if name != "declined_because")]
    if counts["declined_because"]:
        told.append("declined: " + ", ".join(f"{n} {code}" for code, n in counts["declined_because"].items()))
    told.append(found["label"])
    for answer in ("declined", "expired"):
        m = found[answer]
        told.append(f"{answer:<9} {outcome(m)}")
    return told


def outcome(part: Document) -> str:
    """What the missed of one answer would have made, in words."""
    made = ", ".join(f"{amount} {asset}" for asset, amount in part["by_asset"].items()) or "nothing yet"
    return (
        f"{part['followed']} followed: {part['won']} won, {part['lost']} lost, {part['open']} open; "
        f"would have made {made} ({part['value']} in account currency); "
        f"{part['not_filled']} not filled, {part['not_followed']} not followed"
    )


def _sum(rows: list[Document]) -> Document:
    ended = [(row, from_text(row["result"])) for row in rows if row["result"] is not None]
    by_asset: dict[str, Decimal] = {}
    value = ZERO
    for row, result in ended:
        by_asset[row["asset"]] = add(by_asset.get(row["asset"], ZERO), result)
        if row["value"] is not None:
            value = add(value, from_text(row["value"]))
    states = [row["state"] for row in rows]
    return {
        "followed": len(ended) + states.count(Ending.OPEN),
        "open": states.count(Ending.OPEN),
        "won": sum(result > ZERO for _, result in ended),
        "lost": sum(result <= ZERO for _, result in ended),
        "not_filled": states.count(Ending.NOT_FILLED),
        "not_followed": states.count(Ending.NOT_FOLLOWED),
        "by_asset": {asset: to_text(result) for asset, result in sorted(by_asset.items())},
        "value": to_text(value),
        "not_valued": sum(row["value"] is None for row, _ in ended),
    }
