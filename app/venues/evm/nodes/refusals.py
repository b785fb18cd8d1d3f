"""What a node's answer to a transaction means. One table for the wordings of all clients.

Sources, read 2026: go-ethereum core/error.go and core/txpool/errors.go; reth rpc-eth-types/src/error/mod.rs; erigon
txpoolcfg.go; Nethermind TxPoolErrorMessages.cs; Besu RpcErrorType.java; anvil eth/error.rs. Codes: EIP-1474.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class SendAnswer(StrEnum):
    """One node's answer to one transaction.

    The first two: it is at that node. UNCLEAR, NO_ANSWER: it may be. NOT_ASKED: it is not, from us. The rest: that
    node refused it, for certain; that says nothing about the other nodes.
    """

    ACCEPTED = "accepted"
    KNOWN = "already known"
    NONCE_TOO_LOW = "nonce too low"
    REPLACEMENT_UNDERPRICED = "replacement underpriced"
    INSUFFICIENT_FUNDS = "insufficient funds"
    UNDERPRICED = "underpriced"
    REFUSED = "refused"
    """Invalid, too large, another chain's, or what else no node would take later either."""
    UNCLEAR = "an answer that may mean anything"
    NO_ANSWER = "no answer"
    NOT_ASKED = "not asked"


TAKEN: Final = frozenset({SendAnswer.ACCEPTED, SendAnswer.KNOWN})
MAYBE: Final = frozenset({SendAnswer.UNCLEAR, SendAnswer.NO_ANSWER})

_A = SendAnswer
_WORDS: Final[tuple[tuple[str, SendAnswer], ...]] = (
    # Order matters: the first that is found decides.
    ("already known", _A.KNOWN),  # geth, reth, erigon, Nethermind
    ("already imported", _A.KNOWN),  # anvil
    ("known transaction", _A.KNOWN),  # Besu; old geth with the hash behind it
    ("existing txn with same hash", _A.KNOWN),  # erigon
    ("authority nonce too low", _A.REFUSED),  # geth: of an authorisation within the transaction
    ("nonce too low", _A.NONCE_TOO_LOW),  # all; reth adds both numbers, Besu capitals
    ("replacement transaction underpriced", _A.REPLACEMENT_UNDERPRICED),  # geth, reth, erigon, Nethermind, Besu
    ("insufficient gas price to replace", _A.REPLACEMENT_UNDERPRICED),  # anvil
    ("could not replace existing tx", _A.REPLACEMENT_UNDERPRICED),  # erigon
    ("insufficient funds", _A.INSUFFICIENT_FUNDS),  # all but Besu
    ("upfront cost exceeds account balance", _A.INSUFFICIENT_FUNDS),  # Besu
    ("transaction underpriced", _A.UNDERPRICED),  # geth, reth, Nethermind
    ("max fee per gas less than block base fee", _A.UNDERPRICED),  # geth, reth, anvil
    ("gas price below", _A.UNDERPRICED),  # Besu: configured minimum, current base fee
    ("priority fee below minimum", _A.UNDERPRICED),  # reth
    ("fee too low", _A.UNDERPRICED),  # erigon
    ("underpriced", _A.UNDERPRICED),  # erigon
    ("nonce too high", _A.REFUSED),
    ("nonce too far in future", _A.REFUSED),  # Nethermind
    ("nonce is too distant", _A.REFUSED),  # Besu
    ("nonce has max value", _A.REFUSED),
    ("invalid sender", _A.REFUSED),
    ("invalid signature", _A.REFUSED),
    ("invalid transaction signature", _A.REFUSED),  # reth
    ("failed to recover sender", _A.REFUSED),  # Nethermind
    ("transaction invalid", _A.REFUSED),  # Nethermind
    ("invalid chain id", _A.REFUSED),
    ("wrong chainid", _A.REFUSED),  # Besu
    ("exceeds block gas limit", _A.REFUSED),
    ("gas limit reached", _A.REFUSED),  # Nethermind
    ("gas limit is too high", _A.REFUSED),  # erigon
    ("gas limit too high", _A.REFUSED),  # reth
    ("intrinsic gas", _A.REFUSED),
    ("exceeds the configured cap", _A.REFUSED),
    ("transaction fee cap exceeded", _A.REFUSED),  # Besu
    ("max priority fee per gas higher than max fee per gas", _A.REFUSED),
    ("max priority fee per gas exceeds max fee per gas", _A.REFUSED),  # Besu
    ("transaction type not supported", _A.REFUSED),
    ("oversized data", _A.REFUSED),
    ("max initcode size exceeded", _A.REFUSED),
    ("sender not an eoa", _A.REFUSED),
    ("sender is not an eoa", _A.REFUSED),  # reth
    ("account limit exceeded", _A.REFUSED),
    ("txpool is full", _A.REFUSED),
    ("sub-pool is full", _A.REFUSED),  # erigon
    ("address already reserved", _A.REFUSED),
    ("rlp: ", _A.REFUSED),
    ("failed to decode signed transaction", _A.REFUSED),
)
_CODES: Final = {
    -32700: _A.REFUSED,  # it could not be read
    -32600: _A.REFUSED,
    -32601: _A.REFUSED,  # no such method there
    -32602: _A.REFUSED,  # invalid parameters
    -32003: _A.REFUSED,  # EIP-1474: transaction rejected
}


def classify(code: int, message: str) -> SendAnswer:
    """What an error in answer to eth_sendRawTransaction means. Words first: clients use codes as they like. What is in
    neither table is UNCLEAR: a gateway may have passed the transaction on before its own time-out."""
    lowered = message.lower()
    return next((kind for words, kind in _WORDS if words in lowered), _CODES.get(code, SendAnswer.UNCLEAR))


_TOO_MUCH = ("rate limit", "too many requests", "request limit", "compute units", "requests per second", "daily limit")


def told_to_wait(code: int, message: str) -> bool:
    """Whether an error means: ask less. Providers say so in a reply of HTTP 200 too."""
    lowered = message.lower()
    return (
        code == 429 or any(words in lowered for words in _TOO_MUCH) or (code == -32005 and "limit exceeded" in lowered)
    )


_ELSEWHERE = (
    "header not found", "block not found", "unknown block", "missing trie node", "world state unavailable",
    "required data unavailable", "blockoutofrange", "state is not available", "state not available", "pruned",
    "resource not found", "no state available", "beyond current head", "historical state", "method not enabled",
    "indexing is in progress",  # geth, of receipts
)  # fmt: skip


def ask_another(code: int, message: str, data: bytes) -> bool:
    """Whether an error says something about the node rather than about the question: it lacks the block, its state or
    the method, or is broken inside."""
    lowered = message.lower()
    if data or "revert" in lowered:
        return False
    return code in {-32601, -32603, -32604, -32002} or any(words in lowered for words in _ELSEWHERE)
