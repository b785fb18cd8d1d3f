"""Identifiers: 16 bytes of blake2b, so that the same run makes the same ids and a replay can be compared bit by bit."""

from __future__ import annotations

import hashlib

from storage.journal import canonical


def run_id(source: str, config_digest: str, number: int) -> str:
    """Id of the `number`-th run on a database: 32 hex digits."""
    return _digest("run", source, config_digest, number)


def intent_id(run: str, module: str, sequence: int) -> str:
    """Id of the `sequence`-th intent of `module` in `run`; the trade carries the same id."""
    return _digest("intent", run, module, sequence)


def payload_id(trade_id: str, number: int) -> str:
    """Id of the `number`-th thing signed for a trade."""
    return _digest("payload", trade_id, number)


def client_order_id(trade_id: str, role: str) -> str:
    """Our order id at a venue, derived from the trade, so that it can be looked up before any answer came."""
    return _digest("order", trade_id, role)


def _digest(*parts: str | int) -> str:
    # canonical JSON keeps ("a", "bc") and ("ab", "c") apart
    return hashlib.blake2b(canonical(list(parts)).encode(), digest_size=16).hexdigest()
