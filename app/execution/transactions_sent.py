"""Which transactions an account has sent, as its chain counts them, and which of those are ours.

A chain counts them by one number, the nonce. Those below the number that the trader last acknowledged (`NONCE` in the
table of adjustments; the first is written when the ledger is opened) are accounted for, whoever sent them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

from app.execution.state import State
from app.execution.states import PayloadState
from app.money import from_text
from app.text import counted
from app.venues.base import OrderState, SignedTransaction
from signers.evm import decode
from storage.database import Reader

_WAITS: Final = frozenset({PayloadState.SENT, PayloadState.UNKNOWN})
_TO_SEND: Final = frozenset({PayloadState.CONFIRMED, PayloadState.SIGNED})
NONCE: Final = "nonce"
"""What an adjustment calls the count of an account's transactions."""
_NAMED: Final = 5
"""Nonces that are told one by one."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """Transactions of the account that are not ours: what the chain counts, and what it would without them."""

    words: str
    chain: Decimal
    ledger: Decimal


def acknowledged(reader: Reader) -> int | None:
    """Transactions that are accounted for whoever sent them; None before the ledger was ever compared."""
    text = reader.value("SELECT venue_has FROM adjustments WHERE subject = ? ORDER BY rowid DESC LIMIT 1", (NONCE,))
    return None if text is None else int(from_text(text))


@lru_cache(maxsize=1024)  # asked again and again of all that are remembered, before each send too: 24 us each
def nonce_of(unsigned: bytes) -> int:
    """Of a transaction of ours."""
    return decode(unsigned).nonce


def nonces_landed(state: State) -> set[int]:
    """Nonces of our transactions that are in a block, of those in memory."""
    payloads = (payload for trade in state.remembered() for payload in trade.payloads)
    return {nonce_of(each.body) for each in payloads if each.body and each.state is PayloadState.LANDED}


class TransactionsSent:
    """Counts along, so that only what is new is looked at."""

    def __init__(self) -> None:
        self._known = 0
        """All below this nonce were found to be ours or acknowledged."""

    def foreign(self, state: State, count: int | None) -> Foreign | None:
        """What the chain's count of the account's transactions says beyond ours; None: nothing.

        Args:
            count: first nonce that is free on the chain; None at a venue without transactions.
        """
        since = acknowledged(state.reader)
        if count is None or since is None:
            return None
        if count < since:
            words = f"the account has {counted(count, 'transaction')} on the chain, and {since} were seen there before"
            return Foreign(words, Decimal(count), Decimal(since))
        known = max(since, min(self._known, count))  # fewer than before: blocks were undone
        missing = sorted(set(range(known, count)) - _landed(state)) if count > known else []
        self._known = missing[0] if missing else count
        return _told(missing, count) if missing else None


def _told(missing: list[int], count: int) -> Foreign:
    named = ", ".join(map(str, missing[:_NAMED])) + (", ..." if len(missing) > _NAMED else "")
    were, ours = "was" if len(missing) == 1 else "were", count - len(missing)
    words = (
        f"{counted(len(missing), 'transaction')} of this account (nonce {named}) {were} not sent by this program: "
        f"the chain has {count}, the ledger {ours}"
    )
    return Foreign(words, Decimal(count), Decimal(ours))


def _landed(state: State) -> set[int]:
    """Nonces of our transactions that are in a block."""
    return {nonce_of(body) for body in landed(state)}


def landed(state: State, parts: Sequence[bytes] = (), most: int = -1) -> list[bytes]:
    """Our transactions that are in a block, unsigned: of memory, which may be ahead of the disk, and of the disk.

    Args:
        parts: only those that contain each of them.
        most: so many of the disk's, the newest; -1 for all.
    """
    contain = " AND instr(body, ?) > 0" * len(parts)
    query = f"SELECT id, body FROM payloads WHERE state = 'LANDED' AND body <> ''{contain} ORDER BY rowid DESC LIMIT ?"  # noqa: S608 -- question marks
    rows = state.reader.rows(query, (*(part.hex() for part in parts), most))
    bodies = {row["id"]: bytes.fromhex(row["body"]) for row in rows}
    for trade in state.remembered():
        for payload in trade.payloads:
            bodies.pop(payload.id, None)
            if payload.body and payload.state is PayloadState.LANDED and all(part in payload.body for part in parts):
                bodies[payload.id] = payload.body
    return list(bodies.values())


@dataclass(frozen=True, slots=True)
class Stuck:
    """A transaction of ours, by its order's id, and a nonce."""

    client_id: str
    nonce: int


def maybe_for_ever(state: State, count: int, now_ms: int) -> Stuck | None:
    """The first transaction that nobody shows, that may have been sent, and that is not sent any more as its time is
    over. It keeps its nonce, and with it everything above, until another one takes its place.

    Args:
        count: first nonce that is free on the chain.
    """
    found = [
        Stuck(order.request.client_id, nonce)
        for trade in state.trades.values()
        for order in trade.orders.values()
        if order.state is OrderState.UNKNOWN
        and (payload := trade.payload_of(order)) is not None
        and payload.body
        and now_ms > payload.valid_until_ms
        and (nonce := nonce_of(payload.body)) >= count
    ]
    return min(found, key=lambda each: each.nonce, default=None)


def behind_nothing(state: State, count: int) -> Stuck | None:
    """The first transaction that was sent and waits for a nonce that no transaction of ours has, or is to be sent with:
    the trade that had taken it ended before it was sent.

    Args:
        count: first nonce that is free on the chain.
    """
    waits: dict[int, str] = {}
    taken: set[int] = set()
    for trade in state.remembered():
        for payload in trade.payloads:
            if not payload.body or (payload.state in _TO_SEND and trade.kept and payload is not trade.sending):
                continue
            if payload.state in _WAITS and isinstance(payload.signed, SignedTransaction):
                waits[nonce_of(payload.body)] = payload.signed.hash
            if payload.state in _TO_SEND | _WAITS | {PayloadState.LANDED}:
                taken.add(nonce_of(payload.body))
    for nonce, client_id in sorted(waits.items()):
        if missing := set(range(count, nonce)) - taken:
            return Stuck(client_id, min(missing))
    return None
