"""What a private endpoint is asked and answers, byte for byte. Truth: the examples of flashbots-docs @272fd13
(2025-11-17), MEV Blocker's page, and eth-account, which recovers the signer."""

from __future__ import annotations

import re

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from app.venues.evm.nodes.wire import Unreadable
from app.venues.evm.private.formats import SIGNATURE, PrivateState, ask, read_status
from app.venues.evm.private.reputation import Reputation
from app.venues.evm.private.way import MOST_BLOCKS, PrivateKind, PrivateWay, status_of
from signers.evm import keccak

RAW = bytes.fromhex("02f86b")
NAME = f"0x{'4f' * 32}"
EMPTY = {"from": "", "to": "", "gasLimit": "", "maxFeePerGas": "", "maxPriorityFeePerGas": "", "nonce": "", "value": ""}
REPUTATION = Reputation()


def test_what_is_asked() -> None:
    rpc, relay, bundle = (ask(kind, RAW, 0xCD2387, 5) for kind in PrivateKind)
    assert (rpc.method, rpc.params) == ("eth_sendRawTransaction", ("0x02f86b",))
    assert relay.method == "eth_sendPrivateTransaction"
    assert relay.params == ({"tx": "0x02f86b", "maxBlockNumber": "0xcd238c", "preferences": {"fast": True}},)
    assert (bundle.method, bundle.params) == ("eth_sendBundle", ({"txs": ["0x02f86b"], "blockNumber": "0xcd2388"},))
    assert [each.until - 0xCD2387 for each in (rpc, relay, bundle)] == [5, 5, 1]


def test_flashbots_cuts_at_25_blocks_and_so_do_we() -> None:
    assert ask(PrivateKind.RELAY, RAW, 100, 1_000).until == 100 + MOST_BLOCKS == 125


@given(st.binary(max_size=300))
def test_the_header_is_the_signature_of_exactly_these_bytes(body: bytes) -> None:
    header = REPUTATION.header(body)[SIGNATURE]
    assert re.fullmatch(r"0x[0-9a-fA-F]{40}:0x[0-9a-f]{130}", header)
    address, _, signature = header.partition(":")
    signed = encode_defunct(text=f"0x{keccak(body).hex()}")
    assert Account.recover_message(signed, signature=signature) == address == REPUTATION.address
    other = encode_defunct(text=f"0x{keccak(body + b' ').hex()}")
    assert Account.recover_message(other, signature=signature) != address


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"status": "PENDING"}, "PENDING"),
        ({"status": "INCLUDED", "isRevert": False}, "INCLUDED"),
        ({"status": "FAILED", "simError": "MaxFeePerGasTooLow"}, "FAILED (MaxFeePerGasTooLow)"),
        ({"status": "CANCELLED", "simError": "", "revertReason": ""}, "CANCELLED"),
        ({"status": "PENDING", "seenInMempool": True}, "PENDING, SEEN IN THE PUBLIC MEMPOOL"),
        (
            {"status": "FAILED", "simError": "SimErrorExecutionReverted", "revertReason": "TRANSFER_FROM_FAILED"},
            "FAILED (SimErrorExecutionReverted, TRANSFER_FROM_FAILED)",
        ),
        ({"status": "UNKNOWN", "simulationError": None, "rpc_timestamp": None}, "UNKNOWN"),
        ({"status": "FAILED", "simulationError": "\x1b[31mred"}, r"FAILED (\x1b[31mred)"),
    ],
)
def test_what_a_status_page_answers(more: dict[str, object], words: str) -> None:
    found = read_status(
        {"hash": NAME, "maxBlockNumber": 13543898, "transaction": EMPTY, "fastMode": False} | more, NAME
    )
    assert found.words == words
    assert found.state is PrivateState(str(more["status"]))


@pytest.mark.parametrize(
    "document",
    [None, [], "PENDING", {}, {"status": "PENDING"}, {"status": "MINED", "hash": NAME}, {"status": 1, "hash": NAME},
     {"status": ["PENDING"], "hash": NAME}, {"status": {}, "hash": NAME},
     {"status": "PENDING", "hash": f"0x{'50' * 32}"}, {"status": "PENDING", "hash": None}],
)  # fmt: skip
def test_anything_else_is_no_status(document: object) -> None:
    with pytest.raises(Unreadable):
        read_status(document, NAME)


def test_only_the_host_is_ever_shown() -> None:
    way = PrivateWay(
        "https://rpc.flashbots.net/fast?hint=hash&key=Zq7RkT3vXw9LmN5pBc2D", status="https://s.example/KEY"
    )
    assert way.host == "rpc.flashbots.net"
    assert "KEY" not in repr(way)
    assert "Zq7" not in repr(way)
    assert status_of(way.host) == "https://protect.flashbots.net/tx"
    assert status_of("mine.example") == ""
