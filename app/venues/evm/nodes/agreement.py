"""What several nodes' answers to one question come to. Pure: answers in, verdict out.

Every verdict needs as many answers as the quorum has nodes; fewer is the caller's fault to raise.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.text import escape_untrusted
from app.venues.evm.nodes.health import quorum_head
from app.venues.evm.nodes.wire import octets, quantity
from app.venues.evm.rpc import RpcRefused

NONCE_SPREAD: Final = 16
"""Nonces of one account that nodes may be apart: transactions that have not reached all of them. More is no lag."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One node's: a result, or its refusal."""

    node: str
    result: Any = None
    refusal: RpcRefused | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """
    Attributes:
        result: what they agree on.
        against: nodes that said something else and were outvoted.
    """

    result: Any
    against: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Disagreed:
    """Each node and what it said, in a few words."""

    sides: tuple[tuple[str, str], ...]


Verdict = Agreed | Disagreed
Judge = Callable[[Sequence[Answer], int], Verdict]


def highest_nonce(answers: Sequence[Answer], needed: int) -> Verdict:
    """The highest that any node of the quorum says: one that has not heard of our last transaction says less, and a
    nonce too low would replace that transaction."""
    refused = _refusals(answers, needed)
    if refused is not None:
        return refused
    nonces = {each.node: quantity(each.result) for each in answers if each.refusal is None}
    if len(nonces) < needed or max(nonces.values()) - min(nonces.values()) > NONCE_SPREAD:
        return Disagreed(tuple((each.node, _words(each)) for each in answers))
    return Agreed(hex(max(nonces.values())))


def head(answers: Sequence[Answer], needed: int) -> Verdict:
    """The highest block that a quorum has reached."""
    refused = _refusals(answers, needed)
    if refused is not None:
        return refused
    found = quorum_head([quantity(each.result) for each in answers if each.refusal is None], needed)
    return Disagreed(tuple((each.node, _words(each)) for each in answers)) if found is None else Agreed(hex(found))


def receipt(answers: Sequence[Answer], needed: int) -> Verdict:
    """The receipt whose block, status, gas and logs a quorum gives; None: not yet. A node that does not know it yet
    contradicts nobody."""
    return _known(answers, needed, _receipt_key)


def block(answers: Sequence[Answer], needed: int) -> Verdict:
    """The block of which a quorum gives the same hash; None: not yet."""
    return _known(answers, needed, lambda found: octets(found["hash"], 32))


def transaction(answers: Sequence[Answer], needed: int) -> Verdict:
    """A transaction is known when one node knows it: that is all a look-up may conclude from, since "unknown" needs
    all. That it is in a block only a quorum says: without one its block fields are None."""
    refused = _refusals(answers, needed)
    if refused is not None:
        return refused
    found = [each for each in answers if each.result is not None]
    if not found:
        return Agreed(None)
    mined = [each for each in found if each.result.get("blockHash") is not None]
    verdict = _vote(mined, needed, lambda each: octets(each.result["blockHash"], 32)) if mined else None
    if isinstance(verdict, Agreed):
        return verdict
    return Agreed({**found[0].result, "blockHash": None, "blockNumber": None, "transactionIndex": None})


def same(answers: Sequence[Answer], needed: int) -> Verdict:
    """The answer that a quorum gives, letter case apart. Refusals are answers: of a call that reverts, all revert."""
    return _vote(answers, needed, _plain_key)


def _known(answers: Sequence[Answer], needed: int, key: Callable[[Mapping[str, Any]], Hashable]) -> Verdict:
    refused = _refusals(answers, needed)
    if refused is not None:
        return refused
    found = [each for each in answers if each.refusal is None and each.result is not None]
    if not found:
        return Agreed(None)
    verdict = _vote(found, needed, lambda each: key(each.result))
    if isinstance(verdict, Agreed) or len({key(each.result) for each in found}) > 1:
        return verdict
    return Agreed(None)  # those who know it say the same; too few know it


def _vote(answers: Sequence[Answer], needed: int, key: Callable[[Answer], Hashable]) -> Verdict:
    camps: dict[Hashable, list[Answer]] = {}
    for each in answers:
        camps.setdefault(key(each), []).append(each)
    most = max(camps.values(), key=len)
    if len(most) < needed:
        return Disagreed(tuple((each.node, _words(each)) for each in answers))
    if most[0].refusal is not None:
        raise most[0].refusal
    names = {each.node for each in most}
    return Agreed(most[0].result, tuple(each.node for each in answers if each.node not in names))


def _refusals(answers: Sequence[Answer], needed: int) -> Verdict | None:
    """Raised when a quorum refuses; a verdict when refusals leave no quorum; None: go on with the rest."""
    refused = [each.refusal for each in answers if each.refusal is not None]
    if len(refused) >= needed:
        raise refused[0]
    if refused and len(answers) - len(refused) < needed:
        return Disagreed(tuple((each.node, _words(each)) for each in answers))
    return None


def _receipt_key(found: Mapping[str, Any]) -> Hashable:
    logs = tuple(
        (log["address"].lower(), tuple(topic.lower() for topic in log["topics"]), log["data"].lower())
        for log in found["logs"]
    )
    return octets(found["blockHash"], 32), quantity(found["status"]), quantity(found["gasUsed"]), logs


def _plain_key(answer: Answer) -> Hashable:
    if answer.refusal is not None:
        return "refused", answer.refusal.data
    return "answered", json.dumps(answer.result, sort_keys=True, default=str).lower()


def _words(answer: Answer) -> str:
    """What a node said, in a few words: of a block or receipt its hash."""
    if answer.refusal is not None:
        return f"no ({escape_untrusted(answer.refusal.message, 60)})"
    result = answer.result
    if isinstance(result, dict):
        found = result.get("hash") if "parentHash" in result else result.get("blockHash")
        status = f", status {result['status']}" if "status" in result else ""
        return escape_untrusted(f"block {found}{status}", 100)
    return "not known" if result is None else escape_untrusted(str(result), 60)
