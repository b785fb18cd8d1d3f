"""Every rule at its boundary: what is exactly at the limit, and what is one step beyond it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from app.risk.gate import RULES, check
from app.risk.model import Allow, Deny, Limits, RiskState
from strategies.model import Exits, InstrumentKind, Intent, Side
from tests.unit.risk.situations import ETH, LIMITS, NOW, closing, intent, quote, short, state

D = Decimal
EXITS = ["precision", "quote", "clock", "quote_age"]  # written out: the list is a promise


def denied(trade: Intent, situation: RiskState, limits: Limits = LIMITS) -> Deny:
    verdict = check(trade, situation, limits)
    assert isinstance(verdict, Deny), verdict
    return verdict


def rule_of(trade: Intent, situation: RiskState, limits: Limits = LIMITS) -> str:
    verdict = check(trade, situation, limits)
    return verdict.rule if isinstance(verdict, Deny) else "allowed"


def test_a_calm_situation_is_allowed_and_every_rule_was_asked_in_order() -> None:
    assert check(intent(), state(), LIMITS) == Allow(tuple(rule.name for rule in RULES))
    assert check(short(), state(), LIMITS) == Allow(tuple(rule.name for rule in RULES))


def test_the_order_of_the_rules_is_fixed() -> None:
    assert [rule.name for rule in RULES] == [
        *("halted", "unknown_orders", "precision", "quote", "clock", "quote_age", "stale_marks", "valuation"),
        *("spread", "volatility", "slippage", "long_only", "exits", "position", "exposure", "asset_exposure"),
        *("venue_exposure", "correlated_exposure", "open_positions", "daily_loss", "drawdown", "trades_per_day"),
        *("losses_in_row", "errors", "cool_down"),
    ]


SPOILED = [
    ("halted", intent(), state(halted="emergency stop"), "halted", "running"),
    ("unknown_orders", intent(), state(unknown_orders=2), "2", "0"),
    ("precision", intent(symbol="LTC-BTC"), state(), "LTC-BTC", "ETH-BTC"),
    ("precision", intent(quantity=D("0.0025")), state(), "0.0025", "0.001"),
    ("precision", intent(worst_price=D("0.070105")), state(), "0.070105", "0.00001"),
    ("precision", intent(quantity=D("Infinity")), state(), "Infinity at 0.0701", "finite"),
    ("quote", intent(), state(quote=None), "0", "1"),
    ("quote", intent(), state(quote=quote(symbol="LTC-BTC")), "LTC-BTC", "ETH-BTC"),
    ("clock", intent(), state(quote=quote(ts_ms=NOW + 1)), "0.001", "0"),
    ("clock", intent(created_ms=NOW + 2500), state(), "2.5", "0"),
    ("quote_age", intent(), state(quote=quote(ts_ms=NOW - 10_001)), "10.001", "10"),
    ("stale_marks", intent(), state(stale_marks=("ADA-BTC", "XRP-ETH")), "2", "0"),
    ("valuation", intent(), state(rate=None), "0", "1"),
    ("valuation", intent(), state(rate=D(0)), "0", "0"),
    ("valuation", intent(), state(rate=D(-5)), "-5", "0"),
    ("valuation", intent(), state(rate=D("NaN")), "NaN", "0"),
    ("spread", intent(), state(quote=quote(bid=D("0.0701"))), "0.0701", "0.07"),
    ("spread", intent(), state(quote=quote(bid=D(0))), "0", "0.07"),
    ("spread", intent(), state(quote=quote(ask=D("NaN"))), "0.06995", "NaN"),
    ("spread", intent(), state(quote=quote(bid=D("0.069"))), "143.89", "100"),
    ("slippage", intent(worst_price=D("0.07036")), state(), "51.43", "50"),
    ("slippage", short(worst_price=D("0.0696")), state(), "50.04", "50"),
    ("exits", intent(exits=None), state(), "0", "1"),
    ("position", intent(), state(position_value=D(5)), "12.01", "10"),
    ("exposure", intent(), state(exposure=D(45)), "52.01", "50"),
    ("open_positions", intent(), state(open_positions=5), "6", "5"),
    ("daily_loss", intent(), state(day_start_equity=D(1050)), "50.00", "50"),
    ("drawdown", intent(), state(equity_peak=D(1250)), "20.00", "20"),
    ("drawdown", intent(), state(equity_peak=D(0)), "0", "0"),
    ("trades_per_day", intent(), state(trades_today=50), "51", "50"),
    ("losses_in_row", intent(), state(losses_in_row=5), "5", "5"),
    ("cool_down", intent(), state(last_trade_ms=NOW - 1_200_000), "1200", "3600"),
    ("cool_down", intent(), state(last_trade_ms=NOW + 500), "-0.5", "3600"),
]


@pytest.mark.parametrize(("rule", "trade", "situation", "number", "limit"), SPOILED)
def test_one_thing_wrong_names_its_rule_number_and_limit(
    rule: str, trade: Intent, situation: RiskState, number: str, limit: str
) -> None:
    verdict = denied(trade, situation)
    assert (verdict.rule, verdict.number, verdict.limit) == (rule, number, limit)
    assert verdict.reason[0].isupper()
    assert verdict.reason.endswith(".")


@pytest.mark.parametrize(("rule", "trade", "situation", "number", "limit"), SPOILED)
def test_the_sentence_holds_both_numbers(
    rule: str, trade: Intent, situation: RiskState, number: str, limit: str
) -> None:
    verdict = denied(trade, situation)
    if rule == "halted":
        assert "emergency stop" in verdict.reason
    elif number != "Infinity at 0.0701":
        assert number in verdict.reason
        assert limit in verdict.reason


def test_a_position_that_grows_too_large_reads_like_a_sentence() -> None:
    verdict = denied(intent(), state(position_value=D("5.387")))
    assert verdict.reason == "Position in ETH-BTC, held and proposed, would be 12.40 USD; the limit is 10 USD."


@pytest.mark.parametrize(
    ("at", "beyond"),
    [
        (state(position_value=D("2.99")), state(position_value=D("2.9900000000001"))),
        (state(exposure=D("42.99")), state(exposure=D("42.9900000000001"))),
        (state(open_positions=4), state(open_positions=5)),
        (state(trades_today=49), state(trades_today=50)),
        (state(last_trade_ms=NOW - 3_600_000), state(last_trade_ms=NOW - 3_599_999)),
        (state(quote=quote(ts_ms=NOW - 10_000)), state(quote=quote(ts_ms=NOW - 10_001))),
        (state(quote=quote(ts_ms=NOW)), state(quote=quote(ts_ms=NOW + 1))),
        (state(quote=quote(bid=D("0.07"))), state(quote=quote(bid=D("0.0700001")))),
    ],
)
def test_a_size_count_or_distance_exactly_at_its_limit_is_allowed(at: RiskState, beyond: RiskState) -> None:
    assert rule_of(intent(), at) == "allowed"
    assert rule_of(intent(), beyond) != "allowed"


@pytest.mark.parametrize(
    ("rule", "at", "short_of"),
    [
        ("daily_loss", state(day_start_equity=D(1050)), state(day_start_equity=D("1049.9999999"))),
        ("drawdown", state(equity_peak=D(1250)), state(equity_peak=D("1249.9999999"))),
        ("losses_in_row", state(losses_in_row=5), state(losses_in_row=4)),
    ],
)
def test_a_loss_exactly_at_its_limit_stops(rule: str, at: RiskState, short_of: RiskState) -> None:
    assert rule_of(intent(), at) == rule
    assert rule_of(intent(), short_of) == "allowed"


def test_a_loss_limit_of_zero_stops_at_once() -> None:
    assert rule_of(intent(), state(), replace(LIMITS, daily_loss=D(0))) == "daily_loss"


def test_the_spread_is_measured_against_the_mid_and_exactly() -> None:
    wide = state(quote=quote(bid=D("0.0990"), ask=D("0.1010")))  # 0.0020 of 0.1000: 200 bps
    dear = intent(worst_price=D("0.1010"), exits=Exits(D("0.09")), quantity=D("0.001"))
    assert rule_of(dear, wide, replace(LIMITS, spread_bps=D(200))) == "allowed"
    assert rule_of(dear, wide, replace(LIMITS, spread_bps=D("199.999999999"))) == "spread"


def test_slippage_is_measured_from_the_side_that_is_hit() -> None:
    limits = replace(LIMITS, slippage_bps=D(100))
    at = state(quote=quote(bid=D("0.06"), ask=D("0.06")))
    small = D("0.001")
    assert rule_of(intent(worst_price=D("0.0606"), exits=Exits(D("0.05")), quantity=small), at, limits) == "allowed"
    assert rule_of(intent(worst_price=D("0.06061"), exits=Exits(D("0.05")), quantity=small), at, limits) == "slippage"
    above = Exits(D("0.07"))
    assert rule_of(short(worst_price=D("0.0594"), exits=above, quantity=small), at, limits) == "allowed"
    assert rule_of(short(worst_price=D("0.05939"), exits=above, quantity=small), at, limits) == "slippage"


def test_a_worst_price_better_than_the_touch_is_no_slippage() -> None:
    assert rule_of(intent(worst_price=D("0.0698")), state()) == "allowed"


def test_a_quote_made_from_a_bar_lives_as_long_as_the_bar() -> None:
    aged = quote(ts_ms=NOW - 60_000, synthetic=True)
    assert rule_of(intent(), state(quote=aged, bar_ms=60_000)) == "allowed"
    assert rule_of(intent(), state(quote=aged, bar_ms=59_999)) == "quote_age"
    assert rule_of(intent(), state(quote=replace(aged, synthetic=False), bar_ms=60_000)) == "quote_age"
    young = quote(ts_ms=NOW - 10_000, synthetic=True)
    assert rule_of(intent(), state(quote=young, bar_ms=1000)) == "allowed", "the larger of both ages counts"


@pytest.mark.parametrize(
    ("trade", "allowed"),
    [
        (intent(exits=Exits(D("0.06994"))), True),
        (intent(exits=Exits(D("0.06995"))), False),  # at the bid: it would sell at once
        (intent(exits=Exits(D("0.0701"))), False),
        (intent(exits=Exits(D(0))), False),
        (intent(exits=Exits(D("-Infinity"))), False),
        (intent(exits=Exits(D("NaN"))), False),
        (intent(exits=Exits(D("0.068"), D("0.07011"))), True),
        (intent(exits=Exits(D("0.068"), D("0.0701"))), False),
        (intent(exits=Exits(D("0.068"), D("Infinity"))), False),
        (intent(worst_price=D("0.0698"), exits=Exits(D("0.0698"))), False),  # the worst price is nearer than the bid
        (short(exits=Exits(D("0.07001"))), True),
        (short(exits=Exits(D("0.07"))), False),
        (short(exits=Exits(D("Infinity"))), False),
        (short(exits=Exits(D("0.072"), D("0.06984"))), True),
        (short(exits=Exits(D("0.072"), D("0.06985"))), False),
        (short(exits=Exits(D("0.072"), D(0))), False),
    ],
)
def test_exits_stand_on_the_right_side(trade: Intent, allowed: bool) -> None:
    assert rule_of(trade, state()) == ("allowed" if allowed else "exits")


def test_averaging_in_opens_no_new_position_but_counts_its_value() -> None:
    held = state(open_positions=5, holds=True, position_value=D("2.99"), exposure=D("2.99"))
    assert rule_of(intent(), held) == "allowed"
    assert rule_of(intent(), held._replace(position_value=D("2.991"))) == "position"


def test_a_perpetual_is_never_sold_short() -> None:
    perpetual = state(instrument=replace(ETH, kind=InstrumentKind.PERPETUAL))
    assert rule_of(short(), perpetual) == "long_only"
    assert rule_of(intent(), perpetual) == "allowed"
    assert rule_of(closing(), perpetual) == "allowed"


def test_the_first_rule_that_fails_answers() -> None:
    everything = state(halted="database fault", unknown_orders=1, rate=None, trades_today=99)
    assert rule_of(intent(), everything) == "halted"
    assert rule_of(intent(), everything._replace(halted="")) == "unknown_orders"
    assert rule_of(intent(), everything._replace(halted="", unknown_orders=0)) == "valuation"


def test_an_exit_stays_possible_when_everything_else_says_stop() -> None:
    ruin = state(
        halted="emergency stop",
        unknown_orders=3,
        rate=None,
        stale_marks=("ETH-BTC",),
        position_value=D(999),
        exposure=D(999),
        open_positions=99,
        equity=D(1),
        trades_today=999,
        losses_in_row=99,
        last_trade_ms=NOW,
        quote=quote(bid=D("0.01")),
    )
    assert check(closing(), ruin, LIMITS) == Allow(tuple(EXITS))
    assert rule_of(closing(side=Side.BUY), ruin) == "allowed"


@pytest.mark.parametrize(("rule", "trade", "situation"), [spoiled[:3] for spoiled in SPOILED if spoiled[0] in EXITS])
def test_an_exit_still_needs_a_known_market_and_a_possible_order(
    rule: str, trade: Intent, situation: RiskState
) -> None:
    assert rule_of(replace(trade, reduce_only=True, exits=None), situation) == rule
