"""Every limit with how much of it is used now. Pure: `Account` and `Market` in, `LimitUse` out; the terminal's Risk
panel and `countersign risk` show the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.money import UP, ZERO, add, div, mul, sub, to_text, total
from app.risk.model import Correlated, Limits
from app.risk.room import daily_loss_limit, exposure_limit, moving_together, position_limit

_NEAR: Final = Decimal("0.8")
_ONE: Final = Decimal(1)
_HUNDRED: Final = Decimal(100)
_THOUSAND: Final = Decimal(1000)


class UseState(StrEnum):
    """`NEAR` from 80 % of the limit; `REACHED` at it, where nothing more fits or trading stops."""

    OK = "ok"
    NEAR = "near"
    REACHED = "reached"


class Source(StrEnum):
    """Who set the limit: the settings, the pilot caps of the live profile, or the adaptive profile, which tightens what
    these leave."""

    CONFIGURED = "configured"
    PILOT = "pilot"
    ADAPTIVE = "adaptive"


@dataclass(frozen=True, slots=True)
class LimitUse:
    """One limit.

    Attributes:
        name: the setting, below ``risk.``.
        title: what it limits, in words.
        used: None when it is not known; `note` says why.
        share: used over limit, rounded up to four decimals, never below 0; 1 for a limit of 0. 0 when `used` is None.
        note: what the number is about ("ETH-USDT"), or "".
    """

    name: str
    title: str
    used: Decimal | None
    limit: Decimal
    unit: str
    share: Decimal
    state: UseState
    source: Source
    note: str = ""


@dataclass(frozen=True, slots=True)
class Market:
    """One instrument as the gate sees it. None: not known.

    Attributes:
        value: position and pending entries, account currency.
        others: the other instruments with one, with their correlation to this.
        returns: bars behind the volatility.
        quote_limit_ms: the age allowed here: that of the settings, or the bar's length for a quote made from bars.
    """

    symbol: str
    base: str
    value: Decimal
    others: tuple[Correlated, ...]
    volatility_pct: Decimal | None
    returns: int
    spread_bps: Decimal | None
    quote_age_ms: int | None
    quote_limit_ms: int
    last_trade_ms: int | None


@dataclass(frozen=True, slots=True)
class Account:
    """The account as the gate sees it; amounts in account currency.

    Attributes:
        values: positions and pending entries, by symbol.
        unvalued: symbols of those that nothing fresh values: each stops new entries, and is missing in `values`.
    """

    now_ms: int
    venue: str
    equity: Decimal
    equity_peak: Decimal
    day_start_equity: Decimal
    values: Mapping[str, Decimal]
    unvalued: tuple[str, ...]
    trades_today: int
    losses_in_row: int
    errors: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits in force, and what they are made from: the settings' as the pilot caps leave them, and as they are."""

    limits: Limits
    capped: Limits
    settings: Limits


@dataclass(frozen=True, slots=True)
class _Scale:
    """Makes uses."""

    bounds: Bounds

    @property
    def limits(self) -> Limits:
        """Those in force."""
        return self.bounds.limits

    def use(
        self, name: str, title: str, used: Decimal | None, limit: Decimal, unit: str, *, field: str = "", note: str = ""
    ) -> LimitUse:
        field = field or name
        of = self.bounds
        now, before, own = (getattr(each, field) for each in (of.limits, of.capped, of.settings))
        share = _share(used, limit)
        state = UseState.REACHED if share >= _ONE else UseState.NEAR if share >= _NEAR else UseState.OK
        source = Source.ADAPTIVE if now != before else Source.PILOT if before != own else Source.CONFIGURED
        return LimitUse(name, title, used, limit, unit, share, state, source, note)


def _share(used: Decimal | None, limit: Decimal) -> Decimal:
    if used is None:
        return ZERO
    if limit <= 0:
        return _ONE
    return max(ZERO, div(used, limit, 4, UP))


def account_uses(account: Account, markets: Iterable[Market], bounds: Bounds) -> tuple[LimitUse, ...]:
    """The limits on the account; of those on a single position, asset or group the one that is fullest."""
    scale = _Scale(bounds)
    return (*_sizes(scale, account, markets), *_record(scale, account))


def _sizes(scale: _Scale, account: Account, markets: Iterable[Market]) -> Iterable[LimitUse]:
    limits, values = scale.limits, account.values
    bases = {market.symbol: market.base for market in markets}
    assets: dict[str, Decimal] = {}
    for symbol, value in values.items():
        assets[bases[symbol]] = add(assets.get(bases[symbol], ZERO), value)
    largest, most = _largest(values)
    yield scale.use("position", "largest position", most, position_limit(account.equity, limits), "USD", note=largest)
    exposed = total([*values.values()])
    missing = f"without {', '.join(account.unvalued)}, which nothing fresh values" if account.unvalued else ""
    yield scale.use(
        "exposure", "held and proposed", exposed, exposure_limit(account.equity, limits), "USD", note=missing
    )
    asset, held = _largest(assets)
    yield scale.use("asset_exposure", "largest asset", held, limits.asset_exposure, "USD", note=asset)
    yield scale.use("venue_exposure", "largest venue", exposed, limits.venue_exposure, "USD", note=account.venue)
    group, together = _largest_group(markets, limits)
    note = f"{group}, correlated by {to_text(limits.correlation)} or more, or not known" if group else ""
    yield scale.use(
        "correlated_exposure", "correlated positions", together, limits.correlated_exposure, "USD", note=note
    )
    count = Decimal(len(values) + len(account.unvalued))
    yield scale.use("open_positions", "positions, open and proposed", count, Decimal(limits.open_positions), "")


