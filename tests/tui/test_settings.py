"""The Settings screen: found, folded, changed; a looser limit needs its word; what counts now and what later."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.section import TerminalSettings
from app.settings_change import WORD
from app.tui import themes
from app.tui.palette import commands
from app.tui.screens.edit import EditDialog
from app.tui.widgets.table import Table
from tests.tui.harness import SIZES, WIDE_SCREEN, Seat, terminal


async def _to(seat: Seat, pane: str = "settings") -> None:
    await seat.press("8")
    assert seat.app.view is not None
    seat.app.view.show_pane(pane)
    await seat.look()
    await seat.until(lambda: bool(_table(seat).keys))
    await seat.look()


def _table(seat: Seat, name: str = "settings") -> Table:
    return seat.app.screen_stack[0].query_one(f"#{name}", Table)


async def _edit(seat: Seat, key: str, text: str) -> None:
    """Type a value, and wait until it is judged."""
    _table(seat).mark(key)
    await seat.press("enter")
    assert seat.dialog == "EditDialog"
    await seat.press("ctrl+u", *text)
    dialog = seat.app.screen
    assert isinstance(dialog, EditDialog)
    await seat.until(lambda: dialog._judged == text)
    await seat.look()


async def _saved(seat: Seat, tmp_path: Path, words: str) -> None:
    await seat.until(lambda: words in _file(tmp_path))
    await seat.until(lambda: seat.dialog == "")
    await seat.look()


def _file(tmp_path: Path) -> str:
    return (tmp_path / "config.toml").read_text("utf-8")


def test_the_schema_and_the_screen_know_the_same_themes() -> None:
    allowed = TerminalSettings.model_fields["theme"].annotation
    assert allowed.__args__ == themes.NAMES  # type: ignore[union-attr]  # a Literal


@pytest.mark.parametrize("size", SIZES)
async def test_every_setting_has_its_value_source_and_meaning(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        await _to(seat)
        table = _table(seat)
        assert {"profile", "market.seed", "[risk]", "risk.position", "terminal.theme"} <= set(table.keys)
        table.mark("trade.quote_age_ms")
        await seat.look()
        (row,) = [line for line in table.text_lines() if "  quote_age_ms" in line and "10000" in line][-1:]
        assert row.rstrip().endswith("default")
        await _to(seat, "detail")
        assert "oldest quote a trade is prepared on" in seat.text()
        assert "100 to 3600000" in seat.text()
        assert "making it looser needs the typed word" in seat.text()


async def test_find_shows_what_matches_and_escape_shows_all(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await _to(seat)
        every = len(_table(seat).keys)
        await seat.press("slash", *"losses trades")
        assert _table(seat).keys == ["[risk]", "risk.losses_in_row"]
        assert "(1 of" in seat.text()
        await seat.press("enter")
        assert _table(seat).has_focus
        await seat.press("escape")
        assert len(_table(seat).keys) == every
        await seat.press("slash", *"zzz")
        assert "No setting has this" in seat.text()
        await seat.press("escape")


async def test_sections_fold(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await _to(seat)
        table = _table(seat)
        table.mark("[paper]")
        await seat.press("enter")
        assert "paper.taker_fee_bps" not in table.keys
        assert "3 settings" in seat.line("+ paper")
        await seat.press("enter")
        assert "paper.taker_fee_bps" in table.keys
        await seat.press("f")
        assert all(key.startswith("[") or "." not in key for key in table.keys)
        await seat.press("f")
        assert "risk.position" in table.keys


async def test_a_tighter_limit_is_saved_by_enter_and_holds_now(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN, settings={"risk.daily_loss": "50"}) as seat:
        await _to(seat)
        await _edit(seat, "risk.quote_age_ms", "5000")
        assert "10000 -> 5000; it counts at once. Enter saves." in seat.text()
        assert _file(tmp_path) == ""
        await seat.press("enter")
        await _saved(seat, tmp_path, "quote_age_ms = 5000")
        await seat.until(lambda: seat.desk.limits.quote_age_ms == 5000)
        await seat.until(lambda: "risk.quote_age_ms" in _table(seat, "changes").keys[0])
        await seat.look()
        assert any("5000" in line and line.rstrip().endswith("file") for line in _table(seat).text_lines())


async def test_a_looser_limit_is_not_saved_without_its_word(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        await _to(seat)
        await _edit(seat, "risk.quote_age_ms", "20000")
        assert "LOOSENS A LIMIT" in seat.text()
        await seat.press("enter", "enter", *"loosen", "enter")
        assert "that was not" in seat.text()
        assert (_file(tmp_path), seat.dialog) == ("", "EditDialog")
        await seat.press(*WORD, "enter")
        await _saved(seat, tmp_path, "quote_age_ms = 20000")
        assert seat.desk.limits.quote_age_ms == 10_000, "looser counts at the next start"
        await seat.until(lambda: "next start" in seat.text())


async def test_a_word_typed_for_one_value_does_not_count_for_another(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        await _to(seat)
        await _edit(seat, "risk.quote_age_ms", "20000")
        await seat.press("enter", *WORD, "tab", "ctrl+u", *"30000", "enter")
        dialog = seat.app.screen
        assert isinstance(dialog, EditDialog)
        await seat.until(lambda: dialog._judged == "30000")
        await seat.press("enter")
        await seat.look()
        assert (_file(tmp_path), seat.dialog) == ("", "EditDialog")


@pytest.mark.parametrize("size", SIZES)
async def test_a_bad_value_is_said_while_it_is_typed_and_never_saved(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        await _to(seat)
        await _edit(seat, "risk.quote_age_ms", "7")
        assert "out of bounds" in seat.text()
        await seat.press("enter", "enter")
        assert (_file(tmp_path), seat.dialog) == ("", "EditDialog")
        await seat.press("escape")
        assert (_file(tmp_path), seat.dialog) == ("", "")


async def test_what_a_session_would_refuse_is_refused_here_too(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        await _to(seat)
        await _edit(seat, "market.timeframe", "7s")
        await seat.press("enter")
        assert "timeframe" in seat.text()
        assert (_file(tmp_path), seat.dialog) == ("", "EditDialog")


async def test_enter_before_the_judgement_saves_only_after_it(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        await _to(seat)
        _table(seat).mark("risk.quote_age_ms")
        await seat.press("enter")
        await seat.pilot.press("ctrl+u", *"99999", "enter")  # looser, and nobody has judged it yet
        dialog = seat.app.screen
        assert isinstance(dialog, EditDialog)
        await seat.until(lambda: dialog._judged == "99999")
        await seat.look()
        assert (_file(tmp_path), seat.dialog) == ("", "EditDialog")


async def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        await _to(seat)
        await _edit(seat, "risk.quote_age_ms", "9000")
        (tmp_path / "config.toml").write_text("[risk]\nquote_age_ms = 4000\n", "utf-8")
        await seat.press("enter")
        await seat.until(
            lambda: "somebody else changed it" in seat.text().replace("\n", " ") or "4000 now" in seat.text()
        )
        assert "9000" not in _file(tmp_path)


async def test_what_a_flag_covers_is_said(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        await _to(seat)
        await _edit(seat, "risk.position", "5")
        assert "comes from the command line" in seat.text()


async def test_a_theme_is_worn_at_once_and_kept(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        await _to(seat)
        await _edit(seat, "terminal.theme", "light")
        await seat.press("enter")
        await _saved(seat, tmp_path, 'theme = "light"')
        assert seat.app.theme == "light"
        seat.app.do.choose_look("terminal.ascii", "true")
        await seat.until(lambda: "ascii = true" in _file(tmp_path))
        await seat.look()
        assert seat.app.glyphs.border == "ascii"
        assert "╭" not in seat.text()


async def test_settings_can_be_read_and_changed_without_an_engine(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        await seat.host.end("quit")
        await _to(seat)
        await _edit(seat, "sizing.fixed", "7")
        await seat.press("enter")
        await _saved(seat, tmp_path, 'fixed = "7"')


async def test_a_broken_file_is_said_and_not_touched(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        (tmp_path / "config.toml").write_text("[sizing]\nfixed = 12.5\n", "utf-8")
        await seat.press("8")
        await seat.until(lambda: "quoted text" in seat.text())
        await seat.press("enter")
        assert seat.dialog == ""


async def test_the_palette_keeps_a_theme(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        found = {each.title: each.act for each in commands(seat.app)}
        assert {"Screen: Health  (7)", "Theme: ansi", "Plain ASCII characters"} <= set(found)
        found["Screen: Settings  (8)"]()
        await seat.look()
        assert seat.app.current == "settings"
        found["Theme: midnight"]()
        await seat.until(lambda: "midnight" in _file(tmp_path))
        assert seat.app.theme == "midnight"


@pytest.mark.parametrize("theme", themes.NAMES)
async def test_every_theme_draws_both_screens(tmp_path: Path, theme: str) -> None:
    async with terminal(tmp_path, WIDE_SCREEN, theme=theme, events=5) as seat:
        await seat.press("7")
        assert "State" in seat.text()
        await _to(seat)
        assert "risk" in seat.text()
