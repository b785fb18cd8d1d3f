"""Sizing: each method by hand, and for any numbers at all: never above a room, never negative, whole lots."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.risk.gate import check
from app.risk.model import Allow, Limits, Sizing, SizingMethod
from app.risk.sizing import ModuleRecord, annualised_volatility, kelly_edge, quantity
from strategies.model import Exits, Instrument
from tests.unit.risk.situations import ETH, intent, state

D = Decimal
YEAR_OF_HOURS = 365 * 24
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Rooms:
    """Everything but the settings."""

    price: Decimal
    rate: Decimal
    instrument: Instrument
    equity: Decimal
    allocation_left: Decimal
    position_room: Decimal
    exposure_room: Decimal
    volatility: float | None
    record: ModuleRecord

    def size(self, sizing: Sizing) -> Decimal:
        return quantity(
            sizing,
            price=self.price,
            rate=self.rate,
            instrument=self.instrument,
            equity=self.equity,
            allocation_left=self.allocation_left,
            position_room=self.position_room,
            exposure_room=self.exposure_room,
            volatility=self.volatility,
            record=self.record,
        )


# Room for anything; a lot of 0.001 is worth 3.5 USD.
WIDE = Rooms(D("0.07"), D(50_000), ETH, D(10_000), D(1_000_000), D(1_000_000), D(1_000_000), None, ModuleRecord())


def test_fixed_buys_whole_lots_of_its_amount_and_never_one_more() -> None:
    assert WIDE.size(Sizing(fixed=D(10))) == D("0.002")
    assert WIDE.size(Sizing(fixed=D("10.5"))) == D("0.003")
    assert WIDE.size(Sizing(fixed=D("10.499999999999999999"))) == D("0.002")
    assert WIDE.size(Sizing(fixed=D("3.499999"))) == 0


def test_percent_of_equity() -> None:
    assert WIDE.size(Sizing(SizingMethod.EQUITY_PERCENT, equity_pct=D("0.35"))) == D("0.01")


def test_volatility_target_takes_less_of_what_moves_more() -> None:
    sizing = Sizing(SizingMethod.VOLATILITY_TARGET, volatility_pct=D(20))
    assert replace(WIDE, volatility=0.8).size(sizing) == D("0.714")  # a quarter of equity: 2500 / 3.5
    assert replace(WIDE, volatility=0.4).size(sizing) == D("1.428")
    assert replace(WIDE, volatility=0.05).size(sizing) == D("2.857"), "nothing is borrowed"


@pytest.mark.parametrize("volatility", [None, 0.0, -1.0, math.nan, math.inf])
def test_unknown_volatility_takes_nothing(volatility: float | None) -> None:
    assert replace(WIDE, volatility=volatility).size(Sizing(SizingMethod.VOLATILITY_TARGET)) == 0


def test_kelly_by_hand() -> None:
    # W = 0.6, average win 3, average loss 2: R = 1.5, f* = 0.6 - 0.4 / 1.5 = 1/3
    record = ModuleRecord(wins=60, losses=40, gross_win=D(180), gross_loss=D(80))
    assert kelly_edge(record) == D("0.333333333333")
    sizing = Sizing(SizingMethod.KELLY, kelly_fraction=D("0.25"))
    assert replace(WIDE, record=record).size(sizing) == D("0.238")  # 833.33 / 3.5


@pytest.mark.parametrize(
    "record",
    [
        ModuleRecord(wins=40, losses=60, gross_win=D(80), gross_loss=D(120)),  # a losing edge
        ModuleRecord(wins=50, losses=50, gross_win=D(100), gross_loss=D(100)),  # none
        ModuleRecord(wins=0, losses=100, gross_loss=D(100)),
        ModuleRecord(wins=100, losses=0, gross_win=D(100)),  # no loss: the payoff ratio is unknown
        ModuleRecord(wins=99, losses=1, gross_win=D(100)),
    ],
)
def test_kelly_without_a_known_edge_takes_nothing(record: ModuleRecord) -> None:
    assert replace(WIDE, record=record).size(Sizing(SizingMethod.KELLY)) == 0


def test_kelly_with_a_short_record_falls_back_to_fixed() -> None:
    losing = ModuleRecord(wins=9, losses=20, gross_win=D(9), gross_loss=D(99))
    sizing = Sizing(SizingMethod.KELLY, fixed=D(7))
    assert replace(WIDE, record=losing).size(sizing) == D("0.002")
    assert replace(WIDE, record=replace(losing, losses=21)).size(sizing) == 0


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        (replace(WIDE, allocation_left=D(7)), "0.002"),
        (replace(WIDE, position_room=D(7)), "0.002"),
        (replace(WIDE, exposure_room=D(7)), "0.002"),
        (replace(WIDE, allocation_left=D(-1)), "0"),
        (replace(WIDE, position_room=D(-1)), "0"),
        (replace(WIDE, exposure_room=D(-1)), "0"),
    ],
)
def test_every_room_cuts(cut: Rooms, expected: str) -> None:
    assert cut.size(Sizing(fixed=D(1000))) == D(expected)


@pytest.mark.parametrize("broken", [replace(WIDE, price=D(0)), replace(WIDE, rate=D(0))])
def test_a_price_of_nothing_is_refused(broken: Rooms) -> None:
    with pytest.raises(ValueError, match="above 0"):
        broken.size(Sizing())


def amounts(least: str, most: str) -> st.SearchStrategy[Decimal]:
    return st.decimals(least, most, places=9, allow_nan=False, allow_infinity=False)


RECORDS = st.builds(
    ModuleRecord,
    wins=st.integers(0, 60),
    losses=st.integers(0, 60),
    gross_win=amounts("0", "500"),
    gross_loss=amounts("0", "500"),
)
SIZINGS = st.builds(
    Sizing,
    method=st.sampled_from(SizingMethod),
    fixed=amounts("0", "5000"),
    equity_pct=amounts("0", "100"),
    volatility_pct=amounts("0", "300"),
    kelly_fraction=amounts("0", "1"),
    kelly_min_trades=st.integers(0, 60),
)


@st.composite
def rooms(draw: st.DrawFn) -> Rooms:
    lot = D(1).scaleb(-draw(st.integers(0, 8))) * draw(st.sampled_from([1, 5, 25]))
    return Rooms(
        price=draw(amounts("0.000000001", "100000")),
        rate=draw(amounts("0.000000001", "100000")),
        instrument=replace(ETH, lot=lot),
        equity=draw(amounts("-100", "100000")),
        allocation_left=draw(amounts("-10", "5000")),
        position_room=draw(amounts("-10", "5000")),
        exposure_room=draw(amounts("-10", "5000")),
        volatility=draw(st.none() | st.floats(0, 5, allow_nan=False)),
        record=draw(RECORDS),
    )


@given(SIZINGS, rooms())
def test_whole_lots_within_every_room_and_never_negative(sizing: Sizing, given_rooms: Rooms) -> None:
    size = given_rooms.size(sizing)
    assert size >= 0
    assert (Fraction(size) / Fraction(given_rooms.instrument.lot)).denominator == 1
    value = Fraction(size) * Fraction(given_rooms.price) * Fraction(given_rooms.rate)
    if size:
        for room in (given_rooms.allocation_left, given_rooms.position_room, given_rooms.exposure_room):
            assert value <= Fraction(room)
        if sizing.method is not SizingMethod.FIXED and sizing.method is not SizingMethod.KELLY:
            assert value <= Fraction(given_rooms.equity)


@given(SIZINGS, rooms(), amounts("0", "5000"))
def test_more_allocation_never_buys_less(sizing: Sizing, given_rooms: Rooms, more: Decimal) -> None:
    wider = replace(given_rooms, allocation_left=given_rooms.allocation_left + more)
    assert wider.size(sizing) >= given_rooms.size(sizing)


@given(amounts("0", "5000"), rooms())
def test_one_lot_more_would_break_a_room_or_the_wish(fixed: Decimal, given_rooms: Rooms) -> None:
    sizing = Sizing(fixed=fixed)
    lot = Fraction(given_rooms.instrument.lot) * Fraction(given_rooms.price) * Fraction(given_rooms.rate)
    least = min(sizing.fixed, given_rooms.allocation_left, given_rooms.position_room, given_rooms.exposure_room)
    size = given_rooms.size(sizing)
    value = Fraction(size) * Fraction(given_rooms.price) * Fraction(given_rooms.rate)
    assert value + lot > Fraction(least)


@given(amounts("0", "30"), amounts("0", "60"), amounts("0.0001", "1000000"))
def test_what_sizing_gives_the_gate_allows(held: Decimal, exposed: Decimal, rate: Decimal) -> None:
    limits, worst = Limits(), D("0.0701")
    fine_lot = replace(ETH, lot=D("0.000001"))
    room = replace(
        WIDE,
        price=worst,
        rate=rate,
        instrument=fine_lot,
        position_room=limits.position - held,
        exposure_room=limits.exposure - exposed,
    )
    size = room.size(Sizing(fixed=D(1000)))
    if size:
        trade = intent(quantity=size, worst_price=worst, exits=Exits(D("0.06")))
        fine = state(rate=rate, position_value=held, exposure=exposed, instrument=fine_lot)
        assert isinstance(check(trade, fine, limits), Allow)


@given(RECORDS)
def test_kelly_is_the_formula_as_kelly_wrote_it(record: ModuleRecord) -> None:
    edge = kelly_edge(record)
    assert 0 <= edge <= 1
    if record.wins and record.losses and record.gross_win and record.gross_loss:
        share = Fraction(record.wins, record.wins + record.losses)
        ratio = Fraction(record.gross_win) / record.wins / (Fraction(record.gross_loss) / record.losses)
        plain = share - (1 - share) / ratio
        assert 0 <= max(Fraction(0), plain) - Fraction(edge) < Fraction(1, 10**12)
    else:
        assert edge == 0


def test_annualised_volatility_of_a_known_series() -> None:
    # Returns of +1 % and -1 % (in logs) by turns: sample deviation 0.01 * sqrt(n / (n - 1)).
    closes = [D(repr(100 * math.exp(0.01 * (step % 2)))) for step in range(41)]
    expected = 0.01 * math.sqrt(40 / 39) * math.sqrt(YEAR_OF_HOURS)
    volatility = annualised_volatility(closes, HOUR_MS)
    assert volatility == pytest.approx(expected, rel=1e-9)


def test_annualised_volatility_is_unknown_with_too_few_or_impossible_closes() -> None:
    assert annualised_volatility([D(100)] * 20, HOUR_MS) is None
    assert annualised_volatility([D(100)] * 21, HOUR_MS) == 0.0
    assert annualised_volatility([D(100)] * 30 + [D(0)], HOUR_MS) is None
    assert annualised_volatility([], HOUR_MS) is None
