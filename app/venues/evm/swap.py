"""Swaps and approvals, as values; and the calls that swap, but for those of the universal router
(`app.venues.evm.universal`). How they become bytes and are read again with everything else that a transaction can do:
`app.venues.evm.acts`.

Sources: UniswapV2Router02 (v2-periphery); SwapRouter02, V2SwapRouter, V3SwapRouter and PeripheryPaymentsExtended
(swap-router-contracts): a multicall with a deadline; recipient 2 is the router itself, an amount of 0 is all that the
router has (Constants.sol).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.venues.evm import abi
from app.venues.evm.chain import DexKind

TO_ROUTER: Final = (2).to_bytes(20)
"""``ADDRESS_THIS``: the router keeps it for the next call."""
ALL: Final = 0
"""``CONTRACT_BALANCE``: as much as the router has."""
MOST_INNER: Final = 2**160 - 1
"""At Permit2: whatever there will ever be. Never allowed by us."""


class Exact(StrEnum):
    """Which amount is exact; the other is a bound."""

    IN = "in"
    OUT = "out"


class RouterKind(StrEnum):
    """Which contract swaps."""

    V2 = "router02"
    """UniswapV2Router02: one route through its own exchange's pairs."""
    MANY = "swap-router-02"
    """SwapRouter02: several routes at once, through V2 and V3 pools."""
    UNIVERSAL = "universal-router"
    """UniversalRouter: the same, paid in a token that Permit2 lets it take."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Pools of one kind that follow one another.

    Attributes:
        tokens: one more than there are pools; the wrapped coin stands for the native one.
        fees: of each pool, hundredths of a basis point (V3); empty (V2).
    """

    kind: DexKind
    tokens: tuple[bytes, ...]
    fees: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        pools = len(self.tokens) - 1
        if pools < 1 or len(self.fees) != (pools if self.kind is DexKind.V3 else 0):
            raise ValueError("a segment has at least one pool, and of V3 a fee for each")
        if any(len(token) != 20 for token in self.tokens) or any(not 0 <= fee < 2**24 for fee in self.fees):
            raise ValueError("a segment's tokens are addresses, its fees 24 bits")

    @property
    def path(self) -> bytes:
        """V3's packed path: token, fee, token, ... (Path.sol)."""
        packed = self.tokens[0]
        for fee, token in zip(self.fees, self.tokens[1:], strict=True):
            packed += fee.to_bytes(3) + token
        return packed


@dataclass(frozen=True, slots=True)
class Part:
    """One route of a swap: `amount_in` leaves, `amount_out` arrives; one of them exact, the other a bound. A route of
    several segments is exact in what is paid."""

    segments: tuple[Segment, ...]
    amount_in: int
    amount_out: int

    def __post_init__(self) -> None:
        if not self.segments or self.amount_in <= 0 or self.amount_out < 0:
            raise ValueError("a route has pools, pays something, and receives no less than nothing")


@dataclass(frozen=True, slots=True)
class Swap:
    """All of a trade that one transaction carries.

    Attributes:
        deadline: seconds since 1970 UTC; the router reverts after it.
        coin_in, coin_out: the chain's own coin is paid, or received, for the wrapped one at that end.
        taxed: by Router02's functions for tokens that take a share of what is transferred.
    """

    router: bytes
    kind: RouterKind
    exact: Exact
    parts: tuple[Part, ...]
    recipient: bytes
    deadline: int
    coin_in: bool = False
    coin_out: bool = False
    taxed: bool = False

    def __post_init__(self) -> None:
        if not self.parts or len({part.segments[0].tokens[0] for part in self.parts}) != 1:
            raise ValueError("a swap has at least one route, and all pay in the same token")
        if len({part.segments[-1].tokens[-1] for part in self.parts}) != 1:
            raise ValueError("all routes of a swap pay out the same token")
        if self.kind is RouterKind.V2 and (len(self.parts) != 1 or len(self.parts[0].segments) != 1):
            raise ValueError("Router02 carries one route through its own pairs")
        if self.exact is Exact.OUT and (self.taxed or any(len(part.segments) != 1 for part in self.parts)):
            raise ValueError("a swap that is exact in what it receives has no tax and no change between V2 and V3")
        if self.taxed and self.kind is not RouterKind.V2:
            raise ValueError("only Router02 swaps tokens that take a share of what is transferred")
        if self.coin_in and self.kind is RouterKind.UNIVERSAL:
            raise ValueError("the universal router is paid in tokens")

    @property
    def token_in(self) -> bytes:
        """What is paid; the wrapped coin's address for the coin."""
        return self.parts[0].segments[0].tokens[0]

    @property
    def token_out(self) -> bytes:
        """What is received; the wrapped coin's address for the coin."""
        return self.parts[0].segments[-1].tokens[-1]

    @property
    def amount_in(self) -> int:
        """Base units: exactly, or at most."""
        return sum(part.amount_in for part in self.parts)

    @property
    def amount_out(self) -> int:
        """Base units: at least, or exactly."""
        return sum(part.amount_out for part in self.parts)


