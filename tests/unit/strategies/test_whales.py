"""Pressure of watched addresses: what counts, how it fades, what is unsaid."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.chain_messages import MoveKind, Undone, WhaleMove
from strategies.model import Bar, Direction, Position, Side, Signal
from strategies.whales import Whales, WhalesParams

MINUTE = 60_000
PARAMS = WhalesParams(least_value=1000.0, full_value=100_000.0, half_life_bars=2.0, entry=0.5, max_hold_bars=10)
HELD = Position("ETH-USDC", Decimal(1), Decimal(2000), 0)


def bar(number: int) -> Bar:
    price = Decimal(2000)
    return Bar("ETH-USDC", number * MINUTE, MINUTE, price, price, price, price, Decimal(0))


def move(
    value: int | None = 100_000, side: Side = Side.BUY, *, block: int = 7, kind: MoveKind = MoveKind.SWAP
) -> WhaleMove:
    worth = None if value is None else Decimal(value)
    return WhaleMove("ETH-USDC", block, "big", "0xaa", kind, side, Decimal(50), worth, "0xbb")


def after(*moves: WhaleMove | Undone, params: WhalesParams = PARAMS, held: Position | None = None) -> Signal | None:
    made = Whales(params)
    for each in moves:
        made.on_message(each)
    return made.on_bar(bar(1), held)


def test_a_large_purchase_is_followed_with_stop_and_target() -> None:
    signal = after(move())
    assert signal is not None
    assert (signal.direction, signal.stop, signal.target) == (Direction.LONG, 1970.0, 2060.0)
    assert signal.reason == "pressure 1 of 0.5: big bought for 100000 (swap, block 7)"


@pytest.mark.parametrize(
    "moves",
    [
        (move(49_000),),
        (move(999),),
        (move(None),),
        (move(kind=MoveKind.TRANSFER),),
        (move(side=Side.SELL),),
        (move(), move(90_000, Side.SELL)),
        (move(), Undone("ETH-USDC", 7)),
        (move(), Undone("ETH-USDC", 3)),
    ],
    ids=["little", "below the least", "not valued", "no trade", "sold", "both", "undone", "undone from below"],
)
def test_what_does_not_count(moves: tuple[WhaleMove | Undone, ...]) -> None:
    assert after(*moves) is None


def test_what_stays_after_others_are_unsaid_counts() -> None:
    assert after(move(60_000, block=7), move(90_000, Side.SELL, block=9), Undone("ETH-USDC", 8)) is not None


def test_contrary_and_transfers_by_the_traders_word() -> None:
    contrary = WhalesParams(least_value=1000.0, full_value=100_000.0, contrary=True, transfer_weight=1.0)
    assert after(move(side=Side.SELL), params=contrary) is not None
    assert after(move(side=Side.SELL, kind=MoveKind.TRANSFER), params=contrary) is not None
    assert after(move(), params=contrary) is None


def test_pressure_halves_and_is_gone() -> None:
    made = Whales(PARAMS)
    made.on_message(move(80_000))
    said = [made.on_bar(bar(number), None) is not None for number in range(1, 60)]
    assert said[:3] == [True, True, False]  # 0.8, 0.57, 0.4
    assert not any(said[2:])
    assert made.note() == "", "nothing is remembered of it"


def test_what_is_held_ends_when_they_sell_and_with_time() -> None:
    sold = after(move(side=Side.SELL), held=HELD)
    assert sold is not None
    assert sold.direction is Direction.FLAT
    made = Whales(PARAMS)
    assert made.on_bar(bar(9), HELD) is None
    late = made.on_bar(bar(10), HELD)
    assert late is not None
    assert late.reason == "held longer than 10 bars"


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 300_000), st.booleans()), max_size=30), st.integers(1, 10))
def test_what_is_unsaid_is_as_if_it_had_never_been_said(moves: list[tuple[int, int, bool]], since: int) -> None:
    told, never = Whales(PARAMS), Whales(PARAMS)
    for block, value, buys in sorted(moves):
        message = move(value, Side.BUY if buys else Side.SELL, block=block)
        told.on_message(message)
        if block < since:
            never.on_message(message)
    told.on_message(Undone("ETH-USDC", since))
    assert told.on_bar(bar(1), None) == never.on_bar(bar(1), None)
    assert told.on_bar(bar(2), HELD) == never.on_bar(bar(2), HELD)


@pytest.mark.parametrize(
    ("name", "value"), [("entry", 0.0), ("stop_bps", 300.0), ("least_value", 500_000.0), ("contrary", 1)]
)
def test_bad_parameters_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is"):
        WhalesParams(**{name: value})  # type: ignore[arg-type]  # what a settings file may hold
