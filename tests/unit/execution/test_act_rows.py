"""Acts as rows: what is read is what was written, whatever it was."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.execution.act_rows import act_of, act_rows, moves_of, moves_text
from app.execution.alike import alike
from app.execution.needs import needs_of
from app.venues.base import Move, MoveKind
from storage.decimals import CONTEXT
from strategies.acts import Act, Cancel, Collect, Cycle, Provide, Revoke, Withdraw
from strategies.model import Instrument, Intent, Side

SOME = st.decimals(min_value="0.000001", max_value="1000000000", places=6)
WORDS = st.text(min_size=1, max_size=40)
ACTS: st.SearchStrategy[Act] = st.one_of(
    st.builds(Cycle, WORDS, SOME, SOME, st.lists(WORDS, min_size=2, max_size=3).map(tuple)),
    st.builds(
        lambda base, quote, fee, low, wide: Provide(base, quote, fee, low, CONTEXT.add(low, wide)),
        SOME, SOME, st.integers(0, 10**6), SOME, SOME,
    ),
    st.builds(Collect, WORDS),
    st.builds(Withdraw, WORDS),
    st.builds(Revoke, WORDS, WORDS),
    st.just(Cancel()),
)  # fmt: skip
MOVES = st.builds(Move, WORDS, st.decimals(-(10**9), 10**9, places=6), st.sampled_from(MoveKind), WORDS)
ETH_USDC = Instrument("ETH-USDC", "ETH", "USDC", Decimal("0.01"), Decimal("0.0001"))


def intent(act: Act | None, *, stake: str = "5", reduces: bool = False, replaces: str = "") -> Intent:
    made = Intent(
        id="a", module="m", symbol="ETH-USDC", side=Side.BUY, quantity=Decimal(5), worst_price=Decimal(1),
        max_fee=Decimal(0), exits=None, reason="", created_ms=1, expires_ms=2, config_version=1,
        max_gas=Decimal("0.01"),
    )  # fmt: skip
    side = Side.SELL if reduces else Side.BUY
    return replace(made, quantity=Decimal(stake), act=act, reduce_only=reduces, replaces=replaces, side=side)


@given(ACTS)
def test_an_act_survives_its_row(act: Act) -> None:
    ((table, name, kind, terms, replaces),) = act_rows(intent(act, replaces="0xab"))
    assert (table, name, replaces) == ("intent_acts", "a", "0xab")
    with sqlite3.connect(":memory:") as db:
        kind, terms = db.execute("SELECT ?, ?", (kind, terms)).fetchone()
    assert act_of(kind, terms) == act


def test_a_plain_intent_has_no_row_and_one_that_replaces_has() -> None:
    assert act_rows(intent(None)) == []
    ((_, _, kind, terms, replaces),) = act_rows(intent(None, replaces="0xab"))
    assert (act_of(kind, terms), replaces) == (None, "0xab")


@given(st.lists(MOVES, max_size=5).map(tuple))
def test_moves_survive_their_text(moves: tuple[Move, ...]) -> None:
    assert moves_of(moves_text(moves)) == moves


def test_only_what_takes_risk_away_puts_nothing_at_stake() -> None:
    assert intent(Collect("x:1"), stake="0", reduces=True).quantity == 0
    for act, reduces in ((Collect("x:1"), False), (None, True)):
        with pytest.raises(ValueError, match="positive"):
            intent(act, stake="0", reduces=reduces)


def test_what_is_reserved_is_what_the_act_pays_at_most() -> None:
    cycle = intent(Cycle("ETH", Decimal(2), Decimal(1), ("a", "b")))
    assert [(n.part, n.asset, n.amount) for n in needs_of(cycle, ETH_USDC, "ETH")] == [
        ("", "ETH", Decimal(2)),
        ("gas", "ETH", Decimal("0.01")),
    ]
    provide = intent(Provide(Decimal(3), Decimal(7), 500, Decimal(1), Decimal(2)))
    assert [(n.part, n.asset, n.amount) for n in needs_of(provide, ETH_USDC, "")] == [
        ("", "USDC", Decimal(7)),
        ("base", "ETH", Decimal(3)),
        ("gas", "", Decimal("0.01")),
    ]
    ended = intent(Withdraw("x:1"), stake="0", reduces=True)
    assert [n.part for n in needs_of(ended, ETH_USDC, "ETH")] == ["gas"]


def test_what_counts_as_the_same_wish() -> None:
    cycle = intent(Cycle("USDC", Decimal(2), Decimal(1), ("a", "b")))
    other = intent(Cycle("USDC", Decimal(3), Decimal(1), ("c", "d")))
    revoke, another = (intent(Revoke("DAI", each), stake="0", reduces=True) for each in ("0x1", "0x2"))
    assert alike(cycle, other), "one arbitrage at a time: both are reckoned on the same pools"
    assert not alike(revoke, another), "two permissions are two wishes"
    assert alike(revoke, revoke)
    assert not alike(cycle, intent(None))
    assert alike(intent(None), intent(None))
    assert not alike(intent(None, replaces="0x1"), intent(None))
    assert not alike(intent(None, replaces="0x1"), intent(Cancel(), stake="0", reduces=True, replaces="0x2"))
    assert alike(intent(None, replaces="0x1"), intent(Cancel(), stake="0", reduces=True, replaces="0x1"))
