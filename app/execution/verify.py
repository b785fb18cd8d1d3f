"""`journal verify`: the tables, the chain, and everything that claims to follow from it, rebuilt and compared.

Hashed rows and the journal are the evidence; trades, payloads, orders, reservations, balances, positions and the
settings in force are projections of it, compared column by column. A finding names the table and the row, never only
"something is wrong", and what can not be read is a finding too, never an exception.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from app.execution.authorisation import parse, refusal
from app.execution.purse import trade_of
from app.execution.rebuild import (
    MALFORMED,
    Journal,
    Orders,
    Positions,
    Row,
    fold_journal,
    fold_orders,
    fold_positions,
    fold_settings,
)
from app.execution.records import Role, request_of, signed_transaction, slot
from app.execution.signed_terms import exit_group
from app.execution.state import STANDING
from app.execution.states import IN_FLIGHT, TradeState
from app.execution.verify_adjustments import verify_adjustments
from app.execution.verify_seals import verify_seals
from app.ids import client_order_id
from app.money import ZERO, add, from_text, to_text
from signers.faults import SignatureMismatch
from signers.payloads import EvmTransaction
from signers.verify import verify as verify_signature
from signers.verify import verify_text
from storage.database import Reader
from storage.journal import Finding, Head, verify_chain
from storage.tables import strangers, unreadable
from strategies.model import MOST_LEGS

_UNCOVERED: Final = frozenset({Role.FLATTEN.value})
"""Roles that need no authorisation: reduce-only sales after an emergency stop."""
_FLATTEN: Final = {
    "side": "sell", "kind": "market", "reduce_only": True, "parent": None, "group": None, "basket": None,
}  # fmt: skip
"""Their terms, but for the group, which is that of the exits whose quantity they share."""


PARTS: Final = {
    "chain": "journal",
    "changes": "journal",
    "fills": "fills",
    "events": "order_events",
    "postings": "postings",
    "signatures": "authorisations",
    "orders": "orders",
    "adjustments": "adjustments",
    "seals": "seals",
}
"""What is walked row by row, in order, and the table whose rows are counted."""

Checked = Callable[[str], None]
"""Called with a part's name after each row of it; what it raises ends the walk."""


def _uncounted(_part: str) -> None:
    """Nobody watches."""


def verify(reader: Reader, mirror: Head | None, checked: Checked = _uncounted) -> Iterator[Finding]:
    """Every finding; none means: nothing was changed, inserted or removed, and every projection follows.

    Raises:
        sqlite3.Error: the file itself can not be read.
    """
    connection = reader.connection
    usual = connection.text_factory
    connection.text_factory = _verbatim
    try:
        yield from strangers(connection)
        missing = list(unreadable(connection))
        yield from missing
        if missing:
            return
        yield from verify_chain(connection, mirror, lambda: checked("chain"))
        journal = fold_journal(reader, lambda: checked("changes"))
        positions = fold_positions(reader, lambda: checked("fills"))
        orders = fold_orders(reader, lambda: checked("events"))
        for fold in (journal, orders, positions):
            yield from fold.findings
        yield from _ledger(reader, lambda: checked("postings"))
        yield from _projections(reader, journal, orders, positions)
        yield from _fills(reader, orders)
        yield from _signatures(reader, journal, orders, checked)
        yield from verify_adjustments(reader, lambda: checked("adjustments"))
        yield from verify_seals(reader, lambda: checked("seals"))
        yield from _settings(reader)
    finally:
        connection.text_factory = usual


def _verbatim(stored: bytes) -> str:
    """Also what is not UTF-8: it was never written by us, hashes to something else, and must not end the walk."""
    return stored.decode(errors="surrogateescape")


def _ledger(reader: Reader, checked: Callable[[], None]) -> Iterator[Finding]:
    """Postings sum to zero per asset in each transition, and to the balances over all."""
    sums: dict[str, Decimal] = {}
    rebuilt: dict[tuple[Any, ...], Row] = {}
    totals: dict[tuple[Any, ...], Decimal] = {}
    current: Any = None
    for row in reader.rows("SELECT rowid, seq, account, asset, amount FROM postings ORDER BY seq, rowid"):
        checked()
        if row["seq"] != current:
            yield from _unbalanced(current, sums)
            current, sums = row["seq"], {}
        try:
            amount = from_text(row["amount"])
            key = (row["account"], row["asset"])
            sums[row["asset"]] = add(sums.get(row["asset"], ZERO), amount)
            totals[key] = add(totals.get(key, ZERO), amount)
        except MALFORMED as error:
            yield Finding(row["seq"], "postings", f"{row['account']} {row['asset']}: {_words(error)}")
            continue
        rebuilt[key] = {"account": key[0], "asset": key[1], "amount": to_text(totals[key])}
    yield from _unbalanced(current, sums)
    yield from _compare(reader, "balances", ("account", "asset"), rebuilt, "the postings give")


