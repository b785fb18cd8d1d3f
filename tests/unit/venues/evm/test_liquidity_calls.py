"""What a transaction does with liquidity is read from its bytes, and said in words. That the bytes do on a chain what
they say is tests/evm/liquidity's."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.venues.evm import abi
from app.venues.evm.acts import Act, Nothing, decode, encode
from app.venues.evm.chain import Chain, Dex, DexKind, Token
from app.venues.evm.liquidity.calls import MOST_128, Collect, Open, Payout, Withdraw
from app.venues.evm.liquidity.position import Position
from app.venues.evm.swap import Approval, Call
from app.venues.evm.words import transaction_words
from signers.evm import EvmFields
from signers.evm import encode as unsigned_of

ADDRESS = st.binary(min_size=20, max_size=20).filter(any)
AMOUNT = st.integers(0, 2**256 - 1)
DEADLINE = st.integers(1, 2**40)
TICK = st.integers(-887272, 887272)
ME, OTHER, MANAGER = b"\x11" * 20, b"\x22" * 20, b"\x33" * 20
WETH, USDC, PUP = b"\xa0" * 20, b"\xb0" * 20, b"\x01" * 20
CHAIN = Chain(
    "testchain", 31337, Token("ETH", WETH, 18, native=True), (), 1, 1000, 10**11, Decimal(10),
    tokens=(Token("WETH", WETH, 18), Token("USDC", USDC, 6)),
    dexes=(Dex("uni3", DexKind.V3, b"\x44" * 20, b"\x55" * 20, bytes(32), fee_tiers=(500,), positions=MANAGER),),
)  # fmt: skip
OPEN = Open(
    MANAGER, WETH, USDC, 500, -201_960, -197_940, 15 * 10**17, 3000 * 10**6, 14 * 10**17, 2_999_999_999, ME, 2**31
)
POSITION = Position("uni3", MANAGER, 17, WETH, USDC, 500, -201_960, -197_940)
KNOWN = {(MANAGER, 17): POSITION}


@st.composite
def opens(draw: st.DrawFn) -> Open:
    zero, one = sorted(draw(st.lists(ADDRESS, min_size=2, max_size=2, unique=True)))
    lower, upper = sorted(draw(st.lists(TICK, min_size=2, max_size=2, unique=True)))
    most = [draw(AMOUNT), draw(st.integers(1, 2**256 - 1))]
    least = [draw(st.integers(0, each)) for each in most]
    value = draw(st.sampled_from([0, *(most if most[0] != most[1] else ())]))
    fee = draw(st.integers(0, 2**24 - 1))
    ends = {"most0": most[0], "most1": most[1], "least0": least[0], "least1": least[1], "value": value}
    return Open(draw(ADDRESS), zero, one, fee, lower, upper, recipient=draw(ADDRESS), deadline=draw(DEADLINE), **ends)


PAYOUT = st.none() | st.builds(Payout, ADDRESS, AMOUNT, AMOUNT)
ACTS: st.SearchStrategy[Act] = st.one_of(
    opens(),
    st.builds(Collect, ADDRESS, AMOUNT, ADDRESS, PAYOUT),
    st.builds(
        Withdraw, ADDRESS, AMOUNT, st.integers(1, MOST_128), AMOUNT, AMOUNT, ADDRESS, DEADLINE, st.booleans(), PAYOUT
    ),
    st.builds(Nothing, ADDRESS),
)


@settings(max_examples=300)
@given(ACTS)
def test_an_act_is_read_back_from_its_bytes(act: Act) -> None:
    assert decode(encode(act)) == act


@settings(max_examples=300)
@given(ACTS, st.data())
def test_a_changed_byte_is_another_act_or_none(act: Act, data: st.DataObject) -> None:
    call = encode(act)
    if not call.data:
        return
    at = data.draw(st.integers(0, len(call.data) - 1))
    changed = bytearray(call.data)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        read = decode(Call(call.to, bytes(changed), call.value))
    except ValueError:
        return
    assert read != act
    assert encode(read) == Call(call.to, bytes(changed), call.value)


@settings(max_examples=100)
@given(ACTS, st.integers(1, 2**255))
def test_coins_that_nobody_meant_are_refused(act: Act, value: int) -> None:
    call = encode(act)
    if value in {call.value, *((act.most0, act.most1) if isinstance(act, Open) else ())}:
        return
    with pytest.raises(ValueError, match=r"all or nothing|more than can be told"):
        decode(Call(call.to, call.data, value))


def _mint() -> bytes:
    return encode(OPEN).data


TAKE = abi.COLLECT.encode((17, ME, MOST_128, MOST_128))
TAKE_IN = abi.COLLECT.encode((17, bytes(20), MOST_128, MOST_128))
DECREASE = abi.DECREASE.encode((17, 5, 0, 0, 9))


@pytest.mark.parametrize(
    ("why", "data"),
    [
        ("nothing in it", []),
        ("two positions opened", [_mint(), _mint()]),
        ("no coin, and it is asked back", [_mint(), abi.REFUND.encode()]),
        ("taken out and left with the pool", [DECREASE]),
        ("left with the manager, for anybody to take", [TAKE_IN]),
        ("only a part is collected", [abi.COLLECT.encode((17, ME, 5, MOST_128))]),
        ("one alone needs no multicall", [TAKE]),
        ("of two positions", [DECREASE, abi.COLLECT.encode((18, ME, MOST_128, MOST_128))]),
        ("another position is ended", [DECREASE, TAKE, abi.BURN.encode(18)]),
        ("ended without anything taken out", [TAKE, abi.BURN.encode(17)]),
        ("the coin is unwrapped and the token left", [TAKE_IN, abi.UNWRAP.encode(1, ME)]),
        ("the token goes to another", [TAKE_IN, abi.UNWRAP.encode(1, ME), abi.SWEEP.encode(USDC, 1, OTHER)]),
        ("collected past the manager", [TAKE, abi.UNWRAP.encode(1, ME), abi.SWEEP.encode(USDC, 1, ME)]),
        ("something behind it", [DECREASE, TAKE, abi.BURN.encode(17), abi.REFUND.encode()]),
        ("an approval of the position", [DECREASE, TAKE, abi.APPROVE.encode(OTHER, 17)]),
    ],
)
def test_what_no_screen_could_say_is_not_read(why: str, data: list[bytes]) -> None:
    del why
    with pytest.raises(ValueError, match=r"\w"):
        decode(Call(MANAGER, abi.P_MULTICALL.encode(data)))


@pytest.mark.parametrize("data", [DECREASE, abi.BURN.encode(17), abi.SWEEP.encode(USDC, 1, ME), TAKE_IN])
def test_a_part_by_itself_is_not_read(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode(Call(MANAGER, data))


@pytest.mark.parametrize(
    "wrong",
    [
        {"token0": USDC, "token1": WETH},
        {"lower": -197_940},
        {"least0": 2 * 10**18},
        {"most0": 0, "most1": 0, "least0": 0, "least1": 0},
        {"value": 7},
        {"fee": 2**24},
        {"most1": OPEN.most0, "value": OPEN.most0},
    ],
)
def test_a_position_that_no_pool_could_have_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"position|takes"):
        replace(OPEN, **wrong)


def words(act: Act, *, base: bytes = WETH, known: bool = True) -> list[str]:
    call = encode(act)
    fields = EvmFields(2, 31337, 4, 10**9, 1, 300_000, call.to, call.value, call.data)
    text = transaction_words(
        CHAIN, ME, unsigned_of(fields), 1, 1, base=base, positions=KNOWN if known else {}
    )  # fmt: skip
    assert text.isascii()
    return text.split("\n")


def test_the_words_of_a_new_position() -> None:
    assert words(OPEN)[1:] == [
        "OPEN A POSITION OF LIQUIDITY",
        "put in at most 1.5 WETH",
        "at least 1.4 WETH",
        "put in at most 3000 USDC",
        "at least 2999.999999 USDC",
        "V3 WETH/USDC, fee 0.05%",
        "earns from 1696.0051 to 2535.1568 USDC for 1 WETH",
        "ticks -201960 to -197940",
        "for your own account",
        "0x" + "11" * 20,
        "through the positions of uni3",
        "0x" + "33" * 20,
        "before 2038-01-19 03:14:08 UTC",
        "on testchain, chain 31337, nonce 4",
        "gas up to 300000, at most 0.0003 ETH",
    ]


def test_the_range_is_told_in_the_trader_s_direction_and_another_s_gain_is_loud() -> None:
    told = words(replace(OPEN, recipient=OTHER, value=OPEN.most0), base=USDC)
    assert "put in at most 1.5 ETH" in told
    assert "earns from 0.00039445293 to 0.00058962085 WETH for 1 USDC" in told
    assert "for ANOTHER ACCOUNT" in told
    assert "earns at every price" in words(replace(OPEN, lower=-887_270, upper=887_270))
    strange = words(replace(OPEN, token0=PUP, token1=USDC, value=0))
    assert "earns between ticks -201960 to -197940" in strange
    assert any(line.startswith("put in at most 1500000000000000000 units of 0x01010101") for line in strange)


@pytest.mark.parametrize(
    "act", [replace(OPEN, value=OPEN.most1), replace(OPEN, token0=PUP, value=OPEN.most0)], ids=["other", "none"]
)
def test_coins_for_a_token_that_is_not_the_wrapped_coin_have_no_words(act: Open) -> None:
    with pytest.raises(ValueError, match="coin"):
        words(act)


def test_the_words_of_what_leaves_a_position() -> None:
    taken = Withdraw(MANAGER, 17, 123, 10**18, 5 * 10**6, ME, 2**31)
    assert words(taken)[1:12] == [
        "WITHDRAW ALL LIQUIDITY and end the position",
        "position 17, as the chain says:",
        "V3 WETH/USDC, fee 0.05%",
        "earns from 1696.0051 to 2535.1568 USDC for 1 WETH",
        "ticks -201960 to -197940",
        "get at least 1 WETH",
        "get at least 5 USDC",
        "and all that it has earned",
        "for your own account",
        "0x" + "11" * 20,
        "through the positions of uni3",
    ]
    part = words(replace(taken, ends=False, payout=Payout(USDC, 2 * 10**18, 6 * 10**6)))
    assert part[1:3] == ["WITHDRAW LIQUIDITY, the position stays", "liquidity 123 of it"]
    assert "get at least 2 ETH" in part
    assert "get at least 6 USDC" in part
    fees = words(Collect(MANAGER, 17, OTHER, Payout(USDC, 2 * 10**18, 6 * 10**6)))
    assert fees[1] == "COLLECT FEES"
    assert {"get at least 2 ETH", "for ANOTHER ACCOUNT"} <= set(fees)
    assert "get all that it has earned" in words(Collect(MANAGER, 17, ME))


def test_what_the_chain_does_not_say_or_says_otherwise_has_no_words() -> None:
    with pytest.raises(ValueError, match="position 17 is of is not known"):
        words(Collect(MANAGER, 17, ME), known=False)
    with pytest.raises(ValueError, match="leave a token"):
        words(Collect(MANAGER, 17, ME, Payout(PUP, 0, 0)))


def test_the_words_of_nothing() -> None:
    assert words(Nothing(ME))[1:4] == [
        "NOTHING, in the place of another transaction of the same nonce",
        "sent to your own account",
        "0x" + "11" * 20,
    ]
    assert "sent to ANOTHER ACCOUNT" in words(Nothing(OTHER))


def test_an_approval_names_whom_it_lets_take() -> None:
    assert words(Approval(USDC, MANAGER, 7 * 10**6))[1:3] == [
        "APPROVE 7 USDC",
        "the positions of uni3 may take that much, no more",
    ]
