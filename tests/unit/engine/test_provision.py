"""Typed text of a position of liquidity: an act that is exact, or what is wrong with which field."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.provision import FIELDS, Provision, percents, read
from app.money import to_text
from strategies.acts import Provide
from strategies.model import Instrument

INSTRUMENTS: Final = {"ETH-USDC": Instrument("ETH-USDC", "ETH", "USDC", Decimal("0.01"), Decimal("0.001"))}
TIERS: Final = (500, 3000, 100)
DECIMALS: Final = {"ETH": 18, "USDC": 6}
GOOD: Final = {"symbol": "eth-usdc", "fee": "0.3%", "lower": "2000", "upper": "3000", "base": "1", "quote": "2500"}


def look(**typed: str) -> object:
    return read({**GOOD, **typed}, INSTRUMENTS, TIERS, DECIMALS)


def wrong(**typed: str) -> dict[str, str]:
    found = look(**typed)
    assert isinstance(found, tuple), found
    return {each.field: str(each) for each in found}


def test_what_is_typed_is_what_is_wished() -> None:
    act = Provide(Decimal(1), Decimal(2500), 3000, Decimal(2000), Decimal(3000))
    assert look() == Provision("ETH-USDC", act)
    assert look(fee="0.3", base="1.0") == Provision("ETH-USDC", act)
    one = look(quote="")
    assert isinstance(one, Provision)
    assert (one.act.base, one.act.quote) == (Decimal(1), Decimal(0))


@pytest.mark.parametrize(
    ("field", "text", "says"),
    [
        ("symbol", "X", "is no instrument of this session; allowed: ETH-USDC"),
        ("fee", "0.31%", "is the fee of no pool; allowed: 0.01%, 0.05%, 0.3%"),
        ("fee", "", "is needed"),
        ("fee", "much", "is the fee of no pool"),
        ("fee", "NaN", "is the fee of no pool"),
        ("lower", "", "is needed; allowed: above 0"),
        ("lower", "-1", "is too small; allowed: above 0"),
        ("lower", "1e99999", "is no number"),
        ("lower", "sNaN", "is no number"),
        ("upper", "2000", "must be above the lower price; allowed: above 2000"),
        ("base", "-1", "is too small; allowed: 0 or more"),
        ("base", "1,5", "is no number"),
        ("base", "0.0000000000000000001", "ETH has 18 decimals"),
        ("quote", "0.0000001", "USDC has 6 decimals"),
    ],
)
def test_each_field_says_what_is_wrong_with_it(field: str, text: str, says: str) -> None:
    found = wrong(**{field: text})
    assert list(found) == [field]
    assert says in found[field]


def test_something_must_be_put_in_and_there_are_no_other_fields() -> None:
    assert "something must be put in" in wrong(base="", quote="0")["base"]
    assert "is no field of this" in wrong(stop="1")["stop"]


@given(st.dictionaries(st.sampled_from((*FIELDS, "other")), st.text(max_size=12)))
def test_no_text_breaks_it(typed: dict[str, str]) -> None:
    found = read(typed, INSTRUMENTS, TIERS, DECIMALS)
    assert isinstance(found, Provision) or found


@given(st.decimals("0.000001", "1000000000", places=6), st.decimals("0.000001", "1000000000", places=6))
def test_numbers_are_kept_to_the_last_digit(base: Decimal, quote: Decimal) -> None:
    found = look(base=to_text(base), quote=to_text(quote))
    assert isinstance(found, Provision)
    assert (found.act.base, found.act.quote) == (base, quote)


def test_fees_are_shown_as_they_are_typed() -> None:
    assert percents((3000, 500, 500)) == "0.05%, 0.3%"
    assert percents(()) == ""
