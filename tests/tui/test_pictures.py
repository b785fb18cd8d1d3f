"""The screens and the smaller dialogs, state by state, as pictures."""

from __future__ import annotations

import json
from typing import Any

from textual.widgets import Input

from app import paths
from app.tui import themes
from app.tui.app import VIEWS
from app.tui.widgets.pick import Pick
from tests.tui.acts import bought, sold
from tests.tui.harness import SMALL, WIDE_SCREEN, Seat
from tests.tui.pictures import BOTH, EVERY_SIZE, TINY, Camera, camera

__all__ = ["camera"]


def known_log() -> None:
    """Two records and no other: what a session logs names the folder of the test."""
    records = [
        {"ts_ms": 1_763_726_400_000, "level": "info", "logger": "app", "event": "session.opened", "run": "b5f1"},
        {"ts_ms": 1_763_726_401_000, "level": "error", "logger": "app", "event": "engine.failed", "error": "OSError"},
    ]
    file = paths.log_dir() / "countersign.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")


async def each_pane(seat: Seat, picture: Camera, name: str) -> None:
    """What 80 columns show of a screen, pane by pane."""
    view = seat.app.view
    assert view is not None
    for pane in [str(each.id) for each in view.panes()][1:]:
        view.show_pane(pane)
        await picture.take(f"{name}-pane-{pane}")


async def busy(seat: Seat) -> None:
    """A gain, a loss, a position without its stop, one that was closed, and proposals."""
    await bought(seat, "0.002")
    bare = await bought(seat, "0.05", "ETH-USDT")
    session = seat.rig.session
    await session.venue.cancel(bare.orders["stop"].request.client_id)
    await session.recovery.resume(session.pipeline)
    await bought(seat, "0.3", "SOL-USDT")
    await sold(seat, "0.3", "SOL-USDT")
    await seat.market(100)
    await seat.propose("SOL-USDT", quantity="0.4")
    await seat.propose(quantity="0.001", module="manual", expires_in_ms=45_000)


async def test_before_anything_was_traded(camera: Any) -> None:
    async with camera() as (seat, picture):
        known_log()
        for name, number in VIEWS.items():
            await seat.pilot.press(str(number))
            await picture.take(name, EVERY_SIZE)
            if name in {"trade", "positions", "health", "settings"}:
                await each_pane(seat, picture, name)
        await seat.press("slash", *"zzz")
        await picture.take("settings-none-found")
        await seat.press("escape", "3")
        await seat.press("f")
        await picture.take("orders-none-live")
        await seat.press("6")
        await seat.press("f", "f")
        await picture.take("journal-no-orders")


async def test_while_something_happens(camera: Any) -> None:
    async with camera() as (seat, picture):
        await busy(seat)
        known_log()
        for name, number in VIEWS.items():
            await seat.pilot.press(str(number))
            if name not in {"settings", "health"}:
                await picture.take(name, BOTH)
            if name in {"positions", "orders", "journal"}:
                await seat.pilot.press("home", "enter")
                await picture.take(f"{name}-detail", BOTH)
            if name in {"trade", "positions"}:
                await each_pane(seat, picture, name)
        await seat.press("6")
        await seat.press("v")
        await seat.until(lambda: "Verified: " in seat.text())
        await picture.take("journal-verified", BOTH)
        await seat.press("4")
        await seat.press("space")
        await seat.until(lambda: "paused" in seat.text())
        await picture.take("modules-paused", BOTH)


async def test_every_theme(camera: Any) -> None:
    async with camera() as (seat, picture):
        await busy(seat)
        for theme in themes.NAMES:
            seat.app.wear(theme=theme)
            for pane in ("watch", "positions", "proposals"):
                seat.app.view.show_pane(pane)
                await picture.take(f"{theme}-{pane}", styles=True)
        seat.app.do.read(seat.rig.pipeline.proposals.waiting()[0].id)
        await seat.look()
        seat.app.screen.action_reader(8)
        seat.desk.stop.create("test")
        for theme in themes.NAMES:
            seat.app.wear(theme=theme)
            await picture.take(f"{theme}-stopped-confirm", styles=True)


async def test_plain_ascii(camera: Any) -> None:
    async with camera(WIDE_SCREEN, ascii_only=True) as (seat, picture):
        await busy(seat)
        known_log()
        for name, number in VIEWS.items():
            await seat.pilot.press(str(number))
            await picture.take(name, (*BOTH, TINY) if name == "trade" else (WIDE_SCREEN,))
        trade = seat.rig.pipeline.proposals.waiting()[0]
        seat.app.do.read(trade.id)
        await picture.take("confirm", BOTH)
        await seat.confirmed(trade)
        await picture.take("device", BOTH)


