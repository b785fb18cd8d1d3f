"""JSON-RPC replies read strictly: the truth is the JSON-RPC 2.0 specification and what real clients write."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.venues.evm.nodes.faults import Fault
from app.venues.evm.nodes.retry_after import DEFAULT_MS, wait_ms
from app.venues.evm.nodes.wire import Refusal, Unreadable, octets, quantity, reply, request


def read(**fields: Any) -> tuple[Any, Refusal | None]:
    return reply(json.dumps({"jsonrpc": "2.0", "id": 7, **fields}).encode(), 7)


def test_a_request_is_what_the_specification_says() -> None:
    assert json.loads(request(7, "eth_call", [{"to": "0x"}, "latest"])) == {
        "jsonrpc": "2.0", "id": 7, "method": "eth_call", "params": [{"to": "0x"}, "latest"],
    }  # fmt: skip


def test_a_result_is_taken_and_null_is_one() -> None:
    assert read(result="0x1") == ("0x1", None)
    assert read(result=None) == (None, None)
    assert read(result="0x1", error=None) == ("0x1", None)


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ("0x08c379a0", b"\x08\xc3\x79\xa0"),
        ("Reverted 0x08c379a0", b"\x08\xc3\x79\xa0"),
        ({"data": "0x08c379a0", "message": "x"}, b"\x08\xc3\x79\xa0"),
        (None, b""),
        ("0xzz", b""),
        ("nonsense", b""),
        (["0x00"], b""),
        ("0x" + "00" * 65_537, b""),
    ],
)
def test_an_error_is_the_node_s_no_with_its_revert_bytes(data: Any, kept: bytes) -> None:
    result, refusal = read(error={"code": 3, "message": "execution reverted", "data": data}, result=None)
    assert result is None
    assert refusal == Refusal(3, "execution reverted", kept)


def test_a_node_s_words_are_cut_and_can_not_move_the_cursor() -> None:
    _, refusal = read(error={"code": -32000, "message": "\x1b[2J\u202e" + "x" * 10_000})
    assert refusal is not None
    assert refusal.message.startswith("\\x1b[2J\\u202e")
    assert len(refusal.message) < 330


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", Fault.NOT_JSON),
        (b"<html><h1>502 Bad Gateway</h1>", Fault.NOT_JSON),
        (b'{"jsonrpc":"2.0","id":7,"result":"0x', Fault.NOT_JSON),
        (b'{"jsonrpc":"2.0","id":7,"result":NaN}', Fault.NOT_JSON),
        (b"[" * 200_000, Fault.NOT_JSON),
        (b"\xff\xfe\x00", Fault.NOT_JSON),
        (b"1" * 10_000, Fault.NOT_JSON),
        (b"[]", Fault.NOT_RPC),
        (b"null", Fault.NOT_RPC),
        (b'{"id":7,"result":"0x1"}', Fault.NOT_RPC),
        (b'{"jsonrpc":"2.0","id":7}', Fault.NOT_RPC),
        (b'{"jsonrpc":"2.0","id":7,"result":1,"error":{"code":1,"message":"x"}}', Fault.NOT_RPC),
        (b'{"jsonrpc":"2.0","id":7,"error":"no"}', Fault.NOT_RPC),
        (b'{"jsonrpc":"2.0","id":7,"error":{"code":"1","message":"x"}}', Fault.NOT_RPC),
        (b'{"jsonrpc":"2.0","id":7,"error":{"code":true,"message":"x"}}', Fault.NOT_RPC),
        (b'{"jsonrpc":"2.0","id":7,"error":{"code":1}}', Fault.NOT_RPC),
        (b'{"jsonrpc":"2.0","id":8,"result":1}', Fault.WRONG_ID),
        (b'{"jsonrpc":"2.0","id":"7","result":1}', Fault.WRONG_ID),
        (b'{"jsonrpc":"2.0","id":7.0,"result":1}', Fault.WRONG_ID),
        (b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}', Fault.WRONG_ID),
        (b'{"jsonrpc":"2.0","result":1}', Fault.WRONG_ID),
    ],
)
def test_what_is_no_reply_has_a_name(body: bytes, fault: Fault) -> None:
    with pytest.raises(Unreadable) as caught:
        reply(body, 7)
    assert caught.value.fault is fault


@settings(max_examples=500)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    with pytest.raises(Unreadable):
        reply(body, 7)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=500)
@given(st.dictionaries(st.sampled_from(["jsonrpc", "id", "result", "error", "code", "message", "data"]), _JSON))
def test_no_document_raises_anything_else(fields: dict[str, Any]) -> None:
    for document in ({**fields, "jsonrpc": "2.0", "id": 7}, {"jsonrpc": "2.0", "id": 7, "error": fields}):
        try:
            reply(json.dumps(document).encode(), 7)
        except Unreadable:
            pass


@settings(max_examples=200)
@given(st.integers(0, 2**256 - 1), st.binary(max_size=40))
def test_quantities_and_bytes_go_both_ways(number: int, data: bytes) -> None:
    assert quantity(hex(number)) == number
    assert octets("0x" + data.hex(), len(data)) == data


@pytest.mark.parametrize(
    "bad", [None, 1, True, "", "0x", "1f", "0xg", "0x1_0", "0x-1", "0x 1", "0x\u0661", hex(2**264), ["0x1"]]
)
def test_what_is_no_quantity_and_no_bytes_is_refused(bad: object) -> None:
    with pytest.raises(Unreadable):
        quantity(bad)
    with pytest.raises(Unreadable):
        octets(bad, 20)


def test_spaces_in_bytes_are_not_skipped() -> None:
    with pytest.raises(Unreadable):
        octets("0x" + "00 00 00 ", 4)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("2", 2_000),
        (" 0 ", 0),
        ("99999999999", 999_999_000),
        ("Sun, 22 Nov 2026 05:00:10 GMT", 10_000),
        ("Sun, 22 Nov 2026 04:00:00 GMT", 0),
        ("", DEFAULT_MS),
        ("-1", DEFAULT_MS),
        ("soon", DEFAULT_MS),
        ("1.5", DEFAULT_MS),
        ("\u0663", DEFAULT_MS),
    ],
)
def test_retry_after(header: str, expected: int) -> None:
    assert wait_ms(header, 1_795_323_600_000) == expected  # 2026-11-22 05:00 UTC
