"""The keys of the screens: each on its own pane, and nothing on another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widget import Widget
from textual.widgets import Input

from app.engine.lifecycle import ModuleState
from app.errors import VenueUnknown
from app.tui.app import VIEWS
from app.tui.screens.edit import EditDialog
from app.tui.screens.health import HealthView
from app.tui.screens.journal import JournalView
from app.tui.screens.modules import ModulesView
from app.tui.screens.orders import OrdersView
from app.tui.screens.paged import Paged
from app.tui.screens.panes import Paned
from app.tui.screens.positions import PositionsView
from app.tui.screens.settings import SettingsView
from app.tui.screens.split import Split
from app.tui.screens.ticket import TicketDialog
from app.tui.screens.trade import TradeView
from app.tui.widgets.table import Table
from tests.tui.acts import bought
from tests.tui.harness import SIZES, Seat, terminal
from tests.tui.keyboard import Keyboard, Size


async def _pane(seat: Seat, screen: str, pane: str) -> Widget:
    """A pane with the focus."""
    await seat.press(str(VIEWS[screen]))
    assert seat.app.view is not None
    seat.app.view.show_pane(pane)
    await seat.look()
    found = seat.app.view.query_one(f"#{pane}")
    assert found.has_focus
    return found


def _heads(seat: Seat) -> tuple[Any, ...]:
    """What a key that does nothing leaves as it is."""
    waiting = [trade.id for trade in seat.rig.pipeline.proposals.waiting()]
    trader = seat.host.trader
    assert trader is not None
    states = [slot.state for slot in trader.manager.slots.values()]
    return (seat.rig.session.writer.head, waiting, states, seat.dialog)


@pytest.mark.parametrize("size", SIZES)
async def test_trade_positions_orders_journal(tmp_path: Path, size: Size) -> None:
    async with terminal(tmp_path, size, settings={"manual.allocation": "100000"}) as seat:
        key = Keyboard(seat)
        await bought(seat)
        trade = await seat.propose("ETH-USDT", quantity="0.01")
        before = _heads(seat)
        for pane in ("watch", "log"):
            await _pane(seat, "trade", pane)
            await seat.pilot.press("x", "C", "a", "c", "v", "f", "e", "d", "u", "space", "S", "A", "l")
            assert _heads(seat) == before, pane
        await _pane(seat, "trade", "watch")
        for name, side in (("b", "buy"), ("s", "sell")):
            await key(TradeView, name)
            await seat.look()
            ticket = seat.app.screen
            assert isinstance(ticket, TicketDialog)
            assert ticket.typed()["side"] == side
            await seat.press("escape")
        for name, pane in (("tab", "chart"), ("shift+tab", "watch")):
            await key(TradeView, name)
            await seat.look()
            assert seat.app.focused is not None
            assert seat.app.focused.id == pane
        await _pane(seat, "trade", "positions")
        await seat.pilot.press("x")
        assert _heads(seat) == before
        await key(TradeView, "C")
        await seat.until(lambda: seat.dialog == "ConfirmDialog")
        await seat.press("x", "escape")
        await seat.until(lambda: len(seat.rig.pipeline.proposals.waiting()) == 1)
        await _pane(seat, "trade", "proposals")
        await seat.pilot.press("C")
        assert [each.id for each in seat.rig.pipeline.proposals.waiting()] == [trade.id]
        await key(TradeView, "w")
        await seat.until(lambda: seat.dialog == "TextDialog")
        await seat.press("escape")
        await key(TradeView, "x")
        await seat.became(trade, "DECLINED")
        await _split(seat, key)
        key.covers(TradeView, Split, Paged, PositionsView, OrdersView, JournalView)


async def _split(seat: Seat, key: Keyboard) -> None:
    held = await _pane(seat, "positions", "held")
    for name, pane in (("tab", "trips"), ("shift+tab", "held")):
        await key(Split, name)
        await seat.look()
        assert seat.app.focused is not None
        assert seat.app.focused.id == pane
    await seat.press("enter")
    assert seat.app.focused is not held
    await key(Split, "escape")
    await seat.look()
    assert seat.app.focused is held
    await key(PositionsView, "C")
    await seat.until(lambda: seat.dialog == "ConfirmDialog")
    await seat.press("x", "escape")
    await key(PositionsView, "V")  # a chain's standing exit, which paper has none of: tests/tui/test_standing.py
    await seat.look()
    assert seat.dialog == ""
    orders = await _pane(seat, "orders", "orders")
    view = seat.app.view
    assert isinstance(view, Paged)
    await seat.until(lambda: view.pages.wanted == view.wanted())
    stop = next(each for each in seat.desk.state.trades.values() if "stop" in each.orders).orders["stop"]
    view.table.mark(stop.request.client_id)
    await key(OrdersView, "c")
    await seat.look()
    assert any("protects an open position" in each.message for each in seat.app._notifications)
    assert stop.live
    await key(OrdersView, "b")  # of a chain's transactions, which paper has none of: tests/tui/test_acts.py
    await seat.look()
    assert (seat.dialog, stop.live) == ("", True)
    await key(OrdersView, "X")
    await seat.look()
    assert stop.live, "an exit stays"
    assert seat.dialog == "", "in the list it is this key, not the one that sells everything"
    await key(Paged, "f")
    assert view.choice == "live"
    await key(Paged, "slash")
    await seat.look()
    assert isinstance(seat.app.focused, Input)
    await seat.press("escape")
    assert orders.has_focus
    await seat.press("enter")
    before = _heads(seat)
    await seat.pilot.press("f", "slash", "c", "x", "S")
    assert (view.choice, _heads(seat)) == ("live", before), "they act on the list"
    await _pane(seat, "journal", "journal")
    await key(JournalView, "v")
    await seat.until(lambda: "Verified: " in seat.text())


@pytest.mark.parametrize("size", SIZES)
async def test_modules_health_settings(tmp_path: Path, size: Size) -> None:
    async with terminal(tmp_path, size) as seat:
        key, trader = Keyboard(seat), seat.host.trader
        assert trader is not None
        slot = trader.manager.slot("momentum")
        modules = await _pane(seat, "modules", "modules")
        assert isinstance(modules, Table)
        modules.mark("momentum")
        for name, state in (
            ("space", ModuleState.PAUSED),
            ("u", ModuleState.RUNNING),
            ("d", ModuleState.STOPPED),
            ("e", ModuleState.ENABLED),
        ):
            modules.mark("momentum")
            await key(ModulesView, name)
            if name == "d":
                await seat.press("y")
            await seat.until(lambda state=state: slot.state is state)  # type: ignore[misc]  # binds now
        await seat.look()
        modules.mark("momentum")
        await key(ModulesView, "a")
        await seat.look()
        assert seat.dialog == "LineDialog"
        await seat.press("escape")
        await _health(seat, key)
        await _settings(seat, key)
        key.covers(ModulesView, Paned, HealthView, SettingsView)


async def _health(seat: Seat, key: Keyboard) -> None:
    seat.desk.record_error(VenueUnknown("paper.lost", "An answer was lost on its way."), "abc123")
    await seat.rig.settle()
    await _pane(seat, "health", "state")
    for name, pane in (("tab", "numbers"), ("shift+tab", "state")):
        await key(Paned, name)
        await seat.look()
        assert seat.app.focused is not None
        assert seat.app.focused.id == pane
    view = seat.app.view
    assert isinstance(view, HealthView)
    seen = "SELECT acknowledged_ms FROM errors WHERE code = 'paper.lost'"
    await seat.pilot.press("a", "l")
    await seat.rig.settle()
    assert (seat.rig.rows(seen), view._level) == ([{"acknowledged_ms": None}], 1), "they act on their panes"
    errors = await _pane(seat, "health", "errors")
    assert isinstance(errors, Table)
    ((number,),) = (row.values() for row in seat.rig.rows("SELECT id FROM errors WHERE code = 'paper.lost'"))
    await seat.until(lambda: str(number) in errors.keys)
    errors.mark(str(number))  # on a busy machine the loop's stalls stand above it
    await key(HealthView, "a")
    await seat.until(lambda: seat.rig.rows(seen) != [{"acknowledged_ms": None}])
    await _pane(seat, "health", "log")
    await key(HealthView, "l")
    assert view._level == 2
    await key(HealthView, "d")
    await seat.until(lambda: any("Venue and ledger agree" in each.message for each in seat.app._notifications))
    await key(HealthView, "r")  # of a chain's nodes, which paper has none of: tests/tui/test_chain.py


async def _settings(seat: Seat, key: Keyboard) -> None:
    table = await _pane(seat, "settings", "settings")
    assert isinstance(table, Table)
    await seat.until(lambda: bool(table.keys))
    every = len(table.keys)
    await key(SettingsView, "f")
    await seat.look()
    assert len(table.keys) < every
    await seat.press("f")
    await _pane(seat, "settings", "detail")
    await seat.press("f")
    assert len(table.keys) == every, "it acts on the list"
    await key(SettingsView, "slash")
    await seat.press(*"zzz")
    assert table.keys == []
    await key(SettingsView, "escape")
    await seat.look()
    assert len(table.keys) == every
    table.mark("risk.quote_age_ms")
    await seat.press("enter", "ctrl+u", *"20000")
    dialog = seat.app.screen
    assert isinstance(dialog, EditDialog)
    await seat.until(lambda: dialog.has_class("-asks"))
    keys = Keyboard(seat)
    for name, field in (("tab", "typed-word"), ("tab", "value"), ("shift+tab", "typed-word")):
        await keys(EditDialog, name)
        await seat.look()
        assert seat.app.focused is not None
        assert seat.app.focused.id == field
    keys.covers(EditDialog)
    await seat.press("escape")
