"""The counters of the queue, and what the missed proposals would have made."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.execution import counterfactual
from app.execution.counterfactual import HORIZON_MS
from app.execution.proposals import Refusal
from app.execution.records import Trade
from app.execution.state import load
from app.reports_proposals import answers, missed
from strategies.model import Bar, Side
from tests.execution.harness import Rig, rig
from tests.execution.test_lost_commits import signed_and_cut_off
from tests.execution.test_queue import row


async def test_the_counters_are_what_the_journal_says(tmp_path: Path) -> None:
    limits = {"risk.position": "150"}
    async with rig(tmp_path, auto_confirm=False, settings=limits) as r:
        confirmed = await r.trade()
        r.pipeline.proposals.confirm(confirmed.id)
        await r.settle()
        assert r.pipeline.propose(r.intent(module="n", quantity="2")) is None  # denied
        await r.close_position("1")
        r.pipeline.proposals.confirm(r.pipeline.proposals.waiting()[0].id)
        await r.settle()
        for code in (Refusal.DISLIKE, None, Refusal.DISLIKE):
            r.pipeline.proposals.decline((await r.trade()).id, code=code)
            await r.settle()
        seen = await r.trade(expires_in_ms=1000)
        r.pipeline.proposals.shown(seen.id)
        r.pipeline.proposals.shown(seen.id)
        await r.advance(1000)
        await r.trade()
        r.desk.on_unwanted("m", "ETH-USDT")
        await r.settle()
        expected = {
            "proposed": 8, "shown": 3, "confirmed": 2, "declined": 3, "expired": 1, "withdrawn": 1,
            "declined_because": {"dislike": 2},
        }  # fmt: skip
        assert answers(r.session.reader) == expected
        r.assert_sound()
    states = {"DECLINED": 3, "EXPIRED": 1, "CANCELLED": 1, "FILLED": 2, "DENIED": 1}
    async with rig(tmp_path, auto_confirm=False) as r:
        assert answers(r.session.reader) == expected, "a restart keeps them"
        rows = r.rows("SELECT state, count(*) AS n FROM trades GROUP BY state")
        assert {each["state"]: each["n"] for each in rows} == states


async def bar(r: Rig, first: str, high: str, low: str, last: str) -> None:
    """A bar of a minute that begins now."""
    made = Bar(
        "ETH-USDT", r.now, 60_000, Decimal(first), Decimal(high), Decimal(low), Decimal(last), Decimal(1000)
    )  # fmt: skip
    await r.feed(made)


def hypothetical(r: Rig, trade: Trade) -> dict[str, Any]:
    (found,) = r.rows("SELECT * FROM hypotheticals WHERE trade_id = ?", trade.id)
    return found


async def test_what_a_declined_and_an_expired_entry_would_have_made(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        won, lost = await r.trade(), await r.trade(module="n", stop="98", expires_in_ms=5000)
        r.pipeline.proposals.decline(won.id)
        await r.advance(5000)
        for trade, answer in ((won, "declined"), (lost, "expired")):
            found = hypothetical(r, trade)
            assert (found["answer"], found["state"], found["entry"]) == (answer, "OPEN", "100.5")
        await bar(r, "100", "101", "97", "100")
    async with rig(tmp_path, market=False, auto_confirm=False) as r:
        found = hypothetical(r, lost)
        # (98 - 100.5) less 0.1 % of each
        assert (found["state"], found["exit_price"], found["result"]) == ("STOP", "98", "-2.6985")
        assert list(r.desk.state.missed.open["ETH-USDT"]) == [won.id], "a restart goes on with the open one"
        await bar(r, "100", "125", "99", "124")
        found = hypothetical(r, won)
        assert (found["state"], found["exit_price"], found["result"]) == ("TARGET", "120", "19.2795")
        assert r.desk.state.missed.open["ETH-USDT"] == {}
        report = missed(r.session.reader)
        assert "HYPOTHETICAL" in report["label"]
        part = {"followed": 1, "open": 0, "not_filled": 0, "not_followed": 0, "not_valued": 0}
        assert report["declined"] == {
            **part, "won": 1, "lost": 0, "by_asset": {"USDT": "19.2795"}, "value": "19.2795",
        }  # fmt: skip
        assert report["expired"] == {
            **part, "won": 0, "lost": 1, "by_asset": {"USDT": "-2.6985"}, "value": "-2.6985",
        }  # fmt: skip
        assert r.desk.state.purse.balances() == {"USDT": Decimal(10_000)}, "nothing of it is real"
        r.assert_sound()


async def test_a_hypothetical_ends_at_its_horizon(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await r.trade()
        r.pipeline.proposals.decline(trade.id)
        await r.settle()
        await r.book("101.00", "101.10", after_ms=HORIZON_MS - 1)
        assert hypothetical(r, trade)["state"] == "OPEN"
        await r.book("103.00", "103.10", after_ms=1)
        found = hypothetical(r, trade)
        assert (found["state"], found["exit_price"], found["exit_ms"]) == ("HORIZON", "103", found["ends_ms"])


async def test_what_could_not_have_been_filled_or_is_one_too_many_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counterfactual, "MOST", 1)
    async with rig(tmp_path, auto_confirm=False) as r:
        gone = await r.trade()
        await r.book("100.60", "100.70")
        r.pipeline.proposals.decline(gone.id)
        await r.settle()
        await r.book("99.90", "100.00")
        kept, dropped = await r.trade(module="a"), await r.trade(module="b")
        for trade in (kept, dropped):
            r.pipeline.proposals.decline(trade.id)
            await r.settle()
        states = [hypothetical(r, trade)["state"] for trade in (gone, kept, dropped)]
        assert states == ["NOT_FILLED", "OPEN", "NOT_FOLLOWED"]
        report = missed(r.session.reader)["declined"]
        assert (report["followed"], report["open"], report["not_filled"], report["not_followed"]) == (1, 1, 1, 1)
        assert load("paper", r.session.reader).missed.open == {"ETH-USDT": r.desk.state.missed.open["ETH-USDT"]}


async def test_a_declined_close_is_not_followed_and_signed_bytes_that_are_declined_are(tmp_path: Path) -> None:
    async with signed_and_cut_off(tmp_path) as trade:
        pass
    async with rig(tmp_path, auto_confirm=False) as r:
        r.pipeline.proposals.decline(trade.id)
        await r.settle()
        assert hypothetical(r, trade)["state"] == "OPEN"
        held = await r.trade(module="n")
        r.pipeline.proposals.confirm(held.id)
        await r.settle()
        close = await r.close_position("1", module="n")
        r.pipeline.proposals.decline(close.id)
        await r.settle()
        assert len(r.rows("SELECT * FROM hypotheticals")) == 1
        r.assert_sound()


async def test_a_lost_commit_takes_back_what_was_to_be_followed(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await r.trade()
        failed: list[str] = []

        def fail(kind: str) -> None:
            if kind == "trade.declined" and not failed:
                failed.append(kind)
                r.fill_disk()
                r.session.writer._queue.put(r.free_disk)

        r.watch_commits(fail)
        r.pipeline.proposals.decline(trade.id)
        await r.settle()
        await r.rebuilt()
        assert failed
        on_disk = load("paper", r.session.reader).missed.open
        assert r.desk.state.missed.open == on_disk
        r.assert_sound()


async def test_the_limits_in_force_are_those_of_the_settings(tmp_path: Path) -> None:
    limits = {"fatigue.confirmations": "3", "fatigue.window_min": "2", "fatigue.pause_min": "1"}
    async with rig(tmp_path, settings=limits) as r:
        fatigue = r.desk.terms.fatigue
        assert fatigue == replace(fatigue, confirmations=3, window_ms=120_000, pause_ms=60_000)
        assert fatigue.large_value == Decimal(1_000_000_000)
        assert r.rows("SELECT new FROM config_changes WHERE key = 'fatigue.confirmations'") == [{"new": "3"}]


async def test_a_sale_can_be_ranked_beside_its_purchase(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        held = await r.trade(module="h")
        r.pipeline.proposals.confirm(held.id)
        await r.settle()
        close, entry = await r.close_position("1", module="h"), await r.trade(module="n")
        assert [each.side for each in r.pipeline.proposals.ranked()] == [Side.SELL, Side.BUY]
        assert (row(r, close).beside, row(r, entry).beside) == ((), ())
