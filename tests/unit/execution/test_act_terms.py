"""The last look at the bytes of an act: whatever is not what was wished is refused, field by field."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import pytest

from app.execution.act_terms import range_of, unlike_act
from app.execution.chain_account import Account
from app.venues.evm import acts
from app.venues.evm.chain import Chain, Dex, DexKind, Token
from app.venues.evm.liquidity.ranges import Sides
from app.venues.evm.swap import Exact, Part, RouterKind, Segment
from strategies.acts import Act, Cancel, Collect, Cycle, Provide, Revoke, Withdraw
from strategies.model import Instrument

ME, OTHER, MANAGER, ROUTER = b"\x11" * 20, b"\x22" * 20, b"\x33" * 20, b"\x55" * 20
WETH, USDC = b"\xa0" * 20, b"\xb0" * 20
UNTIL: Final = 2_000_000_000
CHAIN = Chain(
    "testchain", 31337, Token("ETH", WETH, 18, native=True), (), 1, 1000, 10**11, Decimal(10),
    tokens=(Token("WETH", WETH, 18), Token("USDC", USDC, 6)),
    dexes=(Dex("uni3", DexKind.V3, b"\x44" * 20, ROUTER, bytes(32), fee_tiers=(500,), positions=MANAGER),),
)  # fmt: skip
ACCOUNT = Account(CHAIN, ME)
PAIR = Instrument("ETH-USDC", "ETH", "USDC", Decimal("0.01"), Decimal("0.0001"))

CYCLE = Cycle("USDC", Decimal(100), Decimal(2), ("0xaa", "0xbb"))
THERE = Segment(DexKind.V3, (USDC, WETH, USDC), (500, 3000))
SWAP = acts.Swap(ROUTER, RouterKind.MANY, Exact.IN, (Part((THERE,), 100_000_000, 102_000_000),), ME, UNTIL)

PROVIDE = Provide(Decimal(1), Decimal(2500), 500, Decimal(2000), Decimal(3000))
(LOWER, UPPER), MOST = range_of(ACCOUNT, PAIR, PROVIDE, 10)
OPEN = acts.Open(MANAGER, WETH, USDC, 500, LOWER, UPPER, *MOST, 0, 0, ME, UNTIL, MOST[0])
COLLECT = acts.Collect(MANAGER, 7, ME)
WITHDRAW = acts.Withdraw(MANAGER, 7, 10**9, 0, 0, ME, UNTIL)

WISHES: tuple[tuple[Act, acts.Act], ...] = (
    (CYCLE, SWAP),
    (PROVIDE, OPEN),
    (Collect("uni3:7"), COLLECT),
    (Withdraw("uni3:7"), WITHDRAW),
    (Revoke("USDC", f"0x{ROUTER.hex()}"), acts.Approval(USDC, ROUTER, 0)),
    (Revoke("uni3:7", f"0x{OTHER.hex()}"), acts.Release(MANAGER, 7)),
    (Revoke("uni3:all", f"0x{OTHER.hex()}"), acts.Dismissal(MANAGER, OTHER)),
    (Cancel(), acts.Nothing(ME)),
)


def why(wish: Act, act: acts.Act) -> str | None:
    return unlike_act(ACCOUNT, PAIR, wish, UNTIL * 1000, act)


@pytest.mark.parametrize(("wish", "act"), WISHES)
def test_each_act_is_its_own_wish_s_and_no_other_s(wish: Act, act: acts.Act) -> None:
    assert why(wish, act) is None
    for another, _ in WISHES:
        assert (why(another, act) is None) == (another == wish)


def part(**change: Any) -> acts.Swap:
    return replace(SWAP, parts=(replace(SWAP.parts[0], **change),))


@pytest.mark.parametrize(
    ("wish", "act"),
    [
        (CYCLE, replace(SWAP, recipient=OTHER)),
        (CYCLE, replace(SWAP, deadline=UNTIL + 1)),
        (CYCLE, part(amount_in=100_000_001)),
        (CYCLE, part(amount_in=99_999_999)),
        (CYCLE, part(amount_out=101_999_999)),
        (CYCLE, part(segments=(Segment(DexKind.V3, (USDC, WETH), (500,)),))),
        (CYCLE, replace(SWAP, coin_out=True)),
        (CYCLE, replace(SWAP, exact=Exact.OUT)),
        (PROVIDE, replace(OPEN, recipient=OTHER)),
        (PROVIDE, replace(OPEN, manager=OTHER)),
        (PROVIDE, replace(OPEN, token1=b"\xb1" * 20)),
        (PROVIDE, replace(OPEN, fee=3000)),
        (PROVIDE, replace(OPEN, most1=MOST[1] + 1)),
        (PROVIDE, replace(OPEN, most0=MOST[0] + 1, value=0)),
        (PROVIDE, replace(OPEN, deadline=UNTIL + 1)),
        (PROVIDE, replace(OPEN, lower=LOWER + 10)),
        (PROVIDE, replace(OPEN, upper=UPPER - 10)),
        (PROVIDE, replace(OPEN, lower=LOWER - 220)),
        (PROVIDE, replace(OPEN, upper=UPPER + 220)),
        (Collect("uni3:7"), replace(COLLECT, position=8)),
        (Collect("uni3:7"), replace(COLLECT, recipient=OTHER)),
        (Collect("uni3:7"), replace(COLLECT, manager=OTHER)),
        (Withdraw("uni3:7"), replace(WITHDRAW, position=8)),
        (Withdraw("uni3:7"), replace(WITHDRAW, recipient=OTHER)),
        (Withdraw("uni3:7"), replace(WITHDRAW, ends=False)),
        (Withdraw("uni3:7"), replace(WITHDRAW, deadline=UNTIL + 1)),
        (Revoke("USDC", f"0x{ROUTER.hex()}"), acts.Approval(USDC, ROUTER, 1)),
        (Revoke("USDC", f"0x{ROUTER.hex()}"), acts.Approval(WETH, ROUTER, 0)),
        (Revoke("USDC", f"0x{ROUTER.hex()}"), acts.Approval(USDC, OTHER, 0)),
        (Revoke("uni3:7", f"0x{OTHER.hex()}"), acts.Release(MANAGER, 8)),
        (Revoke("uni3:7", f"0x{OTHER.hex()}"), acts.Release(OTHER, 7)),
        (Revoke("uni3:all", f"0x{OTHER.hex()}"), acts.Dismissal(MANAGER, ROUTER)),
        (Revoke("uni3:all", f"0x{OTHER.hex()}"), acts.Dismissal(OTHER, OTHER)),
        (Cancel(), acts.Nothing(OTHER)),
    ],
)
def test_one_field_of_difference_is_refused(wish: Act, act: acts.Act) -> None:
    assert why(wish, act)


def test_a_range_is_rounded_outward_and_holds_what_was_wished() -> None:
    low, high = Sides(ACCOUNT.token("ETH"), ACCOUNT.token("USDC")).prices(LOWER, UPPER)
    assert Decimal(1990) < low <= PROVIDE.lower
    assert PROVIDE.upper <= high < Decimal(3010)
