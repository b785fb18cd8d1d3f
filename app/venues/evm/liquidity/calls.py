"""What a transaction of ours does with liquidity, as values; and the calls that do exactly that, both ways.

Source: NonfungiblePositionManager, PeripheryPayments and LiquidityManagement (v3-periphery). A multicall there is one
transaction: all of it or nothing. To receive the chain's own coin, what a position pays goes to the manager first
(recipient 0 is the manager itself), which unwraps and hands it on. Each of those steps has a least amount of its own:
a token that calls back while it is transferred could otherwise take what lies in the manager for that instant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from app.venues.evm import abi
from app.venues.evm.chain import ZERO_ADDRESS
from app.venues.evm.swap import Call

MOST_128: Final = 2**128 - 1
"""``type(uint128).max``: all that is owed."""
_MOST_256: Final = 2**256
_TO_MANAGER: Final = ZERO_ADDRESS


@dataclass(frozen=True, slots=True)
class Open:
    """Put at most `most0` and `most1` into a pool, between two ticks, as a position of its own.

    Attributes:
        manager: NonfungiblePositionManager.
        fee: the pool's, hundredths of a basis point.
        lower, upper: ticks.
        least0, least1: reverted where the price has moved so far that less would be taken.
        deadline: seconds since 1970 UTC; reverted after it.
        value: wei of the coin that go along, for the wrapped coin, which is then paid in none; what is not needed of
            them comes back. 0, or the most of one token, which the other's most is not: so the bytes tell of which.
    """

    manager: bytes
    token0: bytes
    token1: bytes
    fee: int
    lower: int
    upper: int
    most0: int
    most1: int
    least0: int
    least1: int
    recipient: bytes
    deadline: int
    value: int = 0

    def __post_init__(self) -> None:
        if not len(self.token0) == len(self.token1) == 20 or self.token0 >= self.token1 or not 0 <= self.fee < 2**24:
            raise ValueError("a position is of a pool of two tokens, the lower address first, and a fee of 24 bits")
        if not -(2**23) <= self.lower < self.upper < 2**23:
            raise ValueError("a position's lower tick is below its upper, both of 24 bits")
        if not (0 <= self.least0 <= self.most0 < _MOST_256 and 0 <= self.least1 <= self.most1 < _MOST_256):
            raise ValueError("a position takes at least something and at most no less than that")
        if not (self.most0 or self.most1) or self.value not in {0, self.most0, self.most1}:
            raise ValueError("a position takes something, and of the coin all or nothing that it takes of one token")
        if self.value and self.most0 == self.most1:
            raise ValueError("a position that is paid in the coin takes another number of units of its other token")


@dataclass(frozen=True, slots=True)
class Payout:
    """How the coin is received in the place of the wrapped one.

    Attributes:
        token: the position's other token.
        least_coin, least_token: reverted where less arrives of either.
    """

    token: bytes
    least_coin: int
    least_token: int


@dataclass(frozen=True, slots=True)
class Collect:
    """Take all fees that a position has earned, and what is owed to it otherwise.

    Attributes:
        position: its number with the manager.
        payout: None pays both tokens as they are.
    """

    manager: bytes
    position: int
    recipient: bytes
    payout: Payout | None = None

    def __post_init__(self) -> None:
        _check(self.position, self.recipient)


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take liquidity out of a position, and all that is owed to it with that.

    Attributes:
        liquidity: how much of it.
        least0, least1: of what that liquidity pays, fees not counted; reverted where the price has moved so far that it
            pays less.
        ends: the position is ended; reverted where anything is left in it.
    """

    manager: bytes
    position: int
    liquidity: int
    least0: int
    least1: int
    recipient: bytes
    deadline: int
    ends: bool = True
    payout: Payout | None = None

    def __post_init__(self) -> None:
        _check(self.position, self.recipient)
        if not 0 < self.liquidity <= MOST_128:
            raise ValueError("something is taken out: liquidity of up to 128 bits")


def _check(position: int, recipient: bytes) -> None:
    if not 0 <= position < _MOST_256 or len(recipient) != 20 or recipient == _TO_MANAGER:
        raise ValueError("a position has a number, and what it pays goes to an address that is not the manager's")


Liquidity = Open | Collect | Withdraw


def liquidity_call(act: Liquidity) -> Call:
    """The call that does it."""
    if isinstance(act, Open):
        mint = abi.MINT.encode(
            (act.token0, act.token1, act.fee, act.lower, act.upper, act.most0, act.most1, act.least0, act.least1,
             act.recipient, act.deadline)
        )  # fmt: skip
        data = abi.P_MULTICALL.encode([mint, abi.REFUND.encode()]) if act.value else mint
        return Call(act.manager, data, act.value)
    calls = []
    if isinstance(act, Withdraw):
        calls.append(abi.DECREASE.encode((act.position, act.liquidity, act.least0, act.least1, act.deadline)))
    to = act.recipient if act.payout is None else _TO_MANAGER
    calls.append(abi.COLLECT.encode((act.position, to, MOST_128, MOST_128)))
    if act.payout is not None:
        calls.append(abi.UNWRAP.encode(act.payout.least_coin, act.recipient))
        calls.append(abi.SWEEP.encode(act.payout.token, act.payout.least_token, act.recipient))
    if isinstance(act, Withdraw) and act.ends:
        calls.append(abi.BURN.encode(act.position))
    return Call(act.manager, calls[0] if len(calls) == 1 else abi.P_MULTICALL.encode(calls))


def read_liquidity(call: Call) -> Liquidity:
    """What a call of the manager does. What is read is not yet proven to be all that the call says: whoever reads it
    compares `liquidity_call` of it with the call.

    Raises:
        ValueError: nothing of this.
    """
    inner = list(abi.P_MULTICALL.decode(call.data)[0]) if call.data[:4] == abi.P_MULTICALL.selector else [call.data]
    first = inner[0][:4] if inner else b""
    if first == abi.MINT.selector:
        (read,) = abi.MINT.decode(inner[0])
        return replace(Open(call.to, *read), value=call.value)
    taken = abi.DECREASE.decode(inner.pop(0))[0] if first == abi.DECREASE.selector else None
    if not inner:
        raise ValueError("liquidity taken out and left with the pool")
    ((position, recipient, _, _),) = abi.COLLECT.decode(inner.pop(0))
    payout = None
    if inner and inner[0][:4] == abi.UNWRAP.selector:
        least_coin, recipient = abi.UNWRAP.decode(inner.pop(0))
        token, least_token, _ = abi.SWEEP.decode(inner.pop(0) if inner else b"")
        payout = Payout(token, least_coin, least_token)
    if taken is None:
        return Collect(call.to, position, recipient, payout)
    _, liquidity, least0, least1, deadline = taken
    return Withdraw(call.to, position, liquidity, least0, least1, recipient, deadline, bool(inner), payout)
