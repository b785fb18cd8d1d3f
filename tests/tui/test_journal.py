"""The Journal screen: rows, lives, filters, and the verification that is cancelled when nobody watches."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from app.tui.host import aside
from app.tui.screens.journal import JournalView
from app.tui.widgets.reader import Reader
from app.verification import Verification
from tests.tui.acts import bought
from tests.tui.harness import SIZES, WIDE_SCREEN, Seat, terminal
from tests.tui.many import past


def _view(seat: Seat) -> JournalView:
    return seat.app.screen_stack[0].query_one("#view-journal", JournalView)


async def _read(seat: Seat) -> None:
    view = _view(seat)
    await seat.until(lambda: view.pages.wanted == view.wanted())
    await seat.look()


async def _open(seat: Seat) -> None:
    await seat.press("6")
    await _read(seat)


def _detail(seat: Seat) -> str:
    lines = _view(seat).query_one("#detail", Reader)._document(70)
    return "\n".join("".join(text for text, _ in each.pieces) for each in lines)


@pytest.mark.parametrize("size", SIZES)
async def test_rows_newest_first_and_a_trade_s_whole_life_in_order(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        trade = await bought(seat)
        await _open(seat)
        head = seat.rig.session.writer.head
        assert f"head {head.seq} {head.hash.hex()[:16]}" in seat.text()
        assert _view(seat).table.keys == [str(seq) for seq in range(head.seq, 0, -1)]
        newest = _view(seat).table.text_lines()[1]
        assert "trade.submitted" in newest
        assert "entry FILLED 0.001" in newest
        await seat.press("down", "enter")
        await seat.until(lambda: trade.id in _detail(seat))
        kinds = [word for word in _detail(seat).split() if word.startswith(("trade.", "order."))]
        assert kinds == seat.rig.journal(trade)
        assert "A trade's life" in seat.text()
        await seat.press("escape")
        assert seat.app.screen.query_one("#journal").has_focus


async def test_enter_on_a_row_without_a_trade_shows_what_it_committed(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await _open(seat)
        await seat.press("end", "up", "enter")
        await seat.until(lambda: "postings" in _detail(seat))
        assert "ledger.opening" in seat.text()
        assert "opening" in _detail(seat)


@pytest.mark.parametrize("size", SIZES)
async def test_filters_by_kind_and_by_subject(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        trade = await bought(seat)
        await _open(seat)
        await seat.press("f")
        await _read(seat)
        assert "ledger.opening" not in seat.text()
        assert len(_view(seat).table.keys) == len(seat.rig.journal(trade))
        await seat.press("f")
        await _read(seat)
        assert "Nothing here is order" in seat.text()
        while _view(seat).choice != "all":
            await seat.press("f")
        await seat.press("slash", *trade.id[:8])
        await _read(seat)
        found = _view(seat).pages.result
        assert found is not None
        assert {row.subject for row in found.rows} == {trade.id}
        await seat.press("escape")
        await _read(seat)
        assert "ledger.opening" in seat.text()


@pytest.mark.parametrize("size", SIZES)
async def test_v_verifies_and_says_so(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        await bought(seat)
        await _open(seat)
        await seat.press("v")
        await seat.until(lambda: "Verified: " in seat.text())
        assert f"Verified: {seat.rig.session.writer.head.seq} rows" in seat.text()
        assert "every signature is its address's" in _detail(seat)
        await seat.press("escape")
        assert "Verified: " in seat.text(), "the line below the list stays"


async def test_what_was_changed_is_named(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        await bought(seat)
        with sqlite3.connect(tmp_path / "a.db") as connection:
            connection.execute("UPDATE orders SET filled = '0.5' WHERE role = 'stop'")
        await _open(seat)
        await seat.press("v")
        await seat.until(lambda: "NOT VERIFIED: " in seat.text())
        assert "filled is '0.5'" in _detail(seat)
        assert "Do not trade on this database" in seat.text()


class _Held(Verification):
    """One that stops after three rows until it may go on."""

    made: _Held | None = None

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]  # what the screen gives
        _Held.made = self
        self.may_go_on, self.over = threading.Event(), threading.Event()

    def _checked(self, part: str) -> None:
        super()._checked(part)
        if self.progress().rows == 3:
            self.may_go_on.wait(60)

    def run(self) -> object:  # type: ignore[override]  # handed on as it is
        try:
            return super().run()
        finally:
            self.over.set()


async def test_progress_is_shown_keys_are_answered_and_leaving_cancels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.tui.screens.journal.Verification", _Held)
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        await bought(seat)
        await _open(seat)
        await seat.press("v")
        await seat.until(lambda: "Verifying chain: 3 of " in seat.text())
        job = _Held.made
        assert job is not None
        await seat.press("v")
        assert _Held.made is job, "one at a time"
        await seat.press("escape", "down")
        assert "Verifying chain: 3 of " in seat.text(), "while one reads on"
        await seat.press("3")
        job.may_go_on.set()
        await seat.until(job.over.is_set)
        assert job.progress().rows == 3, "it ended at its next row"
        await seat.press("6")
        assert "erif" not in seat.text().replace("v verify", "")
        await seat.press("v")
        again = _Held.made
        assert again is not None
        assert again is not job
    again.may_go_on.set()
    assert again.over.wait(60), "and the screen's end cancels it too"
    assert again.progress().rows <= 3


async def test_a_long_journal_is_read_backwards_by_pages(tmp_path: Path) -> None:
    past(tmp_path / "a.db", 3_000)
    async with terminal(tmp_path) as seat:
        await _open(seat)
        head = seat.rig.session.writer.head.seq
        table = _view(seat).table
        assert table.keys[0] == str(head)
        assert len(table.keys) == 200
        await seat.press("end", "down")
        await _read(seat)
        assert table.cursor == str(head - 200)
        await bought(seat)
        await _read(seat)
        assert table.cursor == str(head - 200)
        await seat.press("home")
        await _read(seat)
        await seat.until(lambda: table.keys[0] == str(seat.rig.session.writer.head.seq))


async def test_keys_of_the_list_do_nothing_in_the_detail(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        await bought(seat)
        await _open(seat)
        before = seat.rig.session.writer.head
        await seat.press("enter", "f", "slash", "x", "S", "enter")
        assert (_view(seat).choice, _view(seat).text) == ("all", "")
        assert seat.rig.session.writer.head == before


async def test_before_the_engine_runs_nothing_is_read(tmp_path: Path) -> None:
    async with terminal(tmp_path, first_run=True, events=0) as seat:
        await seat.until(lambda: bool(seat.dialog))
        seat.app.do.show("journal")
        await seat.look()
        view = _view(seat)
        view.refresh_view()
        assert "The engine is starting" in " ".join(view.table.text_lines())
        view.action_verify()
        assert view._job is None


async def test_jobs_beside_the_loop_that_overlap_leave_the_interpreter_as_it_was() -> None:
    before, first, second = sys.getswitchinterval(), threading.Event(), threading.Event()
    one = asyncio.create_task(aside(lambda: first.wait(60)))
    await asyncio.sleep(0)
    two = asyncio.create_task(aside(lambda: second.wait(60)))
    await asyncio.sleep(0)
    assert sys.getswitchinterval() < before
    first.set()
    await one
    second.set()
    await two
    assert sys.getswitchinterval() == before


async def test_the_palette_s_way_to_verify(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await bought(seat)
        assert seat.app.current == "trade"
        seat.app.do.verify_journal()
        await seat.until(lambda: seat.app.current == "journal" and "Verified: " in seat.text())
