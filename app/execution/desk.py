"""What the parts of the pipeline share: account state, writer, venue, signer, market, rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from app import logs
from app.alerts.alarms import Alarms
from app.engine.activity import Activity
from app.engine.clock import Clock
from app.errors import CountersignError, Severity
from app.execution.counterfactual import ended
from app.execution.fatigue import Fatigue
from app.execution.halting import Halting
from app.execution.hot_caps import HotCaps
from app.execution.profile_rules import ProfileRules
from app.execution.records import Trade
from app.execution.risk_watch import load_watch, profile_row
from app.execution.standing_terms import StandingRules
from app.execution.state import State
from app.execution.stop_flag import StopFlag
from app.execution.transition import Transition
from app.market.events import MarketEvent
from app.market.state import MarketState
from app.money import DOWN, ZERO, add, div, mul, to_text, total
from app.portfolio.equity import DAY_MS, EquityCurve
from app.portfolio.valuation import Valuation
from app.risk.adaptive import Level, step, tightened
from app.risk.basket import entries
from app.risk.hot import HotLimits
from app.risk.model import Correlated, Limits, RiskState
from app.venues.base import Venue, VenueInfo
from signers.base import DeviceState
from signers.paths import Path
from signers.session import DeviceSession
from storage.faults import TransitionLost
from storage.writer import Commit, Writer
from strategies.model import Bar, Instrument

_log = logs.get(__name__)
_COIN_PLACES: Final = 18


@dataclass(frozen=True, slots=True)
class Terms:
    """How this session trades.

    Attributes:
        lockstep: the market waits for us (replay at full speed), so signing and sending happen at one market instant.
        addresses: every address registered here: what a former run signed may be by another than `signer_address`.
        blind_value: largest value of an entry signed without its device showing it, account currency.
        capital: account currency allocated to modules; what equity and drawdown are on top of.
    """

    venue: str
    slippage_bps: Decimal
    time_in_force_ms: int
    proposal_expiry_ms: int
    authorisation_validity_ms: int
    signer: str
    signer_path: Path
    signer_address: str
    addresses: frozenset[str]
    auto_confirm: bool
    lockstep: bool
    capital: Decimal
    config_version: int
    fatigue: Fatigue
    blind_value: Decimal
    hot: HotLimits
    device_deadline_s: float = 120.0
    standing: StandingRules = field(default_factory=StandingRules)

    @property
    def account(self) -> tuple[str, str, str]:
        """Signer, chain and path of the account that signs authorisations."""
        return self.signer, "evm", str(self.signer_path)


@dataclass(slots=True)
class Counters:
    """What happened to proposals in this process."""

    proposed: int = 0
    denied: int = 0
    dropped: int = 0
    submitted: int = 0
    fills: int = 0
    by_rule: dict[str, int] = field(default_factory=dict)


class Desk:
    """Shared by pipeline, settlement, recovery and emergency stop; all on the loop thread.

    `wall` is for what concerns the person at the keyboard, never for a decision about the market.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        writer: Writer,
        state: State,
        venue: Venue,
        venue_info: VenueInfo,
        signer: DeviceSession,
        market: MarketState,
        instruments: Mapping[str, Instrument],
        valuation: Valuation,
        limits: Limits,
        terms: Terms,
        stop: StopFlag,
        equity: EquityCurve,
        wall: Clock,
        rules: ProfileRules | None = None,
    ) -> None:
        self.clock, self.wall, self.rules = clock, wall, rules or ProfileRules()
        self.writer, self.state = writer, state
        self.venue, self.venue_info, self.signer = venue, venue_info, signer
        self.market = market
        self.instruments = instruments
        self.valuation = valuation
        self.watch = load_watch(state.reader, equity)
        self.configured = limits
        """The limits of the settings."""
        self.limits = tightened(self.rules.cap(limits), self.watch.profile.level)
        """Those in force: never looser."""
        self.terms, self.hot = terms, HotCaps(terms.hot, state.reader)
        self.stop = stop
        self.equity = equity
        self.alarms = Alarms(state.reader.value("SELECT max(id) FROM alerts") or 0)
        self.activity, self.counters = Activity(), Counters()
        self.halting = Halting(self.alert)
        self.on_device: Callable[[Trade, DeviceState], None] = lambda _trade, _state: None
        """Told what the device is doing while it is asked to sign, on the loop thread; for screens."""
        self.refuses: Callable[[str], str] = lambda _module: ""  # why a module takes no new entry now, or ""
        self.exits_only: Callable[[], str] = lambda: ""  # why the venue is not fit for new entries now, or ""
        self.on_sold: Callable[[str, str], None] = lambda _module, _symbol: None  # its position there has ended
        self.on_unwanted: Callable[[str, str], None] = lambda _module, _symbol: None
        """Told by a module (its name, an instrument) that it no longer wants to enter there."""
        self.on_lost: Callable[[], None] = lambda: None  # a commit failed: memory is ahead of disk
        self.stale = False
        """Memory is ahead of disk and about to be read again: nothing that follows from it may be written."""
        self.cursor: tuple[str, int, int] | None = None
        self.turn = asyncio.Lock()

    def transition(self) -> Transition:
        """A new transition at this instant."""
        return Transition(self.clock.now_ms())

    def commit(self, transition: Transition, kind: str, subject: str) -> asyncio.Future[int]:
        """Queue a transition for the disk, in the order of its changes in memory. Its loss is heard here, whether
        anybody awaits it or not; the market waits for it."""
        if self.stale:
            future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            future.set_exception(TransitionLost("storage.stale", "The account is being read again from disk."))
            future.add_done_callback(_forget)
            return future
        token = self.activity.busy()
        token.__enter__()

        def done(future: asyncio.Future[int]) -> None:
            token.__exit__(None, None, None)
            if future.cancelled():
                return
            if (error := future.exception()) is None:
                _log.info(kind, subject=subject, seq=future.result(), market_ms=transition.ts_ms)
            else:
                _log.error("commit.lost", kind=kind, subject=subject, fault=str(error))
                self.on_lost()

        queued = self.writer.submit(transition.commit(kind, subject, self.cursor))
        queued.add_done_callback(done)
        committed = asyncio.shield(queued)  # whoever waits may be cancelled; the loss must be heard all the same
        committed.add_done_callback(_forget)
        return committed

    async def until_quoted(self, symbol: str) -> None:
        """Return once `symbol` has a quote: right after a start no market has spoken yet."""
        while self.market.quote(symbol) is None:
            with self.activity.parked():
                await self.clock.sleep_until(self.clock.now_ms() + 1)

    def goes_on(self) -> AbstractContextManager[object]:
        """While a person is waited for: the market goes on meanwhile, unless it waits in lockstep."""
        return nullcontext() if self.terms.lockstep else self.activity.parked()

    def contradicted(self, error: CountersignError, subject: str = "") -> None:
        """A step broke off in its middle: no new trades, and memory, which may be ahead of disk, is read again."""
        self.record_error(error, subject)
        self.halt(error.what)
        self.on_lost()

    @property
    def halted(self) -> str:
        """Why no new trade is taken until somebody does something, or ""."""
        return self.halting.reason

    def barred(self, module: str = "") -> str:
        """Why nobody, or `module`, takes a new trade, but for the emergency stop; or ""."""
        return self.halted or self.rules.barred(module) or self.exits_only()

    def halt(self, reason: str) -> None:
        """Take no new trade until the session is restarted; exits stay managed."""
        self.halting.fault(reason)

    def configure(self, limits: Limits) -> None:
        """Other limits from the settings, in force at once as far as the adaptive profile leaves them."""
        self.configured = limits
        self.limits = tightened(self.rules.cap(limits), self.watch.profile.level)

    def observe(self, bar: Bar) -> None:
        """A bar is finished, and no module has seen it yet: what it says about risk, and whether that tightens the
        limits or lets them go back."""
        watch, now = self.watch, self.clock.now_ms()
        watched = not watch.unwatched(bar)
        watch.statistics.observe(bar)
        watch.saw_quote(None if self.market.bar_ms(bar.symbol) else self.market.quote(bar.symbol))
        losses = self.state.positions.losses_since(now - now % DAY_MS)
        facts = watch.facts(self.terms.capital, losses, self._errors(now))
        before, after = watch.profile, step(watch.profile, facts, self.configured, now, watched=watched)
        if after is before or self.stale:
            return
        watch.profile = after
        if after.level is before.level:
            self.record((profile_row(after),))
            return
        self.limits = tightened(self.rules.cap(self.configured), after.level)
        transition = self.transition()
        transition.change("risk_level", "adaptive", before.level.value, after.level.value, after.reason)
        transition.record(*profile_row(after))
        self.commit(transition, "risk.level", after.level.value)
        text = f"Risk limits went from {before.level} to {after.level}: {after.reason}."
        self.alert(Severity.LOW if after.level is Level.NORMAL else Severity.MEDIUM, "risk.level", text)

    def _errors(self, now_ms: int) -> int:
        return self.watch.errors_since(now_ms - self.limits.error_window_ms)

    def record_error(self, error: CountersignError, subject: str = "") -> None:
        """Store an error for `countersign errors`; losing it to a failing disk is accepted, the log has it."""
        self.watch.count_error(self.clock.now_ms(), error.code)
        _log.error(error.code, what=error.what, sent=error.sent, next_step=error.next_step, subject=subject)
        values = (
            self.clock.now_ms(),
            error.error_class.value,
            error.severity.value,
            error.code,
            error.what,
            error.sent,
            error.next_step,
            subject,
        )
        sql = (
            "INSERT INTO errors (ts_ms, class, severity, code, what, sent, next_step, subject) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        )
        self.note(sql, values)

    def alert(self, severity: Severity, kind: str, text: str, subject: str = "") -> None:
        """Store an alert, and have it delivered where somebody does."""
        _log.warning("alert", kind=kind, severity=severity.value, text=text, subject=subject)
        self.record(self.alarms.raised(self.alarms.made(self.clock.now_ms(), severity, kind, text, subject)))

    def note(self, sql: str, parameters: tuple[object, ...]) -> None:
        """A record without a journal row; nobody waits for it."""
        self.record(((sql, parameters),))

    def record(self, statements: tuple[tuple[str, tuple[object, ...]], ...]) -> None:
        """Several records at once, with the market cursor."""
        commit = Commit(self.clock.now_ms(), "", statements=statements, cursor=self.cursor)
        self.writer.submit(commit).add_done_callback(_forget)

    def record_quote(self, trade_id: str, symbol: str, stage: str) -> None:
        """Store the quote that stood at a step of a trade."""
        quote = self.market.quote(symbol)
        if quote is None:
            return
        values = (
            trade_id,
            stage,
            quote.symbol,
            quote.ts_ms,
            to_text(quote.bid),
            to_text(quote.ask),
            int(quote.synthetic),
        )
        sql = "INSERT INTO quotes (trade_id, stage, symbol, ts_ms, bid, ask, synthetic) VALUES (?, ?, ?, ?, ?, ?, ?)"
        self.note(sql, values)

    def follow_missed(self, event: MarketEvent) -> None:
        """What an event makes of trades that were declined or have expired: hypothetical, for the record alone."""
        for trade, outcome in self.state.missed.follow(event):
            self.note(*ended(trade, outcome, self.valuation.last_rate(trade.asset)))

    def risk_state(self, symbol: str, without: Trade | None = None) -> RiskState:
        """The situation an intent in `symbol` meets now; `without` leaves one signed trade of its own out."""
        now, state, market = self.clock.now_ms(), self.state, self.market
        instrument = self.instruments[symbol]
        values, stale = self.values(without)
        self.sample_equity()
        equity, peak, day_start = self.equity.on(self.terms.capital)
        today = now - now % DAY_MS
        counted = 0
        if without is not None and without.payload is not None and without.payload.signed_ms >= today:
            counted = entries(without.intent)
        exposure, base = total([*values.values()]), instrument.base
        correlation = self.watch.statistics.correlation
        others = [
            Correlated(held, value, correlation(symbol, held)) for held, value in values.items() if held != symbol
        ]
        return RiskState(
            now_ms=now,
            instrument=instrument,
            quote=market.quote(symbol),
            bar_ms=market.bar_ms(symbol),
            rate=self.rate(instrument.quote),
            position_value=values.get(symbol, ZERO),
            exposure=exposure,
            open_positions=len(values) + len(stale),
            holds=symbol in values or symbol in stale,
            equity=equity,
            equity_peak=peak,
            day_start_equity=day_start,
            trades_today=state.entries_since(today) - counted,
            losses_in_row=state.positions.losses_since(today),
            last_trade_ms=state.positions.last_fill_ms.get(symbol),
            stale_marks=stale,
            unknown_orders=state.unknown_orders(),
            halted="the emergency stop is in force" if self.stop.raised() else self.barred(),
            asset_value=total([value for held, value in values.items() if self.instruments[held].base == base]),
            venue=self.terms.venue,
            venue_value=exposure,
            others=tuple(others),
            volatility_pct=self.watch.statistics.volatility_pct(symbol),
            errors=self._errors(now),
        )

    def rate(self, asset: str) -> Decimal | None:
        """What a unit of `asset` is worth, to trade on; None when nothing fresh says so."""
        return self.valuation.rate(asset, self._fresh)

    def max_gas(self) -> Decimal | None:
        """What an intent may spend on gas, in the chain's coin; None while nothing fresh values it."""
        if not self.venue_info.gas_asset:
            return ZERO
        rate = self.rate(self.venue_info.gas_asset)
        return None if rate is None else div(self.venue_info.gas_cap, rate, _COIN_PLACES, DOWN)

    def sample_equity(self) -> None:
        """Bring the equity curve up to now; it keeps its last value while a mark or rate is missing."""
        state = self.state
        earned = state.stakes.earned()
        profit = self.valuation.trading_profit(state.positions, self.instruments, state.gas, earned)
        if profit is not None:
            self.equity.sample(self.clock.now_ms(), profit)

    def values(self, without: Trade | None = None) -> tuple[dict[str, Decimal], tuple[str, ...]]:
        """Positions and pending entries in account currency, by symbol; and the symbols of those whose mark or rate is
        stale or missing. `without` leaves one trade out."""
        values, stale = {}, []
        pending = self.state.pending_entries(without)
        symbols = set(pending) | {holding.symbol for holding in self.state.positions.open_holdings()}
        for held in sorted(symbols):
            mark, rate = self.market.mark(held), self.rate(self.instruments[held].quote)
            if mark is None or rate is None or not self._fresh(held, mark[1]):
                stale.append(held)
                continue
            value = add(self.state.position_value(held, mark[0]), pending.get(held, ZERO))
            values[held] = mul(value, rate)
        for stake in self.state.stakes.open.values():
            worth = self._worth(stake.held())
            if worth is None:
                stale.append(stake.symbol)
            else:
                values[stake.symbol] = add(values.get(stake.symbol, ZERO), worth)
        return values, tuple(dict.fromkeys(stale))

    def _worth(self, assets: Mapping[str, Decimal]) -> Decimal | None:
        rates = {asset: self.rate(asset) for asset in assets}
        if any(rate is None for rate in rates.values()):
            return None
        return total([mul(amount, rate) for asset, amount in assets.items() if (rate := rates[asset]) is not None])

    def _fresh(self, symbol: str, ts_ms: int) -> bool:
        """Whether a mark of `symbol` is young enough to trade on. A bar's length is allowed, the end included: of two
        bars that close at one instant, the first finds the other market at the open of the bar that is closing."""
        return self.clock.now_ms() - ts_ms <= max(self.limits.quote_age_ms, self.market.bar_ms(symbol))


def _forget(future: asyncio.Future[int]) -> None:
    if not future.cancelled():
        future.exception()  # the pipeline's own commits report a failing disk
