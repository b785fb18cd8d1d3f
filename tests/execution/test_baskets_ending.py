"""A basket under an emergency stop, a restart, a lost answer and a venue that dies."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from app.errors import VenueError
from app.execution.records import Role
from app.execution.states import TradeState
from tests.execution.basket_acts import THREE, basket, legs
from tests.execution.harness import Between, rig
from tests.execution.test_baskets import NEVER, check

# -- the emergency stop -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flatten", [False, True])
async def test_an_emergency_stop_cancels_every_leg_and_keeps_or_sells_what_was_bought(
    tmp_path: Path, flatten: bool
) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r, (*THREE, ("96", "1", "98"), ("95", "1", "97")))
        await r.book("97.80", "97.90", "1.4")
        assert r.held() == Decimal("1.4")
        r.desk.stop.create("test")
        report = await r.session.emergency.act(flatten=flatten)
        await r.settle()
        assert len(report.cancelled) == 4
        assert (report.refused, report.unknown) == ([], [])
        assert [leg[0] for leg in legs(r, trade)] == ["FILLED", *["CANCELLED"] * 4]
        assert r.held() == (0 if flatten else Decimal("1.4"))
        assert report.kept_exits == 4
        if flatten:
            assert report.flattened == ["ETH-USDT", "ETH-USDT"]
            roles = [row["role"] for row in r.rows("SELECT role FROM orders ORDER BY rowid")]
            assert roles.count("flatten") == 2
        check(r)


async def test_a_stop_while_the_list_is_on_its_way_withdraws_every_leg(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        between = Between(r)

        async def stop(*_: object) -> None:
            r.desk.stop.create("test")

        between.after.append(stop)
        trade = await basket(r)
        assert legs(r, trade) == [NEVER] * 3
        assert r.hold(trade) == ("0", "RELEASED")
        check(r)


# -- restarts and lost answers -------------------------------------------------------------------------------------

MOMENTS = {
    "resting": [],
    "partly filled": [("98.80", "98.90", "0.4")],
    "one filled": [("98.80", "98.90", "1")],
    "sold again": [("98.80", "98.90", "1"), ("101.20", "101.30", "5")],
    "all filled": [("96.80", "96.90", "9")],
    "stopped out": [("98.80", "98.90", "1"), ("89", "99.50", "9")],
    "selling": [("97.80", "97.90", "2"), ("89", "99.50", "0.5")],
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_restart_finds_every_leg_as_it_was(tmp_path: Path, moment: str) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        for bid, ask, size in MOMENTS[moment]:
            await r.book(bid, ask, size)
        before, held, hold = legs(r, trade), r.held(), r.hold(trade)
    async with rig(tmp_path, market=False) as r:
        assert (legs(r, trade), r.held(), r.hold(trade)) == (before, held, hold)
        check(r)
        await r.book("89.00", "99.50")
        await r.book("96.00", "96.10")  # the ask is below every leg: only what was never stopped out may buy
        if held or moment == "stopped out":
            assert r.held() == 0
        check(r)


async def test_a_lost_answer_is_looked_up_leg_by_leg(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        between = Between(r)

        async def lost(*_: object) -> None:
            between.after.clear()
            r.stop_listening()
            r.venue._drop()
            from app.errors import VenueUnknown  # noqa: PLC0415 -- what a dropped connection is

            raise VenueUnknown("paper.lost", "lost")

        between.after.append(lost)
        trade = await basket(r)
        await r.finished(trade)
        assert trade.state is TradeState.SUBMITTED
        assert legs(r, trade) == [("OPEN", "OPEN", "OPEN")] * 3
        check(r)


async def test_a_list_that_never_arrived_ends_whole(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        between = Between(r)

        async def lost() -> None:
            between.before.clear()
            from app.errors import VenueUnknown  # noqa: PLC0415 -- what a dropped connection is

            raise VenueUnknown("paper.lost", "lost")

        between.before.append(lost)
        trade = await basket(r)
        await r.finished(trade)
        assert r.stored(trade)["state"] == "CANCELLED"
        assert r.hold(trade) == ("0", "RELEASED")
        check(r)


async def test_a_venue_that_dies_under_a_basket_is_asked_again(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        r.kill_venue()
        with pytest.raises(VenueError):
            await r.pipeline.cancel_order(trade.entries[0])
        await r.book("97.80", "97.90")
        assert r.held() == 2
        check(r)


async def test_two_legs_each_have_their_own_slots(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        assert list(trade.orders) == [
            *("entry", "stop", "target", "entry:2", "stop:2", "target:2", "entry:3", "stop:3", "target:3")
        ]
        for order in trade.orders.values():
            if order.role is not Role.ENTRY:
                assert trade.entry_of(order) in trade.entries
