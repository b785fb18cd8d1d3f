"""The queue for one pair of eyes: what a confirmation needs, what modules say meanwhile, and what is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.errors import SafetyError
from app.execution import counterfactual
from app.execution.counterfactual import HORIZON_MS
from app.execution.fatigue import READ_MS
from app.execution.proposals import Refusal
from app.execution.ranking import Waiting
from app.execution.records import Trade
from app.execution.state import load
from app.reports_proposals import answers, missed
from app.session import VENUE
from strategies.model import Bar, Side
from tests.execution.harness import BTC, ETH, Rig, rig
from tests.execution.person import PersonClock
from tests.execution.test_lost_commits import signed_and_cut_off


def refused(act: Callable[[], object], code: str, says: str = "") -> SafetyError:
    with pytest.raises(SafetyError) as caught:
        act()
    assert caught.value.code == code
    assert caught.value.sent == "no"
    assert says in str(caught.value)
    return caught.value


async def read_and_confirm(r: Rig, trade: Trade, readback: str | None = None) -> None:
    r.pipeline.proposals.shown(trade.id)
    r.person.passes(READ_MS)
    r.pipeline.proposals.confirm(trade.id, readback)
    await r.settle()


def row(r: Rig, trade: Trade) -> Waiting:
    (found,) = (each for each in r.pipeline.proposals.ranked() if each.trade_id == trade.id)
    return found  # type: ignore[no-any-return]  # the session is made in open()


# -- what a confirmation needs ------------------------------------------------------------------------------------


async def test_a_confirmation_of_what_was_not_read_is_refused(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False, careful=False) as r:
        trade, proposals = await r.trade(), r.pipeline.proposals
        refused(lambda: proposals.confirm(trade.id), "confirm.too_fast", "not shown")
        assert proposals.shown(trade.id) == READ_MS
        for _ in range(2):
            refused(lambda: proposals.confirm(trade.id), "confirm.too_fast", "still waits")
            r.person.passes(READ_MS // 2 - 1)
        refused(lambda: proposals.confirm(trade.id), "confirm.too_fast", f"{READ_MS - 2} ms")
        r.person.passes(2)
        proposals.shown(trade.id)  # brought up again: it begins anew
        refused(lambda: proposals.confirm(trade.id), "confirm.too_fast")
        r.person.passes(READ_MS)
        proposals.confirm(trade.id)
        await r.settle()
        assert r.stored(trade)["state"] == "FILLED"
        assert r.journal(trade).count("trade.shown") == 1
        assert r.journal(trade).index("trade.shown") < r.journal(trade).index("trade.confirmed")
        refused(lambda: proposals.shown(trade.id), "proposal.gone")
        r.assert_sound()


async def test_a_large_entry_needs_its_quantity_to_the_letter(tmp_path: Path) -> None:
    limits = {"fatigue.large_value": "150"}
    async with rig(tmp_path, auto_confirm=False, careful=False, settings=limits) as r:
        small, large = await r.trade(), await r.trade(module="n", quantity="1.500")
        proposals = r.pipeline.proposals
        assert proposals.requirement(small).readback is None
        assert proposals.requirement(small).words == ""
        assert proposals.requirement(large).readback == "1.5"
        assert "1.5" in proposals.requirement(large).words
        for wrong in (None, "", "1.50", "15", "1.5 ETH", "S", "\u0661.5"):
            with pytest.raises(SafetyError) as caught:
                await read_and_confirm(r, large, wrong)
            assert caught.value.code == "confirm.readback"
        assert large in proposals.waiting()
        await read_and_confirm(r, large, " 1.5\n")
        await read_and_confirm(r, small, "anything")
        assert {r.stored(large)["state"], r.stored(small)["state"]} == {"FILLED"}
        close = await r.close_position("1.5", module="n")
        assert proposals.requirement(close) == type(proposals.requirement(close))()
        await read_and_confirm(r, close)
        assert r.stored(close)["state"] == "FILLED"
        r.assert_sound()


async def test_what_nothing_values_is_large(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await r.trade()
        r.desk.valuation.last_rate = lambda _: None
        assert r.pipeline.proposals.requirement(trade).readback == "1"
        assert row(r, trade).value is None


RATE = {"fatigue.confirmations": "2", "fatigue.window_min": "10", "fatigue.pause_min": "5"}


async def test_after_so_many_there_is_a_pause_and_it_ends(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False, careful=False, settings=RATE) as r:
        first, second, third = [await r.trade(module=name) for name in ("a", "b", "c")]
        await read_and_confirm(r, first)
        r.person.passes(60_000)
        await read_and_confirm(r, second)
        need = r.pipeline.proposals.requirement(third)
        assert need.cool_down_ms == 300_000
        assert need.words == "2 entries confirmed within 10 min 0 s: rest for 5 min 0 s."
        assert row(r, third).requirement == need
        with pytest.raises(SafetyError, match=r"rest for 5 min 0 s") as caught:
            await read_and_confirm(r, third)
        assert caught.value.code == "confirm.rate"
        # market time does not count, and a close goes through
        await r.advance(500_000)
        await r.book("99.90", "100.00")
        close = await r.close_position("1", module="a")
        await read_and_confirm(r, close)
        assert r.stored(close)["state"] == "FILLED"
        assert r.pipeline.proposals.requirement(third).cool_down_ms == 300_000 - 2 * READ_MS
        r.person.passes(300_000 - 2 * READ_MS - 1)
        assert r.pipeline.proposals.requirement(third).words.endswith("rest for 1 s.")
        r.person.passes(1)
        await read_and_confirm(r, third)
        assert r.stored(third)["state"] == "FILLED"
        assert r.pipeline.proposals.requirement(await r.trade(module="d")).cool_down_ms == 0, "the count begins anew"


async def test_a_restart_is_no_rest(tmp_path: Path) -> None:
    person = PersonClock()
    for number in range(2):
        async with rig(tmp_path, auto_confirm=False, settings=RATE, person=person) as r:
            trade = await r.trade(module=f"m{number}")
            assert r.pipeline.proposals.requirement(trade).cool_down_ms == 0
            r.pipeline.proposals.confirm(trade.id)
            await r.settle()
        person.mono_ms = 7  # the machine was started anew
        person.wall_ms += 1000
    async with rig(tmp_path, auto_confirm=False, settings=RATE, person=person) as r:
        trade = await r.trade(module="m3")
        left = r.pipeline.proposals.requirement(trade).cool_down_ms
        assert left == 300_000 - 1000
        person.passes(left)
        assert r.pipeline.proposals.requirement(trade).cool_down_ms == 0
    person.wall_ms -= 50_000  # the wall clock was set back: still no rest, and no endless one
    async with rig(tmp_path, auto_confirm=False, settings=RATE, person=person) as r:
        trade = await r.trade(module="m4")
        assert 0 <= r.pipeline.proposals.requirement(trade).cool_down_ms <= 300_000


async def test_paper_that_confirms_by_itself_is_exempt(tmp_path: Path) -> None:
    limits = {**RATE, "fatigue.large_value": "0"}
    async with rig(tmp_path, careful=False, settings=limits) as r:
        for name in ("a", "b", "c", "d"):
            trade = await r.trade(module=name)
            assert r.stored(trade)["state"] == "FILLED"
        assert r.rows("SELECT * FROM answers") == []
        assert r.rows("SELECT * FROM journal WHERE kind = 'trade.shown'") == []


# -- what modules say meanwhile -----------------------------------------------------------------------------------


async def test_a_newer_of_the_same_is_dropped_counted_and_not_lost(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        trade = await r.trade()
        assert (row(r, trade).asked_again, row(r, trade).newer_worst_price) == (0, None)
        for worst in ("100.3", "100.1"):
            assert r.pipeline.propose(r.intent(worst=worst)) is None
        listed = row(r, trade)
        assert (listed.asked_again, listed.newer_worst_price) == (2, Decimal("100.1"))
        assert listed.worst_price == Decimal("100.5"), "what may be being read does not change"
        assert r.desk.counters.dropped == 2
        assert len(r.rows("SELECT * FROM intents")) == 1


async def test_two_modules_that_want_the_same_name_one_another(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False, instruments=(ETH, BTC)) as r:
        await r.book("1999.00", "2000.00", symbol="BTC-USDT")
        one, two = await r.trade(), await r.trade(module="n")
        apart = await r.trade(module="n", symbol="BTC-USDT", quantity="0.1", worst="2010", stop="1900", target="2100")
        assert (row(r, one).beside, row(r, two).beside, row(r, apart).beside) == ((two.id,), (one.id,), ())
        assert "1 other module asks for the same" in row(r, one).why
        r.pipeline.proposals.decline(two.id)
        assert row(r, one).beside == (), "answered is gone at once"


async def test_an_entry_is_withdrawn_when_its_module_wants_the_opposite(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        held = await r.trade(module="m", quantity="2")
        r.pipeline.proposals.confirm(held.id)
        await r.settle()
        trade, other = await r.trade(), await r.trade(module="n")
        close = await r.close_position("2")
        assert (r.stored(trade)["state"], r.stored(trade)["reason"]) == (
            "CANCELLED",
            "Its module wants the opposite now.",
        )
        assert r.journal(trade)[-1] == "trade.withdrawn"
        assert r.hold(trade) == ("0", "RELEASED")
        assert r.pipeline.proposals.waiting() == [other, close]
        # the other way round the close stays, and says so
        assert row(r, close).opposed is False
        again = await r.trade()
        assert r.pipeline.proposals.waiting() == [other, close, again]
        assert row(r, close).opposed is True
        assert r.rows("SELECT * FROM hypotheticals") == [], "a withdrawn trade was not missed"
        r.assert_sound()


async def test_an_entry_is_withdrawn_when_its_module_no_longer_wants_it(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False, instruments=(ETH, BTC)) as r:
        await r.book("1999.00", "2000.00", symbol="BTC-USDT")
        eth, other = await r.trade(), await r.trade(module="n")
        btc = await r.trade(symbol="BTC-USDT", quantity="0.1", worst="2010", stop="1900", target="2100")
        r.desk.on_unwanted("m", "ETH-USDT")
        assert r.pipeline.proposals.waiting() == [other, btc]
        await r.settle()
        assert r.journal(eth)[-1] == "trade.withdrawn"
        r.pipeline.proposals.withdraw("m", "Its module failed.")
        await r.settle()
        assert r.stored(btc)["reason"] == "Its module failed."
        assert r.pipeline.proposals.waiting() == [other]
        r.assert_sound()


# -- the ranking on a real desk -----------------------------------------------------------------------------------


async def test_closes_come_first_and_edges_move_with_the_market(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False) as r:
        held = await r.trade(module="h")
        r.pipeline.proposals.confirm(held.id)
        await r.settle()
        poor, rich = await r.trade(target="112"), await r.trade(module="n", target="140")
        close = await r.close_position("1", module="h")
        ranked = r.pipeline.proposals.ranked()
        assert [each.trade_id for each in ranked] == [close.id, rich.id, poor.id]
        assert "closes a position" in ranked[0].why
        entry = ranked[1]
        assert (entry.app, entry.value, entry.left_ms, entry.age_ms) == ("Ethereum", Decimal("100.5"), 600_000, 0)
        assert entry.edge_bps == entry.edge_then_bps
        await r.book("100.10", "100.20", after_ms=60_000)
        moved = row(r, rich)
        assert (moved.age_ms, moved.left_ms) == (60_000, 540_000)
        assert moved.edge_bps is not None
        assert entry.edge_bps is not None
        assert moved.edge_bps < entry.edge_bps == moved.edge_then_bps
        assert moved.edge_value == r.pipeline.proposals._edge(rich, r.desk.market.quote("ETH-USDT"), r.now).amount
        await r.book("100.90", "101.00")
        assert row(r, rich).reachable is False
        assert "the ask has left its worst price behind" in row(r, rich).why


async def test_bytes_signed_before_a_restart_keep_the_edge_of_their_proposal(tmp_path: Path) -> None:
    async with signed_and_cut_off(tmp_path) as trade:
        pass
    async with rig(tmp_path, market=False, auto_confirm=False) as r:
        (listed,) = r.pipeline.proposals.ranked()
        assert (listed.trade_id, listed.resumed, listed.edge_bps) == (trade.id, True, None)
        assert listed.edge_then_bps == Decimal("474.50"), "on the quote on record"
        assert "no quote" in listed.why
        await r.book("99.90", "100.00")
        assert row(r, trade).edge_bps is not None


# -- refusing -----------------------------------------------------------------------------------------------------


async def test_declining_is_immediate_and_may_say_why(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False, careful=False) as r:
        trade, other = await r.trade(), await r.trade(module="n")
        r.pipeline.proposals.decline(trade.id, code=Refusal.TOO_LATE)
        assert r.pipeline.proposals.waiting() == [other]
        assert [each.trade_id for each in r.pipeline.proposals.ranked()] == [other.id]
        await r.settle()
        assert r.stored(trade)["reason"] == "Declined by the trader: too late."
        assert {each.words for each in Refusal} == {
            "too late", "don't like it", "too large", "bad price", "duplicate",
        }  # fmt: skip


# -- counters and what was missed -----------------------------------------------------------------------------------


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
        assert load(VENUE, r.session.reader).missed.open == {"ETH-USDT": r.desk.state.missed.open["ETH-USDT"]}


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
        on_disk = load(VENUE, r.session.reader).missed.open
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
