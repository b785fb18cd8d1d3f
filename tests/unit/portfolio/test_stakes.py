"""Positions of liquidity in the ledger: nothing is lost between what went in, what came out and what was won."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.money import ZERO, add
from app.portfolio.ledger import imbalance, of_move
from app.portfolio.stakes import Stakes
from app.venues.base import Move, MoveKind

AMOUNTS = st.decimals(-(10**6), 10**6, places=6)
ASSETS, NAMES = st.sampled_from(["ETH", "USDC"]), st.sampled_from(["x:1", "x:2"])
MOVES = st.lists(st.builds(Move, ASSETS, AMOUNTS, st.sampled_from(MoveKind), NAMES), max_size=12)


@given(MOVES)
def test_what_is_taken_back_leaves_nothing(moves: list[Move]) -> None:
    stakes = Stakes()
    for move in moves:
        stakes.apply("m", "ETH-USDC", move)
    for move in reversed(moves):
        stakes.apply("m", "ETH-USDC", move, back=True)
    assert stakes.open == {}
    assert not any(stakes.gains.values())


@given(MOVES)
def test_every_move_is_balanced_and_the_stakes_are_what_the_postings_say(moves: list[Move]) -> None:
    stakes, accounts = Stakes(), dict[tuple[str, str], Decimal]()
    for move in moves:
        stakes.apply("m", "ETH-USDC", move)
        postings = of_move("v", "m", "withdraw", move)
        assert not imbalance(postings)
        for posting in postings:
            key = (posting.account, posting.asset)
            accounts[key] = add(accounts.get(key, ZERO), posting.amount)
    for (account, asset), amount in accounts.items():
        if account.startswith("income:"):
            assert stakes.gains.get(asset, ZERO) == -amount
        if account.startswith("assets:liquidity:m:"):
            stake = stakes.open.get(("m", account.removeprefix("assets:liquidity:m:")))
            assert (stake.assets.get(asset, ZERO) if stake else ZERO) == amount


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_a_position_that_ended_has_no_balance_left_and_its_change_is_the_difference(
    base: Decimal, quote: Decimal, out_base: Decimal, out_quote: Decimal
) -> None:
    stakes = Stakes()
    for asset, amount in (("ETH", -abs(base)), ("USDC", -abs(quote))):
        stakes.apply("m", "ETH-USDC", Move(asset, amount, MoveKind.STAKE, "x:1"))
    out = tuple(
        Move(asset, abs(amount), MoveKind.STAKE, "x:1") for asset, amount in (("ETH", out_base), ("USDC", out_quote))
    )
    for move in (*out, *stakes.left("m", "x:1", out)):
        stakes.apply("m", "ETH-USDC", move)
    assert stakes.open == {}
    assert stakes.gains.get("ETH", ZERO) == abs(out_base) - abs(base)
    assert stakes.gains.get("USDC", ZERO) == abs(out_quote) - abs(quote)


def test_what_it_is_worth_counts_once_somebody_looked() -> None:
    stakes = Stakes()
    stakes.apply("m", "ETH-USDC", Move("USDC", Decimal(-100), MoveKind.STAKE, "x:1"))
    (stake,) = stakes.open.values()
    assert stakes.earned() == {}
    assert stake.held() == {"USDC": Decimal(100)}
    stake.worth = {"USDC": Decimal(60), "ETH": Decimal("0.02")}
    assert stakes.earned() == {"ETH": Decimal("0.02"), "USDC": Decimal(-40)}
    assert stake.held() == stake.worth
