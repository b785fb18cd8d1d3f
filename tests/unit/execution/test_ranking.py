"""Which waiting trade comes first: the edge by its formula, and the order it leads to."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.execution.fatigue import Requirement
from app.execution.ranking import SIMILAR_BPS, Waiting, edge, order
from app.venues.base import Capabilities, VenueInfo
from strategies.model import Exits, Intent, Leg, Quote, Side

PAPER = VenueInfo("paper", Capabilities(), (), Decimal(10), Decimal(8))
START, LIFE = 1_000_000, 600_000

prices = st.decimals(Decimal("0.00001"), Decimal(100_000), places=5)
shares = st.decimals(Decimal("0.0001"), Decimal("0.2"), places=4)
edges = st.none() | st.decimals(Decimal(-300), Decimal(300), places=2)


def intent(**changes: Any) -> Intent:
    made = Intent(
        "1" * 32,
        "m",
        "ETH-USDT",
        Side.BUY,
        Decimal(2),
        Decimal("100.5"),
        Decimal(1),
        Exits(Decimal(95), Decimal(110)),
        "up",
        START,
        START + LIFE,
        1,
        strength=0.5,
        confidence=0.6,
    )
    return replace(made, **changes)


def quote(bid: Decimal | str, ask: Decimal | str) -> Quote:
    return Quote("ETH-USDT", START, Decimal(bid), Decimal(ask), Decimal(1), Decimal(1))


def closing(worst: str = "99.5") -> Intent:
    return intent(side=Side.SELL, worst_price=Decimal(worst), exits=None, reduce_only=True)


def by_hand(trade: Intent, now: Quote, now_ms: int) -> Fraction:
    """The formula of the module's docstring once more, in fractions: quote units per unit of base."""
    taker, maker = Fraction(1, 1000), Fraction(8, 10_000)
    assert trade.exits is not None
    stop, ask, bid = Fraction(trade.exits.stop), Fraction(now.ask), Fraction(now.bid)
    worst = Fraction(trade.worst_price)
    target = 2 * worst - stop if trade.exits.target is None else Fraction(trade.exits.target)
    chance = Fraction(1, 2) if trade.confidence == 0 else min(Fraction(1), Fraction(str(trade.confidence)))
    sold = max(Fraction(0), stop - (ask - bid))
    unit = chance * target * (1 - maker) + (1 - chance) * sold * (1 - taker) - ask * (1 + taker)
    left = min(Fraction(1), max(Fraction(0), Fraction(trade.expires_ms - now_ms, LIFE)))
    return unit * left if unit > 0 else unit


@given(
    prices,
    shares,
    shares,
    shares,
    st.integers(0, 1000).map(lambda n: n / 1000),
    st.booleans(),
    st.integers(-1000, LIFE + 1000),
)
def test_the_edge_is_the_stated_formula(
    ask: Decimal, risk: Decimal, reward: Decimal, spread: Decimal, confidence: float, aims: bool, after: int
) -> None:
    stop, target = ask * (1 - risk), ask * (1 + reward)
    trade = intent(worst_price=ask * 2, exits=Exits(stop, target if aims else None), confidence=confidence)
    now = quote(ask * (1 - spread), ask)
    found, hand = edge(trade, now, PAPER, START + after), by_hand(trade, now, START + after)
    assert 0 <= hand / Fraction(ask) * 10_000 - Fraction(found.bps) < Fraction(1, 100)
    assert 0 <= hand * 2 - Fraction(found.amount) < Fraction(1, 10**8)


