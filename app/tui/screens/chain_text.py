"""A trade on a chain as lines: what is shown before it is confirmed, and what became of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.execution.chain_preview import displaced
from app.execution.chain_preview import lines as preview_lines
from app.execution.mined import Stage, TransactionView, transactions
from app.execution.records import Role
from app.execution.states import TradeState
from app.money import neg, to_text
from app.tui.widgets.lines import Line, line, wrapped
from app.tui.words import amount
from app.venues.base import MoveKind
from strategies.acts import Act, Cancel, Collect, Cycle, Provide, Revoke, Withdraw

if TYPE_CHECKING:
    from app.execution.records import Trade
    from app.snapshots.trades import ConfirmView
    from app.tui.glyphs import Glyphs
    from app.venues.base import Move

BARE: Final = "It is UNCOVERED until you sign its standing exit, which is proposed now."
_NAMES: Final[dict[type[Act], str]] = {
    Cycle: "the arbitrage",
    Provide: "the opening",
    Collect: "the collecting",
    Withdraw: "the withdrawal",
    Revoke: "the revocation",
    Cancel: "the cancellation",
}
_GOES_ON: Final = frozenset({TradeState.SUBMITTED, TradeState.PARTIALLY_FILLED})


def preview(seen: ConfirmView, width: int, glyphs: Glyphs) -> list[Line]:
    """The simulation and what follows from it; balance changes with sign and arrow."""
    lines = wrapped(displaced(seen.displaces), width, "alarm", "  ") if seen.displaces else []
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
    seen, kept = transactions(trade), _kept(trade)
    sent = [each for each in seen if each.stage is not Stage.UNSENT]
    if kept is not None or not sent:
        return None if kept is None else (kept, "ok")
    last, act = sent[-1], trade.intent.act
    nothing = "nothing was traded" if act is None else "nothing was done"
    if last.stage is Stage.REVERTED:
        return f"{_name(trade, last)} was reverted in {_block(last)}: {nothing}, its gas was paid.", "error"
    if last.stage is Stage.REPLACED:
        text = f"{_name(trade, last)} was replaced: another transaction of nonce {last.nonce} is in a block."
        return f"{text} It can never land, and {nothing}.", "warn" if isinstance(act, Cancel) else "error"
    if trade.state is TradeState.FILLED:
        closes = trade.intent.reduce_only or act is not None
        did = done(trade) if act is not None else "Sold." if closes else BARE
        return f"In {_block(last)}. {did}", "ok" if closes else "warn"
    if trade.state in _GOES_ON:
        return _on_its_way(trade, seen, last), "ok"
    return None


def _kept(trade: Trade) -> str | None:
    """Of a standing exit that was not sent, what is done about it; None before it is signed, and of any other trade."""
    if not trade.kept or trade.intent.exits is None:
        return None
    if trade.armed:
        stop = to_text(trade.intent.exits.stop)
        return f"Signed and kept. It goes when the price falls to {stop}, while countersign runs."
    return "The approval is sent. Once it is in a block, the exit stands." if trade.state in _GOES_ON else None


def done(trade: Trade) -> str:
    """What an act that is in a block has done, from what its receipt said."""
    moves = [move for order in trade.orders.values() if order.role is Role.ACT for move in order.moves]
    match trade.intent.act:
        case Cycle():
            return f"Won {_amounts(moves, MoveKind.GAIN)}, before gas."
        case Provide():
            name = next((move.position for move in moves), "")
            return f"The position {name} is open; it took {_amounts(moves, MoveKind.STAKE, given=True)}."
        case Collect(position=position):
            return f"{_amounts(moves, MoveKind.GAIN)} of fees came from {position}; it stays open."
        case Withdraw(position=position):
            back = _amounts(moves, MoveKind.STAKE)
            return f"The position {position} has ended: {back} came out, and {_amounts(moves, MoveKind.GAIN)} of fees."
        case Revoke(token=token, spender=spender, inner=inner):
            return f"{spender} may take no {token}{' through Permit2' if inner else ''} any more."
        case _:
            return "Nothing was traded: the place is taken."


def _amounts(moves: list[Move], kind: MoveKind, *, given: bool = False) -> str:
    found = [(neg(move.amount) if given else move.amount, move.asset) for move in moves if move.kind is kind]
    return " and ".join(f"{amount(value)} {asset}" for value, asset in found) or "nothing"


def before(trade: Trade) -> str:
    """What stays of a trade that ended with an approval in a block and the rest unsent; "" else."""
    landed = [each for each in transactions(trade) if each.stage is Stage.MINED]
    if not landed or not landed[-1].approves:
        return ""
    return f"The approval is in {_block(landed[-1])} and stays; {_what(trade)} was not sent."


def _on_its_way(trade: Trade, seen: tuple[TransactionView, ...], last: TransactionView) -> str:
    goes = seen[last.number] if last.number < len(seen) else None  # what follows
    after = "" if goes is None else "another approval" if goes.approves else _what(trade)
    if last.stage is Stage.WAITING and last.approves:
        return f"The approval is sent. Waiting for a block; {after} goes after it."
    if last.stage is Stage.MINED:
        return f"The approval is in {_block(last)}; now {after}."
    if len(seen) == 1:
        return "Sent. Waiting for a block."
    return f"The approval is in {_block(seen[-2])}. {_name(trade, last)} is sent. Waiting for a block."


def _name(trade: Trade, each: TransactionView) -> str:
    what = "the approval" if each.approves else _what(trade)
    return f"{what[:1].upper()}{what[1:]}"


def _what(trade: Trade) -> str:
    """The transaction that does what is wanted."""
    act = trade.intent.act
    return "the swap" if act is None else _NAMES[type(act)]


def _block(each: TransactionView) -> str:
    return "a block" if each.block is None else f"block {each.block:,}"
