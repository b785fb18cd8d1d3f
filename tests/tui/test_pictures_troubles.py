"""What a trader sees when something is wrong, as pictures."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.tui.app import VIEWS
from app.tui.host import Stage
from storage.faults import TransitionLost, fault_of
from strategies.model import Side
from tests.tui.acts import bought
from tests.tui.harness import Seat
from tests.tui.pictures import BOTH, EVERY_SIZE
from tests.tui.test_pictures import camera, known_log

__all__ = ["camera"]


async def to(seat: Seat, number: str, pane: str) -> None:
    """One pane of a screen."""
    await seat.press(number)
    assert seat.app.view is not None
    seat.app.view.show_pane(pane)


async def test_the_engine_failed(camera: Any) -> None:
    async with camera() as (seat, picture):
        await bought(seat)
        trade = await seat.propose()
        seat.app.do.read(trade.id)
        await seat.look()
        fatal = seat.host.trader.session.fatal
        fatal.set_result(OSError("the disk is gone"))
        await seat.until(lambda: seat.host.stage is Stage.FAILED)
        known_log()
        await picture.take("confirm", EVERY_SIZE)
        await seat.pilot.press("escape")
        for name, number in VIEWS.items():
            await seat.pilot.press(str(number))
            await picture.take(name, EVERY_SIZE if name == "trade" else BOTH)


async def test_the_market_is_silent(camera: Any) -> None:
    async with camera() as (seat, picture):
        await seat.propose()
        known_log()
        clock = seat.host.trader.session.clock
        clock._now += 75_000
        await picture.take("watch", BOTH, styles=True)
        seat.app.do.read(seat.rig.pipeline.proposals.waiting()[0].id)
        await picture.take("confirm")
        await seat.press("escape")
        await seat.press("7")
        await picture.take("health", BOTH)
        await to(seat, "7", "feeds")
        await picture.take("feeds")


async def test_a_halt_and_a_denial(camera: Any) -> None:
    async with camera(settings={"risk.position": "50"}) as (seat, picture):
        known_log()
        quote = seat.desk.market.quote("BTC-USDT")
        terms = {"symbol": "BTC-USDT", "module": "momentum", "quantity": "0.001", "worst": str(quote.ask)}
        refused = seat.rig.intent(Side.BUY, stop=str(quote.bid * 9 / 10), target=None, **terms)
        assert seat.rig.pipeline.propose(refused) is None
        await seat.rig.settle()
        await to(seat, "1", "log")
        await picture.take("denied-log")
        await seat.press("5")
        await picture.take("denied-risk", BOTH)
        seat.desk.halt("the venue and the ledger differ: USDT [12]")
        await picture.take("halted", EVERY_SIZE, styles=True)
        await seat.press("7")
        await picture.take("halted-health", BOTH)
        await to(seat, "7", "alerts")
        await seat.pilot.press("enter")
        await picture.take("halted-alert")
        await seat.press("escape")
        await seat.press("!")
        await seat.until(lambda: "EMERGENCY" in seat.text())
        for name in ("trade", "risk", "health"):
            await seat.press(str(VIEWS[name]))
            await picture.take(f"stopped-{name}", BOTH)


async def test_the_disk_is_full(camera: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("app.session", "storage.writer"):  # a fault names the file, and a test's folder is never the same
        monkeypatch.setattr(f"{module}.fault_of", lambda error, _: fault_of(error, Path("a.db")))
    async with camera() as (seat, picture):
        await seat.propose()
        known_log()
        seat.rig.watch_commits()
        seat.rig.fill_disk()
        with suppress(TransitionLost):
            await seat.desk.commit(seat.desk.transition(), "test.any", "")
        await seat.until(lambda: seat.host.over)
        await picture.take("trade", BOTH)
        await seat.press("7")
        await picture.take("health", BOTH)


async def test_rows_that_can_not_be_read_or_were_changed(camera: Any, tmp_path: Path) -> None:
    async with camera() as (seat, picture):
        await bought(seat)
        with sqlite3.connect(tmp_path / "a.db") as connection:
            connection.execute("UPDATE orders SET terms = 'none', filled = '0.5' WHERE role = 'stop'")
        await seat.press("3")
        await seat.until(lambda: "A row can not be read" in seat.text())
        await picture.take("orders", BOTH)
        await seat.press("6", "v")
        await seat.until(lambda: "NOT VERIFIED: " in seat.text())
        await picture.take("journal", BOTH)
