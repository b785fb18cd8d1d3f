"""Every key of every screen, dialog and widget: pressed at both sizes, seen to do what it says, and named in the help.
A key that somebody adds fails here until both is so. Here: lists, what works everywhere, and the help."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from app.engine.lifecycle import ModuleState
from app.tui.app import VIEWS, Terminal
from app.tui.host import Stage
from app.tui.screens.allowances import AllowancePane
from app.tui.screens.ask import QuestionDialog
from app.tui.screens.at_device import AtTheDevice
from app.tui.screens.dialog import Dialog
from app.tui.screens.edit import EditDialog
from app.tui.screens.form import FormDialog
from app.tui.screens.liquidity import LiquidityPane
from app.tui.screens.paged import Paged
from app.tui.screens.split import Split
from app.tui.screens.text import TextDialog
from app.tui.widgets.chart import Chart
from app.tui.widgets.choice import Choice
from app.tui.widgets.log import LogPane
from app.tui.widgets.pick import Pick
from app.tui.widgets.reader import Reader
from app.tui.widgets.table import Table
from tests.tui.harness import SIZES, terminal
from tests.tui.keyboard import CHAIN, DIALOGS, EVERYWHERE, LISTS, MOVES, SCREENS, Keyboard, Size, keys_of, owners


def test_every_class_with_keys_is_looked_at() -> None:
    assert owners() == {*LISTS, *EVERYWHERE, *SCREENS, *DIALOGS, *CHAIN}


_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "pageup": "Page Up",
    "pagedown": "Page Down",
    "escape": "Esc",
}
_PAGES = {
    EditDialog: "settings",
    Chart: "trade",
    Pick: "ticket",
    AtTheDevice: "hardware",
    AllowancePane: "wallets",
    LiquidityPane: "positions",
}


def _named(key: str, text: str) -> bool:
    name = _NAMES.get(key, key)
    if len(name) == 1 and name.isdigit():
        return f"`{name}`" in text or "`1`..`8`" in text
    if len(name) > 1 and key not in _NAMES:
        name = "+".join(part.capitalize() for part in name.split("+"))
        return re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE) is not None
    return re.search(rf"(?<![A-Za-z0-9+]){re.escape(name)}(?![A-Za-z0-9+])", text) is not None


def test_every_key_is_named_on_a_page_that_help_shows_where_it_works() -> None:
    folder = files("app.tui") / "help"
    everywhere = (folder / "everywhere.md").read_text("utf-8")
    missing, every = [], owners()
    forms = [each.topic for each in FormDialog.__subclasses__()]
    assert sorted(forms) == ["provide", "ticket"], "the page of each form names the keys that all have"
    for owner in every:
        topics = forms if owner is FormDialog else [_PAGES.get(owner) or str(vars(owner).get("topic", ""))]
        texts = [everywhere + ((folder / f"{topic}.md").read_text("utf-8") if topic else "") for topic in topics]
        if owner in {Paged, Split}:  # what several screens share is on the page of each
            texts = [everywhere + (folder / "orders.md").read_text("utf-8")]
        unnamed = [key for key in keys_of(owner) if not all(_named(key, text) for text in texts)]
        missing += [f"{owner.__name__}: {key}" for key in unnamed]
    assert sorted(missing) == []


@pytest.mark.parametrize("size", SIZES)
async def test_lists(tmp_path: Path, size: Size) -> None:
    async with terminal(tmp_path, size) as seat:
        key = Keyboard(seat)
        await seat.press("8")
        table = seat.app.screen.query_one("#settings", Table)
        await seat.until(lambda: bool(table.keys))
        for number, (name, place) in enumerate(MOVES):
            await key(Table, name)
            assert table.keys.index(table.cursor) == place * (10 if number > 3 else 1), name
        for name, place in (("end", -1), ("home", 0), ("G", -1), ("g", 0)):
            await key(Table, name)
            assert table.cursor == table.keys[place], name
        await key(Table, "enter")
        await seat.look()
        assert seat.dialog == "EditDialog"
        await seat.press("escape")
        seat.app.push_screen(TextDialog("Long", [(f"line {number}", "x", "") for number in range(200)]))
        await seat.look()
        reader = seat.app.screen.query_one(Reader)
        for number, (name, place) in enumerate([*MOVES, ("space", 1), ("pageup", 0)]):
            await key(Reader, name)
            assert reader._top == place * (8 if number > 3 else 1), name
        for name, least in (("end", 100), ("home", 0), ("G", 100), ("g", 0)):
            await key(Reader, name)
            assert reader._top == 0 if not least else reader._top > least, name
        await seat.press("escape", "1")
        for number in range(60):
            seat.host._tell(number, f"line {number}")
        seat.app.view.show_pane("log")  # type: ignore[union-attr]  # the Trade screen
        await seat.look()
        log = seat.app.screen.query_one(LogPane)
        for number, (name, place) in enumerate(
            [("up", 1), ("k", 2), ("down", 1), ("j", 0), ("pageup", 1), ("ctrl+u", 2), ("pagedown", 1), ("ctrl+d", 0)]
        ):
            await key(LogPane, name)
            assert log._back == place * (10 if number > 3 else 1), name
        for name in ("end", "G"):
            await seat.pilot.press("pageup")
            await key(LogPane, name)
            assert log._back == 0, name
        seat.app.view.show_pane("chart")  # type: ignore[union-attr]  # as above
        await seat.look()
        chart = seat.app.screen.query_one(Chart)
        for name, bars in (("left_square_bracket", 5), ("right_square_bracket", 1)):
            await key(Chart, name)
            assert chart._each == bars
        key.covers(*LISTS)


@pytest.mark.parametrize("size", SIZES)
async def test_everywhere(tmp_path: Path, size: Size) -> None:
    async with terminal(tmp_path, size) as seat:
        key, app = Keyboard(seat), seat.app
        for name in ("question_mark", "f1"):
            for owner, depth in ((Terminal, 2), (Dialog, 1)):
                await key(owner, name)  # in the help itself it goes back
                assert (len(app.screen_stack), seat.dialog) == (depth, "HelpDialog" if depth == 2 else "")
        for view, number in VIEWS.items():
            await key(Terminal, str(number))
            assert app.current == view
        for name, dialog in (("9", "DeviceDialog"), ("ctrl+o", "JumpDialog"), ("F", "WordDialog")):
            await key(Terminal, name)
            assert seat.dialog == dialog
            await key(Dialog, "escape")
            assert seat.dialog == ""
        await seat.pilot.press("ctrl+p")
        assert seat.dialog == "CommandPalette"
        await seat.press("escape")
        await seat.propose()
        for name in ("q", "ctrl+q", "ctrl+c"):
            await key(Terminal, name)
            assert seat.dialog == "QuestionDialog", name
            for moves, focus in (("tab", 1), ("shift+tab", 0), ("right", 1), ("left", 0), ("down", 1), ("up", 0)):
                await key(QuestionDialog, moves)
                assert app.focused is not None
                assert app.focused.id == f"answer-{focus}", moves
            await key(Choice, "enter")
            assert (seat.dialog, seat.host.stage) == ("", Stage.RUNNING), "staying is the first answer"
        running = seat.host._task
        await key(Terminal, "R")
        assert seat.host._task is running, "what runs is not started again"
        await seat.press("4")
        await key(Terminal, "p")
        await seat.look()
        assert (app.current, app.focused and app.focused.id) == ("trade", "proposals")
        await key(Terminal, "P")
        trader = seat.host.trader
        assert trader is not None
        await seat.until(lambda: trader.manager.slot("momentum").state is ModuleState.PAUSED)
        trader.stop("test")
        await seat.until(lambda: seat.host.over)
        await key(Terminal, "R")
        await seat.until(lambda: seat.host.stage is Stage.RUNNING)
        key.covers(*EVERYWHERE)
