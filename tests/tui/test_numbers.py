"""No amount is shown as another one: never cut, never rounded to nothing, and in ASCII with one sign."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.snapshots.market import CHANGE_BARS, change_over, change_pct
from app.tui import words
from app.tui.dress import plain
from app.tui.glyphs import ASCII, UNICODE
from app.tui.screens.help import _keys, _paragraphs
from app.tui.widgets.lines import Line, clipped, cut, fit, flowed, line, width_of
from app.tui.widgets.table import Column, Row, Table
from strategies.model import Bar

_NUMBERS = re.compile(r"[0-9][0-9.,]*")


def _whole(shown: str, of: str) -> bool:
    """Each number that is shown is one of the text."""
    return set(_NUMBERS.findall(shown)) <= set(_NUMBERS.findall(of))


def test_a_number_at_the_right_is_shown_whole_or_not_at_all() -> None:
    assert fit("2,925,152.23", 12, right=True) == "2,925,152.23"
    assert fit("2,925,152.23", 11, right=True) == "          …"
    assert fit("▼ -1,234.56", 8, right=True) == "       …"
    assert fit("7", 0, right=True) == ""


@pytest.mark.parametrize("width", range(1, 45))
def test_a_cut_text_never_ends_within_a_number(width: int) -> None:
    text = "pay up to 2,925,152.2300  worth $2,922,000 3.16 for 1"
    assert _whole(cut(text, width), text), cut(text, width)
    each = line("pay up to ", ("2,925,152.2300", "title"), "  worth ", "$2,922,000 ", ("3.16 for 1", "dim"))
    assert width_of(clipped(each, width).pieces) <= width
    shown = "".join(text for text, _ in clipped(each, width).pieces)
    assert _whole(shown, text), shown


@given(
    st.lists(st.decimals(min_value=0, max_value=10**9, places=2).map(lambda n: f"{n:,f}"), min_size=1, max_size=6),
    st.integers(1, 60),
)
def test_what_flows_shows_every_number_whole(numbers: list[str], width: int) -> None:
    groups = [[("worth ", "dim"), (number, "")] for number in numbers]
    widest = max(map(len, numbers))
    shown = [word for each in flowed(groups, max(width, widest + 2, 7)) for word in _text(each).split()]
    assert [word for word in shown if word != "worth"] == numbers


def _text(each: Line) -> str:
    return "".join(text for text, _ in each.pieces)


def _table(*columns: Column, cells: tuple[str, ...]) -> Table:
    table = Table(columns, empty="")
    table._rows = [Row("a", tuple((cell, "") for cell in cells))]
    table._measure()
    return table


def test_a_column_of_numbers_is_as_wide_as_its_widest_and_others_go_first() -> None:
    columns = (Column("what", 10), Column("worth", 6, right=True), Column("why", 0, rank=1))
    table = _table(*columns, cells=("BTC", "1,234,567.89", "because"))
    assert _text(table.content(40, 3)[1]).split() == ["BTC", "1,234,567.89", "because"]
    assert _text(table.content(17, 3)[1]).split() == ["BTC", "1,234,567.89"]
    assert _text(table.content(12, 3)[1]).split() == ["BTC", "…"]


def test_columns_become_narrow_before_one_goes_and_text_gets_what_is_free() -> None:
    columns = (Column("limit", 0, least=20), Column("used", 12, right=True), Column("of", 12, right=True, rank=1))
    table = _table(*columns, cells=("largest position", "1.00", "2.00"))
    assert _text(table.content(27, 3)[1]).split() == ["largest", "position", "1.00", "2.00"]
    longer = _table(Column("a", 4), Column("b", 4), cells=("momentum", "x"))
    assert "momentum" in _text(longer.content(20, 3)[1])


@pytest.mark.parametrize(
    ("value", "shown"),
    [("-0.0000045678", "▼ -0.0000046"), ("0.05", "▲ +0.0500"), ("-12.5", "▼ -12.5000"), ("0", "· 0.0000")],
)
def test_an_amount_of_a_quote_asset_keeps_its_first_digits(value: str, shown: str) -> None:
    assert words.signed(Decimal(value), UNICODE, 4, exact=True)[0] == shown


def test_what_is_too_small_for_a_list_is_not_nothing() -> None:
    assert words.signed(Decimal("-0.004"), UNICODE) == ("▼ -<0.01", "down")
    assert words.signed(Decimal("0.004"), UNICODE) == ("▲ +<0.01", "up")
    assert words.money(Decimal("0.00000016")) == "<0.01"
    assert words.money(Decimal("-0.3"), 0) == "-<1"
    assert words.money(Decimal(0)) == "0.00"


def test_beside_an_amount_stands_its_value_where_it_is_known() -> None:
    assert words.worth(Decimal("-0.00001"), Decimal(60_000)) == [(("(-$0.60)", "dim"),)]
    assert words.worth(Decimal(1), None) == words.worth(Decimal(1), Decimal(1)) == []


def test_in_ascii_there_is_one_sign_and_an_arrow() -> None:
    assert words.signed(Decimal("-0.1"), ASCII)[0] == "v -0.10"
    assert words.signed(Decimal("1.37"), ASCII)[0] == "^ +1.37"


def test_ascii_keeps_every_cell_in_its_place() -> None:
    assert plain("a…▌─╮🔎é漢") == "a~|-+/ ???"


def _bars(count: int) -> list[Bar]:
    prices = [Decimal(100 + number) for number in range(count)]
    return [Bar("X", number * 60_000, 60_000, price, price, price, price, price) for number, price in enumerate(prices)]


def test_the_change_is_over_the_same_time_however_much_is_kept() -> None:
    bars = _bars(240)
    since = bars[-CHANGE_BARS].open
    expected = ((Decimal(500) - since) * 100 / since).quantize(Decimal("0.01"))
    assert change_pct(Decimal(500), bars) == change_pct(Decimal(500), bars[-CHANGE_BARS:]) == expected
    assert change_pct(Decimal(500), bars[1 - CHANGE_BARS :]) is None
    assert (change_over(60_000), change_over(3_600_000), change_over(86_400_000)) == ("1h", "60h", "60d")


def test_help_shows_every_key_of_an_entry_and_is_wrapped_once() -> None:
    assert [_keys(each) for each in ("`b` `s` ", "`[` `]` ", "`1`..`8` ", "`?` `F1` ")] == [
        "b, s",
        "[ ]",
        "1 .. 8",
        "?, F1",
    ]
    assert _paragraphs("# T\none\ntwo\n\n- `a` x\n  y\n- `b` z") == ["# T", "one two", "", "- `a` x y", "- `b` z"]
