"""What must not let limits slip as time goes by: a stalled loop, a market nobody saw, a day that comes twice."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from app.errors import LoopStalled
from app.execution.profile_rules import ProfileRules
from app.execution.risk_view import recorded_view, risk_view
from app.execution.state import load
from app.portfolio.equity import DAY_MS, EquityCurve
from app.risk.adaptive import CALM_MS, Level, Profile
from app.risk.usage import UseState
from strategies.model import Bar
from tests.execution.acts import record_metrics
from tests.execution.basket_acts import basket
from tests.execution.harness import ETH, Rig, rig
from tests.execution.test_risk import ADAPTIVE, MINUTE, denied, fail, use

D = Decimal


async def stall(r: Rig, times: int) -> None:
    for number in range(times):
        r.desk.record_error(LoopStalled("loop.stalled", "The loop stood still."), f"app.handler_{number}")
    await r.settle()


async def test_a_stalled_loop_is_stored_and_is_no_error_of_trading(tmp_path: Path) -> None:
    """How fast this machine draws must not decide what is traded: a replay on a slow one would trade less."""
    settings = {"risk.errors": "2", **ADAPTIVE}
    async with rig(tmp_path, settings=settings) as r:
        await stall(r, 9)
        assert len(r.rows("SELECT id FROM errors")) == 9
        assert use(risk_view(r.desk), "errors").used == 0
        assert await denied(r) == ""
        await bar(r, r.now)
        assert r.desk.watch.profile.level is Level.NORMAL
    async with rig(tmp_path, settings=settings) as r:
        assert await denied(r, module="n") == ""
        session = r.session
        state = load("paper", session.reader)
        view = recorded_view(session.reader, state, (ETH,), r.desk.configured, {}, D(1000), {}, ProfileRules())
        assert use(view, "errors").used == 0


async def bar(r: Rig, open_ms: int) -> Level:
    await r.feed(Bar("ETH-USDT", open_ms, MINUTE, D(100), D(100), D(100), D(100), D(1)))
    await r.book("99.90", "100.00", after_ms=1)
    level: Level = r.desk.watch.profile.level
    return level


async def test_hours_in_which_no_bar_was_seen_are_no_calm(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=ADAPTIVE) as r:
        r.desk.watch.profile = Profile(Level.DEFENSIVE, "bad times", r.now)
        begin = r.now // MINUTE * MINUTE + MINUTE
        assert await bar(r, begin) is Level.DEFENSIVE
        after_outage = begin + 10 * CALM_MS
        assert await bar(r, after_outage) is Level.DEFENSIVE, "the exchange was gone for ten hours"
        for minute in range(1, 60):
            assert await bar(r, after_outage + minute * MINUTE) is Level.DEFENSIVE, minute
        assert await bar(r, after_outage + 60 * MINUTE) is Level.CAUTIOUS


def test_a_clock_set_back_over_midnight_does_not_forgive_a_days_loss() -> None:
    curve = EquityCurve()
    curve.sample(DAY_MS - 1000, D(0))
    curve.sample(DAY_MS + 1000, D(-60))
    curve.sample(DAY_MS - 500, D(-60))
    assert curve.day_start == 0
    curve.sample(DAY_MS + 2000, D(-60))
    assert curve.day_start == 0
    curve.sample(2 * DAY_MS, D(-60))
    assert curve.day_start == -60


async def test_what_rests_counts_in_the_recorded_picture_too(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        await record_metrics(r)
        assert len(trade.resting_entries()) == 3
        running = risk_view(r.desk)
        session = r.session
        rates = {"USDT": D(1)}
        state = load("paper", session.reader)
        seen = recorded_view(
            session.reader, state, (ETH,), r.desk.configured, rates, r.desk.terms.capital, {}, ProfileRules()
        )
        assert (use(running, "exposure").used or 0) > 290
        for name in ("exposure", "position", "asset_exposure", "venue_exposure", "open_positions"):
            assert use(seen, name).used == use(running, name).used, name


async def test_a_calm_that_began_before_anything_is_known_begins_anew(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=ADAPTIVE) as r:
        r.desk.watch.profile = Profile(Level.DEFENSIVE, "bad times", 0, calm_ms=0)
        begin = r.now // MINUTE * MINUTE + MINUTE
        assert await bar(r, begin) is Level.DEFENSIVE, "no bar was seen before it"
        assert r.desk.watch.profile.calm_ms == begin + MINUTE


async def test_ten_bars_without_one_are_still_watched_and_longer_is_not(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=ADAPTIVE) as r:
        watch, begin = r.desk.watch, r.now // MINUTE * MINUTE + MINUTE
        await bar(r, begin)
        price = D(100)
        for minutes, unwatched in ((1, False), (10, False), (11, True)):
            late = Bar("ETH-USDT", begin + minutes * MINUTE, MINUTE, price, price, price, price, D(1))
            assert watch.unwatched(late) is unwatched, minutes


async def test_an_error_is_old_exactly_at_the_end_of_its_window(tmp_path: Path) -> None:
    async with rig(tmp_path, settings={"risk.error_window_min": "5"}) as r:
        await fail(r)
        begun = r.now
        for at_ms, counted in ((5 * MINUTE - 1, 1), (5 * MINUTE, 0)):
            await r.advance(begun + at_ms - r.now)
            assert r.desk.risk_state("ETH-USDT").errors == counted, at_ms


async def test_a_limit_of_nothing_is_reached_by_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path, settings={"risk.open_positions": "0", "risk.exposure": "0"}) as r:
        for name in ("open_positions", "exposure"):
            seen = use(risk_view(r.desk), name)
            assert (seen.used, seen.share, seen.state) == (D(0), D(1), UseState.REACHED), name


async def test_a_spread_that_was_made_from_a_bar_is_no_fact(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        quote = r.desk.market.quote("ETH-USDT")
        for synthetic, known in ((True, False), (False, True)):
            r.desk.watch.saw_quote(replace(quote, synthetic=synthetic))
            assert (r.desk.watch.facts(D(0), 0, 0).spread_bps is not None) is known


async def test_a_gain_is_no_loss_of_the_day_and_has_no_sign(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade(quantity="1")
        await r.book("109.90", "110.00")
        seen = use(risk_view(r.desk), "daily_loss")
        assert (seen.used, seen.share, seen.state) == (D(0), D(0), UseState.OK)
