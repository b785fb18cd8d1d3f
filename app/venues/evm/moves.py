"""What a mined act moved that neither bought nor sold, in whole units: what a cycle won, what a position of liquidity
took, paid and earned."""

from __future__ import annotations

from app.errors import VenueError
from app.money import ZERO, sub
from app.venues.base import Move, MoveKind
from app.venues.evm.acts import Act, Collect, Open, Plain, Swap, Withdraw
from app.venues.evm.chain import Chain, Token
from app.venues.evm.receipts import Mined, moved
from app.venues.evm.simulate import COIN


def returns(swap: Swap) -> bool:
    """It ends with what it began with: a cycle."""
    return (swap.token_in, swap.coin_in) == (swap.token_out, swap.coin_out)


def position_name(chain: Chain, manager: bytes, number: int) -> str:
    """A position of liquidity: ``EXCHANGE:NUMBER``, as each exchange counts its own."""
    return f"{next(dex.name for dex in chain.dexes if dex.positions == manager)}:{number}"


def moves_of(chain: Chain, mined: Mined, act: Act, account: bytes) -> tuple[Move, ...]:
    """What an act moved, its gas aside.

    Raises:
        VenueError: its receipt does not say.
    """
    if isinstance(act, Plain):
        return ()
    try:
        told = moved(mined, act, account)
        name = ""
        if isinstance(act, Open):
            assert told.position is not None
            name = position_name(chain, act.manager, told.position)
        elif isinstance(act, Collect | Withdraw):
            name = position_name(chain, act.manager, act.position)
        changes = {_token(chain, each): amount for each, amount in told.changes.items()}
        fees = {_token(chain, each): amount for each, amount in told.fees.items()}
    except (ValueError, StopIteration) as error:
        raise _untold(mined, str(error)) from error
    if not changes and not isinstance(act, Collect | Withdraw):
        raise _untold(mined, "it moved nothing")
    if isinstance(act, Swap):
        return tuple(Move(token.symbol, token.amount(each), MoveKind.GAIN) for token, each in changes.items())
    found = []
    for token, each in changes.items():
        earned = token.amount(fees.get(token, 0))
        rest = sub(token.amount(each), earned)
        if earned:
            found.append(Move(token.symbol, earned, MoveKind.GAIN, name))
        if rest != ZERO:
            found.append(Move(token.symbol, rest, MoveKind.STAKE, name))
    return tuple(found)


def _token(chain: Chain, address: bytes) -> Token:
    if address == COIN:
        return chain.native
    return next(token for token in chain.tokens if token.address == address)


def _untold(mined: Mined, why: str) -> VenueError:
    what = f"The receipt of {mined.hash[:10]} says that it went through, and not what it moved: {why or 'no token'}."
    return VenueError("chain.amounts", what, next_step="Compare with the chain; nothing was booked.")
