"""Positions, round trips and totals as screens show them, over a session on the paper venue."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from app.portfolio.equity import DAY_MS
from app.snapshots import holdings
from tests.execution.harness import ETH, ETH_BTC, START, rig


async def test_a_position_with_its_exits_their_distance_and_its_own_profit_and_fees(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade(quantity="2", stop="90", target="120")
        await r.book("104.90", "105.10")
        (held,) = holdings.held(r.desk)
        assert held.seen.mark == Decimal("105.00")
        assert {exit_.role: far for exit_, far in zip(held.seen.exits, held.distances, strict=True)} == {
            "stop": Decimal(-1429),
            "target": Decimal(1429),
        }
        assert (held.cost, held.uncovered, held.lots) == (
            Decimal("200.00"),
            Decimal(0),
            ((Decimal(2), Decimal("100.00")),),
        )
        assert held.seen.unrealised == Decimal("10.00")
        assert held.return_bps == Decimal("500.0")
        assert held.realised == 0
        fee = held.fees
        assert fee > 0
        await r.close_position("0.5", worst="104")
        (held,) = holdings.held(r.desk)
        assert held.realised == Decimal("2.45")  # 0.5 sold at 104.90 that cost 100
        assert held.fees > fee
        assert held.uncovered == 0, "the stop still covers what is left"


async def test_what_no_stop_covers_is_counted(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade(quantity="2")
        await r.venue.cancel(trade.orders["stop"].request.client_id)
        await r.venue.cancel(trade.orders["target"].request.client_id)
        await r.session.recovery.resume(r.pipeline)
        await r.settle()
        (held,) = holdings.held(r.desk)
        assert not held.seen.covered
        assert held.uncovered == Decimal(2)
        assert held.distances == ()


async def test_round_trips_of_today_newest_first_and_none_of_yesterday(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade(quantity="1")
        await r.close_position("1")
        (trip,) = holdings.closed_today(r.desk)
        assert (trip.symbol, trip.module, trip.quantity) == ("ETH-USDT", "m", Decimal(1))
        assert (trip.entry, trip.exit) == (Decimal(100), Decimal("99.9"))
        assert trip.net == Decimal("-0.1") - trip.fees
        assert trip.opened_ms <= trip.closed_ms
        await r.book("99.90", "100.00")
        await r.trade(quantity="2")
        await r.close_position("2")
        assert [each.quantity for each in holdings.closed_today(r.desk)] == [Decimal(2), Decimal(1)]
        await r.advance(DAY_MS - START % DAY_MS)
        assert holdings.closed_today(r.desk) == ()


async def test_round_trips_survive_a_restart(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade(quantity="1")
        await r.close_position("1")
        before = holdings.closed_today(r.desk)
    async with rig(tmp_path) as r:
        assert holdings.closed_today(r.desk) == before


async def test_totals_by_quote_asset_and_in_account_currency(tmp_path: Path) -> None:
    async with rig(tmp_path, instruments=(ETH, ETH_BTC)) as r:
        assert holdings.totals(r.desk) == ()
        assert holdings.account_total(()) == 0
        await r.trade(quantity="1")
        (total,) = holdings.totals(r.desk)
        assert total.asset == "USDT"
        assert total.unrealised == Decimal("-0.05")
        assert total.net == total.unrealised - total.fees
        assert total.value == total.net
        assert holdings.account_total((total,)) == total.value


async def test_a_position_without_a_mark_has_no_total_rather_than_a_wrong_one(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade(quantity="1")
    async with rig(tmp_path, market=False) as r:
        (total,) = holdings.totals(r.desk)
        assert (total.unrealised, total.net, total.value) == (None, None, None)
        assert holdings.account_total((total,)) is None
        (held,) = holdings.held(r.desk)
        assert (held.seen.mark, held.return_bps, set(held.distances)) == (None, None, {None})
