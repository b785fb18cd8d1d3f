"""What a trade is called, in one place: on screens, in lists, in lines of progress, by the command line. Pure."""

from __future__ import annotations

from typing import Final

from app.execution.standing_terms import is_standing
from app.money import to_text
from app.venues.base import Move, MoveKind
from strategies.acts import Act, Cancel, Collect, Cycle, Provide, Revoke, Withdraw
from strategies.model import Intent

_SHORT: Final = 10
"""Characters of a transaction's hash, or of an address, that name it: 0x and eight more."""
_STATES: Final = {"filled": "done", "partially filled": "partly done"}
"""Of an act, what of a purchase or sale would be a fill."""


_VERBS: Final[dict[type[Act], str]] = {
    Cycle: "arbitrage",
    Provide: "provide liquidity",
    Collect: "collect fees",
    Withdraw: "withdraw liquidity",
    Revoke: "revoke",
    Cancel: "cancel",
}


def words_of(act: Act | None, replaces: str, side: str, symbol: str) -> tuple[str, str]:
    """What is done, and with what: (``collect fees``, ``uniswap-v3:12``).

    Args:
        side: ``buy`` or ``sell``; what an act has there means nothing.
    """
    if act is None:
        return side, symbol
    what = symbol
    match act:
        case Cycle():
            what = f"{to_text(act.amount)} {act.asset}"
        case Collect() | Withdraw():
            what = act.position
        case Revoke():
            what = f"{_token(act)} of {act.spender[:_SHORT]}{' at Permit2' if act.inner else ''}"
        case Cancel():
            what = replaces[:_SHORT]
    return _VERBS[type(act)], what


def called(act: Act | None, replaces: str, side: str, symbol: str, *, loud: bool = False) -> str:
    """``buy ETH-USDC``; ``COLLECT FEES uniswap-v3:12`` where it is `loud`; what takes the place of another says so."""
    verb, what = words_of(act, replaces, side, symbol)
    place = f", in the place of {replaces[:_SHORT]}" if replaces and not isinstance(act, Cancel) else ""
    return f"{verb.upper() if loud else verb} {what}{place}"


def title(intent: Intent) -> str:
    """As a heading: ``ARBITRAGE 1000 USDC``, ``STANDING EXIT ETH-USDC``, ``BUY ETH-USDC, in the place of 0x123..``."""
    return called(intent.act, intent.replaces, _side(intent), intent.symbol, loud=True)


def short(intent: Intent) -> str:
    """Within a sentence: ``withdraw liquidity uniswap-v3:12``."""
    return called(intent.act, intent.replaces, _side(intent), intent.symbol)


def _side(intent: Intent) -> str:
    return "standing exit" if is_standing(intent) else intent.side.value


def state_of(act: Act | None, state: str) -> str:
    """A state in words: what an act does is done, and fills nothing."""
    text = state.lower().replace("_", " ")
    return text if act is None else _STATES.get(text, text)


def terms(intent: Intent) -> str:
    """What bounds it: ``0.1 at 2500 or less``, ``wins at least 0.5 USDC``; "" where nothing is at stake."""
    match intent.act:
        case None:
            worse = "less" if intent.side.value == "buy" else "more"
            return f"{to_text(intent.quantity)} at {to_text(intent.worst_price)} or {worse}"
        case Cycle(asset=asset, gain=gain):
            return f"wins at least {to_text(gain)} {asset}, before gas"
        case Provide(lower=lower, upper=upper):
            return f"from {to_text(lower)} to {to_text(upper)}"
        case _:
            return ""


def meant(act: Act) -> str:
    """What confirming it leads to, and what it does not promise."""
    match act:
        case Cycle():
            return (
                f"One transaction: it ends with at least {to_text(act.gain)} {act.asset} more than it began with, "
                "before gas, or all of it is undone. Gas is paid in both cases."
            )
        case Provide():
            return (
                "It neither buys nor sells. As the price moves, the pool changes one asset into the other: what comes "
                "out can be worth less than what went in (impermanent loss). No exit guards it; withdrawing ends it."
            )
        case Collect():
            return "Takes what the position has earned. The position stays open."
        case Withdraw():
            return "Takes everything out of the position, with its fees, and ends it."
        case Revoke():
            return "Takes a permission away. It moves nothing but gas."
        case Cancel():
            return (
                "Nothing happens in the place of a transaction that waits. Not guaranteed: a block may take that one "
                "first, and then this one never lands."
            )


def move_words(move: Move) -> str:
    """What an act moved: ``+0.5 USDC won by uniswap-v3:12``."""
    place = f" {move.position}" if move.position else ""
    if move.kind is MoveKind.STAKE:
        why = f"out of{place}" if move.amount > 0 else f"into{place}"
    elif move.kind is MoveKind.CHANGE:
        why = f"more than was put into{place}" if move.amount > 0 else f"less than was put into{place}"
    else:
        why = "won" if move.amount > 0 else "lost"
        why += f" by{place}" if place else ""
    return f"{'+' if move.amount > 0 else ''}{to_text(move.amount)} {move.asset} {why}"


def _token(act: Revoke) -> str:
    return act.token[:_SHORT] if act.token.startswith("0x") else act.token
