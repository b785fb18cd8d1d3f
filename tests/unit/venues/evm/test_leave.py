"""Leave over positions of liquidity can be taken back, and can not be given. The form of the calls is EIP-721's."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.venues.evm import abi
from app.venues.evm.acts import Approval, Call, Dismissal, Release, decode, encode
from app.venues.evm.liquidity.leave import EVERY, leave_name, leave_of
from signers.evm import keccak
from tests.unit.venues.evm.said import SEPOLIA, said

ADDRESSES = st.binary(min_size=20, max_size=20)
NUMBERS = st.integers(1, 2**256 - 1)
NOBODY = bytes(20)
MANAGER = next(dex.positions for dex in SEPOLIA.dexes if dex.positions is not None)
OPERATOR = bytes(19) + b"\x77"


def test_the_calls_are_those_of_eip_721() -> None:
    assert encode(Release(MANAGER, 12)).data[:4] == keccak(b"approve(address,uint256)")[:4]
    assert encode(Dismissal(MANAGER, OPERATOR)).data[:4] == keccak(b"setApprovalForAll(address,bool)")[:4]


@given(ADDRESSES, NUMBERS, ADDRESSES)
def test_bytes_and_value_are_inverse(manager: bytes, number: int, operator: bytes) -> None:
    for act in (Release(manager, number), Dismissal(manager, operator)):
        assert decode(encode(act)) == act


@given(ADDRESSES, ADDRESSES, st.integers(0, 2**256 - 1))
def test_an_approval_is_one_unless_nobody_is_approved_of_a_number(token: bytes, spender: bytes, amount: int) -> None:
    for who in (spender, NOBODY):
        read = decode(Call(token, abi.APPROVE.encode(who, amount)))
        released = who == NOBODY and amount > 0
        assert read == (Release(token, amount) if released else Approval(token, who, amount))


def test_an_approval_of_an_amount_is_somebody_s() -> None:
    with pytest.raises(ValueError, match="to somebody"):
        Approval(MANAGER, NOBODY, 1)


@given(ADDRESSES)
def test_leave_over_all_is_never_given(operator: bytes) -> None:
    with pytest.raises(ValueError, match="let somebody take every position"):
        decode(Call(MANAGER, abi.SET_OPERATOR.encode(operator, True)))


@pytest.mark.parametrize("act", [Release(MANAGER, 12), Dismissal(MANAGER, OPERATOR)])
def test_coins_sent_along_and_bytes_behind_are_refused(act: Release | Dismissal) -> None:
    call = encode(act)
    for other in (replace(call, value=1), replace(call, data=call.data + b"\0")):
        with pytest.raises(ValueError, match=r"says more|behind its arguments"):
            decode(other)


def test_its_words_name_what_may_be_taken_no_more() -> None:
    manager = "0x1238536071E1c677A632429e3655c799b22cDA52"
    assert said(Release(MANAGER, 12)).splitlines()[1:6] == [
        "REVOKE uniswap-v3:12",
        "nobody may take this one",
        "who may take every position still may",
        "positions are those of",
        manager,
    ]
    assert said(Dismissal(MANAGER, OPERATOR)).splitlines()[1:6] == [
        "REVOKE uniswap-v3:all",
        "0x0000000000000000000000000000000000000077 may take no position",
        "0x0000000000000000000000000000000000000077",
        "positions are those of",
        manager,
    ]


@pytest.mark.parametrize("act", [Release(OPERATOR, 12), Dismissal(OPERATOR, OPERATOR)])
def test_no_other_contract_s_positions_are_spoken_of(act: Release | Dismissal) -> None:
    with pytest.raises(ValueError, match="no exchange of the settings names"):
        said(act)


@given(st.one_of(st.just(EVERY), NUMBERS))
@example(2**256 - 1)
def test_names_and_numbers_are_inverse(number: int) -> None:
    found = leave_of(SEPOLIA, leave_name(SEPOLIA, MANAGER, number))
    assert found == (MANAGER, number)


@pytest.mark.parametrize(
    "name",
    [
        "", ":", ":all", "all", "uniswap-v3", "uniswap-v3:", "uniswap-v3:0", "uniswap-v3:01", "uniswap-v3:-1",
        "uniswap-v3:1.0", "uniswap-v3: 1", "uniswap-v3:٣", "uniswap-v3:ALL", f"uniswap-v3:{2**256}",
        "uniswap-v3:1" + "0" * 5_000, "other:1", "USDC", "uniswap-v2:1",
    ],
)  # fmt: skip
def test_other_names_are_none(name: str) -> None:
    assert leave_of(SEPOLIA, name) is None
