"""The seals of the journal, checked offline: each is what its address signed, and the chain is still what it sealed.

The rest of `journal verify` holds the chain against itself and finds nothing wrong in one that somebody computed anew
from its first row. A seal does not follow from the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from app.execution.rebuild import MALFORMED
from app.seal_text import Seal, parse
from signers.faults import SignatureMismatch
from signers.verify import verify_text
from storage.database import Reader
from storage.journal import Finding


def verify_seals(reader: Reader, checked: Callable[[], None]) -> Iterator[Finding]:
    """Every finding about seals, in their order."""
    if not reader.value("SELECT count(*) FROM sqlite_master WHERE name = 'seals'"):
        return  # an older version's database
    known = {(row["signer"], row["address"]) for row in reader.rows("SELECT signer, address FROM accounts")}
    profile = reader.value("SELECT value FROM meta WHERE key = 'profile'")
    before = 0
    for row in reader.rows("SELECT * FROM seals ORDER BY seq, rowid"):
        checked()
        try:
            seal = parse(row["text"])
            verify_text(row["text"], bytes.fromhex(row["signature"]), row["address"])
        except SignatureMismatch as error:
            yield _finding(row, error.what)
            continue
        except MALFORMED as error:
            yield _finding(row, f"can not be read ({str(error)[:80]})")
            continue
        for what in _wrong(reader, row, seal, profile):
            yield _finding(row, what)
        if (row["signer"], row["address"]) not in known:
            yield _finding(row, f"is by {row['address']}, which is not registered here for the {row['signer']}")
        own = row["seq"] if isinstance(row["seq"], int) else 0  # whoever tampers may have replaced the table
        if not before < seal.seq < own:
            yield _finding(row, f"seals row {seal.seq}, which is not between the seal before it and its own row")
        before = seal.seq


def _wrong(reader: Reader, row: dict[str, Any], seal: Seal, profile: Any) -> Iterator[str]:
    if (seal.seq, seal.hash, seal.sealed_ms) != (row["sealed_seq"], row["hash"], row["sealed_ms"]):
        yield "its columns say something else than its text"
    if seal.profile != profile:
        yield f"is of profile {seal.profile}, this database is of {profile}"
    now = reader.value("SELECT hash FROM journal WHERE seq = ?", (seal.seq,))
    if now is None:
        yield f"sealed row {seal.seq}, which is not there any more"
    elif not isinstance(now, bytes) or now.hex() != seal.hash:
        yield f"sealed another row {seal.seq} than stands there now: what lies before it was rewritten"


def _finding(row: dict[str, Any], what: str) -> Finding:
    return Finding(row["seq"], "seals", f"the seal of row {row['sealed_seq']} {what}")
