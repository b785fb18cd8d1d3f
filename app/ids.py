"""Identifiers: 16 bytes of blake2b, so that the same run makes the same ids and a replay can be compared bit by bit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from app.errors import UsageError
from storage.journal import canonical

SHORTEST: Final = 4
"""Characters of an id that name a trade in a command."""


def run_id(source: str, config_digest: str, number: int) -> str:
    """Id of the `number`-th run on a database: 32 hex digits."""
    return _digest("run", source, config_digest, number)


def intent_id(run: str, module: str, sequence: int) -> str:
    """Id of the `sequence`-th intent of `module` in `run`; the trade carries the same id."""
    digest = _intents(run, module).copy()
    digest.update(f"{sequence}]".encode())
    return digest.hexdigest()


def payload_id(trade_id: str, number: int) -> str:
    """Id of the `number`-th thing signed for a trade."""
    return _digest("payload", trade_id, number)


def client_order_id(trade_id: str, role: str) -> str:
    """Our order id at a venue, derived from the trade, so that it can be looked up before any answer came."""
    return _digest("order", trade_id, role)


@lru_cache(maxsize=64)
def _intents(run: str, module: str) -> hashlib.blake2b:
    """What the ids of all intents of a module begin with: an id is on the way from a quote to its verdict."""
    return hashlib.blake2b(f"{canonical(['intent', run, module])[:-1]},".encode(), digest_size=16)


def _digest(*parts: str | int) -> str:
    # canonical JSON keeps ("a", "bc") and ("ab", "c") apart
    return hashlib.blake2b(canonical(list(parts)).encode(), digest_size=16).hexdigest()


def by_prefix(prefix: object, ids: Iterable[str]) -> str:
    """The one id of a waiting trade that begins with `prefix`.

    Raises:
        UsageError: `prefix` is shorter than 4 characters (a typing error or an unset variable would pick a trade that
            nobody meant) or begins none or several.
    """
    if not isinstance(prefix, str) or len(prefix) < SHORTEST:
        raise UsageError(
            "proposal.short",
            f"{repr(prefix)[:40]} is too short to name a trade; type at least {SHORTEST} characters of its id.",
            next_step="See what waits: countersign proposals",
        )
    found = [each for each in ids if each.startswith(prefix)]
    if len(found) != 1:
        words = "No waiting trade begins" if not found else f"{len(found)} waiting trades begin"
        raise UsageError(
            "proposal.unknown", f"{words} with {prefix[:40]}.", next_step="See what waits: countersign proposals"
        )
    return found[0]