def _unbalanced(seq: Any, sums: Mapping[str, Decimal]) -> Iterator[Finding]:
    for asset, amount in sums.items():
        if amount:
            yield Finding(seq, "postings", f"{asset} does not sum to zero but to {to_text(amount)}")


def _projections(reader: Reader, journal: Journal, orders: Orders, positions: Positions) -> Iterator[Finding]:
    intents = {row["id"]: row for row in reader.rows("SELECT id, module, symbol, side, created_ms FROM intents")}
    for key, row in journal.trades.items():
        row.update(intents.get(key[0], {}))
    yield from _compare(reader, "trades", ("id",), journal.trades, "the journal gives")
    yield from _compare(reader, "payloads", ("id",), journal.payloads, "the journal gives")
    yield from _compare(reader, "reservations", ("trade_id",), journal.reservations, "the journal gives")
    yield from _compare(reader, "orders", ("client_id",), orders.rows, "its events give")
    yield from _compare(reader, "module_positions", ("module", "symbol"), positions.rows, "the fills give")
    live = {state.value for state in IN_FLIGHT}
    for row in journal.reservations.values():
        trade = journal.trades.get((trade_of(str(row["trade_id"])),), {"state": TradeState.FAILED.value})
        if row["state"] == "OPEN" and trade["state"] not in live:
            yield Finding(None, "reservations", f"the reservation of {row['trade_id']} outlives its trade")


def _compare(
    reader: Reader, table: str, keys: tuple[str, ...], rebuilt: Mapping[tuple[Any, ...], Row], source: str
) -> Iterator[Finding]:
    """Stored rows against rebuilt ones; a rebuilt row may lack columns that nothing else says."""
    stored = {tuple(row[k] for k in keys): row for row in reader.rows(f"SELECT * FROM {table}")}  # noqa: S608 -- our own names
    for key in sorted(rebuilt.keys() | stored.keys(), key=repr):
        name = " ".join(map(str, key))
        have, want = stored.get(key), rebuilt.get(key)
        if have is None:
            yield Finding(None, table, f"{name} is missing; {source} it")
        elif want is None:
            yield Finding(None, table, f"{name} is there; {source} none")
        else:
            for column, value in want.items():
                if have[column] != value:
                    yield Finding(None, table, f"{name}: {column} is {_short(have[column])}, {source} {_short(value)}")


def _fills(reader: Reader, orders: Orders) -> Iterator[Finding]:
    """What each order says is filled is the sum of its fills, and each fill belongs to one of our orders."""
    filled: dict[Any, Decimal] = {}
    for row in reader.rows(STANDING):
        try:
            filled[row["client_id"]] = add(filled.get(row["client_id"], ZERO), from_text(row["quantity"]))
        except MALFORMED:
            continue  # already found when the positions were folded
    for client_id in filled:
        if (client_id,) not in orders.rows:
            yield Finding(None, "fills", f"order {client_id} has fills and no events")
    for row in orders.rows.values():
        total = to_text(filled.get(row["client_id"], ZERO))
        if row["filled"] != total:
            yield Finding(None, "orders", f"{row['client_id']} says {_short(row['filled'])}, its fills {total}")