def test_an_edge_in_numbers() -> None:
    found = edge(intent(), quote("99.9", "100"), PAPER, START)
    # 0.6 * (110 - 0.088) + 0.4 * (94.9 - 0.0949) - 100.1 = 3.76924
    assert (found.bps, found.amount, found.reachable) == (Decimal("376.92"), Decimal("7.53848"), True)
    half_way = edge(intent(), quote("99.9", "100"), PAPER, START + LIFE // 2)
    assert half_way.amount == Decimal("3.76924")
    assert edge(intent(), quote("99.9", "100"), PAPER, START + LIFE).bps == 0
    assert edge(intent(), quote("100.5", "100.51"), PAPER, START).reachable is False
    close = edge(closing(), quote("100", "100.1"), PAPER, START + LIFE)
    assert (close.bps, close.amount) == (Decimal(40), Decimal("0.8")), "0.5 of room less 0.1 of fee; no decay in time"
    assert edge(closing(), quote("99.4", "100.1"), PAPER, START).reachable is False


@given(st.lists(st.integers(9_000, 11_000), min_size=2, max_size=2), st.sampled_from([0.1, 0.6, 1.0]))
def test_the_edge_falls_as_the_quote_moves_away(ticks: list[int], confidence: float) -> None:
    near, far = (Decimal(tick) / 100 for tick in sorted(ticks))
    trade = intent(confidence=confidence)
    assert edge(trade, quote(near, near), PAPER, START).bps >= edge(trade, quote(far, far), PAPER, START).bps
    assert edge(closing(), quote(near, near), PAPER, START).bps <= edge(closing(), quote(far, far), PAPER, START).bps


@given(
    st.tuples(st.integers(0, LIFE), st.integers(0, LIFE)),
    st.tuples(st.integers(1, 100), st.integers(1, 100)),
    st.tuples(st.integers(101, 130), st.integers(101, 130)),
)
def test_the_edge_is_monotone_in_time_confidence_and_target(
    after: tuple[int, int], percent: tuple[int, int], targets: tuple[int, int]
) -> None:
    now, trade = quote("99.9", "100"), intent()
    early, late = sorted(after)
    assert edge(trade, now, PAPER, START + early).bps >= edge(trade, now, PAPER, START + late).bps
    doubt, trust = (intent(confidence=each / 100) for each in sorted(percent))
    assert edge(doubt, now, PAPER, START).bps <= edge(trust, now, PAPER, START).bps
    near, far = (intent(exits=Exits(Decimal(95), Decimal(each))) for each in sorted(targets))
    assert edge(near, now, PAPER, START).bps <= edge(far, now, PAPER, START).bps


leg_lists = st.lists(
    st.tuples(st.integers(9_600, 10_300), st.integers(1, 900), st.integers(1, 5_000)),
    min_size=1, max_size=10, unique_by=lambda leg: leg[0],
)  # fmt: skip


@given(leg_lists, st.integers(9_700, 10_200), st.integers(1, 200), st.integers(0, LIFE))
def test_the_edge_of_a_basket_is_that_of_its_legs_each_at_what_it_pays(
    drawn: list[tuple[int, int, int]], ask: int, spread: int, after: int
) -> None:
    cents = Decimal("0.01")
    legs = tuple(
        Leg(price * cents, Decimal(size) / 1000, (price + gain) * cents)
        for price, gain, size in sorted(drawn, reverse=True)
    )
    whole = sum(leg.quantity for leg in legs)
    basket = intent(
        quantity=Decimal(whole), worst_price=legs[0].price, exits=Exits(Decimal(95)), legs=legs, rest_ms=1000
    )
    now = quote((ask - spread) * cents, ask * cents)
    found = edge(basket, now, PAPER, START + after, rests=True)
    taker, maker, paid, made = Fraction(1, 1000), Fraction(8, 10_000), Fraction(0), Fraction(0)
    sold = (95 - Fraction(spread, 100)) * (1 - taker)
    for leg in legs:
        price = min(Fraction(leg.price), Fraction(ask, 100))
        fee = price * (taker if leg.price >= now.ask else maker)
        worth = Fraction("0.6") * Fraction(leg.target) * (1 - maker) + Fraction("0.4") * sold
        paid, made = paid + price * Fraction(leg.quantity), made + (worth - price - fee) * Fraction(leg.quantity)
    made *= Fraction(LIFE - after, LIFE) if made > 0 else 1
    assert 0 <= made - Fraction(found.amount) < Fraction(1, 10**8)
    assert 0 <= made / paid * 10_000 - Fraction(found.bps) < Fraction(1, 100)
    assert found.reachable
    assert (found.waits_bps > 0) == (legs[0].price < now.ask)


def test_a_module_s_strange_confidence_breaks_nothing() -> None:
    usual = edge(intent(confidence=1.0), quote("99.9", "100"), PAPER, START)
    for strange in (float("inf"), 7.0):
        assert edge(intent(confidence=strange), quote("99.9", "100"), PAPER, START) == usual
    none_stated = edge(intent(confidence=0.5), quote("99.9", "100"), PAPER, START)
    for strange in (float("nan"), 0.0, -3.0):
        assert edge(intent(confidence=strange), quote("99.9", "100"), PAPER, START) == none_stated
    assert edge(intent(confidence=1e-300), quote("99.9", "100"), PAPER, START).bps < 0
    assert edge(intent(exits=None), quote("99.9", "100"), PAPER, START).bps == Decimal("-29.99"), "spread and two fees"


# -- the order ----------------------------------------------------------------------------------------------------


def listed(number: int, **changes: Any) -> Waiting:
    made = Waiting(
        trade_id=f"{number:032x}",
        module="m",
        symbol=f"S{number}-USDT",
        side=Side.BUY,
        quantity=Decimal(1),
        worst_price=Decimal(1),
        closes=False,
        value=None,
        edge_bps=Decimal(0),
        edge_then_bps=None,
        edge_value=None,
        reachable=True,
        expires_ms=START,
        left_ms=0,
        age_ms=0,
        app="Ethereum",
        resumed=False,
        asked_again=0,
        newer_worst_price=None,
        opposed=False,
        beside=(),
        requirement=Requirement(),
        reason="",
        why="",
    )
    return replace(made, **changes)


@st.composite
def queues(draw: st.DrawFn) -> list[Waiting]:
    count = draw(st.integers(1, 12))
    return [
        listed(
            number,
            closes=draw(st.booleans()),
            symbol=draw(st.sampled_from(["A-USDT", "B-USDT", "C-USDT"])),
            side=draw(st.sampled_from(list(Side))),
            edge_bps=draw(edges),
            reachable=draw(st.sampled_from([True, True, True, False])),
            app=draw(st.sampled_from(["Ethereum", "Solana"])),
            expires_ms=draw(st.integers(0, 3)),
        )
        for number in range(count)
    ]


@given(queues(), st.randoms(use_true_random=False), st.sampled_from(["", "Ethereum", "Solana"]))
def test_a_total_order_whatever_the_order_given(queue: list[Waiting], random: Any, app: str) -> None:
    ranked = order(queue, app)
    assert sorted(each.trade_id for each in ranked) == sorted(each.trade_id for each in queue)
    random.shuffle(queue)
    assert order(queue, app) == ranked


@given(queues())
def test_closes_first_and_what_can_not_be_filled_last(queue: list[Waiting]) -> None:
    ranked = order(queue)
    assert [each.closes for each in ranked] == sorted((each.closes for each in ranked), reverse=True)
    groups = {(each.app, each.symbol, each.side) for each in queue if not each.closes}
    alive = {
        (each.app, each.symbol, each.side)
        for each in queue
        if not each.closes and each.reachable and each.edge_bps is not None
    }
    place = {(e.app, e.symbol, e.side): n for n, e in enumerate(ranked) if not e.closes}
    assert all(place[good] < place[dead] for good in alive for dead in groups - alive)


@given(queues(), st.data(), st.decimals(Decimal("0.01"), Decimal(400), places=2))
def test_a_larger_edge_never_moves_a_trade_down(queue: list[Waiting], data: st.DataObject, more: Decimal) -> None:
    known = [number for number, each in enumerate(queue) if each.edge_bps is not None]
    if not known:
        return
    number = data.draw(st.sampled_from(known))
    chosen = queue[number]
    assert chosen.edge_bps is not None
    better = [*queue]
    better[number] = replace(chosen, edge_bps=chosen.edge_bps + more)

    def place(ranked: tuple[Waiting, ...]) -> int:
        return [each.trade_id for each in ranked].index(chosen.trade_id)

    assert place(order(better)) <= place(order(queue))


@given(queues())
def test_the_same_trade_of_two_modules_stands_together(queue: list[Waiting]) -> None:
    keys = [(each.closes, each.app, each.symbol, each.side) for each in order(queue)]
    changes = sum(one != two for one, two in itertools.pairwise(keys))
    assert changes == len(set(keys)) - 1


@given(st.lists(st.tuples(st.sampled_from(["Ethereum", "Solana"]), st.integers(0, 99)), min_size=1, max_size=12))
def test_within_similar_edges_the_app_changes_once_at_most(trades: list[tuple[str, int]]) -> None:
    queue = [listed(n, app=app, edge_bps=Decimal(tenths) / 10) for n, (app, tenths) in enumerate(trades)]
    assert all(each.edge_bps is not None and each.edge_bps < SIMILAR_BPS for each in queue)
    apps = [each.app for each in order(queue, "Solana")]
    assert apps == sorted(apps, reverse=True), "the open one first, then the other"


def test_the_next_step_begins_with_the_app_that_is_open() -> None:
    queue = [
        listed(1, edge_bps=Decimal(29), app="Ethereum"),
        listed(2, edge_bps=Decimal(21), app="Solana"),
        listed(3, edge_bps=Decimal(19), app="Ethereum"),
        listed(4, edge_bps=Decimal(11), app="Solana"),
    ]
    assert [int(each.trade_id, 16) for each in order(queue)] == [1, 2, 4, 3]
    assert [int(each.trade_id, 16) for each in order(queue, "Solana")] == [2, 1, 3, 4]
    far = [replace(queue[3], edge_bps=Decimal(31)), *queue[:3]]
    assert [int(each.trade_id, 16) for each in order(far)] == [4, 2, 1, 3], "a clearly larger edge is worth a change"
