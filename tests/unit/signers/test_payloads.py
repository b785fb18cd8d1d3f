"""Bytes that are no payload: a ValueError, as whoever makes one from outside was told, and nothing else."""

from __future__ import annotations

import pytest
import rlp  # type: ignore[import-untyped]  # ships no types
from hypothesis import given
from hypothesis import strategies as st

from signers import evm, softkey
from signers.faults import SignatureMismatch
from signers.payloads import Chain, EvmTransaction, SolanaMessage, TypedData
from signers.verify import verify

TO = b"\x11" * 20
ITEMS = st.recursive(st.binary(max_size=33), lambda inner: st.lists(inner, max_size=4), max_leaves=12)


def _typed(access: object, *signature: object) -> bytes:
    return b"\x02" + bytes(rlp.encode([1, 0, 0, 0, 0, TO, 0, b"", access, *signature]))


@pytest.mark.parametrize(
    "access",
    [[[TO, b"\x01"]], [[[b"\x01"] * 20, []]], [[TO, [[b"\x01"] * 32]]], [b"ab"], [[TO]], b""],
    ids=["keys as bytes", "address as a list", "key as a list", "bytes", "no keys", "no list"],
)
def test_an_access_list_of_another_form_is_no_transaction(access: object) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        EvmTransaction(_typed(access))
    with pytest.raises(ValueError, match=r"\S"):
        evm.disassemble(_typed(access, 0, b"\x01", b"\x01"))


@given(ITEMS)
def test_whatever_stands_for_an_access_list_is_one_or_a_value_error(access: object) -> None:
    try:
        fields = EvmTransaction(_typed(access)).fields
    except ValueError:
        return
    assert all(isinstance(each, bytes) for address, keys in fields.access_list for each in (address, *keys))


def test_brackets_without_end_are_no_typed_data() -> None:
    with pytest.raises(ValueError, match="nested"):
        TypedData("[" * 100_000)


def test_a_true_signature_by_a_key_that_the_message_does_not_ask_is_refused() -> None:
    """It would be of no use on the chain, and its key is not the one that pays."""
    payer, other = bytes([1] * 32), bytes([2] * 32)
    keys = [bytes.fromhex("8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"), bytes(32)]
    payload = SolanaMessage(b"\x01\x00\x01\x02" + b"".join(keys) + b"\x05" * 32 + b"\x01\x01\x01\x00\x00")
    assert payload.fields.signers == (softkey.address(Chain.SOLANA, payer),)
    verify(payload, softkey.signature(payload, payer), softkey.address(Chain.SOLANA, payer))
    with pytest.raises(SignatureMismatch, match="not among"):
        verify(payload, softkey.signature(payload, other), softkey.address(Chain.SOLANA, other))
