"""Which new pools are told, which are bought, and that neither happens twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from strategies.chain_messages import NewPair, Undone
from strategies.model import Bar, Direction, Notice, Position
from strategies.new_pairs import NewPairs, NewPairsParams

PARAMS = NewPairsParams(after_blocks=5, give_up_blocks=50, least_liquidity=1000.0, max_hold_bars=10)
MINUTE = 60_000


def bar(number: int) -> Bar:
    price = Decimal(100)
    return Bar("NEW-USDC", number * MINUTE, MINUTE, price, price, price, price, Decimal(0))


def pair(block: int = 105, **more: Any) -> NewPair:
    values: dict[str, Any] = {
        "symbol": "NEW-USDC",
        "block": block,
        "created": 100,
        "pool": "0xaa",
        "token": "0xbb",
        "name": "NEW",
        "against": "USDC",
        "dex": "uniswap-v2",
        "fee_ppm": 3000,
        "liquidity": Decimal(5000),
        "checked": block,
        "score": 80,
        "refused": "",
    }
    return NewPair(**(values | more))


def told(*messages: NewPair | Undone) -> list[str]:
    made = NewPairs(PARAMS)
    return [said.text for message in messages if isinstance(said := made.on_message(message), Notice)]


def test_it_is_told_once_and_bought_on_the_next_bar() -> None:
    made = NewPairs(PARAMS)
    notices = [made.on_message(pair(block)) for block in range(100, 110)]
    (said,) = [each for each in notices if each is not None]
    assert "a purchase of NEW-USDC is proposed on the next bar" in said.text
    signal = made.on_bar(bar(1), None)
    assert signal is not None
    assert (signal.direction, signal.stop, signal.target) == (Direction.LONG, 80.0, 150.0)
    assert "safety 80 of 100" in signal.reason
    assert made.on_bar(bar(2), None) is None


@pytest.mark.parametrize(
    "more",
    [
        {"block": 104},
        {"block": 151},
        {"checked": None},
        {"checked": 103},
        {"liquidity": None},
        {"liquidity": Decimal("999.99")},
    ],
    ids=["too young", "too old", "not looked at", "looked at too early", "not valued", "too thin"],
)
def test_what_is_not_ripe_is_not_told(more: dict[str, Any]) -> None:
    assert told(pair(**more)) == []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"refused": "Token safety: HONEYPOT."}, "HONEYPOT"),
        ({"score": 59}, "nothing is bought (least score 60"),
        ({"symbol": ""}, "told, not traded"),
    ],
)
def test_what_does_not_pass_is_told_and_not_bought(more: dict[str, Any], says: str) -> None:
    made = NewPairs(PARAMS)
    said = made.on_message(pair(**more))
    assert said is not None
    assert says in said.text
    assert made.on_bar(bar(1), None) is None


def test_a_second_pool_of_an_instrument_is_told_and_not_bought() -> None:
    made = NewPairs(PARAMS)
    made.on_message(pair(pool="0x01", refused="Token safety: HONEYPOT."))
    assert made.on_message(pair(pool="0x02")) is not None
    assert made.on_bar(bar(1), None) is None


def test_a_pool_of_a_dropped_block_is_not_bought_and_not_told_twice() -> None:
    made = NewPairs(PARAMS)
    assert made.on_message(pair()) is not None
    made.on_message(Undone("NEW-USDC", 100))
    assert made.on_bar(bar(1), None) is None
    assert made.on_message(pair(created=101, block=107)) is None


def test_it_is_sold_when_liquidity_leaves_and_after_its_time() -> None:
    held = Position("NEW-USDC", Decimal(1), Decimal(100), 0)
    made = NewPairs(PARAMS)
    made.on_message(pair())
    made.on_bar(bar(1), None)
    assert made.on_bar(bar(2), held) is None
    made.on_message(pair(106, liquidity=Decimal(499)))
    gone = made.on_bar(bar(3), held)
    assert gone is not None
    assert gone.direction is Direction.FLAT
    assert "its pool holds 499" in gone.reason
    late = NewPairs(PARAMS).on_bar(bar(10), held)
    assert late is not None
    assert late.reason == "held longer than 10 bars"


@pytest.mark.parametrize(("name", "value"), [("after_blocks", 900), ("least_score", 101), ("stop_bps", 9950.0)])
def test_bad_parameters_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is"):
        NewPairsParams(**{name: value})  # type: ignore[arg-type]  # what a settings file may hold
