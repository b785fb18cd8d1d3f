"""The picture of risk for the terminal and for `countersign risk`: from the desk of a running trader, cheap enough for
two a second, or from the record alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from app.errors import UNCOUNTED
from app.execution.desk import Desk
from app.execution.profile_rules import ProfileRules
from app.execution.risk_watch import profile_of, spread_of
from app.execution.state import State
from app.money import ZERO, add, from_text, mul, to_text
from app.portfolio.equity import DAY_MS, EquityCurve
from app.portfolio.valuation import Valuation
from app.risk.adaptive import Profile, tightened
from app.risk.model import Correlated, Limits
from app.risk.usage import Account, Bounds, LimitUse, Market, account_uses, market_uses
from storage.database import Reader
from strategies.model import Instrument

_Correlation = Callable[[str, str], Decimal | None]


@dataclass(frozen=True, slots=True)
class InstrumentUse:
    """One instrument's limits. `value`: position and pending entries, account currency."""

    symbol: str
    value: Decimal
    uses: tuple[LimitUse, ...]


@dataclass(frozen=True, slots=True)
class Correlation:
    """Two instruments that are held; `value` None when too few bars are common to both, which counts as 1."""

    one: str
    other: str
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class RiskView:
    """All of it at one instant. Amounts in account currency.

    Attributes:
        running: from a running trader; else from the record, where no quote, volatility or correlation is.
        adaptive: whether the adaptive profile is on.
        level, level_reason, level_since_ms: of the profile.
        halted: why no new trade is taken at all, or "".
        denied_by_rule: of a running trader since it started; else over the whole record.
        pilot, pilot_notes: the caps of the live profile in short, and a sentence for each; empty where none binds.
    """

    now_ms: int
    running: bool
    adaptive: bool
    level: str
    level_reason: str
    level_since_ms: int
    halted: str
    equity: Decimal
    peak: Decimal
    day_start_equity: Decimal
    uses: tuple[LimitUse, ...]
    per_instrument: tuple[InstrumentUse, ...]
    correlations: tuple[Correlation, ...]
    denied_by_rule: Mapping[str, int]
    pilot: str
    pilot_notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As JSON takes it: amounts as canonical text."""
        return {
            "market_ms": self.now_ms,
            "running": self.running,
            "adaptive": self.adaptive,
            "level": self.level,
            "level_reason": self.level_reason,
            "level_since_ms": self.level_since_ms,
            "halted": self.halted,
            "equity": to_text(self.equity),
            "equity_peak": to_text(self.peak),
            "day_start_equity": to_text(self.day_start_equity),
            "limits": [_use(use) for use in self.uses],
            "instruments": [
                {"symbol": each.symbol, "value": to_text(each.value), "limits": [_use(use) for use in each.uses]}
                for each in self.per_instrument
            ],
            "correlations": [
                {"one": each.one, "other": each.other, "value": None if each.value is None else to_text(each.value)}
                for each in self.correlations
            ],
            "denied_by_rule": dict(sorted(self.denied_by_rule.items())),
            "pilot": list(self.pilot_notes),
        }


def _use(use: LimitUse) -> dict[str, Any]:
    return {
        "name": use.name,
        "title": use.title,
        "used": None if use.used is None else to_text(use.used),
        "limit": to_text(use.limit),
        "unit": use.unit,
        "share": to_text(use.share),
        "state": use.state.value,
        "source": use.source.value,
        "note": use.note,
    }


def risk_view(desk: Desk) -> RiskView:
    """Of a running trader, now."""
    now, state = desk.clock.now_ms(), desk.state
    values, unvalued = desk.values()
    equity, peak, day_start = curve_at(desk, now).on(desk.terms.capital)
    account = Account(
        now_ms=now,
        venue=desk.terms.venue,
        equity=equity,
        equity_peak=peak,
        day_start_equity=day_start,
        values=values,
        unvalued=unvalued,
        trades_today=state.entries_since(now - now % DAY_MS),
        losses_in_row=state.positions.losses_since(now - now % DAY_MS),
        errors=desk.watch.errors_since(now - desk.limits.error_window_ms),
    )
    correlation = desk.watch.statistics.correlation
    markets = [_market(desk, instrument, values, now) for instrument in desk.instruments.values()]
    halted = "the emergency stop is in force" if desk.stop.raised() else desk.barred()
    bounds = Bounds(desk.limits, desk.rules.cap(desk.configured), desk.configured)
    return _view(account, markets, bounds, desk.watch.profile, correlation, halted, desk.counters.by_rule, desk.rules)


def curve_at(desk: Desk, now_ms: int) -> EquityCurve:
    """Up to now, in a copy: looking must not leave a peak behind that the gate would judge by."""
    curve = replace(desk.equity)
    profit = desk.valuation.trading_profit(desk.state.positions, desk.instruments, desk.state.gas)
    if profit is not None:
        curve.sample(now_ms, profit)
    return curve


def _market(desk: Desk, instrument: Instrument, values: Mapping[str, Decimal], now_ms: int) -> Market:
    symbol, statistics = instrument.symbol, desk.watch.statistics
    quote, bar_ms = desk.market.quote(symbol), desk.market.bar_ms(symbol)
    whole = quote is not None and quote.ask >= quote.bid > ZERO
    age_limit = desk.limits.quote_age_ms
    return Market(
        symbol=symbol,
        base=instrument.base,
        value=values.get(symbol, ZERO),
        others=_others(symbol, values, statistics.correlation),
        volatility_pct=statistics.volatility_pct(symbol),
        returns=statistics.returns(symbol),
        spread_bps=spread_of(quote) if quote is not None and whole else None,
        quote_age_ms=None if quote is None else max(0, now_ms - quote.ts_ms),
        quote_limit_ms=max(age_limit, bar_ms) if quote is not None and quote.synthetic else age_limit,
        last_trade_ms=desk.state.positions.last_fill_ms.get(symbol),
    )


def _others(symbol: str, values: Mapping[str, Decimal], correlation: _Correlation) -> tuple[Correlated, ...]:
    return tuple(Correlated(held, value, correlation(symbol, held)) for held, value in values.items() if held != symbol)


def _view(
    account: Account,
    markets: list[Market],
    bounds: Bounds,
    profile: Profile,
    correlation: _Correlation,
    halted: str,
    denied: Mapping[str, int],
    rules: ProfileRules,
    *,
    running: bool = True,
) -> RiskView:
    held = sorted(account.values)
    return RiskView(
        now_ms=account.now_ms,
        running=running,
        adaptive=bounds.settings.adaptive,
        level=profile.level.value,
        level_reason=profile.reason,
        level_since_ms=profile.since_ms,
        halted=halted,
        equity=account.equity,
        peak=account.equity_peak,
        day_start_equity=account.day_start_equity,
        uses=account_uses(account, markets, bounds),
        per_instrument=tuple(
            InstrumentUse(
                each.symbol,
                each.value,
                tuple(u for u in market_uses(each, account, bounds) if running or u.used is not None),
            )
            for each in markets
        ),
        correlations=tuple(
            Correlation(one, other, correlation(one, other))
            for number, one in enumerate(held)
            for other in held[number + 1 :]
        ),
        denied_by_rule=dict(denied),
        pilot=rules.words,
        pilot_notes=rules.notes,
    )


def recorded_view(
    reader: Reader,
    state: State,
    instruments: Iterable[Instrument],
    configured: Limits,
    rates: Mapping[str, Decimal],
    capital: Decimal,
    denied: Mapping[str, int],
    rules: ProfileRules,
) -> RiskView:
    """Without a trader: the limits of the settings as `rules` and the adaptive profile on record leave them, and what
    is on record. Prices are the last stored ones, of any age."""
    instruments = tuple(instruments)
    now = int(reader.value("SELECT ts_ms FROM cursor") or 0)
    marks = {row["symbol"]: (from_text(row["price"]), row["ts_ms"]) for row in reader.rows("SELECT * FROM marks")}
    profile = profile_of(reader)
    capped = rules.cap(configured)
    bounds = Bounds(tightened(capped, profile.level), capped, configured)
    values, unvalued = _recorded_values(state, instruments, marks, Valuation(instruments, rates, marks.get))
    equity, peak, day_start = _recorded_curve(reader).on(capital)
    since = now - bounds.limits.error_window_ms
    account = Account(
        now_ms=now,
        venue=state.venue,
        equity=equity,
        equity_peak=peak,
        day_start_equity=day_start,
        values=values,
        unvalued=unvalued,
        trades_today=state.entries_since(now - now % DAY_MS),
        losses_in_row=state.positions.losses_since(now - now % DAY_MS),
        errors=reader.value("SELECT count(*) FROM errors WHERE ts_ms > ? AND code NOT IN (?, ?)", (since, *UNCOUNTED)),
    )
    markets = [
        Market(
            symbol=each.symbol,
            base=each.base,
            value=values.get(each.symbol, ZERO),
            others=_others(each.symbol, values, _unknown),
            volatility_pct=None,
            returns=0,
            spread_bps=None,
            quote_age_ms=None,
            quote_limit_ms=bounds.limits.quote_age_ms,
            last_trade_ms=state.positions.last_fill_ms.get(each.symbol),
        )
        for each in instruments
    ]
    return _view(account, markets, bounds, profile, _unknown, "", denied, rules, running=False)


def _unknown(_one: str, _other: str) -> None:
    return None


def _recorded_values(
    state: State, instruments: Iterable[Instrument], marks: Mapping[str, tuple[Decimal, int]], valuation: Valuation
) -> tuple[dict[str, Decimal], tuple[str, ...]]:
    quotes = {each.symbol: each.quote for each in instruments}
    values, unvalued = {}, []
    pending, held = state.pending_entries(), {holding.symbol for holding in state.positions.open_holdings()}
    for symbol in sorted(held | pending.keys()):
        mark, rate = marks.get(symbol), valuation.last_rate(quotes[symbol])
        if rate is None or (mark is None and symbol in held):
            unvalued.append(symbol)
        else:
            position = ZERO if mark is None else state.position_value(symbol, mark[0])
            values[symbol] = mul(add(position, pending.get(symbol, ZERO)), rate)
    return values, tuple(unvalued)


def _recorded_curve(reader: Reader) -> EquityCurve:
    curve = EquityCurve()
    for row in reader.rows("SELECT ts_ms, profit FROM equity WHERE profit IS NOT NULL ORDER BY id"):
        curve.sample(row["ts_ms"], from_text(row["profit"]))
    return curve
