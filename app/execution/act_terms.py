"""What the bytes of an act must be: pure, from the wish, the chain's settings and the bytes alone."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from app.errors import VenueRefused
from app.execution.chain_account import Account
from app.venues.evm import acts
from app.venues.evm.chain import Token
from app.venues.evm.liquidity.leave import EVERY, leave_of
from app.venues.evm.liquidity.ranges import Sides
from app.venues.evm.moves import position_name
from app.venues.evm.swap import Exact
from strategies.acts import Act, Cancel, Collect, Cycle, Provide, Revoke, Withdraw
from strategies.model import Instrument

_OTHER: Final = "it does something else than was confirmed"
_LATER: Final = "it may be mined later than was confirmed"
_NOT_MINE: Final = "another account would receive what it brings"
_WIDER: Final = Fraction(1021, 1000)
"""A step of the widest spacing there is, 200 ticks: a range is rounded outward by less."""


def cycle_bounds(account: Account, act: Cycle) -> tuple[Token, int, int]:
    """What a cycle pays, how much of it, and how much must come back."""
    token = account.token(act.asset)
    amount = token.base_units(act.amount)
    return token, amount, amount + token.base_units(act.gain)


def range_of(
    account: Account, instrument: Instrument, act: Provide, spacing: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Ticks of a position of liquidity, and the most of token0 and token1 that goes into it.

    Raises:
        ValueError, NoQuote: no pool has such prices.
    """
    base, quote = account.token(instrument.base), account.token(instrument.quote)
    sides = Sides(base, quote)
    most = sides.ordered(base.base_units(act.base), quote.base_units(act.quote))
    return sides.ticks(act.lower, act.upper, spacing), most


def unlike_act(account: Account, instrument: Instrument, wish: Act, valid_until_ms: int, act: acts.Act) -> str | None:
    """Why a transaction is not what an act wishes, or None."""
    match wish, act:
        case Cycle(), acts.Swap():
            return _unlike_cycle(account, wish, valid_until_ms, act)
        case Provide(), acts.Open():
            return _unlike_open(account, instrument, wish, valid_until_ms, act)
        case Collect(), acts.Collect():
            return _unlike_taken(account, wish.position, act)
        case Withdraw(), acts.Withdraw():
            return _unlike_taken(account, wish.position, act) or _unlike_whole(valid_until_ms, act)
        case _:
            return None if act == plain(account, wish) else _OTHER


def plain(account: Account, wish: Act) -> acts.Act | None:
    """The one act that fulfils a wish which leaves nothing open; None for any other.

    Raises:
        VenueRefused: it is about Permit2, which this chain's settings do not name.
    """
    match wish:
        case Revoke():
            return _revoking(account, wish)
        case Cancel():
            return acts.Nothing(account.address)
        case _:
            return None


def _unlike_cycle(account: Account, wish: Cycle, valid_until_ms: int, act: acts.Swap) -> str | None:
    token, amount, back = cycle_bounds(account, wish)
    ends = (act.token_in, act.coin_in, act.token_out, act.coin_out)
    checks = (
        (ends != (token.address, token.native, token.address, token.native), "it is a cycle of something else"),
        (act.recipient != account.address, _NOT_MINE),
        (act.deadline * 1000 > valid_until_ms, _LATER),
        (act.exact is not Exact.IN or act.amount_in != amount, "it pays another amount"),
        (act.amount_out < back, "it may bring less than the trade must win"),
    )
    return next((words for wrong, words in checks if wrong), None)


def _unlike_open(
    account: Account, instrument: Instrument, wish: Provide, valid_until_ms: int, act: acts.Open
) -> str | None:
    base, quote = account.token(instrument.base), account.token(instrument.quote)
    sides = Sides(base, quote)
    most = sides.ordered(base.base_units(wish.base), quote.base_units(wish.quote))
    low, high = sides.prices(act.lower, act.upper)
    managers = {dex.positions for dex in account.chain.dexes}
    narrow = Fraction(wish.lower) <= low * _WIDER and high <= Fraction(wish.upper) * _WIDER
    checks = (
        (act.manager not in managers, "it goes to a contract that no exchange of the settings names"),
        ({act.token0, act.token1} != {base.address, quote.address}, "it takes other tokens"),
        (act.fee != wish.fee_ppm, "it is of a pool of another fee"),
        ((act.most0, act.most1) != most, "it may take other amounts"),
        (low > wish.lower or high < wish.upper or not narrow, "its range of prices is another one"),
        (act.recipient != account.address, _NOT_MINE),
        (act.deadline * 1000 > valid_until_ms, _LATER),
    )
    return next((words for wrong, words in checks if wrong), None)


def _unlike_taken(account: Account, position: str, act: acts.Collect | acts.Withdraw) -> str | None:
    managers = {dex.positions for dex in account.chain.dexes}
    if act.manager not in managers:
        return "it goes to a contract that no exchange of the settings names"
    if position_name(account.chain, act.manager, act.position) != position:
        return "it is of another position"
    return None if act.recipient == account.address else _NOT_MINE


def _unlike_whole(valid_until_ms: int, act: acts.Withdraw) -> str | None:
    if not act.ends:
        return "it leaves something in the position"
    return _LATER if act.deadline * 1000 > valid_until_ms else None


def _revoking(account: Account, wish: Revoke) -> acts.Act:
    spender, over = bytes.fromhex(wish.spender.removeprefix("0x")), leave_of(account.chain, wish.token)
    if over is not None:
        manager, number = over
        return acts.Dismissal(manager, spender) if number == EVERY else acts.Release(manager, number)
    token = account.address_of(wish.token)
    if not wish.inner:
        return acts.Approval(token, spender, 0)
    if account.chain.permit2 is None:
        raise VenueRefused("chain.permit2", f"The settings name no Permit2 on {account.chain.name}.")
    return acts.InnerApproval(account.chain.permit2, token, spender, 0, 0)
