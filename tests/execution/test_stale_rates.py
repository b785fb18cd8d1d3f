"""What an asset is worth comes from a market, and a market that went quiet says nothing about now."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.engine.intents import IntentMaker, Skipped
from app.market.events import BarOpened
from app.portfolio.equity import DAY_MS
from strategies.model import Bar, Book, Direction, Intent, Signal
from tests.execution.acts import record_metrics
from tests.execution.harness import BTC, ETH, ETH_BTC, START, Rig, rig

HOURS = 3_600_000
CROSS: dict[str, Any] = {"symbol": "ETH-BTC", "quantity": "1", "worst": "0.05", "stop": "0.045", "target": None}
"""An entry of 0.05 BTC."""
MARKETS: dict[str, Any] = {
    "instruments": (BTC, ETH_BTC, ETH),
    "settings": {"risk.rates.BTC": "50000", "risk.position": "3000"},
}
"""0.05 BTC are 2500 at the reference, and 5000, over the limit, at the price that nobody has seen yet."""


async def denial(r: Rig, **terms: Any) -> dict[str, str]:
    """Why an entry is denied now, by rule; empty when it is admitted."""
    before = dict(r.desk.counters.by_rule)
    intent = r.intent(**{**CROSS, **terms})
    r.pipeline.propose(intent)
    await r.settle()
    rules = [rule for rule, count in r.desk.counters.by_rule.items() if count != before.get(rule)]
    (row,) = r.rows("SELECT reason FROM trades WHERE id = ?", intent.id)
    return dict.fromkeys(rules, row["reason"])


def signal_of(r: Rig) -> Intent | Skipped:
    """What a module's opinion to buy the cross becomes."""
    maker = IntentMaker(r.desk, "m", r.session.settings.sizing.sizing(), Decimal(1000))
    return maker.from_signal(Signal("ETH-BTC", Direction.LONG, 1.0, 1.0, "up", stop=0.045), "1" * 32, None)


async def quiet_for(r: Rig, ms: int) -> None:
    """Bitcoin is quoted, then only the cross."""
    await r.book("49999.00", "50001.00", symbol="BTC-USDT")
    await r.book("0.04990", "0.05000", symbol="ETH-BTC", after_ms=ms)


# -- books --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ms", [10_001, 5 * HOURS])
async def test_a_price_too_old_to_trade_on_values_nothing(tmp_path: Path, ms: int) -> None:
    async with rig(tmp_path, market=False, **MARKETS) as r:
        await quiet_for(r, ms)
        assert await denial(r) == {
            "valuation": "There are 0 fresh prices of BTC in USD; 1 is needed to value the trade."
        }
        assert signal_of(r) == Skipped("no fresh value for BTC")
        await r.book("99999.00", "100001.00", symbol="BTC-USDT", after_ms=1)
        assert await denial(r) == {
            "position": "Position in ETH-BTC, held and proposed, would be 5000.00 USD; the limit is 3000 USD."
        }
        assert isinstance(signal_of(r), Intent)


async def test_a_price_just_young_enough_does(tmp_path: Path) -> None:
    async with rig(tmp_path, market=False, **MARKETS) as r:
        await quiet_for(r, 10_000)
        assert await denial(r) == {}


async def test_the_reference_stands_in_until_a_market_has_spoken_and_never_after(tmp_path: Path) -> None:
    async with rig(tmp_path, market=False, **MARKETS) as r:
        await r.book("0.04990", "0.05000", symbol="ETH-BTC")
        assert r.desk.risk_state("ETH-BTC").rate == 50_000
        await r.book("19999.00", "20001.00", symbol="BTC-USDT")
        assert r.desk.risk_state("ETH-BTC").rate == 20_000
        await r.advance(5 * HOURS)
        assert r.desk.risk_state("ETH-BTC").rate is None


async def test_a_market_whose_book_broke_has_spoken(tmp_path: Path) -> None:
    async with rig(tmp_path, market=False, **MARKETS) as r:
        await r.book("19999.00", "20001.00", symbol="BTC-USDT")
        await r.feed(Book("BTC-USDT", r.now + 1_000, (), ()))
        assert r.desk.risk_state("ETH-BTC").rate == 20_000  # a second old
        await r.advance(10_001)
        assert r.desk.risk_state("ETH-BTC").rate is None


