"""The synthetic book and the market state."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.events import BarOpened
from app.market.state import MarketState
from app.market.synthetic import SyntheticSettings, synthetic_book
from app.money import round_to_step
from strategies.model import Bar, Book, Instrument, PublicTrade, Quote, Side
from tests.unit.market.recordings import ETH_BTC, MINUTE, T0

SETTINGS = SyntheticSettings()


@given(
    st.integers(1, 10**9),
    st.integers(0, 10**9),
    st.sampled_from(["1", "0.01", "0.00000001", "0.5"]),
    st.sampled_from(["1", "0.001", "0.00000001"]),
    st.decimals(0, 9999, places=2),
    st.decimals(0, 1, places=3),
    st.integers(1, 30),
)
def test_a_synthetic_book_holds_its_depth_on_tick_and_lot_around_the_price(
    price_ticks: int, volume_lots: int, tick: str, lot: str, spread_bps: Decimal, share: Decimal, levels: int
) -> None:
    instrument = Instrument("ETH-BTC", "ETH", "BTC", Decimal(tick), Decimal(lot))
    price, volume = Decimal(price_ticks) * instrument.tick, Decimal(volume_lots) * instrument.lot
    book = synthetic_book("ETH-BTC", T0, price, volume, instrument, spread_bps, share, levels)
    depth = round_to_step(volume * share, instrument.lot, ROUND_DOWN)
    assert book.synthetic
    assert sum((quantity for _, quantity in book.asks), Decimal(0)) == depth
    assert sum((quantity for _, quantity in book.bids), Decimal(0)) in (depth, 0)
    for side, sign in ((book.bids, -1), (book.asks, 1)):
        assert len(side) <= levels
        assert all(quantity > 0 and quantity % instrument.lot == 0 for _, quantity in side)
        assert all(level > 0 and level % instrument.tick == 0 for level, _ in side)
        assert all((after[0] - before[0]) * sign > 0 for before, after in pairwise(side))
    assert all(level >= price * (1 + spread_bps / 20_000) for level, _ in book.asks)
    assert all(level < price and level <= price * (1 - spread_bps / 20_000) for level, _ in book.bids)
    if price_ticks > 1 and spread_bps == 0 and depth:
        assert book.bids  # a bid below the price exists, so it is there


def test_an_example_by_hand() -> None:
    # Half of 20 bps of 10 is 0.01; depth 10 % of 30 is 3, in parts 1, 2.
    book = synthetic_book("ETH-BTC", T0, Decimal(10), Decimal(30), ETH_BTC, Decimal(20), Decimal("0.1"), 2)
    assert book.asks == ((Decimal("10.01"), Decimal(1)), (Decimal("10.02"), Decimal(2)))
    assert book.bids == ((Decimal("9.99"), Decimal(1)), (Decimal("9.98"), Decimal(2)))


def test_no_volume_is_no_depth_and_bids_never_reach_zero() -> None:
    empty = synthetic_book("ETH-BTC", T0, Decimal(10), Decimal(0), ETH_BTC, Decimal(20), Decimal("0.1"), 5)
    assert (empty.bids, empty.asks, empty.quote()) == ((), (), None)
    low = synthetic_book("ETH-BTC", T0, Decimal("0.0003"), Decimal(10), ETH_BTC, Decimal(0), Decimal(1), 5)
    assert [level for level, _ in low.bids] == [Decimal("0.0002"), Decimal("0.0001")]
    assert sum(quantity for _, quantity in low.bids) == 10


@pytest.mark.parametrize(
    "wrong",
    [{"spread_bps": Decimal(-1)}, {"depth_share": Decimal("1.1")}, {"levels": 0}, {"spread_bps": Decimal(10000)}],
)
def test_settings_name_what_is_allowed(wrong: dict[str, Decimal]) -> None:
    with pytest.raises(ValueError, match="allowed"):
        SyntheticSettings(**wrong)  # type: ignore[arg-type]


def bar(minute: int, close: str, volume: str) -> Bar:
    price = Decimal(close)
    return Bar("ETH-BTC", T0 + minute * MINUTE, MINUTE, price, price, price, price, Decimal(volume))


def opened(minute: int, price: str, volume: str) -> BarOpened:
    return BarOpened("ETH-BTC", T0 + minute * MINUTE, MINUTE, Decimal(price), Decimal(volume))


def test_from_bars_the_book_is_made_of_the_last_price_and_the_last_finished_volume() -> None:
    state = MarketState([ETH_BTC])
    state.apply(opened(0, "10", "999999"), SETTINGS)
    # Nothing is known of volume before the first bar is finished: the opened bar's is hindsight.
    assert state.book("ETH-BTC") is None
    assert state.quote("ETH-BTC") is None
    assert state.mark("ETH-BTC") == (Decimal(10), T0)
    state.apply(bar(0, "11", "30"), SETTINGS)
    state.apply(opened(1, "12", "999999"), SETTINGS)
    book, quote = state.book("ETH-BTC"), state.quote("ETH-BTC")
    assert book == synthetic_book(
        "ETH-BTC", T0 + MINUTE, Decimal(12), Decimal(30), ETH_BTC, SETTINGS.spread_bps, SETTINGS.depth_share, 5
    )
    assert quote is not None
    assert quote.synthetic
    assert state.mark("ETH-BTC") == (Decimal(12), T0 + MINUTE)
    assert state.last_bar("ETH-BTC") == bar(0, "11", "30")
    assert state.bar_ms("ETH-BTC") == MINUTE


def test_trades_move_the_synthetic_book() -> None:
    state = MarketState([ETH_BTC])
    state.apply(bar(0, "11", "30"), SETTINGS)
    before = state.quote("ETH-BTC")
    state.apply(PublicTrade("ETH-BTC", T0 + MINUTE + 1, Decimal(20), Decimal(1)), SETTINGS)
    after = state.quote("ETH-BTC")
    assert before is not None
    assert after is not None
    assert (before.ask < 12, after.bid > 19, after.ts_ms) == (True, True, T0 + MINUTE + 1)


def test_new_settings_apply_at_once() -> None:
    state = MarketState([ETH_BTC, Instrument("X-Y", "X", "Y", Decimal(1), Decimal(1))])
    state.apply(bar(0, "11", "30"), SETTINGS)
    narrow = state.quote("ETH-BTC")
    other = Bar("X-Y", T0, MINUTE, Decimal(5), Decimal(5), Decimal(5), Decimal(5), Decimal(1))
    state.apply(other, SyntheticSettings(spread_bps=Decimal(500)))
    wide = state.quote("ETH-BTC")
    assert narrow is not None
    assert wide is not None
    assert wide.ask > narrow.ask


def test_a_market_with_quotes_is_never_given_a_synthetic_book() -> None:
    state = MarketState([ETH_BTC])
    state.apply(bar(0, "11", "30"), SETTINGS)
    quote = Quote("ETH-BTC", T0 + 1, Decimal(9), Decimal(10), Decimal(3), Decimal(4))
    state.apply(quote, SETTINGS)
    assert state.quote("ETH-BTC") is quote
    assert state.book("ETH-BTC") == Book("ETH-BTC", T0 + 1, ((Decimal(9), Decimal(3)),), ((Decimal(10), Decimal(4)),))
    assert state.mark("ETH-BTC") == (Decimal("9.5"), T0 + 1)
    assert state.bar_ms("ETH-BTC") == 0
    book = Book("ETH-BTC", T0 + 2, ((Decimal(8), Decimal(1)),), ((Decimal(12), Decimal(1)),))
    state.apply(book, SETTINGS)
    assert state.book("ETH-BTC") is book
    assert state.quote("ETH-BTC") == book.quote()
    assert state.mark("ETH-BTC") == (Decimal(10), T0 + 2)
    # After a sequence break the last quote remains, with its own time.
    state.apply(Book("ETH-BTC", T0 + 3, (), ()), SETTINGS)
    state.apply(bar(1, "50", "30"), SETTINGS)
    assert state.quote("ETH-BTC") is quote
    assert state.mark("ETH-BTC") == (Decimal("9.5"), T0 + 1)


def test_a_quote_is_shown_as_the_whole_lots_the_venue_gives() -> None:
    state = MarketState([ETH_BTC])
    state.apply(Quote("ETH-BTC", T0, Decimal(9), Decimal(10), Decimal("3.0190000000000001"), Decimal("4.01")), SETTINGS)
    assert state.book("ETH-BTC") == Book(
        "ETH-BTC", T0, ((Decimal(9), Decimal("3.01")),), ((Decimal(10), Decimal("4.01")),)
    )


def test_a_broken_book_without_quotes_is_no_quote_and_marks_at_the_last_price() -> None:
    state = MarketState([ETH_BTC])
    state.apply(bar(0, "11", "30"), SETTINGS)
    state.apply(Book("ETH-BTC", T0 + 3, (), ()), SETTINGS)
    assert state.quote("ETH-BTC") is None
    assert state.book("ETH-BTC") == Book("ETH-BTC", T0 + 3, (), ())
    assert state.mark("ETH-BTC") == (Decimal(11), T0 + MINUTE)


def test_a_broken_book_marks_at_what_was_known_last_with_its_age() -> None:
    state = MarketState([ETH_BTC])
    state.apply(Book("ETH-BTC", T0 + 1, ((Decimal(8), Decimal(1)),), ((Decimal(12), Decimal(1)),)), SETTINGS)
    state.apply(Book("ETH-BTC", T0 + 2, (), ()), SETTINGS)
    assert state.quote("ETH-BTC") is None
    assert state.mark("ETH-BTC") == (Decimal(10), T0 + 1)
    state.apply(PublicTrade("ETH-BTC", T0 + 3, Decimal(9), Decimal(1), Side.BUY), SETTINGS)
    assert state.mark("ETH-BTC") == (Decimal(9), T0 + 3)
    state.apply(Book("ETH-BTC", T0 + 4, ((Decimal(6), Decimal(1)),), ((Decimal(8), Decimal(1)),)), SETTINGS)
    state.apply(Book("ETH-BTC", T0 + 5, ((Decimal(6), Decimal(1)),), ()), SETTINGS)
    assert state.mark("ETH-BTC") == (Decimal(7), T0 + 4)


def test_an_unknown_instrument_is_an_error_not_a_new_market() -> None:
    with pytest.raises(KeyError):
        MarketState([]).apply(bar(0, "1", "1"), SETTINGS)
