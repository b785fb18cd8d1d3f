"""The hot signer on the screen: said on every one of them, in the confirmation, and of every order it signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.tui.app import VIEWS
from app.tui.widgets.reader import Reader
from tests.devices.keyring_double import EVM_ADDRESS, kept_in, with_key
from tests.tui.harness import SIZES, WIDE_SCREEN, Seat, terminal

FILE = '[signer]\nkind = "keyring"\n[signer.hot]\nenabled = true\nper_trade = "1000"\nper_day = "1000"\n'


@pytest.fixture(autouse=True)
def _hot(tmp_path: Path) -> Iterator[None]:
    (tmp_path / "config.toml").write_text(FILE, encoding="utf-8")
    with kept_in(with_key()):
        yield


async def _confirmed(seat: Seat) -> str:
    """Read a trade to its end and confirm it; what was read."""
    await seat.propose(quantity="0.001")
    await seat.press("p", "enter")
    await seat.until(lambda: seat.dialog == "ConfirmDialog")
    reader = seat.app.screen.query_one(Reader)
    read = "\n".join("".join(text for text, _ in each.pieces) for each in reader._document(70))
    for _ in range(20):
        if not reader.read:
            await seat.press("pagedown")
    seat.person.waits(1)
    await seat.press("S")
    return read


@pytest.mark.parametrize("size", SIZES)
async def test_every_screen_and_every_dialog_says_so(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        for number in VIEWS.values():
            await seat.press(str(number))
            assert " HOT KEY " in seat.text().splitlines()[0]
        ((words, role),) = next(group for group in seat.app.status_pieces() if "HOT" in group[0][0])
        assert (words, role) == (" HOT KEY ", "error")
        await seat.press("question_mark")
        assert " HOT KEY " in seat.text().splitlines()[0]


async def test_the_confirmation_says_that_no_device_will_ask_again(tmp_path: Path) -> None:
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        read = await _confirmed(seat)
        assert read.startswith("HOT KEY: the key in this computer's keyring signs")
        assert "The HOT KEY signs exactly this:" in read
        assert "device shows it again" in read
        assert "its screen shows" not in read
        (trade,) = seat.desk.state.trades.values()
        await seat.became(trade, "FILLED")
        assert seat.dialog == "ConfirmDialog", "there is no device to walk through"
        await seat.press("escape", "3")
        view = seat.app.screen_stack[0].query_one("#view-orders")
        await seat.press("end", "enter")
        detail = view.query_one("#detail", Reader)
        await seat.until(lambda: len(detail._document(70)) > 1)
        text = "\n".join("".join(text for text, _ in each.pieces) for each in detail._document(70))
        assert "HOT: signed by a key in the keyring, by no device." in text
        assert EVM_ADDRESS in text
        await seat.press("6")
        await seat.look()
        await seat.until(lambda: "signed HOT" in seat.text())


async def test_with_a_device_nothing_says_hot(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("", encoding="utf-8")
    async with terminal(tmp_path, WIDE_SCREEN) as seat:
        assert "HOT" not in seat.text()