async def test_a_position_that_can_not_be_valued_stops_every_entry(tmp_path: Path) -> None:
    async with rig(tmp_path, **MARKETS) as r:
        await quiet_for(r, 1_000)
        await r.trade(**CROSS)
        await r.book("0.04990", "0.05000", symbol="ETH-BTC", after_ms=5 * HOURS)
        await r.book("99.90", "100.00", after_ms=1)
        assert await denial(r, symbol="ETH-USDT", worst="100.5", stop="90") == {
            "stale_marks": "Open positions without a fresh value: 1 (ETH-BTC); the limit is 0."
        }
        close = await r.close_position("1", "0.0497", symbol="ETH-BTC")  # an exit needs no valuation
        assert r.stored(close)["state"] == "FILLED"


async def test_a_signed_trade_is_not_sent_when_its_value_is_not_known_any_more(tmp_path: Path) -> None:
    async with rig(tmp_path, market=False, auto_confirm=False, **MARKETS) as r:
        await quiet_for(r, 1_000)
        trade = await r.trade(**CROSS)
        await r.book("0.04990", "0.05000", symbol="ETH-BTC", after_ms=10_000)
        r.pipeline.proposals.confirm(trade.id)
        await r.settle()
        assert r.stored(trade)["reason"].startswith("There are 0 fresh prices of BTC in USD")
        assert r.sent() == []


# -- what may look back -------------------------------------------------------------------------------------------


async def test_the_equity_curve_goes_on_at_the_last_known_price(tmp_path: Path) -> None:
    """Without it, a quiet market would hide a loss from the drawdown."""
    async with rig(tmp_path, market=False, **MARKETS) as r:
        await quiet_for(r, 1_000)
        await r.trade(**CROSS)
        await r.book("0.04700", "0.04710", symbol="ETH-BTC", after_ms=5 * HOURS)
        assert r.desk.risk_state("ETH-BTC").rate is None
        await record_metrics(r)
        (row,) = r.rows("SELECT profit, exposure FROM equity")
        # 0.05 paid and the fee, 0.04705 now
        assert Decimal(row["profit"]) == (Decimal("0.04705") - Decimal("0.05") - Decimal("0.00005")) * 50_000
        assert Decimal(row["exposure"]) == Decimal("0.04705") * 50_000


async def test_what_a_module_has_at_work_is_not_forgotten(tmp_path: Path) -> None:
    async with rig(tmp_path, market=False, **MARKETS) as r:
        await quiet_for(r, 1_000)
        await r.trade(**CROSS)
        maker = IntentMaker(r.desk, "m", r.session.settings.sizing.sizing(), Decimal(1000))
        assert maker.committed() == 2_500
        await r.advance(DAY_MS)
        assert maker.committed() == 2_500


# -- bars ---------------------------------------------------------------------------------------------------------


class Candles:
    """One minute of several instruments after another, as a replay of recorded candles gives them."""

    def __init__(self, r: Rig) -> None:
        self._r = r
        self._minute = START // 60_000

    async def opens(self, symbol: str, price: str) -> None:
        await self._r.feed(BarOpened(symbol, self._minute * 60_000, 60_000, Decimal(price), Decimal(1000)))

    async def closes(self, symbol: str, price: str) -> None:
        """The clock moves with it; every close of an instant comes before its opens."""
        p = Decimal(price)
        await self._r.feed(Bar(symbol, (self._minute - 1) * 60_000, 60_000, p, p, p, p, Decimal(1000)))

    def next(self) -> None:
        self._minute += 1


async def test_the_leg_may_close_after_the_cross_at_the_same_instant(tmp_path: Path) -> None:
    """Whichever is first by name: the price a minute old is that of the bar that is closing now."""
    async with rig(tmp_path, market=False, **MARKETS) as r:
        candles = Candles(r)
        candles.next()
        for _ in range(3):
            await candles.opens("ETH-BTC", "0.04995")
            await candles.opens("BTC-USDT", "50000")
            candles.next()
            await candles.closes("ETH-BTC", "0.04995")
            assert r.desk.risk_state("ETH-BTC").rate == 50_000
            assert isinstance(signal_of(r), Intent)
            await candles.closes("BTC-USDT", "50000")
        assert await denial(r) == {}


async def test_a_leg_without_a_candle_is_soon_too_old(tmp_path: Path) -> None:
    async with rig(tmp_path, market=False, **MARKETS) as r:
        candles = Candles(r)
        candles.next()
        await candles.opens("BTC-USDT", "50000")
        await candles.opens("ETH-BTC", "0.04995")
        for rate in (50_000, None):
            candles.next()
            await candles.closes("ETH-BTC", "0.04995")
            assert r.desk.risk_state("ETH-BTC").rate == rate
            await candles.opens("ETH-BTC", "0.04995")
        assert list(await denial(r)) == ["valuation"]
