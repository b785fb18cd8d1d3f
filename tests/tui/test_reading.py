"""What a stranger reads: nothing cut, nothing untrue, keys where they work, and plain ASCII where it is asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.widgets import Input

from app.tui.app import VIEWS
from app.tui.screens.ask import LineDialog, WordDialog
from app.tui.widgets.pick import Pick
from app.tui.widgets.reader import Reader
from strategies.model import Side
from tests.tui.harness import SIZES, SMALL, WIDE_SCREEN, Seat, terminal


def _said(seat: Seat) -> str:
    """What the ticket says at the right, joined."""
    rows = [line[40:-2] for line in seat.text().splitlines() if line.startswith("│")]
    return re.sub(r"\s+", " ", " ".join(rows))


ON = {"manual.allocation": "100000"}


async def _bought(seat: Seat, symbol: str = "BTC-USDT") -> None:
    trade = await seat.propose(symbol)
    await seat.confirmed(trade)
    await seat.press(*["right"] * 12, "A")
    await seat.became(trade, "FILLED")


@pytest.mark.parametrize("size", [SMALL, (60, 24)])
async def test_the_ticket_shows_market_choices_and_whole_amounts(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size, settings=ON) as seat:
        await seat.press("b")
        quote = seat.desk.market.quote("BTC-USDT")
        assert f"bid {quote.bid:,f} / ask {quote.ask:,f}" in _said(seat)  # before anything is typed
        assert "[market] limit" in seat.text()
        assert "[base] quote account" in seat.text()
        dialog = seat.app.screen
        dialog.query_one("#field-measure", Pick).focus()
        await seat.press("space")
        assert "base [quote] account" in seat.text()
        await seat.press("b", "left")
        assert "base quote [account]" in seat.text()
        await seat.press("x", "b")
        assert dialog.query_one("#field-measure", Pick).value == "base"
        assert "choose" in seat.text().splitlines()[-1]
        for name, text in (("quantity", "1000"), ("stop", "50000"), ("target", "70000")):
            dialog.query_one(f"#field-{name}", Input).value = text
        await seat.look()
        trader = seat.host.trader
        assert trader is not None
        seen = trader.tickets.look({"symbol": "BTC-USDT", "side": "buy", "quantity": "1000", "stop": "50000"})
        assert seen.preview is not None
        whole = f"{seen.preview.bound.quantize(seen.preview.bid):,f}"
        assert whole.partition(".")[0] in seat.text()
        assert "risked" in seat.text()


async def test_the_ticket_speaks_of_its_labels_and_f1_is_its_help(tmp_path: Path) -> None:
    async with terminal(tmp_path, settings=ON) as seat:
        await seat.press("b")
        field = seat.app.screen.query_one("#field-symbol", Input)
        field.value = "NO-SUCH"
        seat.app.screen.query_one("#field-quantity", Input).value = "1"
        seat.app.screen.query_one("#field-stop", Input).value = "1"
        await seat.look()
        assert "instrument: there is no instrument" in seat.text()
        assert "symbol:" not in seat.text()
        assert "F1 help" in seat.text().splitlines()[-1]
        await seat.press("f1")
        assert seat.dialog == "HelpDialog"
        assert "counted in" in seat.text()


async def test_the_confirmation_says_what_is_left_to_read_and_no_longer_than_it_is_true(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await seat.propose("ETH-BTC", quantity="0.01")
        seat.app.do.read(seat.rig.pipeline.proposals.waiting()[0].id)
        await seat.look()
        assert re.search(r"PgDn read on: \d+ more lines", seat.text())
        await seat.press("S")
        assert "Read to the end first" in seat.text()
        risk = ""
        for _ in range(20):
            if seat.app.screen.query_one(Reader).read:
                break
            assert "submit to the signer" not in seat.text()
            if "stop fires" in seat.text():
                risk = seat.line("stop fires")
            await seat.press("pagedown")
        assert re.search(r"stop fires: ▼ -0\.0000\d\d+ BTC \(-\$\d+\.\d\d\)", risk)
        assert "Read to the end first" not in seat.text()
        assert " S submit to the signer" in seat.text()
        assert "more line" not in seat.text()
        await seat.press("S")
        assert "Too fast" in seat.text()
        seat.person.waits(0.6)
        await seat.look()
        assert "Too fast" not in seat.text()


async def test_the_device_counts_all_its_pages_and_offers_what_works(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await seat.press("9")
        for word in ("refuse", "approve"):
            assert word not in seat.text()
        await seat.press("escape")
        await seat.confirmed(await seat.propose())
        assert seat.host.trader is not None
        review = seat.host.trader.session.devices.demo.review
        assert review is not None
        last = len(review.pages) + 1
        for page in range(1, last):
            await seat.look()
            assert f"{page} of {last}" in seat.text()
            assert "approve" not in seat.text()
            await seat.press("right")
        assert f"{last} of {last}" in seat.text()
        assert "A approve" in seat.text()


@pytest.mark.parametrize("size", SIZES)
async def test_the_stop_says_all_of_what_it_is(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        await seat.press("!")
        await seat.until(lambda: "Ctrl+P lifts it" in seat.text())
        assert "…" not in seat.line("EMERGENCY STOP")


async def test_small_screens_use_the_room_they_have(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await _bought(seat)
        await seat.press("escape", "escape", "5")
        for title in ("largest position", "loss since 00:00 UTC", "below the peak of equity"):
            assert title in seat.text()
        (held,) = seat.desk.state.positions.open_holdings()
        entry = f"{held.lots[0][1]:,.2f}"
        await seat.press("2")
        for words in ("entry", "stop", "target", entry):
            assert words in seat.text(), words
        await seat.press("tab")
        assert "Closed today" in seat.text()
        await seat.press("1", "2")
        assert entry in seat.text()
        await seat.press("1")
        seat.app.view.show_pane("positions")  # type: ignore[union-attr]  # one is in front
        await seat.look()
        assert re.search(r"stop [\d.,]+\d, target [\d.,]+\d", seat.text())
        assert "1h" not in seat.text()
        seat.app.view.show_pane("watch")  # type: ignore[union-attr]  # as above
        await seat.look()
        assert "1h" in seat.line("instrument ")


async def test_each_log_says_by_which_clock_it_is(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        assert "market time, UTC" in seat.line("─ Log")
        await seat.press("7")
        assert "this computer's clock, UTC" in seat.line("─ Log")


@pytest.mark.parametrize("size", SIZES)
async def test_toasts_leave_room(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size, toasts=True) as seat:
        keys = seat.text().splitlines()[-1]
        for number in range(5):
            seat.app.notify(f"toast {number}: " + "words " * 12)
        await seat.look()
        lines = seat.text().splitlines()
        assert ["toast 3:" in seat.text(), "toast 4:" in seat.text(), "toast 2:" in seat.text()] == [True, True, False]
        assert lines[-1] == keys
        begins = min(line.index("▌") for line in lines if "▌" in line and "words" in line)
        assert begins >= size[0] // 2 - 9
        assert sum("words" in line for line in lines) <= 6


async def test_help_says_that_it_goes_on(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await seat.press("?")
        assert "more below (PgDn)" in seat.text()
        assert "b, s " in seat.text()
        assert "edge: what the trade makes on average" in re.sub(r"\s*│\n│ ", " ", seat.text())
        await seat.press("end")
        assert "more below" not in seat.text()
        assert "1 .. 8" in seat.text()


@pytest.mark.parametrize("size", SIZES)
async def test_ascii_is_ascii_on_every_screen_dialog_palette_and_toast(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size, ascii_only=True, settings=ON, toasts=True) as seat:
        shown: list[str] = []

        async def see(*keys: str) -> None:
            await seat.press(*keys)
            shown.append(seat.text())
            assert seat.text().isascii(), "\n".join(each for each in seat.text().splitlines() if not each.isascii())

        await seat.propose("ETH-USDT")
        await _bought(seat)
        await see("escape")
        await seat.press("escape")
        for number in VIEWS.values():
            await see(str(number))
            for _ in range(7):
                await see("tab")
            await see("enter")
            await see("escape")
        await seat.press("1")
        for key in ("b", "s", "question_mark", "ctrl+o", "ctrl+p", "9"):
            await see(key)
            await seat.press("escape")
        seat.app.do.read((await seat.propose("SOL-USDT", Side.BUY)).id)
        await see()
        await seat.press("escape")
        seat.app.push_screen(WordDialog("Word", [("words", "")], "TRADE", lambda: None))
        await see("escape")
        seat.app.push_screen(LineDialog("Line", [("words", "")], "1", lambda _: None))
        await see("é")
        await seat.press("escape")
        seat.app.notify("caf\u00e9 …", severity="error")
        await see()
        await see("!")
        await see("q")
        assert not re.search(r"- -\d|\+ \+\d", "\n".join(shown))
