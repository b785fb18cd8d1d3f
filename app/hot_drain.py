"""The life of a hot key, and what keeps an old one from being forgotten.

ABSENT -> ACTIVE -> DRAINING -> DRAINED -> RETIRED

A rotation puts a new key in use and leaves the old one in the keyring, DRAINING, as long as anything stands on it:
trades that it authorised and that are still in flight, and orders that rest by its authority, exits above all. Once
nothing does it is DRAINED, and only then may it be deleted, which is RETIRED. Nothing of this is stored: each state
follows from what the keyring holds and what the databases say, so no crash leaves a wrong one behind.

What an address holds on a chain needs the key too. No command here moves it, and a rest too small to move always stays,
so that it keeps no key: it is told, as the ledger has it, and deleting the key then takes another word (`on_chains`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from app.accounts import stored
from app.errors import SafetyError, StorageError
from app.execution.states import IN_FLIGHT
from app.portfolio.ledger import venue_account
from app.reports_acts import name_of_trade
from app.venues.base import TERMINAL
from signers.base import SignerKind
from signers.payloads import Chain
from storage.database import Reader, reader, trader_pid
from storage.faults import StorageFault
from storage.identity import is_there


class KeyState(StrEnum):
    """Of one key of one chain."""

    ABSENT = "ABSENT"
    ACTIVE = "ACTIVE"
    DRAINING = "DRAINING"
    DRAINED = "DRAINED"
    RETIRED = "RETIRED"


@dataclass(frozen=True, slots=True)
class Held:
    """What the keyring holds for one chain: addresses, None where there is no key."""

    active: str | None = None
    old: str | None = None


@dataclass(frozen=True, slots=True)
class Obligation:
    """Something that stands on a key. `words` name it; `next_step` is the way to end it."""

    database: Path
    words: str
    next_step: str = ""


def state_of(address: str, held: Held, obligations: Iterable[Obligation]) -> KeyState:
    """Where a key that was in use once stands."""
    if address == held.active:
        return KeyState.ACTIVE
    if address != held.old:
        return KeyState.RETIRED
    return KeyState.DRAINING if any(True for _ in obligations) else KeyState.DRAINED


def may_rotate(held: Held) -> str:
    """The address that a new key takes the place of.

    Raises:
        SafetyError: there is none, or the one before it is still there.
    """
    if held.active is None:
        raise SafetyError(
            "hotkey.none", "There is no key to rotate.", next_step="Make one: countersign hotkey generate"
        )
    if held.old not in {None, held.active}:  # the same: a rotation that was cut off before the new key was stored
        raise SafetyError(
            "hotkey.old",
            f"The key before this one, {held.old}, is not retired yet.",
            next_step="Nothing was changed. Retire it first: countersign hotkey retire",
        )
    return held.active


def may_retire(held: Held, obligations: Iterable[Obligation]) -> str:
    """The address whose key may be deleted now.

    Raises:
        SafetyError: there is none, or something stands on it still; each is named.
    """
    if held.old is None:
        raise SafetyError("hotkey.none", "No old key waits to be retired.", next_step="See: countersign hotkey list")
    if held.old == held.active:
        return held.old  # only the copy that a rotation made before it was cut off
    left = list(obligations)
    if state_of(held.old, held, left) is not KeyState.DRAINED:
        told = "; ".join(f"{each.words} ({each.database})" for each in left)
        steps = " ".join(dict.fromkeys(each.next_step for each in left if each.next_step))
        raise SafetyError(
            "hotkey.drain", f"{held.old} is still needed: {told}.", next_step=f"Nothing was deleted. {steps}".rstrip()
        )
    return held.old


def obligations(databases: Iterable[Path], chain: Chain, address: str) -> list[Obligation]:
    """Everything that stands on a key in any of these databases. One that can not be read may hold anything."""
    found: list[Obligation] = []
    for db in dict.fromkeys(databases):
        try:
            if is_there(db):
                with reader(db) as data:
                    found += _in(db, data, chain, address)
        except (StorageFault, StorageError, sqlite3.Error) as error:
            found.append(Obligation(db, f"what it says can not be read: {error}"))
    return found


def on_chains(databases: Iterable[Path], address: str) -> list[str]:
    """What the ledgers of sessions on chains say that an address holds: ``0.5 ETH, 12 USDC on sepolia``."""
    found: list[str] = []
    for db in dict.fromkeys(databases):
        if not is_there(db):
            continue
        with reader(db) as data:
            kind, _, rest = str(data.value("SELECT value FROM meta WHERE key = 'source'") or "").partition(":")
            if kind != "chain" or all(each.address != address for each in stored(data.rows)):
                continue
            name = rest.partition(":")[0]
            rows = data.rows(
                "SELECT asset, amount FROM balances WHERE account = ? AND amount <> '0'", (venue_account(name),)
            )
            held = ", ".join(f"{row['amount']} {row['asset']}" for row in rows)
            found += [f"{held} on {name}"] if held else []
    return found


def _in(db: Path, data: Reader, chain: Chain, address: str) -> list[Obligation]:
    here = {(each.signer, each.chain, each.address) for each in stored(data.rows)}
    if (SignerKind.KEYRING, chain, address) not in here:
        return []
    pid = trader_pid(db)
    running = [] if pid is None else [Obligation(db, f"a trader runs (pid {pid})", "Stop it: countersign stop.")]
    return [*running, *_trades(db, data, address), *_orders(db, data, address)]


def _trades(db: Path, data: Reader, address: str) -> list[Obligation]:
    states = tuple(sorted(state.value for state in IN_FLIGHT))
    rows = data.rows(
        "SELECT DISTINCT t.id, t.side, t.symbol, t.state FROM trades t JOIN authorisations a ON a.trade_id = t.id "  # noqa: S608 -- question marks
        f"WHERE a.address = ? AND t.state IN ({', '.join('?' * len(states))}) ORDER BY t.created_ms, t.id",
        (address, *states),
    )
    step = "Let the trade end, or cancel it: countersign cancel ORDER."
    return [
        Obligation(
            db,
            f"trade {row['id'][:8]}, {name_of_trade(data, row['id'], row['side'], row['symbol'])}, is {row['state']}",
            step,
        )
        for row in rows
    ]


def _orders(db: Path, data: Reader, address: str) -> list[Obligation]:
    ended = tuple(sorted(state.value for state in TERMINAL))
    rows = data.rows(
        "SELECT DISTINCT o.rowid, o.client_id, o.role, o.state, t.symbol FROM orders o "  # noqa: S608 -- question marks
        "JOIN authorisations a ON a.trade_id = o.trade_id JOIN trades t ON t.id = o.trade_id "
        f"WHERE a.address = ? AND o.state NOT IN ({', '.join('?' * len(ended))}) ORDER BY o.rowid",
        (address, *ended),
    )
    step = "Close the position, which the new key signs: countersign close SYMBOL."
    return [
        Obligation(db, f"{row['role']} order {row['client_id'][:8]} of {row['symbol']} is {row['state']}", step)
        for row in rows
    ]
