"""A basket taken back in one go by its trade's id: journaled before the first cancel leaves, whatever comes between."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.errors import SafetyError, VenueError, VenueRefused, VenueUnknown
from app.execution.states import TradeState
from app.execution.withdrawal import Withdrawn, withdraw
from app.ids import client_order_id
from app.venues.base import OrderReport, OrderState
from storage.faults import StorageFault
from tests.execution.basket_acts import assert_covered, basket, basket_intent, legs
from tests.execution.harness import Between, Rig, rig
from tests.execution.test_ticket import book_now

RESTS = ("OPEN", "OPEN", "OPEN")
NEVER = ("CANCELLED", "CANCELLED", "CANCELLED")


def check(r: Rig) -> None:
    r.assert_sound()
    r.assert_agrees_with_venue()
    assert_covered(r)


async def take_back(r: Rig, name: str) -> Withdrawn:
    taken = await withdraw(r.desk, r.pipeline, name)
    await r.settle()
    return taken


class Spoiled:
    """Stands before the venue's cancel; `acts` are done in turn, one a call, before it."""

    def __init__(self, r: Rig, *acts: Any) -> None:
        self._cancel = r.desk.venue.cancel
        self.asked: list[str] = []
        self._acts = list(acts)
        r.desk.venue.cancel = self

    async def __call__(self, client_id: str) -> OrderReport:
        self.asked.append(client_id)
        act = self._acts.pop(0) if self._acts else None
        if act is not None:
            await act()
        report: OrderReport = await self._cancel(client_id)
        return report


async def _refuse() -> None:
    raise VenueRefused("paper.no", "Not now.")


