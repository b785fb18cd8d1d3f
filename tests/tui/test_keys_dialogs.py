"""The keys of the confirmation, the device and the ticket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from app.tui.screens.confirm import ConfirmDialog
from app.tui.screens.device import DeviceDialog
from app.tui.screens.form import FormDialog
from app.tui.widgets.pick import Pick
from app.tui.widgets.reader import Reader
from tests.tui.harness import SIZES, Seat, terminal
from tests.tui.keyboard import MOVES, Keyboard, Size


@pytest.mark.parametrize("size", SIZES)
async def test_dialogs(tmp_path: Path, size: Size) -> None:
    async with terminal(tmp_path, size, settings={"manual.allocation": "100000"}) as seat:
        key = Keyboard(seat)
        await _ticket(seat, key)
        trade = seat.rig.pipeline.proposals.waiting()[0]
        reader = seat.app.screen.query_one(Reader)
        reader._document = lambda width: [*reader_of(width), *reader_of(width)]  # long enough to scroll at any size
        reader_of = seat.app.screen._document  # type: ignore[attr-defined]  # the confirmation's
        for number, (name, place) in enumerate([*MOVES, ("space", 1), ("pageup", 0)]):
            await key(ConfirmDialog, name)
            assert reader._top == place * (8 if number > 3 else 1), name
        for name, top in (("end", True), ("home", False), ("G", True), ("g", False)):
            await key(ConfirmDialog, name)
            assert bool(reader._top) is top, name
        await key(ConfirmDialog, "x")
        await seat.became(trade, "DECLINED")
        await seat.pilot.press("S", "x", "enter")
        await _device(seat, key)
        key.covers(ConfirmDialog, DeviceDialog, FormDialog, Pick)


async def _ticket(seat: Seat, key: Keyboard) -> None:
    await seat.press("b")
    bid = seat.desk.market.quote("BTC-USDT").bid
    for name, text in (("quantity", "0.001"), ("stop", str(round(bid * 98 / 100)))):
        seat.app.screen.query_one(f"#field-{name}", Input).value = text
    for name, field in (("down", "measure"), ("up", "quantity"), ("enter", "measure")):
        await key(FormDialog, name)
        assert seat.app.focused is not None
        assert seat.app.focused.id == f"field-{field}", name
    pick = seat.app.screen.query_one("#field-measure", Pick)
    first = pick.value
    for name, back in (("right", False), ("left", True), ("space", False)):
        await key(Pick, name)
        assert (pick.value == first) is back, name
    await seat.press("left")
    await seat.pilot.press(*["enter"] * 12)
    assert seat.rig.pipeline.proposals.waiting() == []
    await key(FormDialog, "ctrl+s")
    await seat.until(lambda: seat.dialog == "ConfirmDialog")
    await seat.look()


async def _device(seat: Seat, key: Keyboard) -> None:
    """Twice: refused, then approved; left alone and found again in between."""
    for answer, state in (("R", "REFUSED"), ("A", "FILLED")):
        trade = await seat.propose()
        for _ in seat.app.screen_stack[1:]:
            await seat.press("escape")
        seat.app.do.read(trade.id)
        await seat.look()
        await seat.pilot.press("9")
        assert seat.dialog == "ConfirmDialog", "nothing is asked yet"
        await seat.press("end")
        while not seat.app.screen.query_one(Reader).read:
            await seat.press("pageup")
        seat.person.waits(1)
        await key(ConfirmDialog, "S")
        await seat.until(lambda: seat.dialog == "DeviceDialog")
        assert seat.host.trader is not None
        demo: Any = seat.host.trader.session.devices.demo
        for name, page in (
            *(("right", 1), ("l", 2), ("space", 3), ("pagedown", 4)),
            *(("left", 3), ("h", 2), ("pageup", 1)),
        ):
            await key(DeviceDialog, name)
            assert demo.review.page == page, name
        await seat.pilot.press("A", "enter")
        await seat.look()
        assert trade.state.value == "CONFIRMED"
        assert seat.dialog == "ConfirmDialog", "Enter left it waiting: that had the focus"
        await key(ConfirmDialog, "9")
        await seat.look()
        assert seat.dialog == "DeviceDialog"
        await seat.pilot.press(*["right"] * len(demo.review.pages))
        await key(DeviceDialog, answer)
        await seat.became(trade, state)
