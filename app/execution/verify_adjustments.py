"""The adjustments of a ledger, for `verify`: each was posted as it says, and none was posted that nobody made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from app.execution.rebuild import MALFORMED
from app.execution.transactions_sent import NONCE
from app.money import ZERO, add, from_text, neg, sub
from app.portfolio.ledger import ADJUSTMENT
from storage.database import Reader
from storage.journal import Finding


def verify_adjustments(reader: Reader, checked: Callable[[], None]) -> Iterator[Finding]:
    """Every finding. A database of a version that knew none has none."""
    if not reader.value("SELECT count(*) FROM sqlite_master WHERE name = 'adjustments'"):
        return
    said: dict[tuple[Any, str], Any] = {}
    for row in reader.rows("SELECT * FROM adjustments ORDER BY seq, rowid"):
        checked()
        try:
            amount = from_text(row["amount"])
            if sub(from_text(row["venue_has"]), from_text(row["ledger_has"])) != amount:
                yield Finding(row["seq"], "adjustments", f"{row['subject']}: its figures do not differ by its amount")
        except MALFORMED as error:
            yield Finding(row["seq"], "adjustments", f"{row['subject']}: can not be read ({error!r:.80})")
            continue
        if row["subject"] != NONCE:
            key = (row["seq"], row["subject"])
            said[key] = add(said.get(key, ZERO), amount)
    for row in reader.rows("SELECT seq, asset, amount FROM postings WHERE account = ? ORDER BY seq", (ADJUSTMENT,)):
        key = (row["seq"], row["asset"])
        try:
            posted = neg(from_text(row["amount"]))
        except MALFORMED:
            continue  # already found with the postings
        if said.pop(key, None) != posted:
            yield Finding(row["seq"], "postings", f"{row['asset']} was posted as an adjustment that nobody made so")
    for seq, asset in said:
        yield Finding(seq, "adjustments", f"{asset} was adjusted and not posted")
