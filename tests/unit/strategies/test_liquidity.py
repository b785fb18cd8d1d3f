"""When liquidity is provided and when not: the decisions of the module, bar by bar, without a chain. What a position
holds and loses is compared with the pools' own integers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

import pytest

from app.venues.evm.chain import Token
from app.venues.evm.liquidity.ranges import Sides, opening
from app.venues.evm.pools.positions import burnt
from app.venues.evm.pools.ticks import sqrt_ratio_at_tick, tick_at_sqrt_ratio
from strategies.acts import Collect, Provide, Withdraw
from strategies.liquidity import Costs, Decision, Holding, LiquidityParams, LiquidityProvider, PoolState, View
from strategies.model import Bar

MINUTE: Final = 60_000
PARAMS: Final = LiquidityParams(window_bars=20, horizon_bars=100, out_bars=3, give_up_bars=10, least_width_bps=50.0)
COSTS: Final = Costs(opening=1.0, ending=1.0, collecting=0.5)
BUSY: Final = PoolState(price=2000.0, fee_ppm=3000, liquidity=50_000.0, volume=100_000.0)


def bar(number: int, close: float, *, skipped: int = 0) -> Bar:
    price = Decimal(repr(close))
    return Bar("ETH-USDC", (number + skipped) * MINUTE, MINUTE, price, price, price, price, Decimal(1))


def view(number: int, close: float, pool: PoolState = BUSY, **more: object) -> View:
    made = View(bar(number, close), replace(pool, price=close), COSTS, Decimal(5), Decimal(10_000), None)
    return replace(made, **more)  # type: ignore[arg-type]  # fields by name


def wobble(count: int, *, by: float = 0.0005) -> Iterator[tuple[int, float]]:
    """A price that goes up and down by the same share."""
    for number in range(count):
        yield number, 2000.0 * (1.0 + by * (number % 2))


def warm(pool: PoolState = BUSY, *, by: float = 0.0005, params: LiquidityParams = PARAMS) -> LiquidityProvider:
    made = LiquidityProvider(params)
    for number, close in wobble(20, by=by):
        assert made.on_bar(view(number, close, pool)) is None, "before the window is full nothing is said"
    return made


def test_it_opens_around_the_price_where_fees_are_expected_to_be_more_than_what_is_lost() -> None:
    made = warm().on_bar(view(20, 2000.0))
    assert made is not None
    assert isinstance(made.act, Provide)
    act = made.act
    assert (act.base, act.quote, act.fee_ppm) == (Decimal(5), Decimal(10_000), 3000)
    half = 2.0 * 0.0005 * math.sqrt(100)  # a price that goes up and down by d deviates by d/2 around 0 and back: by d
    assert float(act.upper) == pytest.approx(2000.0 * math.exp(half), rel=1e-3)
    assert float(act.lower) * float(act.upper) == pytest.approx(2000.0**2, rel=1e-6)
    assert "2 deviations around 2000" in made.reason


@pytest.mark.parametrize(
    ("why", "pool", "costs", "by"),
    [
        ("nobody trades there", replace(BUSY, volume=0.0), COSTS, 0.0005),
        ("others have nearly all of the pool", replace(BUSY, liquidity=5e10), COSTS, 0.0005),
        ("the price moves too much for these fees", replace(BUSY, volume=2_000.0), COSTS, 0.01),
        ("gas costs more than all of it", BUSY, Costs(20_000.0, 20_000.0, 1.0), 0.0005),
    ],
)
def test_it_opens_nothing_where(why: str, pool: PoolState, costs: Costs, by: float) -> None:
    del why
    made = warm(pool, by=by)
    for number, close in wobble(30, by=by):
        assert made.on_bar(view(number + 20, close, pool, costs=costs)) is None


def test_without_anything_to_put_in_nothing_is_wanted() -> None:
    assert warm().on_bar(view(20, 2000.0, base=Decimal(0), quote=Decimal(0))) is None


@pytest.mark.parametrize(("base", "quote"), [("10", "0"), ("0", "20000"), ("8", "4000")])
def test_what_is_short_is_traded_first_and_then_both_go_in(base: str, quote: str) -> None:
    provider = warm()
    first = provider.on_bar(view(20, 2000.0, base=Decimal(base), quote=Decimal(quote)))
    assert first is not None
    assert first.act is None
    traded = Decimal(repr(round(first.trade, 8)))
    assert (traded > 0) == (base == "0")
    then = provider.on_bar(view(21, 2000.0, base=Decimal(base) + traded, quote=Decimal(quote) - traded * 2000))
    assert then is not None
    assert isinstance(then.act, Provide)
    # A real pool takes nearly all of both.
    sides = Sides(Token("ETH", b"\x01" * 20, 18), Token("USDC", b"\x02" * 20, 6))
    root = sqrt_ratio_at_tick(-200_311)  # 2000 and a little
    ticks = sides.ticks(then.act.lower, then.act.upper, 1)
    units = int(then.act.base * 10**18), int(then.act.quote * 10**6)
    takes = opening(root, -200_311, ticks, units, 50)
    assert takes.amount0 > units[0] * 95 // 100
    assert takes.amount1 > units[1] * 95 // 100


HELD: Final = Holding("x:7", 1900.0, 2100.0, 1_000.0, 0.0)


def test_a_position_out_of_range_is_ended_once_it_was_for_long_and_another_would_pay() -> None:
    provider = warm()
    assert provider.on_bar(view(20, 2000.0, holding=HELD)) is None
    for number in (21, 22):
        assert provider.on_bar(view(number, 2150.0, holding=HELD)) is None
    back = provider.on_bar(view(23, 2000.0, holding=HELD))
    assert back is None, "it came back"
    busy = replace(BUSY, volume=10**8)
    decided = [provider.on_bar(view(number, 2150.0, busy, holding=HELD)) for number in (24, 25, 26)]
    assert decided[:2] == [None, None]
    assert decided[2] is not None
    assert decided[2].act == Withdraw("x:7")
    assert "out of 1900 to 2100 for 3 bars" in decided[2].reason


def test_one_that_no_other_would_replace_waits_until_it_is_given_up() -> None:
    provider = warm()
    quiet = replace(BUSY, volume=0.0)
    for number in range(20, 29):
        assert provider.on_bar(view(number, 1800.0, quiet, holding=HELD)) is None
    made = provider.on_bar(view(29, 1800.0, quiet, holding=HELD))
    assert made is not None
    assert (made.act, made.trade) == (Withdraw("x:7"), 0.0)
    assert "for 10 bars" in made.reason


def test_one_that_loses_more_than_it_earns_is_ended() -> None:
    quiet = replace(BUSY, volume=0.0)
    provider = warm(quiet, by=0.01)
    decided = [provider.on_bar(view(number + 20, close, quiet, holding=HELD)) for number, close in wobble(10, by=0.01)]
    assert decided[:9] == [None] * 9
    last = decided[9]
    assert last is not None
    assert last.act == Withdraw("x:7")
    assert "lose more than it earns" in last.reason


def test_fees_are_collected_once_they_are_worth_their_gas() -> None:
    provider = warm()
    assert provider.on_bar(view(20, 2000.0, holding=replace(HELD, fees=4.9))) is None
    made = provider.on_bar(view(21, 2000.0, holding=replace(HELD, fees=5.0)))
    assert made is not None
    assert made.act == Collect("x:7")


def test_what_happened_in_a_gap_is_left_out_and_a_long_one_starts_again() -> None:
    one, other, quote = warm(), warm(), Decimal(13_000)
    one.on_bar(replace(view(20, 2600.0, quote=quote), bar=bar(20, 2600.0, skipped=5)))
    after = one.on_bar(replace(view(21, 2600.0, quote=quote), bar=bar(21, 2600.0, skipped=5)))
    assert after is not None
    assert isinstance(after.act, Provide), "the jump is no return of one bar"
    assert float(after.act.upper) < 2600.0 * 1.02
    assert other.on_bar(replace(view(20, 2000.0), bar=bar(20, 2000.0, skipped=21))) is None
    assert other.on_bar(replace(view(21, 2000.0), bar=bar(21, 2000.0, skipped=21))) is None


def test_the_same_views_give_the_same_decisions() -> None:
    def run() -> list[Decision | None]:
        provider = LiquidityProvider(PARAMS)
        return [provider.on_bar(view(number, close)) for number, close in wobble(40)]

    assert run() == run()
    assert any(run())


@pytest.mark.parametrize("move", [0.001, -0.002, 0.005])
def test_the_loss_that_is_expected_of_a_move_is_what_a_pool_s_own_numbers_give(move: float) -> None:
    """L * r^2 * sqrt(P) / 4, against amounts in base units."""
    sides = Sides(Token("ETH", b"\x01" * 20, 18), Token("USDC", b"\x02" * 20, 6))
    tick, liquidity = -200_311, 10**18
    root = sqrt_ratio_at_tick(tick)
    there = int(root * math.exp(move / 2))
    ticks = (tick - 2000, tick + 2000)
    loss = sides.impermanent_loss(
        burnt(root, tick, *ticks, liquidity), burnt(there, tick_at_sqrt_ratio(there), *ticks, liquidity), there
    )
    price = float(sides.price(root))
    whole = liquidity / 10 ** ((18 + 6) / 2)
    assert float(loss) == pytest.approx(whole * move**2 * math.sqrt(price) / 4, rel=abs(move) * 2)
    assert isinstance(loss, Fraction)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("window_bars", 5, "from 10 to 10000"),
        ("range_sigmas", 0.0, "from 0.1 to 20"),
        ("give_up_bars", 2, "no less than out_bars"),
        ("horizon_bars", 1.5, "a whole number"),
    ],
)
def test_settings_that_are_wrong_say_what_is_allowed(field: str, value: float, allowed: str) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        replace(PARAMS, **{field: value})  # type: ignore[arg-type]  # of any type
    assert allowed in str(caught.value)