def _signatures(reader: Reader, journal: Journal, orders: Orders, checked: Checked) -> Iterator[Finding]:
    """Every authorisation is what was confirmed and what its address signed; every order follows from one."""
    texts: dict[Any, Any] = {}
    transactions: set[tuple[Any, Any, Any]] = set()
    for row in reader.rows("SELECT * FROM authorisations ORDER BY seq, rowid"):
        checked("signatures")
        payload = journal.payloads.get((row["payload_id"],), {})
        why = _unless(lambda row=row, payload=payload: _check_signed(row, payload, texts, transactions))  # type: ignore[misc]  # binds now
        if why is not None:
            yield Finding(row["seq"], "authorisations", f"{row['payload_id']}: {why}")
    yield from _legs(reader, texts)
    numbers: dict[tuple[str, str], int] = {}
    for row in reader.rows("SELECT client_id, trade_id FROM orders ORDER BY rowid"):
        checked("orders")
        order = orders.rows.get((row["client_id"],))
        if order is None:
            continue  # already found as an order without events
        if (row["trade_id"], order["role"], row["client_id"]) in transactions:
            continue  # it is the hash of what was signed
        trade_id, role = str(row["trade_id"]), str(order["role"])
        numbers[trade_id, role] = number = numbers.get((trade_id, role), 0) + 1
        if client_order_id(trade_id, slot(role, number)) != row["client_id"]:
            what = f"{row['client_id']}: trade_id is {_short(row['trade_id'])}, and its id does not derive from that"
            yield Finding(None, "orders", what)
        elif order["role"] in _UNCOVERED:
            terms = orders.terms[row["client_id"]]
            group = terms.get("group") if terms.get("group") in _groups(trade_id) else exit_group(trade_id)
            if {key: terms.get(key) for key in _FLATTEN} != {**_FLATTEN, "group": group}:
                yield Finding(None, "orders", f"{row['client_id']} is no reduce-only sale of its trade's position")
        else:
            text = texts.get(row["trade_id"])
            why = "nothing was signed for it" if text is None else _refused(text, orders.terms[row["client_id"]])
            if why is not None:
                yield Finding(None, "orders", f"{row['client_id']} is not covered by a signed text: {why}")


def _check_signed(row: Row, payload: Row, texts: dict[Any, Any], transactions: set[tuple[Any, Any, Any]]) -> None:
    """One authorisation: a text, by which orders are permitted, or a transaction, which is its order.

    Raises:
        SignatureMismatch: it is not what was shown, or not by its address.
        ValueError: it can not be read.
    """
    text, signature, address = row["text"], bytes.fromhex(row["signature"]), row["address"]
    body = payload.get("body")
    if text != (f"0x{body}" if body else payload.get("text")):
        raise SignatureMismatch("what was signed is not what was shown", "")
    if not body:
        texts[row["trade_id"]] = text
        verify_text(text, signature, address)
        return
    verify_signature(EvmTransaction(bytes.fromhex(body)), signature, address)
    name = signed_transaction(bytes.fromhex(body), signature, address).hash
    transactions.add((row["trade_id"], payload["kind"].partition(":")[2], name))


def _legs(reader: Reader, texts: Mapping[Any, Any]) -> Iterator[Finding]:
    """The legs of each signed basket are those that were proposed."""
    for trade_id, text in texts.items():
        try:
            signed = [(to_text(leg.price), to_text(leg.quantity), to_text(leg.target)) for leg in parse(text).legs]
        except MALFORMED:
            continue  # its orders are found, because nothing that can be read permits them
        sql = "SELECT price, quantity, target FROM intent_legs WHERE intent_id = ? ORDER BY number"
        if signed and signed != [tuple(row.values()) for row in reader.rows(sql, (trade_id,))]:
            yield Finding(None, "intent_legs", f"{trade_id}: the legs that were signed are not those proposed")


def _groups(trade_id: str) -> set[str]:
    """The exits that a trade can have, leg by leg."""
    return {exit_group(trade_id, number) for number in range(1, MOST_LEGS + 1)}


def _unless(check: Callable[[], None]) -> str | None:
    try:
        check()
    except SignatureMismatch as error:
        return error.what
    except MALFORMED as error:
        return _words(error)
    return None


def _refused(text: str, terms: dict[str, Any]) -> str | None:
    try:
        return refusal(text, request_of(terms))
    except MALFORMED as error:
        return _words(error)


def _settings(reader: Reader) -> Iterator[Finding]:
    """The settings in force are what all journaled changes add up to."""
    for key, value in fold_settings(reader).items():
        stored = reader.value("SELECT value FROM meta WHERE key = ?", (key,))
        try:
            found = json.loads(stored) if key == "config" else stored
        except MALFORMED:
            found = stored
        if found != value:
            yield Finding(None, "meta", f"{key} is {_short(found)}, config_changes give {_short(value)}")


def _words(error: Exception) -> str:
    return f"can not be read ({_short(str(error) or type(error).__name__)})"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
