"""A close and the exit that was faster: what is no longer held is not sold a second time, least of all out of what
another module holds of the same asset. A price that left while the person read is noticed before the device asks."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

from app.execution.records import Trade
from strategies.model import Side
from tests.execution.acts import spy_on_signer
from tests.execution.harness import Rig, rig


async def _two_hold(r: Rig) -> None:
    """Two modules hold one ETH each; the stop of `m` is near, that of `other` far."""
    for module, stop in (("m", "95"), ("other", "50")):
        trade = await r.trade(module=module, stop=stop)
        if trade.state == "PREPARED":
            r.pipeline.proposals.shown(trade.id)
            r.pipeline.proposals.confirm(trade.id)
        await r.finished(trade)
    assert (r.held(module="m"), r.held(module="other")) == (Decimal(1), Decimal(1))


def _close(r: Rig) -> Trade:
    trade: Trade | None = r.pipeline.propose(r.intent(Side.SELL, "1", "60", module="m", max_fee="1"))
    assert trade is not None, r.desk.counters.by_rule
    return trade


async def _until_sold(r: Rig) -> None:
    async with asyncio.timeout(30):
        while r.held(module="m"):  # noqa: ASYNC110 -- another process fills it
            await asyncio.sleep(0.002)


async def test_the_stop_fires_before_the_close_is_put_into_words(tmp_path: Path) -> None:
    async with rig(tmp_path, settings={"risk.spread_bps": "5000"}) as r:
        await _two_hold(r)
        await r.desk.turn.acquire()
        trade = _close(r)  # admitted, and not prepared before somebody gives the turn back
        feeding = asyncio.ensure_future(r.book("90", "90.1"))
        await _until_sold(r)
        r.desk.turn.release()
        await feeding
        await r.finished(trade)
        assert r.stored(trade)["state"] == "DENIED"
        assert r.stored(trade)["reason"] == "An exit was faster: m holds 0 of the 1 to be sold."
        assert r.held(module="other") == Decimal(1)
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_the_stop_fires_while_the_device_asks(tmp_path: Path) -> None:
    async with rig(tmp_path, lockstep=False) as r:
        await _two_hold(r)
        gate, shown, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()

        def wait() -> None:
            loop.call_soon_threadsafe(shown.set)
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(10)

        spy_on_signer(r, before=wait)
        sent = len(r.sent())
        trade = _close(r)
        await shown.wait()
        await r.book("90", "90.1")
        assert r.held(module="m") == 0
        gate.set()
        await r.finished(trade)
        assert r.stored(trade)["state"] == "DENIED"
        assert "An exit was faster" in r.stored(trade)["reason"]
        assert len(r.sent()) == sent
        r.assert_sound()
        r.assert_agrees_with_venue()


async def test_a_close_that_waits_ends_with_its_position(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False, lockstep=False) as r:
        await _two_hold(r)
        trade = _close(r)
        await r.settle()
        assert r.pipeline.proposals.waiting() == [trade]
        await r.book("90", "90.1")
        await r.finished(trade)
        assert r.pipeline.proposals.waiting() == []
        assert r.journal(trade)[-1] == "trade.withdrawn"
        assert "an exit sold it" in r.stored(trade)["reason"]
        r.assert_sound()


async def test_a_price_that_left_is_noticed_before_the_device_is_asked(tmp_path: Path) -> None:
    async with rig(tmp_path, auto_confirm=False, lockstep=False) as r:
        asked: list[None] = []
        spy_on_signer(r, before=lambda: asked.append(None))
        trade = await r.trade()
        await r.book("100.9", "101")
        r.pipeline.proposals.shown(trade.id)
        r.pipeline.proposals.confirm(trade.id)
        await r.finished(trade)
        assert r.states(trade)[-2:] == ["PREPARED", "DENIED"]
        assert r.stored(trade)["reason"] == "The ask rose to 101; the trade allows 100.5 or better."
        assert asked == []
        assert r.worse == [trade], "it is proposed afresh, at the price of now"
        r.assert_sound()
