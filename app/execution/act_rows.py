"""Acts and what they moved, as rows and JSON: amounts as text, one fixed order of keys."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Final

from app.money import from_text, to_text
from app.venues.base import Move, MoveKind
from storage.journal import canonical
from strategies.acts import Act, Cancel, Collect, Cycle, Provide, Revoke, Withdraw
from strategies.model import Intent

KINDS: Final[dict[str, type[Act]]] = {
    "arbitrage": Cycle,
    "provide": Provide,
    "collect": Collect,
    "withdraw": Withdraw,
    "revoke": Revoke,
    "cancel": Cancel,
}
"""What each kind of act is called in the database and on screens."""
_NAMES: Final = {kind: name for name, kind in KINDS.items()}
_AMOUNTS: Final = frozenset({"amount", "gain", "base", "quote", "lower", "upper"})


def name_of_act(act: Act) -> str:
    """What an act is called: ``arbitrage``."""
    return _NAMES[type(act)]


def act_rows(intent: Intent) -> list[tuple[Any, ...]]:
    """Act and replaced transaction of an intent as a hashed row; none of a plain one."""
    act = intent.act
    if act is None and not intent.replaces:
        return []
    kind = "" if act is None else name_of_act(act)
    return [("intent_acts", intent.id, kind, canonical(_terms(act)), intent.replaces)]


def _terms(act: Act | None) -> dict[str, Any]:
    terms = {} if act is None else asdict(act)
    return {name: to_text(value) if isinstance(value, Decimal) else value for name, value in terms.items()}


def act_document(act: Act | None) -> dict[str, Any] | None:
    """An act for ``--json``: its kind and its terms, amounts as text."""
    return None if act is None else {"kind": name_of_act(act), **_terms(act)}


def act_of(kind: str, terms: str) -> Act | None:
    """The act of a row; None where an intent only replaces a transaction.

    Raises:
        ValueError, TypeError, KeyError: not what `act_rows` writes.
    """
    if not kind:
        return None
    plain: dict[str, Any] = json.loads(terms)
    values = {name: _value(name, value) for name, value in plain.items()}
    return KINDS[kind](**values)


def _value(name: str, value: Any) -> Any:
    if name in _AMOUNTS:
        return from_text(value)
    return tuple(value) if name == "pools" else value


def moves_text(moves: tuple[Move, ...]) -> str:
    """What an act moved; "" for nothing."""
    if not moves:
        return ""
    return canonical([[move.asset, to_text(move.amount), move.kind.value, move.position] for move in moves])


def moves_of(text: str) -> tuple[Move, ...]:
    """The inverse of `moves_text`.

    Raises:
        ValueError, TypeError: not what it writes.
    """
    if not text:
        return ()
    return tuple(
        Move(asset, from_text(amount), MoveKind(kind), position) for asset, amount, kind, position in json.loads(text)
    )
