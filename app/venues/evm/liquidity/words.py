"""What a transaction does with liquidity, in words.

Of a new position everything is read from the bytes. Of one that is there, the bytes say its number, how much liquidity
is taken out, least amounts, and who receives; its tokens, its fee and its range are what the chain says of that number
(they never change), and the line that tells them says so. Where the coin is wanted, the bytes name the other token, and
words are refused unless the chain says that the position is of that token and the wrapped coin: anything else would
leave a token with the manager.

Prices are those of the range's ticks, with 8 digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

from app.venues.evm.chain import Chain
from app.venues.evm.liquidity.calls import Collect, Liquidity, Open, Payout, Withdraw
from app.venues.evm.liquidity.position import Position
from app.venues.evm.liquidity.ranges import Sides
from app.venues.evm.naming import amount_of, instant, name_of, owner_of, percent, symbol_of, token_of
from app.venues.evm.pools.ticks import MAX_TICK, MIN_TICK
from signers.evm import checksum
from storage.decimals import to_text

_EVERY_PRICE: Final = 887_200
"""Beyond this tick no pool of a spacing up to 200 has another."""
_DIGITS: Final = 8


def liquidity_words(
    chain: Chain, sender: bytes, act: Liquidity, base: bytes, positions: Mapping[tuple[bytes, int], Position]
) -> list[str]:
    """The lines of one act; see `app.venues.evm.words.transaction_words`.

    Raises:
        ValueError: it is of a position that is not among `positions`, or does with the coin what can not be meant.
    """
    if isinstance(act, Open):
        return _open(chain, sender, act, base)
    position = positions.get((act.manager, act.position))
    if position is None:
        raise ValueError(f"what position {act.position} is of is not known")
    head = ["COLLECT FEES"] if isinstance(act, Collect) else _withdraw_head(act)
    return [
        *head,
        f"position {act.position}, as the chain says:",
        *_pool(chain, position.token0, position.token1, position.fee),
        *_range(chain, position.token0, position.token1, (position.lower, position.upper), base),
        *_received(chain, act, position),
        f"for {owner_of(sender, act.recipient)}",
        checksum(act.recipient),
        *_through(chain, act.manager),
        *([f"before {instant(act.deadline)} UTC"] if isinstance(act, Withdraw) else []),
    ]


def _open(chain: Chain, sender: bytes, act: Open, base: bytes) -> list[str]:
    amounts = []
    for token, least, most in ((act.token0, act.least0, act.most0), (act.token1, act.least1, act.most1)):
        coin = bool(act.value) and token == chain.native.address
        if coin and act.value != most:
            raise ValueError("it sends another amount of the coin than it puts in")
        amounts.append(f"put in at most {amount_of(chain, token, most, coin=coin)}")
        amounts.append(f"at least {amount_of(chain, token, least, coin=coin)}")
    if act.value and chain.native.address not in {act.token0, act.token1}:
        raise ValueError("it sends the coin along, and is of two other tokens")
    return [
        "OPEN A POSITION OF LIQUIDITY",
        *amounts,
        *_pool(chain, act.token0, act.token1, act.fee),
        *_range(chain, act.token0, act.token1, (act.lower, act.upper), base),
        f"for {owner_of(sender, act.recipient)}",
        checksum(act.recipient),
        *_through(chain, act.manager),
        f"before {instant(act.deadline)} UTC",
    ]


def _withdraw_head(act: Withdraw) -> list[str]:
    if act.ends:
        return ["WITHDRAW ALL LIQUIDITY and end the position"]
    return ["WITHDRAW LIQUIDITY, the position stays", f"liquidity {act.liquidity} of it"]


def _received(chain: Chain, act: Collect | Withdraw, position: Position) -> list[str]:
    if act.payout is not None:
        return _paid_out(chain, act.payout, position, with_fees=isinstance(act, Withdraw))
    if isinstance(act, Collect):
        return ["get all that it has earned"]
    return [
        f"get at least {amount_of(chain, position.token0, act.least0)}",
        f"get at least {amount_of(chain, position.token1, act.least1)}",
        "and all that it has earned",
    ]


def _paid_out(chain: Chain, payout: Payout, position: Position, *, with_fees: bool) -> list[str]:
    if {position.token0, position.token1} != {chain.native.address, payout.token}:
        raise ValueError("it would leave a token with the manager")
    return [
        f"get at least {amount_of(chain, chain.native.address, payout.least_coin, coin=True)}",
        f"get at least {amount_of(chain, payout.token, payout.least_token)}",
        "with all that it has earned" if with_fees else "that is all that it has earned, or more",
    ]


def _pool(chain: Chain, token0: bytes, token1: bytes, fee: int) -> list[str]:
    return [f"V3 {symbol_of(chain, token0)}/{symbol_of(chain, token1)}, fee {percent(fee)}"]


def _range(chain: Chain, token0: bytes, token1: bytes, ticks: tuple[int, int], base: bytes) -> list[str]:
    """Between which prices it earns. Of tokens that the settings do not know only ticks can be told."""
    told = f"ticks {ticks[0]} to {ticks[1]}"
    if ticks[0] <= -_EVERY_PRICE and ticks[1] >= _EVERY_PRICE:
        return ["earns at every price", told]
    one, other = token_of(chain, token0), token_of(chain, token1)
    if one is None or other is None or not MIN_TICK <= ticks[0] < ticks[1] <= MAX_TICK:
        return [f"earns between {told}"]
    sides = Sides(other, one) if base == token1 else Sides(one, other)
    low, high = (_text(each) for each in sides.prices(*ticks))
    return [f"earns from {low} to {high} {sides.quote.symbol} for 1 {sides.base.symbol}", told]


def _text(price: Fraction) -> str:
    places = 0
    while price * 10**places < 10 ** (_DIGITS - 1):
        places += 1
    return to_text(Decimal(round(price * 10**places)).scaleb(-places))


def _through(chain: Chain, manager: bytes) -> list[str]:
    return [f"through {name_of(chain, manager)}", checksum(manager)]
