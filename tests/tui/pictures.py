"""Pictures of the terminal as text, kept under ``__snapshots__`` and compared line by line: what a change did to the
screen is read in its diff. `make pictures` takes them anew.

Nothing in them depends on the machine: its clocks stand still, and what is measured of it is replaced."""

from __future__ import annotations

import difflib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.segment import Segment
from rich.style import Style
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from app import health
from app.engine.clock import MarketClock, WallClock
from app.engine.lifecycle import ModuleState
from app.engine.watchdog import Lag
from app.trader import Trader
from tests.tui.harness import SMALL, WIDE_SCREEN, Seat, terminal

TINY = (20, 5)
EVERY_SIZE = (SMALL, WIDE_SCREEN, TINY)
BOTH = (SMALL, WIDE_SCREEN)
NOON = 1_763_726_400_000
"""2025-11-21 12:00 UTC: the machine's time in every picture, ms."""

_SAME = 4
"""Looks that must find the same: what a key has set going (another focus, a layout) takes a few turns of the loop."""

Size = tuple[int, int]
_health = health.health


class AsText(SingleFileSnapshotExtension):
    """One readable file a picture."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


class Camera:
    """Takes pictures of one seat and keeps what differs until the end: one run names every state that changed."""

    def __init__(self, seat: Seat, kept: SnapshotAssertion) -> None:
        self._seat, self._kept = seat, kept
        self._size: Size = (seat.app.size.width, seat.app.size.height)
        self._taken: set[str] = set()
        self._wrong: list[str] = []

    async def take(self, name: str, sizes: Iterable[Size] = (SMALL,), *, styles: bool = False) -> None:
        """A picture at each size; `styles`: the colours too. Afterwards the screen has the size that it had."""
        size = self._size
        for size in sizes:
            await self._resize(size)
            drawn = await self._still(styles=styles)
            label = f"{name}-{size[0]}x{size[1]}"
            assert label not in self._taken, f"{label}: two pictures of one name"
            self._taken.add(label)
            picture = self._kept(name=label)
            if picture != drawn:
                self._wrong.append(_difference(picture, drawn))
        if size != self._size:
            await self._resize(self._size)
            await self._seat.look()

    def judge(self) -> None:
        """Fail when a picture is another than the one that is kept."""
        assert not self._wrong, f"{len(self._wrong)} pictures changed\n\n" + "\n".join(self._wrong)

    async def _resize(self, size: Size) -> None:
        app = self._seat.app
        if (app.size.width, app.size.height) != size:
            await self._seat.pilot.resize_terminal(*size)

    async def _still(self, *, styles: bool) -> str:
        """What is drawn, once nothing moves any more: the same several times, and nothing is being read."""
        seat, before, same = self._seat, "", 0
        for _ in range(400):
            seat.app.clear_notifications()  # they go by the machine's time; what they say is said elsewhere too
            seat.app.tick()
            await seat.pilot._wait_for_screen()
            await seat.pilot.pause(0.001)
            drawn = _screen(seat, styles=styles)
            same = same + 1 if drawn == before and not seat.app._tasks else 0
            if same == _SAME:
                return drawn
            before = drawn
        raise AssertionError(f"the screen does not come to rest:\n{before}")


def _screen(seat: Seat, *, styles: bool) -> str:
    rows = [list(strip) for strip in seat.app.screen._compositor.render_strips()]
    text = "\n".join("".join(segment.text for segment in row).rstrip() for row in rows) + "\n"
    return text + _styles(rows) if styles else text


def _styles(rows: list[list[Segment]]) -> str:
    """Each style and the cells that have it, ``row: column+length``; the commonest one is named and not listed, and
    blanks on its background are not either."""
    cells: Counter[Style] = Counter()
    for row in rows:
        for text, style, _ in row:
            cells[style or Style.null()] += len(text)
    ((plain, _),) = cells.most_common(1)
    runs: dict[str, dict[int, list[tuple[int, int]]]] = {}
    for number, row in enumerate(rows):
        column = 0
        for segment in row:
            style, end = segment.style or Style.null(), column + segment.cell_length
            blank = segment.text.isspace() and style.bgcolor == plain.bgcolor and not style.reverse
            if not blank and style != plain:
                of_row = runs.setdefault(_name(style), {}).setdefault(number, [])
                start = of_row.pop()[0] if of_row and of_row[-1][1] == column else column
                of_row.append((start, end))
            column = end
    lines = [f"\nall else: {_name(plain)}"]
    for name in sorted(runs):
        lines.append(name)
        where = [
            (number, " ".join(f"{start}+{end - start}" for start, end in found)) for number, found in runs[name].items()
        ]
        for cells_of, group in itertools.groupby(where, key=lambda each: each[1]):
            of_rows = [number for number, _ in group]
            lines.append(
                f"  {of_rows[0]}..{of_rows[-1]}: {cells_of}" if len(of_rows) > 1 else f"  {of_rows[0]}: {cells_of}"
            )
    return "\n".join(lines) + "\n"


def _name(style: Style) -> str:
    return str(style) if style else "none"


def _difference(picture: SnapshotAssertion, drawn: str) -> str:
    """As a patch of the kept file."""
    execution = picture.executions[picture.num_executions - 1]
    kept = execution.recalled_data
    name = Path(execution.snapshot_location).name
    if kept is None:
        return f"{name} is not kept yet\n{drawn}"
    lines = difflib.unified_diff(str(kept).splitlines(), drawn.splitlines(), name, "now", n=1, lineterm="")
    return "\n".join(lines) + "\n"


# -- what a picture must not depend on -----------------------------------------------------------------------------


def _measured(trader: Trader) -> health.Health:
    """The real picture of the trader's health, with fixed numbers for what depends on the machine."""
    found = _health(trader)
    steady = {"database writes": "0 queued", "disk has room": "64.0 GB free"}
    details = {"engine": "pid 1000, event 200", "paper venue": "pid 1001", "database writer": "0 queued"}
    return replace(
        found,
        checks=tuple(
            replace(each, detail=steady[each.name]) if each.passed and each.name in steady else each
            for each in found.checks
        ),
        parts=tuple(replace(each, detail=details.get(each.name, each.detail)) for each in found.parts),
        market=replace(found.market, per_minute=300, silent_ms=0),
        lag=Lag(100, 200, 1_500, 2_500),
        slow=(),
        machine=health.Machine(96_000_000, 64_000_000_000, 400_000, 100_000, found.machine.journal_seq, 40, 3, 0),
    )


@pytest.fixture
def camera(
    snapshot: SnapshotAssertion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AbstractAsyncContextManager[tuple[Seat, Camera]]]:
    """Opens a terminal to take pictures of."""
    for clock in (WallClock, MarketClock):
        monkeypatch.setattr(clock, "monotonic_ns", lambda _: 0)
    monkeypatch.setattr(WallClock, "now_ms", lambda _: NOON)
    monkeypatch.setattr(health, "health", _measured)
    kept = snapshot.use_extension(AsText)

    @asynccontextmanager
    async def opened(size: Size = SMALL, **options: Any) -> AsyncIterator[tuple[Seat, Camera]]:
        async with terminal(tmp_path, size, **options) as seat:
            if not options.get("first_run"):
                await warm(seat)
            taken = Camera(seat, kept)
            yield seat, taken
            taken.judge()

    return opened


async def warm(seat: Seat) -> None:
    """Until no module is reading the past."""
    trader = seat.host.trader
    assert trader is not None
    await seat.until(lambda: all(slot.state is not ModuleState.ENABLED for slot in trader.manager.slots.values()))
    await seat.look()