async def test_by_the_trade_all_legs_go_and_what_was_bought_keeps_its_exits(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        await r.book("97.80", "97.90", "1.5")
        taken = await take_back(r, trade.id[:8])
        assert (taken.role, taken.client_id, taken.state) == ("basket", "", TradeState.CANCELLED)
        assert taken.words == "2 legs taken back: 1.5 of 3 was bought."
        assert [leg.words for leg in taken.legs] == [
            "Cancelled: 0.5 of 1 was filled before.", "Cancelled: 0 of 1 was filled before.",
        ]  # fmt: skip
        assert [leg["client_id"] for leg in taken.as_json()["legs"]] == [
            client_order_id(trade.id, f"entry:{number}") for number in (2, 3)
        ]
        assert legs(r, trade) == [("FILLED", "OPEN", "OPEN"), ("CANCELLED", "OPEN", "OPEN"), NEVER]
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.held() == Decimal("1.5")
        check(r)
        with pytest.raises(SafetyError, match=r"has ended: 1\.5 of 3 was bought\."):
            await take_back(r, trade.id)
        await r.book("89.00", "89.10")
        assert r.held() == 0
        check(r)


async def test_by_an_order_one_leg_goes(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        taken = await take_back(r, client_order_id(trade.id, "entry:2")[:10])
        assert (taken.role, taken.legs) == ("entry", ())
        assert legs(r, trade) == [RESTS, NEVER, RESTS]
        check(r)


async def test_each_leg_is_journaled_before_the_first_is_asked_for(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)

        async def journaled() -> None:
            (row,) = r.rows("SELECT body FROM journal WHERE kind = 'order.withdraw'")
            assert all(entry.request.client_id in row["body"] for entry in trade.entries)
            assert row["body"].count("needs no authorisation") == 3

        spoiled = Spoiled(r, journaled)
        await take_back(r, trade.id)
        assert spoiled.asked == [entry.request.client_id for entry in trade.entries], "what would buy next goes first"
        check(r)


async def test_a_leg_that_fills_meanwhile_is_said_and_the_others_go(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)

        async def falls() -> None:
            r.position += 1
            await r.venue.market(book_now(r, "98.80", "98.90", "9"), r.position)

        Spoiled(r, falls)
        taken = await take_back(r, trade.id)
        assert taken.words == "2 legs taken back, 1 leg filled first: 1 of 3 was bought."
        assert legs(r, trade) == [("FILLED", "OPEN", "OPEN"), NEVER, NEVER]
        check(r)


async def test_the_stop_of_the_basket_ends_the_others_in_the_middle_of_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        await r.book("97.80", "97.90", "1.5")

        async def through_the_stop() -> None:
            r.position += 1
            await r.venue.market(book_now(r, "89.00", "99.50", "9"), r.position)

        Spoiled(r, None, through_the_stop)
        await take_back(r, trade.id)
        assert r.held() == 0
        assert r.hold(trade) == ("0", "RELEASED")
        check(r)


async def test_what_one_leg_is_refused_is_no_reason_to_leave_the_others(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)

        spoiled = Spoiled(r, _refuse)
        with pytest.raises(VenueRefused, match=r"1 of 3 legs could not be taken back\. .*Not now\..*open, 0 of 1 fill"):
            await take_back(r, trade.id)
        assert len(spoiled.asked) == 3
        assert legs(r, trade) == [RESTS, NEVER, NEVER]
        check(r)
        assert (await take_back(r, trade.id)).words == "1 leg taken back: 0 of 3 was bought."
        check(r)


async def test_what_is_not_answered_is_said_loudest(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)

        async def silent() -> None:
            raise VenueUnknown("paper.lost", "lost")

        Spoiled(r, _refuse, silent)
        with pytest.raises(VenueUnknown, match="2 of 3 legs could not be taken back") as told:
            await take_back(r, trade.id)
        assert told.value.sent == "unknown"
        assert legs(r, trade) == [RESTS, RESTS, NEVER]
        check(r)


async def test_a_full_disk_stops_no_cancel_from_being_asked_for(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        r.watch_commits()

        async def fills() -> None:
            r.fill_disk()

        spoiled = Spoiled(r, fills)
        with pytest.raises((StorageFault, VenueError)):
            await take_back(r, trade.id)
        assert len(spoiled.asked) == 3, "it can only reduce risk"
        r.free_disk()
        await r.rebuilt()
        assert legs(r, trade) == [NEVER] * 3, "what the venue did was looked up"
        assert r.hold(trade) == ("0", "RELEASED")
        check(r)


async def test_a_basket_on_its_way_is_not_taken_back_by_halves(tmp_path: Path) -> None:
    """The venue has told of the first leg, its answer to the list is not here yet."""
    async with rig(tmp_path) as r:
        between = Between(r)

        async def one_is_told(reports: tuple[OrderReport, ...]) -> None:
            await r.pipeline._settlement.on_report(reports[0])
            entry = next(iter(r.desk.state.trades.values())).entries[0]
            assert entry.state is OrderState.OPEN
            with pytest.raises(SafetyError, match="the venue has not answered yet"):
                await withdraw(r.desk, r.pipeline, entry.trade_id)

        between.after.append(one_is_told)
        trade = await basket(r)
        assert legs(r, trade) == [RESTS] * 3
        check(r)


async def test_two_who_take_it_back_at_once_do_no_harm(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await basket(r)
        done = await asyncio.gather(*(withdraw(r.desk, r.pipeline, trade.id) for _ in range(2)))
        await r.settle()
        assert {each.words for each in done} == {"3 legs taken back: 0 of 3 was bought."}
        assert legs(r, trade) == [NEVER] * 3
        check(r)


async def test_a_prefix_of_two_baskets_names_none(tmp_path: Path) -> None:
    from app.errors import UsageError  # noqa: PLC0415 -- this one test

    async with rig(tmp_path) as r:
        await basket(r)
        r.pipeline.propose(basket_intent(r, module="n"))
        await r.settle()
        first, second = list(r.desk.state.trades.values())
        reader = r.desk.state.reader
        rows = reader.rows

        def alike(sql: str, parameters: Any = ()) -> Any:
            """Two ids that begin alike can not be asked for; what a prefix of both would find can."""
            if "substr(trade_id" in sql:
                sql = sql.replace("substr(trade_id, 1, ?) = ?", "? AND ?")
                return rows(sql, (1, 1, parameters[2]))
            return rows(sql, parameters)

        reader.rows = alike
        with pytest.raises(UsageError, match="Several orders' ids"):
            await withdraw(r.desk, r.pipeline, first.id)
        del reader.rows
        assert {legs(r, first)[0], legs(r, second)[0]} == {RESTS}


# -- killed in the middle of it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [1, 2, 3])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("filled", ["0", "1.5"])
async def test_the_end_of_the_program_at_each_step_loses_nothing(
    tmp_path: Path, asked: int, when: str, filled: str
) -> None:
    """The program ends right before or right after the n-th cancel left; the next one finds what the venue did, and
    takes the rest back."""
    async with rig(tmp_path) as r:
        trade = await basket(r)
        if filled != "0":
            await r.book("97.80", "97.90", filled)
        cancel, number, reached = r.desk.venue.cancel, 0, asyncio.Event()

        async def cut_off(client_id: str) -> OrderReport:
            nonlocal number
            number += 1
            if number == asked and when == "after":
                await cancel(client_id)
            if number >= asked:
                reached.set()
                await asyncio.Event().wait()
            return await cancel(client_id)  # type: ignore[no-any-return]  # the venue is made in open()

        r.desk.venue.cancel = cut_off
        task, there = asyncio.create_task(withdraw(r.desk, r.pipeline, trade.id)), asyncio.create_task(reached.wait())
        await asyncio.wait({there, task}, return_when=asyncio.FIRST_COMPLETED)
        for each in (there, task):
            each.cancel()
        await asyncio.gather(there, task, return_exceptions=True)
        await r.cut_off()
    async with rig(tmp_path, market=False) as r:
        check(r)
        await r.book("99.90", "100.00")
        check(r)
        if r.desk.state.trades.get(trade.id) and r.desk.state.trades[trade.id].resting_entries():
            await take_back(r, trade.id)
        assert all(entry in {"FILLED", "CANCELLED"} for entry, _, _ in legs(r, trade))
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.held() == Decimal(filled)
        check(r)
