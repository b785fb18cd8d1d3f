"""Bytes that are no payload: a ValueError, as whoever makes one from outside was told, and nothing else."""

from __future__ import annotations

import pytest
import rlp  # type: ignore[import-untyped]  # ships no types
from hypothesis import given
from hypothesis import strategies as st

from signers import evm
from signers.payloads import EvmTransaction, TypedData

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
