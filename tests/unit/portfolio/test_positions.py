"""Lots, profit and postings against an independent account in fractions; equity over days."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.portfolio.equity import DAY_MS, EquityCurve
from app.portfolio.ledger import FEES, OPENING, Posting, imbalance, module_account, of_fill, opening, venue_account
from app.portfolio.positions import Holding, PositionBook, RoundTrip
from app.portfolio.valuation import Valuation
from app.venues.base import VenueFill
from strategies.model import Instrument, Position, Side

ETH = Instrument("ETH-BTC", "ETH", "BTC", Decimal("0.000001"), Decimal("0.001"))
TINY = Decimal("1E-18")


def fill(side: Side, quantity: Decimal, price: Decimal, fee: Decimal = Decimal(0), ts_ms: int = 0) -> VenueFill:
    return VenueFill("f", "c", "ETH-BTC", side, price, quantity, fee, "BTC", ts_ms)


def buy(quantity: str, price: str, fee: str = "0", ts_ms: int = 0) -> VenueFill:
    return fill(Side.BUY, Decimal(quantity), Decimal(price), Decimal(fee), ts_ms)


def sell(quantity: str, price: str, fee: str = "0", ts_ms: int = 0) -> VenueFill:
    return fill(Side.SELL, Decimal(quantity), Decimal(price), Decimal(fee), ts_ms)


@dataclass
class Reference:
    """First in, first out, in fractions, one unit of 1e-18 at a time in spirit: a queue of lots."""

    lots: deque[list[Fraction]] = field(default_factory=deque)
    realised: Fraction = Fraction(0)
    cash: Fraction = Fraction(0)
    base: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)

    def take(self, each: VenueFill) -> None:
        quantity, price, fee = Fraction(each.quantity), Fraction(each.price), Fraction(each.fee)
        self.fees += fee
        self.cash -= fee
        if each.side is Side.BUY:
            self.lots.append([quantity, price])
            self.cash -= quantity * price
            self.base += quantity
            return
        self.cash += quantity * price
        self.base -= quantity
        while quantity:
            lot = self.lots[0]
            part = min(lot[0], quantity)
            self.realised += part * (price - lot[1])
            lot[0] -= part
            quantity -= part
            if not lot[0]:
                self.lots.popleft()

    @property
    def cost(self) -> Fraction:
        return sum((quantity * price for quantity, price in self.lots), Fraction(0))


amounts = st.integers(1, 10**21).map(lambda n: Decimal(n).scaleb(-18))
prices = st.integers(1, 10**14).map(lambda n: Decimal(n).scaleb(-8))
fees = st.integers(0, 10**9).map(lambda n: Decimal(n).scaleb(-8))


@st.composite
def histories(draw: st.DrawFn) -> list[VenueFill]:
    held, result = Decimal(0), []
    for number in range(draw(st.integers(1, 25))):
        side = draw(st.sampled_from(Side)) if held else Side.BUY
        quantity = draw(amounts)
        if side is Side.SELL:
            quantity = held if draw(st.booleans()) else min(quantity, held)
        held += quantity if side is Side.BUY else -quantity
        result.append(fill(side, quantity, draw(prices), draw(fees), number))
    return result


@settings(max_examples=150)
@given(histories(), prices)
def test_profit_is_exact_to_the_last_digit(history: list[VenueFill], mark: Decimal) -> None:
    holding, reference = Holding("m", "ETH-BTC"), Reference()
    for each in history:
        was_open = bool(holding.quantity)
        trip = holding.apply(each)
        reference.take(each)
        assert (trip is not None) == (was_open and not holding.quantity)
        assert Fraction(holding.quantity) == reference.base
        assert Fraction(holding.cost) == reference.cost
        assert Fraction(holding.realised) == reference.realised
        assert Fraction(holding.fees) == reference.fees
        # profit is what came in, plus what is held at the mark
        profit = Fraction(holding.net) + Fraction(holding.unrealised(mark))
        assert profit == reference.cash + reference.base * Fraction(mark)


@settings(max_examples=100)
@given(histories())
def test_postings_of_every_fill_sum_to_zero_and_say_what_moved(history: list[VenueFill]) -> None:
    everything: list[Posting] = []
    reference = Reference()
    for each in history:
        postings = of_fill("paper", "m", ETH, each)
        assert imbalance(postings) == {}
        everything += postings
        reference.take(each)
    sums: dict[tuple[str, str], Fraction] = {}
    for posting in everything:
        key = (posting.account, posting.asset)
        sums[key] = sums.get(key, Fraction(0)) + Fraction(posting.amount)
    assert sums[venue_account("paper"), "ETH"] == reference.base
    assert sums[venue_account("paper"), "BTC"] == reference.cash
    assert sums[module_account("m"), "ETH"] == -reference.base
    assert sums[module_account("m"), "BTC"] == -(reference.cash + reference.fees)
    assert sums.get((FEES, "BTC"), Fraction(0)) == reference.fees


@settings(max_examples=60)
@given(histories())
def test_round_trips_add_up_to_what_was_earned(history: list[VenueFill]) -> None:
    book, trips = PositionBook(), []
    for each in history:
        trip = book.apply("m", each)
        if trip is not None:
            trips.append(trip)
    holding = book.holding("m", "ETH-BTC")
    if not holding.quantity:
        assert sum(Fraction(trip.net) for trip in trips) == Fraction(holding.net)
    record = book.records.get(("m", "ETH-BTC"))
    if trips:
        assert record is not None
        assert record.wins == sum(1 for trip in trips if trip.net > 0)
        assert record.losses == sum(1 for trip in trips if trip.net < 0)
        assert Fraction(record.gross_win) - Fraction(record.gross_loss) == sum(Fraction(trip.net) for trip in trips)


def test_first_in_is_first_out() -> None:
    holding = Holding("m", "ETH-BTC")
    holding.apply(buy("1", "10", ts_ms=5))
    holding.apply(buy("1", "20"))
    assert holding.apply(sell("1.5", "30")) is None
    assert (holding.quantity, holding.cost, holding.realised) == (Decimal("0.5"), Decimal(10), Decimal(25))
    assert holding.view() == Position("ETH-BTC", Decimal("0.5"), Decimal(20), 5)
    assert holding.apply(sell("0.5", "5", "0.25", ts_ms=9)) == RoundTrip(
        "m", "ETH-BTC", Decimal("17.25"), 9, 5, Decimal(2), Decimal(30), Decimal("47.5"), Decimal("0.25")
    )
    assert holding.view() is None


def test_a_new_position_starts_a_new_round_trip() -> None:
    holding = Holding("m", "ETH-BTC")
    holding.apply(buy("1", "10", "1"))
    assert holding.apply(sell("1", "10", "1")) == RoundTrip(
        "m", "ETH-BTC", Decimal(-2), 0, 0, Decimal(1), Decimal(10), Decimal(10), Decimal(2)
    )
    holding.apply(buy("1", "10", "1", ts_ms=7))
    assert holding.opened_ms == 7
    assert (holding.trip_realised, holding.trip_fees) == (Decimal(0), Decimal(1))
    assert holding.lots == ((Decimal(1), Decimal(10)),)
    assert holding.apply(sell("1", "15", "1")) == RoundTrip(
        "m", "ETH-BTC", Decimal(3), 0, 7, Decimal(1), Decimal(10), Decimal(15), Decimal(2)
    )


def test_more_than_is_held_is_never_sold() -> None:
    holding = Holding("m", "ETH-BTC")
    holding.apply(buy("1", "10"))
    with pytest.raises(ValueError, match="holds 1"):
        holding.apply(sell("1.000000000000000001", "10"))
    assert (holding.quantity, holding.realised) == (Decimal(1), Decimal(0))


def test_losses_in_a_row_end_with_a_win_and_with_the_day() -> None:
    book = PositionBook()
    for ts_ms, price in ((10, "9"), (20, "9"), (30, "11"), (40, "9"), (50, "10")):
        book.apply("m", buy("1", "10", ts_ms=ts_ms))
        book.apply("m", sell("1", price, ts_ms=ts_ms))
    assert book.losses_since(0) == 1  # 9 and 9, then a win; 9, then neither
    book.apply("m", buy("1", "10", ts_ms=60))
    book.apply("m", sell("1", "9", ts_ms=60))
    assert book.losses_since(0) == 2
    assert book.losses_since(41) == 1
    assert book.last_fill_ms == {"ETH-BTC": 60}


def test_an_opening_balance_has_another_side() -> None:
    postings = opening("paper", "BTC", Decimal("10.5"))
    assert imbalance(postings) == {}
    assert {posting.account for posting in postings} == {venue_account("paper"), OPENING}


def test_an_imbalance_is_named_with_its_amount() -> None:
    assert imbalance([Posting("a", "BTC", TINY), Posting("b", "BTC", Decimal(0))]) == {"BTC": TINY}


# -- valuation ----------------------------------------------------------------------------------------------------

BTC = Instrument("BTC-USDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"))


def valuation(marks: dict[str, str], reference: dict[str, str]) -> Valuation:
    def mark(symbol: str) -> tuple[Decimal, int] | None:
        return (Decimal(marks[symbol]), 1) if symbol in marks else None

    return Valuation([ETH, BTC], {asset: Decimal(rate) for asset, rate in reference.items()}, mark)


def test_a_dollar_coin_is_one_a_mark_comes_next_a_reference_last() -> None:
    rates = {"USDT": "1", "BTC": "50000"}
    for rate in (lambda v, asset: v.rate(asset, always), Valuation.last_rate):
        assert rate(valuation({}, rates), "USDT") == 1
        assert rate(valuation({"BTC-USDT": "60000"}, rates), "BTC") == 60000
        assert rate(valuation({}, rates), "BTC") == 50000
        assert rate(valuation({}, {"USDT": "1"}), "BTC") is None
        # ETH-BTC values nothing: bitcoin is no dollar
        assert rate(valuation({"ETH-BTC": "0.05"}, rates), "ETH") is None
        assert rate(valuation({"BTC-USDT": "60000"}, {"BTC": "50000"}), "BTC") == 50000


def always(_symbol: str, _ts_ms: int) -> bool:
    return True


def test_a_rate_to_trade_on_is_fresh_and_the_reference_hides_no_market_that_went_quiet() -> None:
    coin = Instrument("BTC-USDC", "BTC", "USDC", Decimal("0.01"), Decimal("0.00001"))
    marks = {"BTC-USDT": (Decimal(60000), 5), "BTC-USDC": (Decimal(59000), 9)}
    rates = {"USDT": Decimal(1), "USDC": Decimal(1), "BTC": Decimal(50000)}
    values = Valuation([BTC, coin], rates, marks.get)
    asked: list[tuple[str, int]] = []

    def usdc_only(symbol: str, ts_ms: int) -> bool:
        asked.append((symbol, ts_ms))
        return symbol == "BTC-USDC"

    assert values.rate("BTC", always) == 60000
    assert values.rate("BTC", usdc_only) == 59000
    assert asked == [("BTC-USDT", 5), ("BTC-USDC", 9)]
    assert values.rate("BTC", lambda _symbol, _ts_ms: False) is None
    assert values.last_rate("BTC") == 59000  # the newest
    marks.pop("BTC-USDC")  # one of the two has not spoken: the other has
    assert values.rate("BTC", lambda _symbol, _ts_ms: False) is None
    assert values.last_rate("BTC") == 60000


def test_profit_over_everything_is_valued_or_not_said() -> None:
    book, instruments = PositionBook(), {"ETH-BTC": ETH, "BTC-USDT": BTC}
    book.apply("m", buy("2", "0.04", "0.001"))
    rates = {"USDT": "1", "BTC": "50000"}
    assert valuation({"ETH-BTC": "0.05"}, rates).trading_profit(book, instruments) == Decimal("950.000")
    assert valuation({}, rates).trading_profit(book, instruments) is None
    assert valuation({"ETH-BTC": "0.05"}, {}).trading_profit(book, instruments) is None
    assert valuation({}, {}).trading_profit(PositionBook(), instruments) == 0


# -- equity -------------------------------------------------------------------------------------------------------


def test_a_day_starts_from_the_last_value_of_the_day_before() -> None:
    curve = EquityCurve()
    curve.sample(5, Decimal(-10))
    assert (curve.profit, curve.peak, curve.day_start) == (Decimal(-10), Decimal(0), Decimal(0))
    curve.sample(DAY_MS - 1, Decimal(10))
    assert (curve.peak, curve.day_start) == (Decimal(10), Decimal(0))
    curve.sample(DAY_MS, Decimal(-20))
    assert (curve.profit, curve.peak, curve.day_start) == (Decimal(-20), Decimal(10), Decimal(10))
    curve.sample(DAY_MS + 1, Decimal(-30))
    assert curve.day_start == Decimal(10)
    curve.sample(5 * DAY_MS, Decimal(20))
    assert (curve.peak, curve.day_start) == (Decimal(20), Decimal(-30))


def test_all_three_are_put_on_the_same_capital() -> None:
    curve = EquityCurve()
    assert curve.on(Decimal(1000)) == (Decimal(1000), Decimal(1000), Decimal(1000))
    curve.sample(5, Decimal(40))
    curve.sample(DAY_MS, Decimal(-16))
    assert curve.on(Decimal(1000)) == (Decimal(984), Decimal(1040), Decimal(1040))
    assert curve.on(Decimal(500)) == (Decimal(484), Decimal(540), Decimal(540))


def test_what_was_earned_before_an_unknown_start_is_no_ones_days_loss() -> None:
    curve = EquityCurve(begun=False)
    curve.sample(5, Decimal(-70))
    assert (curve.profit, curve.peak, curve.day_start, curve.begun) == (Decimal(-70), Decimal(0), Decimal(-70), True)
    curve.sample(6, Decimal(-90))
    assert curve.day_start == Decimal(-70)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 3 * DAY_MS), st.integers(-(10**6), 10**6)), min_size=1, max_size=30))
def test_the_curve_rebuilt_from_its_samples_is_the_curve(samples: list[tuple[int, int]]) -> None:
    samples.sort()
    curve = EquityCurve()
    for ts_ms, value in samples:
        curve.sample(ts_ms, Decimal(value))
    assert curve.profit == samples[-1][1]
    assert curve.peak == max([0, *(value for _, value in samples)])
    today = samples[-1][0] // DAY_MS
    before = [value for ts_ms, value in samples if ts_ms // DAY_MS < today]
    assert curve.day_start == (before[-1] if before else 0)
