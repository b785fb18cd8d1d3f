"""The confirmation and the device, in every state that a person can meet them in."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from app.errors import VenueRefused, VenueUnknown
from app.execution.records import Trade
from app.tui.widgets.reader import Reader
from signers.demo import DemoSigner
from tests.execution.basket_acts import basket_intent
from tests.execution.harness import Between
from tests.tui.acts import bought
from tests.tui.harness import WIDE_SCREEN, Seat
from tests.tui.pictures import BOTH, EVERY_SIZE, TINY, camera

__all__ = ["camera"]


async def opened(seat: Seat, trade: Trade) -> Trade:
    """Its confirmation is in front."""
    seat.app.do.read(trade.id)
    await seat.look()
    assert seat.dialog == "ConfirmDialog"
    return trade


async def read(seat: Seat) -> None:
    """To the last line."""
    await seat.look()
    reader = seat.app.screen.query_one(Reader)
    while not reader.read:
        seat.app.screen.action_reader(8)  # type: ignore[attr-defined]  # the confirmation's
        await seat.pilot.pause(0)


async def submitted(seat: Seat) -> DemoSigner:
    """S counted: the device asks."""
    await read(seat)
    seat.person.waits(1)
    await seat.pilot.press("S")
    await seat.until(lambda: seat.dialog == "DeviceDialog")
    assert seat.host.trader is not None
    demo: DemoSigner = seat.host.trader.session.devices.demo
    return demo


async def approved(seat: Seat) -> None:
    """S counted, and the device approved."""
    demo = await submitted(seat)
    demo.turn(100)
    assert demo.approve()


async def test_until_it_is_answered(camera: Any) -> None:
    async with camera() as (seat, picture):
        await opened(seat, await seat.propose())
        await picture.take("entry", EVERY_SIZE)
        await seat.pilot.press("S")
        await picture.take("read-to-the-end-first")
        await read(seat)
        await seat.pilot.press("S")
        await picture.take("too-fast")
        seat.person.waits(1)
        await picture.take("read")
        await seat.pilot.press("x")
        await picture.take("refused", BOTH)
        await seat.press("escape")
        await opened(seat, await seat.propose(expires_in_ms=50_000))
        await picture.take("nearly-over", BOTH)
        trade = seat.rig.pipeline.proposals.waiting()[0]
        while trade.state.value == "PREPARED":
            await seat.market(20)
        await seat.became(trade, "EXPIRED")
        await picture.take("expired", (*BOTH, TINY))
        await seat.press("escape")
        trade = await seat.propose()
        trade.resumed = True
        await opened(seat, trade)
        await picture.take("signed-before-a-restart")
        trade.resumed = False
        seat.app.do.command("module_pause", name="momentum")
        await seat.became(trade, "CANCELLED")
        await picture.take("withdrawn", BOTH)


async def test_what_else_can_be_confirmed(camera: Any) -> None:
    async with camera(WIDE_SCREEN, settings={"manual.allocation": "100000"}) as (seat, picture):
        by_hand = await seat.propose(module="manual")
        await opened(seat, by_hand)
        await picture.take("by-hand", BOTH)
        await seat.press("escape")
        bid = seat.desk.market.quote("ETH-USDT").bid
        legs = [(str(round(bid * part / 1000)), "0.01", str(round(bid * (part + 20) / 1000))) for part in (990, 980)]
        basket = seat.rig.pipeline.propose(
            basket_intent(seat.rig, legs, stop=str(round(bid * 9 / 10)), module="momentum")
        )
        assert basket is not None, seat.desk.counters.by_rule
        await seat.until(lambda: basket in seat.rig.pipeline.proposals.waiting())
        await opened(seat, basket)
        await picture.take("basket", BOTH)
        await seat.press("x", "escape")
        await bought(seat, symbol="SOL-USDT", quantity="0.2")
        seat.app.do.close("SOL-USDT", "momentum")
        await seat.until(lambda: seat.dialog == "ConfirmDialog")
        await picture.take("exit", BOTH)


async def test_a_large_trade_and_a_pause(camera: Any) -> None:
    settings = {"fatigue.large_value": "50", "fatigue.confirmations": "1"}
    async with camera(settings=settings) as (seat, picture):
        trade = await opened(seat, await seat.propose())
        await picture.take("readback", BOTH)
        await read(seat)
        seat.person.waits(1)
        await seat.pilot.press("S")
        await picture.take("readback-missing")
        await seat.pilot.press(*trade.intent.quantity.to_eng_string(), "enter")
        demo = await submitted(seat)
        await picture.take("device-asked", EVERY_SIZE)
        await seat.pilot.press("right", "A")
        await picture.take("device-not-the-last-page")
        await seat.pilot.press(*["right"] * len(demo.review.pages))  # type: ignore[union-attr]  # it waits
        seat.person.waits(21)
        await picture.take("device-last-page")
        await seat.pilot.press("R")
        await seat.became(trade, "REFUSED")
        await picture.take("device-refused", BOTH)
        await seat.press("escape", "9")
        await picture.take("device-nothing-to-sign")
        await seat.press("escape")
        await opened(seat, await seat.propose("ETH-USDT", quantity="0.001"))
        await read(seat)
        seat.person.waits(1)
        await seat.pilot.press("S")
        await picture.take("rest-for-a-while")


async def test_confirmed_signed_sent(camera: Any) -> None:
    async with camera() as (seat, picture):
        gate = asyncio.Event()
        Between(seat.rig).before = [gate.wait]
        try:
            trade = await opened(seat, await seat.propose())
            await submitted(seat)
            await seat.pilot.press("escape")
            await picture.take("confirmed")
            await seat.press("9")
            await seat.pilot.press(*["right"] * 12, "A")
            await seat.until(lambda: trade.state.value == "SIGNED")
            await picture.take("signed", BOTH)
        finally:
            gate.set()
        await seat.became(trade, "FILLED")
        await picture.take("filled", EVERY_SIZE)


async def test_the_market_ran_away_and_the_stop(camera: Any) -> None:
    async with camera() as (seat, picture):
        ask: Decimal = seat.desk.market.quote("BTC-USDT").ask
        trade = await opened(seat, await seat.propose(worst=str(ask)))
        while seat.desk.market.quote("BTC-USDT").ask <= ask:
            await seat.market(4)
        await picture.take("moved", BOTH)
        await read(seat)
        seat.person.waits(1)
        await seat.pilot.press("S")
        await seat.became(trade, "DENIED")
        await picture.take("moved-and-denied", BOTH)
        await seat.press("escape")
        await seat.until(lambda: bool(seat.rig.pipeline.proposals.waiting()))
        (fresh,) = seat.rig.pipeline.proposals.waiting()
        await opened(seat, fresh)
        await picture.take("says-what-changed", (WIDE_SCREEN,))
        await seat.press("escape")
        trade = await opened(seat, await seat.propose("ETH-USDT", quantity="0.01"))
        seat.app.do.emergency()
        await seat.became(trade, "CANCELLED", "EXPIRED", "DECLINED")
        await picture.take("stopped", EVERY_SIZE)


async def test_the_venue_refused_it_and_the_answer_was_lost(camera: Any) -> None:
    async with camera() as (seat, picture):
        answers = [
            VenueRefused("paper.refused", "The venue says no: [b]halted[/b]."),
            VenueUnknown("paper.lost", "The answer was lost on its way."),
        ]

        async def fail(*_: object) -> None:
            raise answers[0]

        Between(seat.rig).before = [fail]
        seat.desk.venue.order = fail  # nobody answers a look-up either
        trade = await opened(seat, await seat.propose())
        await approved(seat)
        await seat.became(trade, "REJECTED")
        await picture.take("rejected", BOTH)
        await seat.press("escape")
        answers.pop(0)
        trade = await opened(seat, await seat.propose())
        await approved(seat)
        await seat.until(lambda: seat.desk.state.unknown_orders() > 0)
        await picture.take("unknown", BOTH)
        await seat.press("escape", "3")
        await seat.until(lambda: seat.app.focused is not None and seat.app.focused.id == "orders")
        await picture.take("unknown-order", BOTH, styles=True)
