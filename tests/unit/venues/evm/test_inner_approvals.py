"""What is allowed at Permit2 and taken back there: its bytes say that, and nothing else can be hidden in them. The form
of the call is that of Permit2's AllowanceTransfer (`approve(address,address,uint160,uint48)`)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.venues.evm import abi
from app.venues.evm.acts import Call, InnerApproval, decode, encode
from app.venues.evm.known_parts import PERMIT2
from tests.unit.venues.evm.said import SEPOLIA, said

ADDRESSES = st.binary(min_size=20, max_size=20)
TOKEN, SPENDER = SEPOLIA.tokens[0].address, bytes(19) + b"\x77"
NOON = 1_700_000_000


@given(ADDRESSES, ADDRESSES, ADDRESSES)
def test_bytes_and_value_are_inverse(permit2: bytes, token: bytes, spender: bytes) -> None:
    act = InnerApproval(permit2, token, spender, 0, 0)
    assert decode(encode(act)) == act


@given(st.integers(0, 2**160 - 1), st.integers(0, 2**48 - 1))
def test_what_is_allowed_has_an_amount_and_an_end(amount: int, expires: int) -> None:
    call = Call(PERMIT2, abi.INNER_APPROVE.encode(TOKEN, SPENDER, amount, expires))
    if bool(amount) is bool(expires) and amount < 2**160 - 1:
        assert decode(call) == InnerApproval(PERMIT2, TOKEN, SPENDER, amount, expires)
    else:
        with pytest.raises(ValueError, match="Permit2"):
            decode(call)


@pytest.mark.parametrize(("amount", "expires"), [(1, 0), (0, 1), (2**160 - 1, NOON)])
def test_neither_without_end_nor_without_bound(amount: int, expires: int) -> None:
    with pytest.raises(ValueError, match="Permit2"):
        decode(Call(PERMIT2, abi.INNER_APPROVE.encode(TOKEN, SPENDER, amount, expires)))


def test_coins_sent_along_and_bytes_behind_are_refused() -> None:
    call = encode(InnerApproval(PERMIT2, TOKEN, SPENDER, 0, 0))
    for other in (replace(call, value=1), replace(call, data=call.data + b"\0")):
        with pytest.raises(ValueError, match=r"says more|behind its arguments"):
            decode(other)


def test_its_words_name_token_spender_and_permit2() -> None:
    text = said(InnerApproval(PERMIT2, TOKEN, SPENDER, 0, 0))
    assert f"REVOKE {SEPOLIA.tokens[0].symbol}" in text
    assert "0x0000000000000000000000000000000000000077 may take nothing through Permit2" in text
    assert "0x000000000022D473030F116dDEE9F6B43aC78BA3" in text


def test_its_words_name_amount_and_end() -> None:
    (router,) = {dex.universal for dex in SEPOLIA.dexes if dex.universal is not None}
    text = said(InnerApproval(PERMIT2, TOKEN, router, 15 * 10**17, NOON))
    assert text.splitlines()[1:6] == [
        "APPROVE 1.5 WETH",
        "the universal router of uniswap-v3 may take that much through Permit2, no more",
        "0x3A9D48AB9751398BbFa63ad67599Bb04e4BdF98b",
        "until 2023-11-14 22:13:20 UTC",
        "Permit2 is",
    ]


def test_another_contract_is_never_called_permit2() -> None:
    for amount in (0, 1):
        with pytest.raises(ValueError, match="do not name as Permit2"):
            said(InnerApproval(bytes(20), TOKEN, SPENDER, amount, amount))
