"""The gate against an oracle in rational arithmetic: no rounding may ever change a verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from app.risk.gate import RULES, check
from app.risk.model import Correlated, Deny, Limits, RiskState
from strategies.model import Exits, Intent, Side
from tests.unit.risk.situations import NOW, intent, quote, state


def money(least: int, most: int, places: int) -> st.SearchStrategy[Decimal]:
    """Amounts on a coarse and on a fine grid, so that equality with a limit is common."""
    fine = st.decimals(least, most, places=places, allow_nan=False, allow_infinity=False)
    return st.one_of(st.integers(least, most).map(Decimal), fine)


LIMITS = st.builds(
    Limits,
    position=money(0, 30, 8),
    position_pct=money(0, 3, 6),
    exposure=money(0, 60, 8),
    exposure_pct=money(0, 6, 6),
    asset_exposure=money(0, 40, 8),
    venue_exposure=money(0, 60, 8),
    correlation=money(0, 1, 2),
    correlated_exposure=money(0, 40, 8),
    daily_loss_pct=money(0, 3, 6),
    errors=st.integers(0, 3),
    volatility_pct=money(0, 100, 4),
    open_positions=st.integers(0, 3),
    daily_loss=money(0, 20, 6),
    drawdown_pct=money(0, 40, 4),
    trades_per_day=st.integers(0, 3),
    losses_in_row=st.integers(0, 3),
    spread_bps=money(0, 200, 6),
    slippage_bps=money(0, 100, 6),
    cool_down_ms=st.integers(0, 3),
)


OTHERS = st.builds(Correlated, st.sampled_from(["A-USDT", "B-USDT"]), money(0, 20, 8), st.none() | money(-1, 1, 2))


@st.composite
def situations(draw: st.DrawFn) -> tuple[Intent, RiskState]:
    """An intent with its situation, most of them near the limits of `LIMITS`."""
    bid = Decimal(draw(st.integers(6900, 7000))).scaleb(-5)
    spread = Decimal(draw(st.integers(-1, 120))).scaleb(-5)
    worst = Decimal(draw(st.integers(6850, 7180))).scaleb(-5)
    exits = Exits(
        Decimal(draw(st.integers(6700, 7200))).scaleb(-5),
        draw(st.none() | st.integers(6700, 7400).map(lambda ticks: Decimal(ticks).scaleb(-5))),
    )
    trade = intent(
        side=draw(st.sampled_from(Side)),
        worst_price=worst,
        quantity=Decimal(draw(st.integers(1, 6))).scaleb(-3),
        exits=exits,
    )
    situation = state(
        quote=quote(bid=bid, ask=bid + spread),
        rate=draw(money(1, 60_000, 4)),
        position_value=draw(money(0, 20, 8)),
        exposure=draw(money(0, 60, 8)),
        open_positions=draw(st.integers(0, 3)),
        holds=draw(st.booleans()),
        equity=draw(money(900, 1100, 6)),
        equity_peak=draw(money(900, 1300, 6)),
        day_start_equity=draw(money(900, 1100, 6)),
        trades_today=draw(st.integers(0, 3)),
        losses_in_row=draw(st.integers(0, 3)),
        last_trade_ms=draw(st.none() | st.integers(NOW - 4, NOW)),
        asset_value=draw(money(0, 20, 8)),
        venue_value=draw(money(0, 60, 8)),
        others=tuple(draw(st.lists(OTHERS, max_size=2))),
        volatility_pct=draw(st.none() | money(0, 100, 4)),
        errors=draw(st.integers(0, 4)),
    )
    return trade, situation


def _judgements(trade: Intent, now: RiskState, limits: Limits) -> dict[str, bool]:
    """True where a rule is broken, by its plain definition with division."""
    assert now.quote is not None
    assert now.rate is not None
    assert trade.exits is not None
    bid, ask, worst = Fraction(now.quote.bid), Fraction(now.quote.ask), Fraction(trade.worst_price)
    stop, buy = Fraction(trade.exits.stop), trade.side is Side.BUY
    target = None if trade.exits.target is None else Fraction(trade.exits.target)
    value = Fraction(trade.quantity) * worst * Fraction(now.rate)
    towards = 1 if buy else -1
    together = [
        o for o in now.others if o.correlation is None or Fraction(o.correlation) >= Fraction(limits.correlation)
    ]
    equity, start = Fraction(now.equity), Fraction(now.day_start_equity)
    most_position = min(Fraction(limits.position), Fraction(limits.position_pct) / 100 * equity)
    most_exposure = min(Fraction(limits.exposure), Fraction(limits.exposure_pct) / 100 * equity)
    missing = target is not None and towards * (target - worst) <= 0
    touched = any(towards * (price - stop) <= 0 for price in (worst, bid if buy else ask))
    return {
        "spread": ask < bid or (ask - bid) / ((ask + bid) / 2) * 10_000 > Fraction(limits.spread_bps),
        "slippage": towards * (worst - (ask if buy else bid)) / (ask if buy else bid) * 10_000
        > Fraction(limits.slippage_bps),
        "exits": touched or missing,
        "volatility": now.volatility_pct is not None and now.volatility_pct > limits.volatility_pct,
        "position": Fraction(now.position_value) + value > most_position,
        "exposure": Fraction(now.exposure) + value > most_exposure,
        "asset_exposure": Fraction(now.asset_value) + value > Fraction(limits.asset_exposure),
        "venue_exposure": Fraction(now.venue_value) + value > Fraction(limits.venue_exposure),
        "correlated_exposure": bool(together)
        and Fraction(now.position_value) + value + sum(Fraction(o.value) for o in together)
        > Fraction(limits.correlated_exposure),
        "errors": now.errors > limits.errors,
        "open_positions": not now.holds and now.open_positions + 1 > limits.open_positions,
        "daily_loss": start - equity >= min(Fraction(limits.daily_loss), Fraction(limits.daily_loss_pct) / 100 * start),
        "drawdown": (1 - Fraction(now.equity) / Fraction(now.equity_peak)) * 100 >= Fraction(limits.drawdown_pct),
        "trades_per_day": now.trades_today + 1 > limits.trades_per_day,
        "losses_in_row": now.losses_in_row >= limits.losses_in_row,
        "cool_down": now.last_trade_ms is not None and now.now_ms - now.last_trade_ms < limits.cool_down_ms,
    }


def _oracle(trade: Intent, now: RiskState, limits: Limits) -> str | None:
    judged = _judgements(trade, now, limits)
    return next((rule.name for rule in RULES if judged.get(rule.name, False)), None)


@given(situations(), LIMITS)
def test_the_verdict_is_that_of_exact_fractions(case: tuple[Intent, RiskState], limits: Limits) -> None:
    trade, situation = case
    verdict = check(trade, situation, limits)
    assert (verdict.rule if isinstance(verdict, Deny) else None) == _oracle(trade, situation, limits)


@given(situations(), LIMITS)
def test_each_rule_alone_is_that_of_exact_fractions(case: tuple[Intent, RiskState], limits: Limits) -> None:
    trade, situation = case
    judged = _judgements(trade, situation, limits)
    for rule in RULES:
        broken = rule.test(trade, situation, limits) is not None
        assert broken == judged.get(rule.name, False), rule.name


LOOSER: list[Callable[[Limits], Limits]] = [
    lambda limits: replace(limits, position=limits.position + 1, exposure=limits.exposure + 1),
    lambda limits: replace(limits, spread_bps=limits.spread_bps + 1, slippage_bps=limits.slippage_bps + 1),
    lambda limits: replace(limits, daily_loss=limits.daily_loss + 1, drawdown_pct=limits.drawdown_pct + 1),
    lambda limits: replace(limits, trades_per_day=limits.trades_per_day + 1, losses_in_row=limits.losses_in_row + 1),
]


@given(situations(), LIMITS, st.sampled_from(LOOSER))
def test_a_looser_limit_never_denies_what_was_allowed(
    case: tuple[Intent, RiskState], limits: Limits, loosen: Callable[[Limits], Limits]
) -> None:
    if not isinstance(check(*case, limits), Deny):
        assert not isinstance(check(*case, loosen(limits)), Deny)
