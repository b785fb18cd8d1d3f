"""A basket's text: read back exactly, one line a leg, and one changed thing in text or order permits nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.execution.authorisation import MOST_IN_LINE, Authorisation, parse, permits, refusal, render
from app.execution.orders import orders_of
from app.execution.prepare import permitted_orders
from app.execution.records import Order, Role
from app.execution.signed_terms import exit_group
from app.ids import client_order_id
from app.money import add, mul, sub, total
from app.venues.base import OrderKind, OrderRequest
from strategies.model import MOST_LEGS, Leg, Side
from tests.unit.execution.test_authorisation import ids, names, steps

LOT, TICK = Decimal("0.001"), Decimal("0.01")
NOW = 1_600_000_000_000
THREE = tuple(Leg(Decimal(price), Decimal(1), Decimal(price + 1)) for price in (99, 98, 97))
BASKET = Authorisation(
    trade_id="0123456789abcdef" * 2,
    side=Side.BUY,
    quantity=Decimal(3),
    symbol="ETH-USDT",
    quote="USDT",
    venue="paper",
    worst_price=Decimal(99),
    max_fee=Decimal("0.29"),
    stop=Decimal(90),
    target=None,
    reduce_only=False,
    group=None,
    time_in_force_ms=14_400_000,
    valid_until_ms=NOW + 900_000,
    legs=THREE,
)


@st.composite
def baskets(draw: st.DrawFn) -> Authorisation:
    prices = draw(st.lists(st.integers(2, 10**7), min_size=1, max_size=MOST_LEGS, unique=True).map(sorted))
    legs = tuple(
        Leg(
            mul(Decimal(price), TICK),
            draw(steps(LOT, 10**7)),
            mul(Decimal(price + draw(st.integers(1, 10**6))), TICK),
        )
        for price in reversed(prices)
    )
    quote = draw(names.filter(lambda name: name != "PERP"))
    return replace(
        BASKET,
        trade_id=draw(ids),
        quantity=total([leg.quantity for leg in legs]),
        symbol=f"{draw(names)}-{quote}{draw(st.sampled_from(['', '-PERP']))}",
        quote=quote,
        venue=draw(st.sampled_from(["paper", "binance", "local_2"])),
        worst_price=legs[0].price,
        max_fee=draw(st.integers(0, 10**10).map(lambda n: Decimal(n).scaleb(-8))),
        stop=mul(Decimal(draw(st.integers(1, prices[0] - 1))), TICK),
        time_in_force_ms=draw(st.integers(1, 86_400)) * 1000,
        valid_until_ms=draw(st.integers(1_500_000_000, 4_000_000_000)) * 1000,
        legs=legs,
    )


def test_the_text_says_every_leg_in_plain_words() -> None:
    assert render(BASKET).splitlines() == [
        "countersign basket 1",
        "BUY 3 ETH-USDT",
        "on paper",
        "1: 1 at 99, sell at 100",
        "2: 1 at 98, sell at 99",
        "3: 1 at 97, sell at 98",
        "stop 90, sell at market",
        "a stop ends all buys",
        "fee up to 0.29 USDT",
        "pay up to 294.29 USDT",
        "open for 14400 s",
        "valid until 2020-09-13 12:41:40 UTC",
        "trade 0123456789abcdef0123456789abcdef",
    ]


def test_the_largest_basket_can_be_read_on_the_smallest_device() -> None:
    """19 characters a line, three lines a page: what one person still reads with care."""
    legs = tuple(Leg(Decimal(f"{64_123 - n}.12"), Decimal("0.00123"), Decimal(f"{64_323 - n}.12")) for n in range(10))
    text = render(replace(BASKET, legs=legs, quantity=Decimal("0.0123"), worst_price=legs[0].price))
    assert sum(-(-len(line) // 19) for line in text.split("\n")) <= 48
    assert len(text) < 700


@settings(max_examples=120)
@given(baskets())
def test_what_is_rendered_is_read_back(basket: Authorisation) -> None:
    text = render(basket)
    assert parse(text) == basket
    assert render(parse(text)) == text
    assert text.isascii()
    assert all(len(line) <= MOST_IN_LINE for line in text.split("\n"))


@settings(max_examples=60)
@given(baskets())
def test_the_orders_made_from_a_text_are_permitted_by_it_and_cover_every_leg(basket: Authorisation) -> None:
    text = render(basket)
    orders = permitted_orders(text, basket.valid_until_ms - 1, basket.venue)
    assert len(orders) == 3 * len(basket.legs)
    assert len({order.request.client_id for order in orders}) == len(orders)
    for leg, (entry, stop, target) in zip(basket.legs, _threes(orders), strict=True):
        assert (entry.role, stop.role, target.role) == (Role.ENTRY, Role.STOP, Role.TARGET)
        assert entry.request.limit_price == leg.price
        assert target.request.limit_price == leg.target
        assert stop.request.stop_price == basket.stop
        assert {each.request.quantity for each in (entry, stop, target)} == {leg.quantity}
        assert {each.request.parent for each in (stop, target)} == {entry.request.client_id}
        assert {each.request.basket for each in (entry, stop, target)} == {basket.basket}
        for order in (entry, stop, target):
            assert refusal(text, order.request, basket.venue) is None


def _threes(orders: tuple[Order, ...]) -> list[tuple[Order, ...]]:
    return [orders[at : at + 3] for at in range(0, len(orders), 3)]


@settings(max_examples=300)
@given(baskets(), st.data())
def test_any_one_character_changed_is_refused_or_means_something_else(
    basket: Authorisation, data: st.DataObject
) -> None:
    text = render(basket)
    at = data.draw(st.integers(0, len(text) - 1))
    plain = st.sampled_from("0123456789.:, \nabcdefABC-")
    odd = st.characters(min_codepoint=1, max_codepoint=0x2100)
    char = data.draw((plain | odd).filter(lambda c: c != text[at]))
    changed = text[:at] + char + text[at + 1 :]
    try:
        read = parse(changed)
    except ValueError:
        return
    assert read != basket
    assert render(read) == changed
    # What any single character can still mean: another end, another stop, another target, another asset or trade.
    # Quantities, prices, fee and the bound hold one another: none of them can be changed alone.
    assert (read.quantity, read.max_fee, read.bound) == (basket.quantity, basket.max_fee, basket.bound)
    assert [leg.price for leg in read.legs] == [leg.price for leg in basket.legs]
    orders = orders_of(basket, basket.valid_until_ms)
    refused = [order for order in orders if not permits(changed, order.request, basket.venue)]
    longer = read.time_in_force_ms > basket.time_in_force_ms
    assert refused or longer  # a longer life is a bound that the orders do not use up


@pytest.mark.parametrize("number", range(1, 4))
def test_one_changed_thing_of_an_order_is_refused(number: int) -> None:
    text = render(BASKET)
    entry, stop, target = (order.request for order in _threes(orders_of(BASKET, BASKET.valid_until_ms))[number - 1])
    changed: list[tuple[str, OrderRequest]] = []

    def change(request: OrderRequest, **to: Any) -> None:
        changed.append((str(to), replace(request, **to)))

    for request in (entry, stop, target):
        assert permits(text, request, "paper")
        change(request, quantity=add(Decimal(1), LOT))
        change(request, quantity=Decimal(0))
        change(request, symbol="ETH-BTC")
        change(request, basket=None)
        change(request, basket=client_order_id("e" * 32, "basket"))
        change(request, valid_until_ms=request.valid_until_ms + 1000)
        change(request, reduce_only=not request.reduce_only)
        change(request, side=request.side.opposite)
        change(request, kind=OrderKind.MARKET)
        change(request, client_id=client_order_id(BASKET.trade_id, "entry:4"))
        change(request, client_id=client_order_id("e" * 32, "entry"))
        other = number % 3 + 1
        change(request, parent=client_order_id(BASKET.trade_id, f"entry:{other}" if other > 1 else "entry"))
        change(request, group=exit_group(BASKET.trade_id, other))
    assert entry.limit_price is not None
    assert entry.expires_ms is not None
    assert target.limit_price is not None
    change(entry, limit_price=add(entry.limit_price, TICK))
    change(entry, expires_ms=entry.expires_ms + 1)
    change(entry, expires_ms=None)
    change(stop, stop_price=sub(Decimal(90), TICK))
    change(stop, expires_ms=NOW)
    change(target, limit_price=sub(target.limit_price, TICK))
    for what, request in changed:
        assert not permits(text, request, "paper"), what


def test_a_leg_is_bounded_by_its_own_line_and_not_by_the_total() -> None:
    text = render(BASKET)
    second = _threes(orders_of(BASKET, NOW))[1][0].request
    assert refusal(text, replace(second, quantity=Decimal(2))) == "the text allows 1, the order has 2"
    assert refusal(text, replace(second, limit_price=Decimal(99))) == "the text says 98 or better, the order 99"


def test_the_text_of_one_trade_permits_no_leg_and_a_basket_no_single_trade() -> None:
    plain = replace(BASKET, legs=(), target=Decimal(110))
    for request in (order.request for order in orders_of(BASKET, NOW)):
        assert not permits(render(plain), request)
    for request in (order.request for order in orders_of(plain, NOW)):
        assert not permits(render(BASKET), request)


@pytest.mark.parametrize(
    "change",
    [
        ("BUY 3", "BUY 4"),
        ("1: 1 at 99", "1: 2 at 99"),
        ("1: 1 at 99", "1: 1 at 98"),
        ("2: 1 at 98", "3: 1 at 98"),
        ("2: 1 at 98, sell at 99\n", ""),
        ("sell at 98", "sell at 97"),
        ("sell at 98", "sell at 98.0"),
        ("stop 90", "stop 97"),
        ("stop 90", "stop 0"),
        ("a stop ends all buys\n", ""),
        ("basket 1", "basket 2"),
        ("basket 1", "trade 1"),
        ("14400 s", "0 s"),
        ("14400 s", "14400 ms"),
        ("294.29", "294.3"),
        ("fee up to 0.29 USDT", "fee up to 0.29 BTC"),
    ],
)
def test_lines_that_contradict_one_another_are_no_authorisation(change: tuple[str, str]) -> None:
    text = render(BASKET)
    assert change[0] in text
    with pytest.raises(ValueError, match=r"authorisation|leg|canonical"):
        parse(text.replace(*change, 1))


def test_two_legs_in_the_wrong_order_are_no_authorisation() -> None:
    first, second = "1: 1 at 99, sell at 100", "2: 1 at 98, sell at 99"
    swapped = render(BASKET).replace(f"{first}\n{second}", f"1{second[1:]}\n2{first[1:]}")
    with pytest.raises(ValueError, match="contradict"):
        parse(swapped)


def test_what_could_not_be_read_back_is_never_shown() -> None:
    eleven = tuple(Leg(Decimal(100 - n), Decimal(1), Decimal(200)) for n in range(11))
    with pytest.raises(ValueError, match="short lines"):
        render(replace(BASKET, legs=eleven, quantity=Decimal(11), worst_price=Decimal(100), stop=Decimal(1)))
