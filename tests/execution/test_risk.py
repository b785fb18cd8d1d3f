"""What the desk tells the gate about several positions, errors and bad times, across restarts; and the view of it."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.config.load import load as load_config
from app.engine.intents import IntentMaker, Skipped
from app.errors import VenueError
from app.execution.profile_rules import ProfileRules
from app.execution.risk_view import RiskView, recorded_view, risk_view
from app.execution.risk_watch import PROFILE_KEY
from app.execution.state import load
from app.execution.verify import verify
from app.portfolio.equity import DAY_MS
from app.risk.adaptive import CALM_MS, Level, tightened
from app.risk.model import Sizing
from app.risk.usage import LimitUse, Source, UseState
from storage.journal import read_mirror
from strategies.model import Bar, Direction, Intent, Signal
from tests.execution.acts import record_metrics
from tests.execution.harness import BTC, ETH, ETH_BTC, WIDE, Rig, rig

D = Decimal
THREE = (BTC, ETH, ETH_BTC)
MINUTE = 60_000
ADAPTIVE = {"risk.adaptive": "true", "risk.losses_in_row": "4", "risk.trades_per_day": "100000"}


async def markets(r: Rig) -> None:
    await r.book("49990.00", "50000.00", symbol="BTC-USDT")
    await r.book("0.00200", "0.00201", symbol="ETH-BTC")
    await r.book("99.90", "100.00")


def paths() -> tuple[Callable[[int], float], Callable[[int], float]]:
    """Two walks with nothing in common."""
    one, other = random.Random(1), random.Random(2)
    first = [100 * math.exp(one.gauss(0, 0.001)) for _ in range(60)]
    second = [50_000 * math.exp(other.gauss(0, 0.001)) for _ in range(60)]
    return (lambda n: first[n]), (lambda n: second[n])


async def interleaved(r: Rig, count: int, one: Callable[[int], float], other: Callable[[int], float]) -> None:
    for number in range(count):
        for symbol, price in (("BTC-USDT", other), ("ETH-USDT", one)):
            close = D(str(round(price(number), 5)))
            await r.feed(Bar(symbol, 1_600_000_040_000 + number * MINUTE, MINUTE, close, close, close, close, D(1)))


def denial(r: Rig, intent: Intent) -> str:
    (row,) = r.rows("SELECT reason FROM trades WHERE id = ?", intent.id)
    return str(row["reason"])


async def denied(r: Rig, **terms: Any) -> str:
    """The reason why an entry is denied; "" when it is admitted."""
    intent = r.intent(**terms)
    before = r.desk.counters.denied
    r.pipeline.propose(intent)
    await r.settle()
    return denial(r, intent) if r.desk.counters.denied > before else ""


async def fail(r: Rig, times: int = 1) -> None:
    for _ in range(times):
        r.desk.record_error(VenueError("test.venue", "The venue said no."))
    await r.settle()


# --- what the gate is told ------------------------------------------------------------------------------------------


async def test_one_asset_in_two_markets_is_one_risk(tmp_path: Path) -> None:
    async with rig(tmp_path, instruments=THREE, settings={"risk.asset_exposure": "150"}) as r:
        await markets(r)
        await r.trade(quantity="1")
        state = r.desk.risk_state("ETH-BTC")
        assert (state.position_value, state.asset_value) == (D(0), D("99.95"))
        reason = await denied(r, quantity="1", worst="0.00201", symbol="ETH-BTC", stop="0.001", target=None, module="n")
        assert reason == ("Exposure to ETH over all its instruments would be 200.44 USD; the limit is 150 USD.")
        assert r.desk.risk_state("BTC-USDT").asset_value == 0
        r.assert_sound()


async def test_a_venues_exposure_is_all_that_is_there(tmp_path: Path) -> None:
    async with rig(tmp_path, settings={"risk.venue_exposure": "150"}) as r:
        await r.trade(quantity="1")
        assert await denied(r, module="n") == "Exposure at venue paper would be 200.45 USD; the limit is 150 USD."


async def test_positions_whose_correlation_is_not_known_count_as_one(tmp_path: Path) -> None:
    async with rig(tmp_path, instruments=THREE, settings={"risk.correlated_exposure": "150"}) as r:
        await markets(r)
        await r.trade(quantity="1")
        terms = {"symbol": "BTC-USDT", "quantity": "0.002", "worst": "50001", "stop": "40000", "target": None}
        reason = await denied(r, **terms)
        assert "(ETH-USDT unknown) would be 199.96 USD; the limit is 150 USD." in reason


async def test_the_correlation_of_what_is_held_comes_from_bars_that_closed_together(tmp_path: Path) -> None:
    async with rig(tmp_path, instruments=THREE, settings={"risk.correlated_exposure": "150"}) as r:
        await markets(r)
        await r.trade(quantity="1")
        one, other = paths()
        await interleaved(r, 40, one, other)
        await r.book("49990.00", "50000.00", symbol="BTC-USDT")
        await r.book("99.90", "100.00")
        (held,) = r.desk.risk_state("BTC-USDT").others
        assert held.symbol == "ETH-USDT"
        assert held.correlation is not None
        assert abs(held.correlation) < D("0.8")
        assert r.desk.risk_state("BTC-USDT").volatility_pct > 0
        terms = {"symbol": "BTC-USDT", "quantity": "0.002", "worst": "50001", "stop": "40000", "target": None}
        assert await denied(r, **terms) == ""


async def test_errors_of_late_stop_entries_until_they_are_old_and_are_known_after_a_restart(tmp_path: Path) -> None:
    settings = {"risk.errors": "2", "risk.error_window_min": "5"}
    async with rig(tmp_path, settings=settings) as r:
        await fail(r, 2)
        assert await denied(r) == ""
        await r.book("99.90", "100.00")
        await fail(r)
        assert await denied(r, module="n") == "3 errors were stored within 300 s; the limit is 2."
    async with rig(tmp_path, settings=settings) as r:
        assert await denied(r, module="n") == "3 errors were stored within 300 s; the limit is 2."
        await r.book("99.90", "100.00", after_ms=5 * MINUTE)
        assert await denied(r, module="n") == ""


async def test_an_entry_is_sized_into_the_narrowest_room(tmp_path: Path) -> None:
    settings = {"risk.asset_exposure": "150", "risk.position_pct": "0.12", "modules.momentum.allocation": "100000"}
    async with rig(tmp_path, instruments=THREE, settings=settings) as r:
        await markets(r)
        await r.trade(quantity="1")
        maker = IntentMaker(r.desk, "n", Sizing(fixed=D(1000)), D(10_000))

        def offered(symbol: str, stop: float) -> Intent:
            signal = Signal(symbol, Direction.LONG, 1.0, 1.0, "test", stop, None)
            made = maker.from_signal(signal, "ab" * 16, None)
            assert not isinstance(made, Skipped), made
            return made

        cross = offered("ETH-BTC", 0.001)
        assert cross.quantity == D("0.493"), "50.05 USD of 150 are left for ETH"
        r.pipeline.propose(cross)
        await r.settle()
        assert r.desk.counters.denied == 0
        bitcoin = offered("BTC-USDT", 40_000.0)
        assert D(119) < bitcoin.quantity * bitcoin.worst_price <= D(120), "0.12 % of equity"


# --- the adaptive profile -------------------------------------------------------------------------------------------


async def lose(r: Rig, times: int) -> None:
    """Buys that are stopped out at once."""
    for _ in range(times):
        await r.book("99.90", "100.00")
        await r.trade(quantity="0.1")
        await r.book("89.00", "89.10")
        assert r.held() == 0
    await r.book("99.90", "100.00")


async def bar(r: Rig, *, at: int | None = None) -> None:
    open_ms = r.now if at is None else at
    await r.feed(Bar("ETH-USDT", open_ms, MINUTE, D(100), D(100), D(100), D(100), D(1)))
    await r.book("99.90", "100.00", after_ms=1)


async def test_losses_tighten_the_limits_once_and_it_is_journaled_and_told(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=ADAPTIVE) as r:
        await lose(r, 2)
        await bar(r)
        await bar(r)
        assert r.desk.limits == tightened(r.desk.configured, Level.CAUTIOUS)
        assert r.desk.configured.position == 1_000_000
        (row,) = r.rows("SELECT subject, body FROM journal WHERE kind = 'risk.level'")
        assert row["subject"] == "cautious"
        assert json.loads(row["body"])["set"] == [
            ["risk_level", "adaptive", "normal", "cautious", "2 losses in a row, the limit is 4"]
        ]
        (alert,) = r.rows("SELECT severity, text FROM alerts WHERE kind = 'risk.level'")
        assert alert["text"] == "Risk limits went from normal to cautious: 2 losses in a row, the limit is 4."
        assert list(verify(r.session.reader, read_mirror(r.session.plan.db))) == []
        r.assert_sound()


async def test_the_level_survives_a_restart_and_goes_back_after_a_calm_hour_of_market_time(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=ADAPTIVE) as r:
        await lose(r, 3)
        await bar(r)
        assert r.desk.watch.profile.level is Level.DEFENSIVE
        await r.book("99.90", "100.00", after_ms=DAY_MS)  # a new day: no losses in it
        await bar(r)
        calm = r.desk.watch.profile.calm_ms
        assert calm is not None
        before = r.desk.watch.profile
    async with rig(tmp_path, settings=ADAPTIVE) as r:
        assert r.desk.watch.profile == before
        assert r.desk.limits == tightened(r.desk.configured, Level.DEFENSIVE)
        seen = []
        r.desk.watch.statistics.newest_ms = calm  # as the trader's warm-up leaves it
        for at in range(calm, calm + 2 * CALM_MS, MINUTE):
            await bar(r, at=at)
            seen.append(r.desk.watch.profile.level)
        assert seen == [Level.DEFENSIVE] * 59 + [Level.CAUTIOUS] * 60 + [Level.NORMAL]
        assert r.desk.limits == r.desk.configured
        kinds = [row["subject"] for row in r.rows("SELECT subject FROM journal WHERE kind = 'risk.level' ORDER BY seq")]
        assert kinds == ["defensive", "cautious", "normal"]


async def test_the_drawdown_is_judged_by_stored_samples_before_and_after_a_restart(tmp_path: Path) -> None:
    settings = {**ADAPTIVE, "risk.drawdown_pct": "20", "modules.momentum.allocation": "100"}
    async with rig(tmp_path, settings=settings) as r:
        await r.trade(quantity="0.9")
        await r.book("89.00", "89.10")  # 10.07 of 100 lost, in one trade
        await record_metrics(r)
        await bar(r)
        assert r.desk.watch.profile.level is Level.CAUTIOUS
        facts = r.desk.watch.facts(D(100), 0, 0)
        before = (facts.equity, facts.equity_peak)
    async with rig(tmp_path, settings=settings) as r:
        facts = r.desk.watch.facts(D(100), 0, 0)
        assert (facts.equity, facts.equity_peak) == before
        assert facts.equity < 90


async def test_a_wide_spread_that_a_market_showed_counts_and_a_synthetic_one_does_not(tmp_path: Path) -> None:
    async with rig(tmp_path, settings={**ADAPTIVE, "risk.spread_bps": "40"}) as r:
        await r.book("99.70", "100.00")  # 30 bps of 40
        await r.feed(Bar("ETH-USDT", r.now, MINUTE, D(100), D(100), D(100), D(100), D(1)))
        assert r.desk.watch.profile.level is Level.DEFENSIVE
    (tmp_path / "bars").mkdir()
    async with rig(tmp_path / "bars", market=False, settings={**ADAPTIVE, "risk.spread_bps": "5"}) as r:
        await r.feed(Bar("ETH-USDT", r.now, MINUTE, D(100), D(100), D(100), D(100), D(1)))
        assert r.desk.market.quote("ETH-USDT").synthetic
        assert r.desk.watch.profile.level is Level.NORMAL


async def test_switched_off_it_goes_back_to_the_settings_and_says_why(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=ADAPTIVE) as r:
        await lose(r, 2)
        await bar(r)
    async with rig(tmp_path, settings={**ADAPTIVE, "risk.adaptive": "false"}) as r:
        await bar(r)
        assert r.desk.limits == r.desk.configured
        (row,) = r.rows("SELECT body FROM journal WHERE kind = 'risk.level' AND subject = 'normal'")
        assert "risk.adaptive is off" in row["body"]


@pytest.mark.parametrize("text", ["[]", "null", '["wild","",1,null]', "x"])
async def test_a_profile_that_can_not_be_read_is_defensive(tmp_path: Path, text: str) -> None:
    async with rig(tmp_path, settings=ADAPTIVE) as r:
        transition = r.desk.transition()
        transition.record("INSERT OR REPLACE INTO meta VALUES (?, ?)", (PROFILE_KEY, text))
        await r.desk.commit(transition, "test.any", "")
    async with rig(tmp_path, settings=ADAPTIVE) as r:
        assert r.desk.watch.profile.level is Level.DEFENSIVE


# --- tightening while running ---------------------------------------------------------------------------------------


async def test_the_new_limits_are_tightened_while_running_and_loosened_only_by_a_restart(tmp_path: Path) -> None:
    tighter = {
        "risk.asset_exposure": "40",
        "risk.correlation": "0.5",
        "risk.error_window_min": "20",
        "risk.position_pct": "3",
        "risk.adaptive": "true",
        "risk.volatility_pct": "300",
    }
    looser = {"risk.venue_exposure": "99000000", "risk.daily_loss_pct": "100"}
    start = {**WIDE, "risk.daily_loss_pct": "50"}
    async with rig(tmp_path, settings=start) as r:
        config = r.session.config
        config._reload = lambda: load_config(tmp_path / "config.toml", {}, {**WIDE, **tighter, **looser})
        assert await config.tighten(r.desk) == sorted(tighter)
        limits = r.desk.limits
        assert (limits.asset_exposure, limits.correlation, limits.position_pct) == (D(40), D("0.5"), D(3))
        assert (limits.error_window_ms, limits.adaptive, limits.volatility_pct) == (1_200_000, True, D(300))
        assert (limits.venue_exposure, limits.daily_loss_pct) == (D(10_000_000), D(50))


async def test_a_limit_tightened_in_bad_times_is_tightened_from_there(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=ADAPTIVE) as r:
        await lose(r, 2)
        await bar(r)
        config = r.session.config
        config._reload = lambda: load_config(tmp_path / "config.toml", {}, {**WIDE, **ADAPTIVE, "risk.position": "100"})
        assert await config.tighten(r.desk) == ["risk.position"]
        assert (r.desk.configured.position, r.desk.limits.position) == (D(100), D(50))


# --- the view -------------------------------------------------------------------------------------------------------


def use(view: RiskView, name: str, symbol: str = "") -> LimitUse:
    uses = view.uses
    if symbol:
        (uses,) = [each.uses for each in view.per_instrument if each.symbol == symbol]
    (found,) = [each for each in uses if each.name == name]
    return found


async def test_the_view_shows_what_the_gate_would_judge_by(tmp_path: Path) -> None:
    settings = {"risk.position": "125", "risk.asset_exposure": "120", "risk.open_positions": "3"}
    async with rig(tmp_path, instruments=THREE, settings=settings) as r:
        await markets(r)
        await r.trade(quantity="1")
        await fail(r)
        view = risk_view(r.desk)
        largest = use(view, "position")
        assert (largest.used, largest.limit, largest.note) == (D("99.95"), D(125), "ETH-USDT")
        assert (largest.share, largest.state, largest.source) == (D("0.7996"), UseState.OK, Source.CONFIGURED)
        assert use(view, "asset_exposure").state is UseState.NEAR
        assert use(view, "open_positions").share == D("0.3334")
        assert use(view, "errors").used == 1
        assert use(view, "position", "BTC-USDT").used == 0
        together = use(view, "correlated_exposure", "BTC-USDT")
        assert (together.used, together.note) == (D("99.95"), "with ETH-USDT")
        assert use(view, "spread_bps", "ETH-USDT").used == D("10.01")
        state = r.desk.risk_state("ETH-USDT")
        assert (view.equity, view.peak, view.day_start_equity) == (
            state.equity,
            state.equity_peak,
            state.day_start_equity,
        )
        assert view.correlations == ()
        json.dumps(view.document())


async def test_the_view_names_pairs_that_are_held_and_what_the_profile_tightened(tmp_path: Path) -> None:
    async with rig(tmp_path, instruments=THREE, settings=ADAPTIVE) as r:
        await markets(r)
        await lose(r, 2)
        await bar(r)
        await r.trade(quantity="1")
        await r.book("49990.00", "50000.00", symbol="BTC-USDT")
        await r.trade(symbol="BTC-USDT", quantity="0.002", worst="50001", stop="40000", target=None)
        view = risk_view(r.desk)
        assert [(each.one, each.other, each.value) for each in view.correlations] == [("BTC-USDT", "ETH-USDT", None)]
        assert (view.level, view.level_reason) == ("cautious", "2 losses in a row, the limit is 4")
        assert use(view, "exposure").source is Source.ADAPTIVE
        assert use(view, "daily_loss").source is Source.CONFIGURED
        group = use(view, "correlated_exposure")
        assert group.used == D("199.94")
        assert group.note.startswith("BTC-USDT ETH-USDT")


async def test_looking_changes_nothing(tmp_path: Path) -> None:
    """A screen that looks at any instant must not leave a peak behind by which the gate stops trading."""
    async with rig(tmp_path) as r:
        await r.trade(quantity="1")
        r.desk.sample_equity()
        before = replace(r.desk.equity)
        await r.book("115.00", "115.10")
        assert risk_view(r.desk).peak > r.desk.equity.on(r.desk.terms.capital)[1]
        assert r.desk.equity == before


async def test_what_is_recorded_is_what_the_running_trader_said(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=ADAPTIVE) as r:
        await lose(r, 2)
        await bar(r)
        await r.trade(quantity="1")
        await fail(r)
        await record_metrics(r)
        live, configured, capital = risk_view(r.desk), r.desk.configured, r.desk.terms.capital
        await r.settle()
        reader = r.session.reader
        told = recorded_view(
            reader, load("paper", reader), (ETH,), configured, {"USDT": D(1)}, capital, {}, ProfileRules()
        )
        assert told.uses == live.uses
        assert (told.level, told.level_reason, told.level_since_ms) == (
            live.level,
            live.level_reason,
            live.level_since_ms,
        )
        assert (told.equity, told.peak, told.day_start_equity) == (live.equity, live.peak, live.day_start_equity)
        assert told.running is False
        names = [each.name for each in told.per_instrument[0].uses]
        assert names == ["position", "correlated_exposure", "cool_down_min"]


async def test_a_cool_down_is_reached_while_something_is_left_of_it(tmp_path: Path) -> None:
    async with rig(tmp_path, settings={"risk.cool_down_min": "10"}) as r:
        await r.trade(quantity="1")
        at = r.now
        await r.advance(4 * MINUTE)
        left = use(risk_view(r.desk), "cool_down_min", "ETH-USDT")
        assert (left.used, left.limit, left.state) == (
            D(360) - (at - r.now + 240_000) / D(1000),
            D(600),
            UseState.REACHED,
        )
        await r.advance(6 * MINUTE)
        assert use(risk_view(r.desk), "cool_down_min", "ETH-USDT").state is UseState.OK
