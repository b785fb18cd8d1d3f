"""The emergency stop at the worst moments: an order on its way, a failing disk, a sale in the middle of a reconnect."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.execution.emergency import StopReport
from app.execution.records import Trade
from app.execution.stop_flag import StopFlag
from app.execution.verify import verify
from app.session import Session
from storage.faults import TransitionLost
from storage.journal import read_mirror
from tests.execution.acts import entry_id
from tests.execution.harness import Between, Rig, plan_of, rig


async def stopped(r: Rig, *, flatten: bool = False) -> StopReport:
    r.desk.stop.create("test")
    report: StopReport = await r.session.emergency.act(flatten=flatten)
    return report


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_entry_on_its_way_is_cancelled_when_its_answer_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setattr("app.execution.emergency._ANSWER_S", 30)
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")  # nothing for sale: an entry rests
        between, stops = Between(r), []

        async def stop(*_: Any) -> None:
            stops.append(asyncio.ensure_future(stopped(r)))
            while not r.desk.stop.raised():  # noqa: ASYNC110 -- until the flag is there
                await asyncio.sleep(0)

        (between.before if when == "before" else between.after).append(stop)
        trade = await r.trade()
        report = await stops[0]
        await r.settle()
        assert r.order_states(trade)["entry"] == "CANCELLED"
        assert report.unknown == []
        assert report.kept_exits == 0
        await r.book("99.90", "100.00", "5")
        assert r.held() == 0
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_an_entry_without_an_answer_is_listed_and_cancelled_when_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.execution.emergency._ANSWER_S", 0)
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        between, reports = Between(r), []

        async def stop(*_: Any) -> None:
            reports.append(await stopped(r))

        between.before.append(stop)
        trade = await r.trade()
        assert reports[0].unknown == [entry_id(trade)]
        assert r.order_states(trade)["entry"] == "CANCELLED"
        r.assert_agrees_with_venue()


async def test_a_flag_that_appears_while_the_venue_hears_the_market_lets_nothing_out(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        venue = r.venue
        flush = venue._flush

        async def slow() -> None:
            await flush()
            r.desk.stop.create("by another process")

        venue._flush = slow  # type: ignore[method-assign]  # the real one, and what may happen meanwhile
        trade = await r.trade()
        assert r.sent() == []
        assert trade.state == "CANCELLED"
        r.assert_sound()


async def test_an_entry_whose_answer_was_lost_is_cancelled_once_it_is_found(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        between = Between(r)

        async def cut() -> None:
            await r.venue._flush()
            r.stop_listening()
            r.desk.stop.create("test")

        between.before.append(cut)
        trade = await r.trade()
        await r.finished(trade)
        assert r.order_states(trade)["entry"] == "CANCELLED"
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_failing_disk_ends_the_stop_at_no_entry(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        trades = [await r.trade(module=module) for module in "abc"]
        r.watch_commits()
        r.fill_disk()
        report = await stopped(r)
        assert report.cancelled == [entry_id(trade) for trade in trades]
        theirs = dict(r.venue_rows("SELECT client_id, state FROM orders"))
        assert [theirs[entry_id(trade)] for trade in trades] == ["CANCELLED"] * 3
        r.free_disk()
        await r.rebuilt()
        assert [r.order_states(trade)["entry"] for trade in trades] == ["CANCELLED"] * 3
        assert "halted" in r.alerts()
        r.assert_sound()


async def test_a_sale_in_the_middle_of_a_reconnect_is_not_concluded_by_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        held = [await r.trade(module=module) for module in "ab"]
        await r.book("99.90", "100.00", "0")  # no buyer
        between = Between(r)

        async def reconnect() -> None:
            await r.session.recovery.resume(r.pipeline)

        between.before.append(reconnect)
        report = await stopped(r, flatten=True)
        assert report.flattened == ["ETH-USDT", "ETH-USDT"]
        assert [r.order_states(trade)["flatten"] for trade in held] == ["OPEN", "OPEN"]
        await r.book("99.00", "99.10", "10")
        assert r.held(module="a") == r.held(module="b") == 0
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_sale_cut_off_by_a_failing_disk_is_listed_and_leaves_no_false_finding(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
        between = Between(r)

        async def lose() -> None:
            between.before.clear()
            r.watch_commits()
            r.fill_disk()
            with suppress(TransitionLost):
                await r.desk.commit(r.desk.transition(), "test.any", "")
            r.free_disk()
            await asyncio.Event().wait()  # until memory is read again, which ends this

        between.before.append(lose)
        report = await stopped(r, flatten=True)
        await r.rebuilt()
        assert (report.flattened, len(report.unknown)) == ([], 1)
        assert r.order_states(trade)["flatten"] == "CANCELLED"
        assert list(verify(r.session.reader, read_mirror(r.session.plan.db))) == []
        again = await stopped(r, flatten=True)
        assert again.flattened == ["ETH-USDT"]
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_position_without_a_live_exit_is_named(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
        for role in ("stop", "target"):
            await r.pipeline.cancel_order(trade.orders[role])
        await r.settle()
        report = await stopped(r, flatten=True)
        assert report.refused == ["ETH-USDT 1: held by m without a live exit."]


async def test_opening_with_the_stop_in_force_tells_what_it_did(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        trade: Trade = await r.trade()
    StopFlag(tmp_path / "a.db").create("test")
    async with rig(tmp_path, market=False) as r:
        assert r.session.stopped.cancelled == [entry_id(trade)]


async def test_opened_only_to_stop_the_stop_holds_whether_or_not_there_is_a_flag(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        trade: Trade = await r.trade()
    session = Session(replace(plan_of(tmp_path), emergency=True), lambda _: None, lambda _: None)
    await session.open()
    try:
        assert session.desk.stop.raised()
        assert session.stopped.cancelled == [entry_id(trade)]
    finally:
        await session.close("test ended")


def test_the_flag_on_a_full_disk_is_in_force_and_says_what_is_wrong(tmp_path: Path) -> None:
    flag = StopFlag(tmp_path / "a.db")
    flag.path.symlink_to("/dev/full")
    assert flag.create("test") == "No space left on device"
    assert flag.raised()
    assert StopFlag(tmp_path / "a.db").raised()


def test_a_flag_that_can_not_be_made_holds_in_this_process(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    flag = StopFlag(tmp_path / "file" / "a.db")
    assert flag.create("test") == "Not a directory"
    assert flag.raised()
    assert not StopFlag(tmp_path / "file" / "a.db").raised()
    flag.forget()
    assert not flag.raised()
