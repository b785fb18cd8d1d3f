"""What several answers come to. The truth: a majority of honest nodes must never be overruled, and a wrong answer of
one of two must never be taken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.venues.evm.nodes import agreement
from app.venues.evm.nodes.agreement import Agreed, Answer, Disagreed
from app.venues.evm.nodes.health import Mode, Standing, mode_of, quorum_head, quorum_words
from app.venues.evm.nodes.methods import asks_for_latest, block_needed, pinned
from app.venues.evm.rpc import RpcRefused

A, B, C = "0x" + "aa" * 32, "0x" + "bb" * 32, "0x" + "cc" * 32


def said(*results: Any) -> list[Answer]:
    return [
        Answer(f"node{number}", refusal=each) if isinstance(each, RpcRefused) else Answer(f"node{number}", each)
        for number, each in enumerate(results)
    ]


def receipt(block: str, status: str = "0x1", logs: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {"blockHash": block, "blockNumber": "0x5", "status": status, "gasUsed": "0x5208", "logs": list(logs)}


def test_the_highest_nonce_of_the_quorum_counts() -> None:
    assert agreement.highest_nonce(said("0x5", "0x6", "0x5"), 2) == Agreed("0x6")
    assert agreement.highest_nonce(said("0x5"), 1) == Agreed("0x5")


def test_a_nonce_far_from_the_others_is_a_contradiction() -> None:
    found = agreement.highest_nonce(said("0x5", "0x999", "0x5"), 2)
    assert isinstance(found, Disagreed)
    assert ("node1", "0x999") in found.sides


def test_the_head_is_what_a_quorum_has_reached() -> None:
    assert agreement.head(said("0xa", "0xc", "0x8"), 2) == Agreed("0xa")
    assert agreement.head(said("0xa", "0x8"), 2) == Agreed("0x8")


@settings(max_examples=200)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=7), st.integers(1, 7), st.integers(0, 10**12))
def test_fewer_liars_than_a_quorum_can_not_move_the_head_up(heads: list[int], needed: int, lie: int) -> None:
    found = quorum_head(heads, needed)
    if needed > len(heads):
        assert found is None
        return
    assert found is not None
    assert sum(each >= found for each in heads) >= needed
    lied = quorum_head([*heads, *[lie] * (needed - 1)], needed)
    assert lied is not None
    assert lied <= max(heads)


def test_a_receipt_needs_the_same_block_and_status_from_a_quorum() -> None:
    assert agreement.receipt(said(receipt(A), receipt(A), receipt(B)), 2) == Agreed(receipt(A), ("node2",))
    assert agreement.receipt(said(receipt(A), receipt(A.upper().replace("0X", "0x"))), 2) == Agreed(receipt(A))
    for other in (
        receipt(B), receipt(A, "0x0"), receipt(A) | {"gasUsed": "0x1"},
        receipt(A, logs=({"address": "0x" + "11" * 20, "topics": [A], "data": "0x"},)),
    ):  # fmt: skip
        assert isinstance(agreement.receipt(said(receipt(A), other), 2), Disagreed)


def test_a_node_that_does_not_know_a_receipt_yet_contradicts_nobody() -> None:
    assert agreement.receipt(said(receipt(A), None, None), 2) == Agreed(None)
    assert agreement.receipt(said(receipt(A), None), 2) == Agreed(None)
    assert agreement.receipt(said(receipt(A), None, receipt(A)), 2) == Agreed(receipt(A), ())
    assert agreement.receipt(said(None, None), 2) == Agreed(None)
    assert isinstance(agreement.receipt(said(receipt(A), None, receipt(B)), 2), Disagreed)


def test_a_transaction_is_known_when_one_knows_it_and_mined_when_a_quorum_says_so() -> None:
    waiting = {"hash": C, "blockHash": None, "blockNumber": None, "transactionIndex": None}
    mined = {"hash": C, "blockHash": A, "blockNumber": "0x5", "transactionIndex": "0x0"}
    assert agreement.transaction(said(None, None), 2) == Agreed(None)
    assert agreement.transaction(said(None, waiting, None), 2) == Agreed(waiting)
    assert agreement.transaction(said(None, mined, None), 2) == Agreed(waiting)
    assert agreement.transaction(said(mined, mined, waiting), 2) == Agreed(mined)


def test_anything_else_is_what_a_quorum_says() -> None:
    assert agreement.same(said("0xAb", "0xab", "0x00"), 2) == Agreed("0xAb", ("node2",))
    assert isinstance(agreement.same(said("0xab", "0x00"), 2), Disagreed)
    assert agreement.same(said({"a": 1, "b": 2}, {"b": 2, "a": 1}), 2) == Agreed({"a": 1, "b": 2})


def test_a_refusal_is_an_answer() -> None:
    no, other = RpcRefused("eth_call", 3, "execution reverted", b"x"), RpcRefused("eth_call", -32000, "revert!", b"x")
    with pytest.raises(RpcRefused):
        agreement.same(said(no, other, "0x1"), 2)
    assert agreement.same(said(no, "0x1", "0x1"), 2) == Agreed("0x1", ("node0",))
    assert isinstance(agreement.same(said(no, "0x1"), 2), Disagreed)
    with pytest.raises(RpcRefused):
        agreement.highest_nonce(said(no, no), 2)
    assert isinstance(agreement.head(said(no, "0x1"), 2), Disagreed)
    assert agreement.receipt(said(no, receipt(A), receipt(A)), 2) == Agreed(receipt(A))


def test_words_of_a_contradiction_are_short_and_safe() -> None:
    found = agreement.same(said("\x1b[2J" + "x" * 10_000, "0x1"), 2)
    assert isinstance(found, Disagreed)
    assert "\x1b" not in found.sides[0][1]
    assert len(found.sides[0][1]) < 100


HASH = "0x" + "12" * 32


@pytest.mark.parametrize(
    ("method", "params", "number"),
    [
        ("eth_call", ({}, "0x10"), 16),
        ("eth_call", ({}, "latest"), None),
        ("eth_call", ({},), None),
        ("eth_call", ({}, {"blockNumber": "0x10"}), 16),
        ("eth_call", ({}, {"blockHash": HASH}), None),
        ("eth_getStorageAt", ("0x", "0x0", "0x7"), 7),
        ("eth_getBlockByNumber", ("0x7", False), 7),
        ("eth_getBlockReceipts", (HASH,), None),
        ("eth_getLogs", ({"fromBlock": "0x1", "toBlock": "0x9"},), 9),
        ("eth_getLogs", ({"fromBlock": "0x9"},), 9),
        ("eth_getLogs", ({"blockHash": HASH},), None),
        ("eth_getLogs", (), None),
        ("eth_gasPrice", (), None),
    ],
)
def test_the_block_that_a_node_must_have(method: str, params: tuple[Any, ...], number: int | None) -> None:
    assert block_needed(method, params) == number


def test_latest_is_read_at_one_block() -> None:
    assert pinned("eth_getBalance", ("0xa", "latest"), 18) == ("0xa", "0x12")
    assert pinned("eth_getBalance", ("0xa",), 18) == ("0xa", "0x12")
    assert pinned("eth_call", ({}, "latest", {}), 18) == ({}, "0x12", {})
    for method, params in (
        ("eth_getBalance", ("0xa", "0x1")), ("eth_getBalance", ("0xa", "pending")),
        ("eth_getTransactionCount", ("0xa", "latest")), ("eth_gasPrice", ()),
    ):  # fmt: skip
        assert pinned(method, params, 18) == params
        assert not asks_for_latest(method, params)


def standing(**changes: Any) -> Standing:
    values: dict[str, Any] = {
        "configured": 3, "usable": 3, "sending": 3, "needed": 2, "fork": "", "disagreement": "", "head_age_ms": 1_000,
        "stale_after_ms": 60_000, "troubles": "b can not be reached.",
    }  # fmt: skip
    return Standing(**(values | changes))


def test_modes_and_why() -> None:
    assert mode_of(standing()) == (Mode.NORMAL, "")
    assert mode_of(standing(usable=0)) == (Mode.STOPPED, "No node can be used. b can not be reached.")
    assert mode_of(standing(usable=1)) == (
        Mode.DATA_ONLY, "1 of 3 nodes can be used, 2 must agree. b can not be reached.",
    )  # fmt: skip
    assert mode_of(standing(fork="Two chains.", disagreement="They disagree.")) == (Mode.DATA_ONLY, "Two chains.")
    assert mode_of(standing(disagreement="They disagree.")) == (Mode.EXITS_ONLY, "They disagree.")
    assert mode_of(standing(sending=0))[0] is Mode.DATA_ONLY
    assert mode_of(standing(head_age_ms=60_000)) == (Mode.EXITS_ONLY, "No new block for 60 s.")
    assert mode_of(standing(head_age_ms=None))[0] is Mode.EXITS_ONLY


def test_a_quorum_of_one_says_so() -> None:
    assert quorum_words(1, 1) == "1 of 1: no other node confirms what one says"
    assert quorum_words(2, 3) == "2 of 3"
