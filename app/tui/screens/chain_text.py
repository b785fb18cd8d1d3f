"""A trade on a chain as lines: what is shown before it is confirmed, and what became of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.execution.chain_preview import lines as preview_lines
from app.execution.mined import Stage, TransactionView, transactions
from app.execution.states import TradeState
from app.tui.widgets.lines import Line, line, wrapped

if TYPE_CHECKING:
    from app.execution.records import Trade
    from app.snapshots.trades import ConfirmView
    from app.tui.glyphs import Glyphs

BARE: Final = "It is UNCOVERED: no exit rests on a chain. Close it when the price falls."
_GOES_ON: Final = frozenset({TradeState.SUBMITTED, TradeState.PARTIALLY_FILLED})


def preview(seen: ConfirmView, width: int, glyphs: Glyphs) -> list[Line]:
    """The simulation and what follows from it; balance changes with sign and arrow."""
    lines: list[Line] = []
    arrows = {"up": glyphs.up, "down": glyphs.down}
    for said in preview_lines(seen.preview):
        arrow = arrows.get(said.role)
        if arrow is None:
            lines += wrapped(said.text, width, said.role, "  ")
        else:
            lines.append(line((f"  {arrow} {said.text.strip()}", said.role)))
    return lines


def asked(trade: Trade) -> list[Line]:
    """Which of several transactions the device is asked for now."""
    number, of = at_device(trade)
    return [line((f"Transaction {number} of {of}", "key"), (" is asked for now.", "label"))] if of > 1 else []


def at_device(trade: Trade) -> tuple[int, int]:
    """The number of the transaction that the device is asked for, and how many there are."""
    names = [each.id for each in trade.payloads]
    payload = trade.at_device
    return (names.index(payload.id) + 1 if payload is not None and payload.id in names else 1), len(names)


def outcome(trade: Trade) -> tuple[str, str] | None:
    """What became of a trade's transactions, and its role; None where nothing was sent, or it is no trade on a
    chain."""
    seen = transactions(trade)
    sent = [each for each in seen if each.stage is not Stage.UNSENT]
    if not sent:
        return None
    last = sent[-1]
    if last.stage is Stage.REVERTED:
        return f"{_name(last)} was reverted in {_block(last)}: nothing was traded, its gas was paid.", "error"
    if last.stage is Stage.REPLACED:
        text = f"{_name(last)} was replaced: another transaction of nonce {last.nonce} is in a block."
        return f"{text} It can never land, and nothing was traded.", "error"
    if trade.state is TradeState.FILLED:
        closes = trade.intent.reduce_only
        return f"In {_block(last)}. {'Sold.' if closes else BARE}", "ok" if closes else "warn"
    if trade.state in _GOES_ON:
        return _on_its_way(seen, last), "ok"
    return None


def before(trade: Trade) -> str:
    """What stays of a trade that ended with an approval in a block and its swap unsent; "" else."""
    landed = [each for each in transactions(trade) if each.stage is Stage.MINED]
    if not landed or not landed[-1].approves:
        return ""
    return f"The approval is in {_block(landed[-1])} and stays; the swap was not sent."


def _on_its_way(seen: tuple[TransactionView, ...], last: TransactionView) -> str:
    if last.stage is Stage.WAITING and last.approves:
        return "The approval is sent. Waiting for a block; the swap goes after it."
    if last.stage is Stage.MINED:
        return f"The approval is in {_block(last)}; now the swap."
    if len(seen) == 1:
        return "Sent. Waiting for a block."
    return f"The approval is in {_block(seen[-2])}. The swap is sent. Waiting for a block."


def _name(each: TransactionView) -> str:
    return "The approval" if each.approves else "The swap"


def _block(each: TransactionView) -> str:
    return "a block" if each.block is None else f"block {each.block:,}"
