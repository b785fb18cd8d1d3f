"""Another allocation for the next session: losses stay losses, and count against the capital there is now."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from app.portfolio.equity import DAY_MS
from tests.execution.acts import record_metrics
from tests.execution.harness import Rig, rig

LOST = Decimal("55.945")
"""5 bought at 100 and stopped out at 89, with both fees."""


def limits(allocation: str, **others: str) -> dict[str, str]:
    return {"risk.daily_loss": "50", "risk.drawdown_pct": "20", "modules.momentum.allocation": allocation} | {
        f"risk.{name}": value for name, value in others.items()
    }


async def lose(folder: Path, allocation: str = "1000") -> None:
    """A session that loses `LOST` and puts it on record."""
    async with rig(folder, settings=limits(allocation)) as r:
        await r.trade(quantity="5")
        await r.book("89.00", "89.10")
        await record_metrics(r)
        assert r.held() == 0
        (row,) = r.rows("SELECT equity FROM equity")
        assert Decimal(row["equity"]) == Decimal(allocation) - LOST


async def denial(r: Rig) -> dict[str, str]:
    """Why an entry is denied now, by rule; empty when it is admitted."""
    before = dict(r.desk.counters.by_rule)
    intent = r.intent(worst="89.2", stop="80", target="99", module="n")
    r.pipeline.propose(intent)
    await r.settle()
    rules = [rule for rule, count in r.desk.counters.by_rule.items() if count != before.get(rule)]
    (row,) = r.rows("SELECT reason FROM trades WHERE id = ?", intent.id)
    return dict.fromkeys(rules, row["reason"])


@pytest.mark.parametrize("allocation", ["500", "1000", "2000", "100000"])
async def test_a_days_loss_stays_a_loss_whatever_the_allocation(tmp_path: Path, allocation: str) -> None:
    await lose(tmp_path)
    async with rig(tmp_path, market=False, settings=limits(allocation)) as r:
        await r.book("89.00", "89.10")
        assert await denial(r) == {"daily_loss": "The loss since 00:00 UTC is 55.95 USD; trading stops at 50 USD."}


@pytest.mark.parametrize("allocation", ["500", "2000"])
async def test_a_changed_allocation_is_neither_loss_nor_gain(tmp_path: Path, allocation: str) -> None:
    await lose(tmp_path)
    async with rig(tmp_path, market=False, settings=limits(allocation, daily_loss="56")) as r:
        await r.book("89.00", "89.10")
        assert await denial(r) == {}
        state = r.desk.risk_state("ETH-USDT")
        assert state.equity_peak == state.day_start_equity == Decimal(allocation)


@pytest.mark.parametrize("allocation", ["500", "2000"])
async def test_the_next_day_starts_without_the_loss(tmp_path: Path, allocation: str) -> None:
    await lose(tmp_path)
    async with rig(tmp_path, market=False, settings=limits(allocation)) as r:
        await r.book("89.00", "89.10", after_ms=DAY_MS)
        assert await denial(r) == {}


async def test_the_drawdown_is_of_the_capital_there_is_now(tmp_path: Path) -> None:
    await lose(tmp_path)
    async with rig(tmp_path, market=False, settings=limits("250")) as r:
        await r.book("89.00", "89.10", after_ms=DAY_MS)
        reason = "Equity is 22.38 % below its peak; trading stops at 20 %."
        assert await denial(r) == {"drawdown": reason}
        await record_metrics(r)
    async with rig(tmp_path, market=False, settings=limits("1000")) as r:
        await r.book("89.00", "89.10")
        assert await denial(r) == {}


async def test_samples_of_an_older_database_are_left_out(tmp_path: Path) -> None:
    """They hold no profit: what they are on top of is not on record. The first sample of this version is the start."""
    await lose(tmp_path)
    await forget_profits(tmp_path)
    async with rig(tmp_path, market=False, settings=limits("500")) as r:
        await r.book("89.00", "89.10")
        state = r.desk.risk_state("ETH-USDT")
        assert state.equity == state.day_start_equity == Decimal(500) - LOST
        assert state.equity_peak == Decimal(500)
        assert await denial(r) == {}


async def test_what_is_not_known_yet_is_not_put_on_record_as_nothing_earned(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=limits("1000")) as r:
        await r.trade(quantity="5")
        await record_metrics(r)
    await forget_profits(tmp_path)
    async with rig(tmp_path, market=False, settings=limits("1000")) as r:
        await record_metrics(r)  # a position, and no price of it yet
        await r.book("90.10", "90.20")
        await record_metrics(r)
        assert [row["profit"] for row in r.rows("SELECT profit FROM equity ORDER BY id")] == [None, None, "-49.75"]
    async with rig(tmp_path, market=False, settings=limits("1000")) as r:
        await r.book("90.10", "90.20")
        assert r.desk.risk_state("ETH-USDT").day_start_equity == Decimal("950.25")


async def forget_profits(folder: Path) -> None:
    """Samples as the version before wrote them."""
    async with rig(folder, market=False) as r:
        r.desk.note("UPDATE equity SET profit = NULL", ())
        await r.settle()
