"""The queue for one pair of eyes: what a confirmation needs, what modules say meanwhile, and what is counted."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from app.errors import SafetyError
from app.execution.fatigue import READ_MS
from app.execution.proposals import Refusal
from app.execution.ranking import Waiting
from app.execution.records import Trade
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
