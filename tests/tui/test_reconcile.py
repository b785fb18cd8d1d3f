"""Venue and ledger in the terminal: Health shows what differs, `d` compares and adjusts, with a reason and a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evm.chain import LocalChain
from tests.execution.outside import Outside
from tests.tui.harness import SIZES, WIDE_SCREEN, Seat, terminal
from tests.tui.on_chain import chain_terminal


async def adjust(seat: Seat, reason: str) -> None:
    """The first difference."""
    await seat.press("1")
    await seat.until(lambda: seat.dialog == "LineDialog")
    await seat.press(*(each if each != " " else "space" for each in reason), "enter")
    await seat.until(lambda: seat.dialog == "WordDialog")
    assert f"Because: {reason}" in seat.text()
    await seat.press(*"ADJUST", "enter")


def _told(seat: Seat, words: str) -> bool:
    return any(words in each.message for each in seat.app._notifications)


@pytest.mark.parametrize("size", SIZES)
async def test_a_difference_is_shown_explained_and_posted(tmp_path: Path, size: tuple[int, int]) -> None:
    async with terminal(tmp_path, size) as seat:
        await seat.press("7")
        await seat.press("d")
        await seat.until(lambda: _told(seat, "Venue and ledger agree"))
        outside = Outside(seat.rig)
        outside.move("USDT", "-40.5")
        await seat.press("d")
        await seat.until(lambda: seat.dialog == "QuestionDialog")
        await seat.look()
        text = " ".join(seat.text().split())
        assert "USDT: the venue holds 9959.5, the ledger 10000" in text
        assert "New trades are stopped" in text
        await seat.press("n")
        await seat.look()
        assert "NOT READY" in seat.text()
        assert "the venue holds 9959.5" in seat.text()
        assert seat.rig.rows("SELECT * FROM adjustments") == []
        await seat.press("d")
        await seat.until(lambda: seat.dialog == "QuestionDialog")
        await adjust(seat, "lent it")
        await seat.until(lambda: not seat.desk.halted)
        await seat.look()
        assert "NOT READY" not in seat.text()
        (row,) = seat.rig.rows("SELECT subject, amount, reason FROM adjustments")
        assert row == {"subject": "USDT", "amount": "-40.5", "reason": "lent it"}


async def test_without_a_reason_or_the_word_nothing_is_posted(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        Outside(seat.rig).move("USDT", "5")
        await seat.press("7", "d")
        await seat.until(lambda: seat.dialog == "QuestionDialog")
        await seat.press("1")
        await seat.until(lambda: seat.dialog == "LineDialog")
        await seat.press("space", "enter")
        await seat.until(lambda: _told(seat, "needs a reason"))
        await seat.press("d")
        await seat.until(lambda: seat.dialog == "QuestionDialog")
        await seat.press("1")
        await seat.until(lambda: seat.dialog == "LineDialog")
        await seat.press("x", "enter")
        await seat.until(lambda: seat.dialog == "WordDialog")
        await seat.press(*"adjust", "enter")
        assert seat.dialog == "WordDialog"
        await seat.press("escape")
        assert seat.rig.rows("SELECT * FROM adjustments") == []


async def test_a_deposit_on_a_chain(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_terminal(tmp_path, anvil, WIDE_SCREEN) as seat:
        usdc, me = anvil.token("USDC"), bytes.fromhex(seat.desk.terms.signer_address[2:])
        anvil.deal(usdc.address, me, anvil.held(usdc.address, me) + 1_500_000)
        await seat.mine()
        await seat.press("7", "d")
        await seat.until(lambda: seat.dialog == "QuestionDialog")
        await seat.look()
        assert "New trades are taken." in seat.text()
        assert "(difference 1.5)" in " ".join(seat.text().split())
        await adjust(seat, "paid me")
        await seat.until(lambda: bool(seat.rig.rows("SELECT * FROM adjustments WHERE reason = 'paid me'")))
        assert seat.desk.state.purse.balance("USDC") == usdc.amount(anvil.held(usdc.address, me))
