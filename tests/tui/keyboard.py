"""Which keys there are, and that a test pressed each of them."""

from __future__ import annotations

import importlib
import pkgutil

from textual.binding import Binding
from textual.dom import DOMNode

from app.tui import screens, widgets
from app.tui.app import Terminal
from app.tui.screens.allowances import AllowancePane
from app.tui.screens.ask import QuestionDialog
from app.tui.screens.at_device import AtTheDevice
from app.tui.screens.compare import CompareDialog
from app.tui.screens.confirm import ConfirmDialog
from app.tui.screens.device import DeviceDialog
from app.tui.screens.dialog import Dialog
from app.tui.screens.edit import EditDialog
from app.tui.screens.form import FormDialog
from app.tui.screens.hardware import HardwareDialog
from app.tui.screens.health import HealthView
from app.tui.screens.journal import JournalView
from app.tui.screens.liquidity import LiquidityPane
from app.tui.screens.modules import ModulesView
from app.tui.screens.orders import OrdersView
from app.tui.screens.paged import Paged
from app.tui.screens.panes import Paned
from app.tui.screens.positions import PositionsView
from app.tui.screens.settings import SettingsView
from app.tui.screens.split import Split
from app.tui.screens.trade import TradeView
from app.tui.screens.wallets import WalletsView
from app.tui.widgets.chart import Chart
from app.tui.widgets.choice import Choice
from app.tui.widgets.log import LogPane
from app.tui.widgets.pick import Pick
from app.tui.widgets.reader import Reader
from app.tui.widgets.table import Table
from tests.tui.harness import Seat

Size = tuple[int, int]
LISTS: tuple[type[DOMNode], ...] = (Table, Reader, LogPane, Chart)
EVERYWHERE: tuple[type[DOMNode], ...] = (Terminal, Dialog, QuestionDialog, Choice)
SCREENS: tuple[type[DOMNode], ...] = (
    TradeView,
    Split,
    Paged,
    PositionsView,
    OrdersView,
    JournalView,
    ModulesView,
    Paned,
    HealthView,
    SettingsView,
    WalletsView,
)
DIALOGS: tuple[type[DOMNode], ...] = (
    ConfirmDialog,
    DeviceDialog,
    HardwareDialog,
    AtTheDevice,
    CompareDialog,
    FormDialog,
    EditDialog,
    Pick,
)
CHAIN: tuple[type[DOMNode], ...] = (AllowancePane, LiquidityPane)
"""Those that are there on a chain only: their keys are pressed in tests/tui/test_acts.py."""
MOVES = [("down", 1), ("j", 2), ("up", 1), ("k", 0), ("pagedown", 1), ("ctrl+d", 2), ("pageup", 1), ("ctrl+u", 0)]
"""Keys of a list and where they lead; from the fifth on in pages."""


def keys_of(owner: type[DOMNode]) -> set[str]:
    """Its own keys: bindings, and methods that Textual calls for a key."""
    bound = {each.key for each in Binding.make_bindings(vars(owner).get("BINDINGS", ()))}
    named = [name.removeprefix("key_") for name in vars(owner) if name.startswith("key_")]
    return bound | {name.removeprefix("upper_").upper() if name.startswith("upper_") else name for name in named}


def owners() -> set[type[DOMNode]]:
    """Every class of the terminal that has keys."""
    modules = [importlib.import_module("app.tui.app")]
    for package in (screens, widgets):
        names = [each.name for each in pkgutil.iter_modules(package.__path__)]
        modules += [importlib.import_module(f"{package.__name__}.{name}") for name in names]
    found = {each for module in modules for each in vars(module).values() if isinstance(each, type)}
    return {each for each in found if issubclass(each, DOMNode) and "app.tui" in each.__module__ and keys_of(each)}


class Keyboard:
    """Presses keys and remembers whose they were."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._pressed: set[tuple[type[DOMNode], str]] = set()

    async def __call__(self, owner: type[DOMNode], key: str) -> None:
        self._pressed.add((owner, key))
        await self._seat.pilot.press(key)

    def covers(self, *whose: type[DOMNode]) -> None:
        """Fail for a key that was not pressed."""
        wanted = {(owner, key) for owner in whose for key in keys_of(owner)}
        differ = sorted(f"{owner.__name__}: {key}" for owner, key in wanted ^ self._pressed)
        assert not differ, f"pressed and not theirs, or theirs and not pressed: {differ}"
