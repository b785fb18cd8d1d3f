"""What clients answer to a transaction. The wordings are copied from their sources (named in `refusals`)."""

from __future__ import annotations

import pytest

from app.venues.evm.nodes.refusals import SendAnswer, ask_another, classify, told_to_wait

_TX = "0x" + "ab" * 32


@pytest.mark.parametrize(
    ("client", "code", "message", "meaning"),
    [
        ("geth", -32000, "already known", SendAnswer.KNOWN),
        ("geth of old", -32000, f"known transaction: {_TX[2:]}", SendAnswer.KNOWN),
        ("reth", -32000, "already known", SendAnswer.KNOWN),
        ("erigon", -32000, "existing txn with same hash", SendAnswer.KNOWN),
        ("nethermind", -32010, "already known", SendAnswer.KNOWN),
        ("besu", -32000, "Known transaction", SendAnswer.KNOWN),
        ("anvil", -32003, f"Tx: [{_TX}] already Imported", SendAnswer.KNOWN),
        ("geth", -32000, "nonce too low: next nonce 5, tx nonce 3", SendAnswer.NONCE_TOO_LOW),
        ("geth", -32000, "nonce too low: address 0xAb, tx: 3 state: 5", SendAnswer.NONCE_TOO_LOW),
        ("besu", -32001, "Nonce too low", SendAnswer.NONCE_TOO_LOW),
        ("nethermind", -32010, "nonce too low, Current nonce: 5", SendAnswer.NONCE_TOO_LOW),
        ("geth", -32000, "replacement transaction underpriced", SendAnswer.REPLACEMENT_UNDERPRICED),
        ("besu", -32000, "Replacement transaction underpriced", SendAnswer.REPLACEMENT_UNDERPRICED),
        ("erigon", -32000, "could not replace existing tx", SendAnswer.REPLACEMENT_UNDERPRICED),
        (
            "anvil", -32003, f"Tx: [{_TX}] insufficient gas price to replace existing transaction",
            SendAnswer.REPLACEMENT_UNDERPRICED,
        ),
        (
            "geth", -32000, "insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1",
            SendAnswer.INSUFFICIENT_FUNDS,
        ),
        ("reth", -32003, "insufficient funds for gas * price + value: have 0 want 1", SendAnswer.INSUFFICIENT_FUNDS),
        ("anvil", -32003, "Insufficient funds for gas * price + value", SendAnswer.INSUFFICIENT_FUNDS),
        ("besu", -32004, "Upfront cost exceeds account balance", SendAnswer.INSUFFICIENT_FUNDS),
        ("geth", -32000, "transaction underpriced: tip needed 1, tip permitted 0", SendAnswer.UNDERPRICED),
        ("erigon", -32000, "underpriced", SendAnswer.UNDERPRICED),
        ("besu", -32009, "Gas price below configured minimum gas price", SendAnswer.UNDERPRICED),
        ("anvil", -32003, "max fee per gas less than block base fee", SendAnswer.UNDERPRICED),
        ("geth", -32000, "intrinsic gas too low: gas 20000, minimum needed 21000", SendAnswer.REFUSED),
        ("geth", -32000, "tx fee (1.50 ether) exceeds the configured cap (1.00 ether)", SendAnswer.REFUSED),
        ("geth", -32000, "invalid sender", SendAnswer.REFUSED),
        ("geth", -32000, "authority nonce too low", SendAnswer.REFUSED),
        ("anvil", -32003, "invalid chain id for signer", SendAnswer.REFUSED),
        ("reth", -32003, "txpool is full", SendAnswer.REFUSED),
        ("any", -32602, "what it does not understand", SendAnswer.REFUSED),
        ("any", -32601, "the method eth_sendRawTransaction does not exist", SendAnswer.REFUSED),
        ("a gateway", -32603, "Internal error", SendAnswer.UNCLEAR),
        ("a gateway", -32000, "upstream request timed out", SendAnswer.UNCLEAR),
        ("geth", -32002, "request timed out", SendAnswer.UNCLEAR),
        ("nobody yet", -39999, "the moon is in the wrong phase", SendAnswer.UNCLEAR),
    ],
)  # fmt: skip
def test_each_client_s_words_mean_one_thing(client: str, code: int, message: str, meaning: SendAnswer) -> None:
    assert classify(code, message) is meaning, client


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (429, "anything", True),
        (-32005, "daily request count exceeded, request rate limited", True),
        (-32005, "limit exceeded", True),
        (-32000, "Your app has exceeded its compute units per second capacity.", True),
        (-32005, "query returned more than 10000 results", False),
        (-32005, "Transaction gas limit exceeds block gas limit", False),
        (3, "execution reverted: supply limit exceeded", False),
    ],
)
def test_asked_too_much(code: int, message: str, expected: bool) -> None:
    assert told_to_wait(code, message) is expected


@pytest.mark.parametrize(
    ("code", "message", "data", "expected"),
    [
        (-32000, "header not found", b"", True),
        (-32000, "missing trie node 00 (path )", b"", True),
        (-32001, "block not found: 0x10", b"", True),
        (-39001, "Unknown block", b"", True),
        (-32602, "BlockOutOfRangeError: block height is 1 but requested was 9", b"", True),
        (-32601, "the method debug_traceCall does not exist/is not available", b"", True),
        (-32603, "Internal error", b"", True),
        (3, "execution reverted", b"", False),
        (-32603, "VM Exception: revert", b"", False),
        (-32603, "Internal error", b"\x08\xc3\x79\xa0", False),
        (-32000, "gas required exceeds allowance (50000)", b"", False),
        (-32602, "invalid argument 0", b"", False),
    ],
)
def test_an_error_about_the_node_is_told_from_one_about_the_question(
    code: int,
    message: str,
    data: bytes,
    expected: bool,
) -> None:
    assert ask_another(code, message, data) is expected