@dataclass(frozen=True, slots=True)
class Approval:
    """`spender` may take `amount` base units of `token`; 0 takes the permission back."""

    token: bytes
    spender: bytes
    amount: int

    def __post_init__(self) -> None:
        if self.amount and not any(self.spender):
            raise ValueError("an amount is allowed to somebody; with nobody, the same bytes release a position")

    def left(self, owner: bytes) -> Call:
        """What tells how much that still is."""
        return Call(self.token, abi.ALLOWANCE.encode(owner, self.spender))


@dataclass(frozen=True, slots=True)
class InnerApproval:
    """Permit2 lets `spender` take `amount` base units of `token`, of what Permit2 itself may take, until `expires`; 0
    until 0 takes the permission back.

    Attributes:
        expires: seconds since 1970 UTC; it can still be used in that second.
    """

    permit2: bytes
    token: bytes
    spender: bytes
    amount: int
    expires: int

    def __post_init__(self) -> None:
        if bool(self.amount) is not bool(self.expires):
            raise ValueError("what is allowed at Permit2 has an amount and an end, and what is taken back neither")
        if not 0 <= self.amount < MOST_INNER or not 0 <= self.expires < 2**48:
            raise ValueError("Permit2 counts in 160 bits, of which the largest number means all, and ends in 48")

    def left(self, owner: bytes) -> Call:
        """What tells how much that still is, and until when."""
        return Call(self.permit2, abi.INNER_ALLOWANCE.encode(owner, self.token, self.spender))


@dataclass(frozen=True, slots=True)
class Call:
    """Where a transaction goes, with what, and how much of the coin."""

    to: bytes
    data: bytes
    value: int = 0


def swap_call(swap: Swap) -> Call:
    """The call that does it."""
    value = swap.amount_in if swap.coin_in else 0
    data = _router02(swap) if swap.kind is RouterKind.V2 else _many(swap)
    return Call(swap.router, data, value)


def _router02(swap: Swap) -> bytes:
    (part,) = swap.parts
    path, to, until = part.segments[0].tokens, swap.recipient, swap.deadline
    if swap.coin_in:
        bound = part.amount_out
        function = abi.V2_COIN_FOR_EXACT if swap.exact is Exact.OUT else abi.V2_EXACT_COIN_IN
        return (abi.V2_TAXED_COIN_IN if swap.taxed else function).encode(bound, path, to, until)
    if swap.exact is Exact.OUT:
        function = abi.V2_FOR_EXACT_COIN if swap.coin_out else abi.V2_EXACT_OUT
        return function.encode(part.amount_out, part.amount_in, path, to, until)
    if swap.taxed:
        function = abi.V2_TAXED_FOR_COIN if swap.coin_out else abi.V2_TAXED
    else:
        function = abi.V2_EXACT_FOR_COIN if swap.coin_out else abi.V2_EXACT_IN
    return function.encode(part.amount_in, part.amount_out, path, to, until)


def _many(swap: Swap) -> bytes:
    calls = [call for part in swap.parts for call in _calls(swap, part)]
    if swap.coin_out:
        calls.append(abi.UNWRAP.encode(swap.amount_out, swap.recipient))
    if swap.coin_in and swap.exact is Exact.OUT:
        calls.append(abi.REFUND.encode())
    return abi.MULTICALL.encode(swap.deadline, calls)


def _calls(swap: Swap, part: Part) -> list[bytes]:
    """One call for each segment; between two of them the router holds what the first has brought."""
    to = TO_ROUTER if swap.coin_out else swap.recipient
    if swap.exact is Exact.OUT:
        return [_exact_out(part.segments[0], part, to)]
    calls, last = [], len(part.segments) - 1
    for number, segment in enumerate(part.segments):
        amount = part.amount_in if number == 0 else ALL
        least, receiver = (part.amount_out, to) if number == last else (0, TO_ROUTER)
        if segment.kind is DexKind.V2:
            calls.append(abi.R_V2_EXACT_IN.encode(amount, least, segment.tokens, receiver))
        else:
            calls.append(abi.V3_EXACT_IN.encode((segment.path, receiver, amount, least)))
    return calls


def _exact_out(segment: Segment, part: Part, to: bytes) -> bytes:
    if segment.kind is DexKind.V2:
        return abi.R_V2_EXACT_OUT.encode(part.amount_out, part.amount_in, segment.tokens, to)
    # V3 walks an exact-out path from its end (V3SwapRouter.exactOutput).
    back = Segment(segment.kind, segment.tokens[::-1], segment.fees[::-1])
    return abi.V3_EXACT_OUT.encode((back.path, to, part.amount_out, part.amount_in))
