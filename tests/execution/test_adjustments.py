"""Venue and ledger compared in the middle of a session, and the explicit adjustment. The truth is the real paper venue,
with what others did to the account added to its answers (`outside`)."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app import paths, reports, reports_journal
from app.errors import SafetyError, UsageError, VenueError
from app.execution.adjustments import WORD, adjust, not_there
from app.execution.reconcile import Difference
from app.execution.records import Trade
from app.execution.states import TradeState
from app.execution.verify import verify
from app.money import to_text
from app.reconcile_commands import reconcile_handlers, told
from app.venues.base import Reading
from storage.database import Reader, connect
from storage.faults import StorageFault
from storage.journal import Finding, read_mirror
from storage.schema import HASHED
from tests.execution.harness import Between, Rig, rig
from tests.execution.outside import Outside, wanted
from tests.execution.test_unknown import foreign_order


async def post(r: Rig, difference: Difference, reason: str = "I sent it") -> None:
    await adjust(r.desk, r.session.recovery, wanted(difference, reason))
    await r.settle()


def profit(r: Rig) -> tuple[Decimal, ...]:
    r.desk.sample_equity()
    found: tuple[Decimal, ...] = r.desk.equity.on(r.desk.terms.capital)
    return found


@pytest.mark.parametrize(("amount", "holds"), [("250.5", "10150.4"), ("-800", "9099.9")])
async def test_what_came_or_went_stops_new_trades_until_it_is_posted_and_is_no_profit(
    tmp_path: Path, amount: str, holds: str
) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
        outside, before = Outside(r), profit(r)
        state = r.desk.risk_state("ETH-USDT")
        assert await outside.look() == ()
        outside.move("USDT", amount)
        (found,) = await outside.look()
        assert found.words == f"USDT: the venue holds {holds}, the ledger 9899.9 (difference {amount})"
        assert r.desk.halted == f"the venue and the ledger differ: {found.words}"
        assert r.pipeline.propose(r.intent(module="n")) is None
        assert r.desk.counters.by_rule == {"halted": 1}
        assert r.alerts() == ["reconcile", "halted"]
        assert await outside.look() == (found,)
        assert r.alerts() == ["reconcile", "halted"], "told once"

        await post(r, found)
        assert r.desk.halted == ""
        assert r.alerts() == ["reconcile", "halted", "resumed"]
        assert to_text(r.desk.state.purse.balance("USDT")) == holds
        assert profit(r) == before
        after = r.desk.risk_state("ETH-USDT")
        for name in ("equity", "equity_peak", "day_start_equity", "exposure", "position_value", "losses_in_row"):
            assert getattr(after, name) == getattr(state, name), name
        await r.trade(module="n")
        r.assert_sound()
        sums = r.rows("SELECT account, amount FROM balances WHERE asset = 'USDT' AND account LIKE 'equity:adj%'")
        assert sums == [{"account": "equity:adjustment", "amount": to_text(-Decimal(amount))}]


async def test_a_restart_knows_what_was_adjusted(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        outside = Outside(r)
        outside.move("USDT", "-10")
        (found,) = await outside.look()
        await post(r, found)
    with closing(sqlite3.connect(paths.venue_db(tmp_path / "a.db"))) as connection, connection:
        connection.execute("UPDATE balances SET amount = '9990' WHERE asset = 'USDT'")
    async with rig(tmp_path) as r:
        assert r.desk.halted == ""
        assert r.desk.state.purse.balance("USDT") == 9990
        await r.trade()
        r.assert_sound()


async def test_the_journal_and_the_reports_show_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        outside = Outside(r)
        outside.move("USDT", "12.5")
        (found,) = await outside.look()
        await post(r, found, "from\x1b[31m my bank")
        (row,) = reports_journal.page(r.session.reader, reports_journal.JournalWanted(kind="ledger", size=1)).rows
        assert (row.kind, row.subject) == ("ledger.adjusted", "USDT")
        assert row.changes == "adjustment USDT 12.5 from\\x1b[31m my bank"
        detail = reports_journal.detail(r.session.reader, row.seq)
        assert detail is not None
        facts = {table: dict(values) for table, values in detail.facts if table == "adjustments"}
        assert {name: facts["adjustments"][name] for name in ("amount", "venue_has", "ledger_has")} == {
            "amount": "12.5", "venue_has": "10012.5", "ledger_has": "10000",
        }  # fmt: skip
        report = reports.profit(r.session.reader)
        assert report["balances"] == {"USDT": "10012.5"}
        assert [each["reason"] for each in report["adjustments"]] == ["from\\x1b[31m my bank"]


async def test_what_is_posted_is_what_was_read(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        outside = Outside(r)
        outside.move("USDT", "5")
        (found,) = await outside.look()
        outside.move("USDT", "1")
        with pytest.raises(SafetyError, match="not what you read any more: USDT: the venue holds 10006"):
            await post(r, found)
        outside.move("USDT", "-6")
        with pytest.raises(UsageError, match=r"USDT does not differ\. Venue and ledger agree"):
            await post(r, found)
        outside.move("USDT", "5")
        with pytest.raises(UsageError, match="needs a reason"):
            await post(r, found, " \t ")
        handlers = reconcile_handlers(r.session)
        request: dict[str, Any] = {"subject": "USDT", "venue_has": "10005", "ledger_has": "10000", "reason": "x"}
        with pytest.raises(SafetyError, match="word was not typed"):
            await handlers["adjust"](request)
        assert r.rows("SELECT * FROM adjustments") == []
        answer = await handlers["adjust"]({**request, "word": WORD})
        assert told(answer) == [
            f"Posted: 5 USDT, journal row {answer['seq']}.",
            "Venue and ledger agree. New trades are taken.",
        ]
        r.assert_sound()


async def test_an_order_that_is_not_ours_stops_new_trades_as_long_as_it_rests(tmp_path: Path) -> None:
    """No restart, and no adjustment: it must go."""
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        foreign = foreign_order(r)
        await r.venue.submit((foreign,), None)
        (found,) = (await r.session.recovery.look_again()).differences
        assert not found.adjustable
        assert found.words in r.desk.halted
        await r.venue.cancel(foreign.client_id)
        assert (await r.session.recovery.look_again()).differences == ()
        assert r.desk.halted == ""
        await r.book("99.90", "100.00")
        await r.trade()


async def test_a_fill_of_an_order_that_is_not_ours_is_explained_and_trading_goes_on(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "0")
        await r.venue.submit((foreign_order(r),), None)
        await r.book("99.90", "100.00", "5")
        assert r.desk.halted == "an order at the venue is not ours"
        found = {each.subject: each for each in (await r.session.recovery.look_again()).differences}
        assert set(found) == {"ETH", "USDT"}
        await post(r, found["USDT"])
        assert "ETH: the venue holds 1, the ledger 0" in r.desk.halted
        await post(r, found["ETH"])
        assert r.desk.halted == ""
        await r.trade()
        r.assert_sound()


async def test_a_fault_is_not_lifted_with_the_difference(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        outside = Outside(r)
        outside.move("USDT", "5")
        (found,) = await outside.look()
        r.desk.halt("a fault")
        assert r.desk.halted.startswith("a fault; the venue and the ledger differ")
        await post(r, found)
        assert r.desk.halted == "a fault"
        assert "resumed" not in r.alerts()


async def test_what_trades_in_flight_have_reserved_is_not_taken_from_them(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = r.pipeline.propose(r.intent(quantity="90"))
        assert trade is not None
        await r.settle()
        outside = Outside(r)
        outside.move("USDT", "-9000")
        (found,) = await outside.look()
        with pytest.raises(SafetyError, match=r"9\d+\.\d+ USDT is reserved by trades in flight"):
            await post(r, found)
        r.pipeline.proposals.decline(trade.id)
        await r.settle()
        await post(r, found)
        assert r.desk.state.purse.balance("USDT") == 1000
        r.assert_sound()


async def test_a_position_that_is_not_there_any_more_is_named(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
        outside, before = Outside(r), profit(r)
        outside.move("ETH", "-0.4")
        (found,) = await outside.look()
        await post(r, found)
        assert not_there(r.desk, "ETH") == Decimal("0.4")
        assert r.desk.halted == ""
        assert profit(r) == before, "who took it is no matter of the strategy's"


async def test_a_crash_between_the_adjustment_and_its_commit_leaves_the_difference(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        outside = Outside(r)
        outside.move("USDT", "5")
        (found,) = await outside.look()

        def fail(kind: str) -> None:
            if kind == "ledger.adjusted":
                r.fill_disk()
                asyncio.get_running_loop().call_later(0.05, r.free_disk)

        r.watch_commits(fail)
        with pytest.raises(StorageFault):
            await adjust(r.desk, r.session.recovery, wanted(found))
        await r.rebuilt()
        assert r.desk.state.purse.balance("USDT") == 10_000
        assert r.rows("SELECT * FROM adjustments") == []
        assert r.desk.halted.startswith("the database failed")
        assert "USDT: the venue holds 10005" in r.desk.halted
        r.assert_sound()


async def test_nothing_false_is_told_while_an_answer_is_due(tmp_path: Path) -> None:
    """The venue traded, its answer was lost: it has other balances, and that is no difference yet."""
    async with rig(tmp_path) as r:
        between, resolve = Between(r), r.pipeline._resolve_unknown
        unknown, look_up = asyncio.Event(), asyncio.Event()

        async def stop_listening() -> None:
            await r.venue._flush()
            r.stop_listening()

        async def later(trade: Trade, once: bool) -> None:
            unknown.set()
            await look_up.wait()
            await resolve(trade, once)

        between.before.append(stop_listening)
        r.pipeline._resolve_unknown = later
        trade = r.pipeline.propose(r.intent())
        assert trade is not None
        await unknown.wait()
        await r.venue.connect()
        found = await r.session.recovery.look_again()
        assert {each.subject for each in found.differences} == {"ETH", "USDT"}
        assert found.doubt == "The fate of an order is not known yet."
        assert r.session.recovery.books.books.differences == ()
        assert r.desk.halted == ""
        look_up.set()
        await r.finished(trade)
        assert trade.state is TradeState.FILLED
        assert (await r.session.recovery.look_again()).differences == ()
        assert "reconcile" not in r.alerts()


async def test_the_timer_goes_on_after_a_venue_that_did_not_answer(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        books, answers = r.session.recovery.books, [True, False]
        told: list[str] = []
        done = asyncio.Event()

        async def again() -> None:
            told.append(books.books.trouble)
            if not answers:
                done.set()
                await asyncio.Event().wait()
            if answers.pop():
                await r.session.recovery.look_again()
            else:
                raise VenueError("paper.silent", "No answer.")

        task = asyncio.create_task(books.run(0, again))
        await done.wait()
        assert told == ["", "No answer.", ""]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_comparison_that_agrees_asks_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        outside = Outside(r)
        await outside.look()
        assert outside.asked == 1
        outside.move("USDT", "1")
        await outside.look()
        assert outside.asked == 3, "what differs is looked at twice"
        await outside.look()
        assert outside.asked == 4, "and, while it stands, once each time"


def after(db: Path, sql: str) -> list[Finding]:
    """What `verify` finds after a change that is then undone."""
    connection = connect(db, read_only=False)
    with closing(connection):
        connection.execute("BEGIN")
        connection.execute(sql)
        found = list(verify(Reader(connection), read_mirror(db)))
        connection.execute("ROLLBACK")
    return found


async def test_tampering_with_an_adjustment_is_found(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        outside = Outside(r)
        outside.move("USDT", "5")
        (found,) = await outside.look()
        await post(r, found)
    db = tmp_path / "a.db"
    for column in HASHED["adjustments"]:
        found_there = after(db, f"UPDATE adjustments SET {column} = {column} || '1'")
        assert "journal" in {each.table for each in found_there}, column
    posted = "posted as an adjustment that nobody"
    for sql, words in (
        ("UPDATE adjustments SET amount = '6', venue_has = '10006'", posted),
        ("UPDATE adjustments SET venue_has = '10007'", "its figures do not differ by its amount"),
        ("DELETE FROM adjustments", posted),
        ("DELETE FROM postings WHERE account = 'equity:adjustment'", "USDT was adjusted and not posted"),
    ):
        assert any(words in each.what for each in after(db, sql)), sql


def test_a_reading_says_nothing_of_blocks_where_there_are_none() -> None:
    assert Reading({}).transactions is None