async def test_the_first_start_and_screens_without_an_engine(camera: Any) -> None:
    async with camera(first_run=True) as (seat, picture):
        await seat.until(lambda: bool(seat.dialog))
        known_log()
        await picture.take("first-run", EVERY_SIZE)
        seat.app.pop_screen()  # whatever is answered starts the engine
        for name in VIEWS:
            seat.app.do.show(name)
            await picture.take(name, (SMALL, TINY))


async def test_the_smaller_dialogs(camera: Any) -> None:
    async with camera() as (seat, picture):
        await seat.propose()
        await seat.press("question_mark")
        await picture.take("help", EVERY_SIZE)
        await seat.pilot.press("end")
        await picture.take("help-end")
        await seat.press("escape")
        await seat.pilot.press("ctrl+o")
        await picture.take("jump", BOTH)
        await seat.press("escape")
        await seat.pilot.press("q")
        await picture.take("quit", EVERY_SIZE)
        await seat.press("escape")
        await seat.pilot.press("ctrl+p")
        await seat.until(lambda: "Emergency stop" in seat.text())
        await picture.take("palette", BOTH)
        await seat.pilot.press(*"theme")
        await seat.until(lambda: "Emergency stop" not in seat.text() and "Theme: light" in seat.text())
        await picture.take("palette-found")
        await seat.press("escape", "4")
        await seat.press("a")
        await picture.take("capital", (SMALL, TINY))
        seat.app.screen.query_one(Input).value = "100000"
        await seat.pilot.press("enter")
        await picture.take("capital-word")
        await seat.press("escape")
        await seat.pilot.press("!")
        await seat.until(lambda: not seat.rig.pipeline.proposals.waiting())
        seat.app.do.lift_stop()
        await picture.take("lift-the-stop", EVERY_SIZE)
        await seat.pilot.press(*"trade", "enter")
        await picture.take("lift-the-stop-wrong-word")


async def test_changing_a_setting(camera: Any) -> None:
    async with camera() as (seat, picture):
        await seat.press("8")
        table = seat.app.screen.query_one("#settings")
        await seat.until(lambda: bool(table.keys))
        for name, key, text in (
            ("tighter", "risk.quote_age_ms", "5000"),
            ("looser", "risk.quote_age_ms", "20000"),
            ("wrong", "risk.quote_age_ms", "7"),
            ("covered", "risk.position", "5"),
        ):
            table.mark(key)
            await seat.press("enter")
            await seat.pilot.press("ctrl+u", *text)
            await seat.until(lambda text=text: seat.app.screen._judged == text)
            await picture.take(name, BOTH if name == "looser" else (SMALL,))
            await seat.press("escape")


def _put(seat: Seat, **fields: str) -> None:
    for name, text in fields.items():
        field = seat.app.screen.query_one(f"#field-{name}")
        assert isinstance(field, Input | Pick)
        field.value = text


async def test_the_ticket(camera: Any) -> None:
    async with camera(settings={"manual.allocation": "1000"}) as (seat, picture):
        await bought(seat, module="manual")
        await seat.pilot.press("s")
        await picture.take("sale-empty")
        _put(seat, quantity="0.001")
        await picture.take("sale", BOTH)
        _put(seat, quantity="5")
        await picture.take("sale-too-large")
        await seat.press("escape")
        await seat.press("b")
        await picture.take("empty", EVERY_SIZE)
        _put(seat, quantity="lots", stop="-1", seconds="x")
        await picture.take("faults", BOTH)
        await seat.pilot.press("ctrl+s")
        await picture.take("faults-proposed")
        bid = seat.desk.market.quote("BTC-USDT").bid
        stop, target = (str(round(bid * part / 100)) for part in (98, 104))
        _put(seat, quantity="0.001", stop=stop, target=target, kind="market", seconds="")
        await picture.take("allowed", EVERY_SIZE)
        _put(seat, kind="limit", price=str(round(bid * 99 / 100)))
        await picture.take("rests")
        _put(seat, quantity="0.1")
        await picture.take("denied", BOTH)
        seat.host.trader.stop("test")
        await seat.until(lambda: seat.host.over)
        await picture.take("no-engine")
        await seat.pilot.press("escape")