def _record(scale: _Scale, account: Account) -> Iterable[LimitUse]:
    limits, start, equity, peak = scale.limits, account.day_start_equity, account.equity, account.equity_peak
    loss = max(ZERO, sub(start, equity))
    yield scale.use("daily_loss", "loss since 00:00 UTC", loss, daily_loss_limit(start, limits), "USD")
    fall = div(mul(sub(peak, equity), _HUNDRED), peak, 2, UP) if peak > 0 else None
    note = "" if peak > 0 else "equity was never above 0"
    yield scale.use("drawdown_pct", "below the peak of equity", fall, limits.drawdown_pct, "%", note=note)
    yield scale.use("trades_per_day", "trades today", Decimal(account.trades_today), Decimal(limits.trades_per_day), "")
    lost = Decimal(account.losses_in_row)
    yield scale.use("losses_in_row", "losses in a row today", lost, Decimal(limits.losses_in_row), "")
    within = f"within {limits.error_window_ms // 60_000} min"
    yield scale.use("errors", "errors of late", Decimal(account.errors), Decimal(limits.errors), "", note=within)
    asked = "each trade is judged by its own worst price"
    yield scale.use("slippage_bps", "worst price from the touch", None, limits.slippage_bps, "bps", note=asked)


def _largest(values: Mapping[str, Decimal]) -> tuple[str, Decimal]:
    """The first by name of the largest."""
    name = max(sorted(values), key=lambda each: values[each], default="")
    return name, values.get(name, ZERO)


def _largest_group(markets: Iterable[Market], limits: Limits) -> tuple[str, Decimal]:
    """Of the instruments that are held, the one whose correlated positions are worth most together with its own."""
    found, most = "", ZERO
    for market in markets:
        together = moving_together(market.others, limits) if market.value else []
        if together:
            value = add(market.value, total([other.value for other in together]))
            if value > most:
                found, most = " ".join((market.symbol, *(other.symbol for other in together))), value
    return found, most


def market_uses(market: Market, account: Account, bounds: Bounds) -> tuple[LimitUse, ...]:
    """The limits on one instrument."""
    scale = _Scale(bounds)
    return (
        scale.use("position", "position", market.value, position_limit(account.equity, bounds.limits), "USD"),
        _correlated(scale, market),
        _volatility(scale, market),
        scale.use("spread_bps", "spread", market.spread_bps, bounds.limits.spread_bps, "bps", note=_no_quote(market)),
        scale.use(
            "quote_age_ms", "age of the quote", _seconds(market.quote_age_ms), _seconds_of(market.quote_limit_ms), "s",
            note=_no_quote(market),
        ),
        _cool_down(scale, market, account.now_ms),
    )  # fmt: skip


def _correlated(scale: _Scale, market: Market) -> LimitUse:
    together = moving_together(market.others, scale.limits)
    value = add(market.value, total([other.value for other in together])) if together else ZERO
    note = "with " + ", ".join(other.symbol for other in together) if together else ""
    limit = scale.limits.correlated_exposure
    return scale.use("correlated_exposure", "with what is correlated", value, limit, "USD", note=note)


def _volatility(scale: _Scale, market: Market) -> LimitUse:
    known = market.volatility_pct is not None
    note = "" if known else f"not known after {market.returns} bars, and not refused"
    limit = scale.limits.volatility_pct
    return scale.use("volatility_pct", "volatility a year", market.volatility_pct, limit, "%", note=note)


def _cool_down(scale: _Scale, market: Market, now_ms: int) -> LimitUse:
    """What is left of it: an entry waits until nothing is."""
    limit_ms, last = scale.limits.cool_down_ms, market.last_trade_ms
    left_ms = 0 if last is None else max(0, min(limit_ms, last + limit_ms - now_ms))
    use = scale.use(
        "cool_down_min", "cool-down left", _seconds_of(left_ms), _seconds_of(limit_ms), "s", field="cool_down_ms"
    )
    if left_ms:
        return replace(use, state=UseState.REACHED)
    return replace(use, state=UseState.OK, share=ZERO)


def _no_quote(market: Market) -> str:
    return "no quote" if market.quote_age_ms is None else ""


def _seconds(ms: int | None) -> Decimal | None:
    return None if ms is None else _seconds_of(ms)


def _seconds_of(ms: int) -> Decimal:
    return div(Decimal(ms), _THOUSAND, 3, UP)
