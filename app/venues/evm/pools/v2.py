"""Constant product pools: Uniswap V2 and its forks.

Sources: `UniswapV2Library.getAmountOut` and `getAmountIn` (v2-periphery), `UniswapV2Pair.swap` and `_update` (v2-core).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.venues.evm.chain import MAX_UINT256
from app.venues.evm.pools.faults import NoQuote, Why

MAX_RESERVE: Final = 2**112 - 1
"""Most that a pair can hold of a token: `_update` reverts with OVERFLOW above it."""


def amount_out(amount_in: int, reserve_in: int, reserve_out: int, fee_bps: int = 30) -> int:
    """`UniswapV2Library.getAmountOut`, rounded down; 0 where the library answers 0.

    Raises:
        NoQuote: where it reverts: ZERO_INPUT, NO_LIQUIDITY, OVERFLOW.
    """
    scale, kept = _fee(fee_bps)
    if amount_in <= 0:
        raise NoQuote(Why.ZERO_INPUT)
    if reserve_in <= 0 or reserve_out <= 0:
        raise NoQuote(Why.NO_LIQUIDITY)
    with_fee = amount_in * kept
    numerator = with_fee * reserve_out
    denominator = reserve_in * scale + with_fee
    if numerator > MAX_UINT256 or denominator > MAX_UINT256:
        raise NoQuote(Why.OVERFLOW)
    return numerator // denominator


def amount_in(amount_out: int, reserve_in: int, reserve_out: int, fee_bps: int = 30) -> int:
    """`UniswapV2Library.getAmountIn`, rounded up.

    Raises:
        NoQuote: where it reverts: ZERO_OUTPUT, NO_LIQUIDITY, LIQUIDITY_RAN_OUT, OVERFLOW.
    """
    scale, kept = _fee(fee_bps)
    if amount_out <= 0:
        raise NoQuote(Why.ZERO_OUTPUT)
    if reserve_in <= 0 or reserve_out <= 0:
        raise NoQuote(Why.NO_LIQUIDITY)
    numerator = reserve_in * amount_out * scale
    if numerator > MAX_UINT256:
        raise NoQuote(Why.OVERFLOW)
    if amount_out >= reserve_out:
        raise NoQuote(Why.LIQUIDITY_RAN_OUT)
    return numerator // ((reserve_out - amount_out) * kept) + 1


def _fee(fee_bps: int) -> tuple[int, int]:
    """Scale and what is kept of it. Contracts count in thousandths (997 of 1,000) or, where the fee needs it, in
    ten-thousandths: the quotient is the same, where it overflows is not."""
    return (1000, 1000 - fee_bps // 10) if fee_bps % 10 == 0 else (10_000, 10_000 - fee_bps)


@dataclass(frozen=True, slots=True)
class V2Pool:
    """One pair as it was at one block.

    Attributes:
        dex: name of its exchange.
        token0, token1: their addresses, the lower one first.
        fee_bps: basis points of what is paid in.
    """

    address: bytes
    dex: str
    token0: bytes
    token1: bytes
    fee_bps: int
    reserve0: int
    reserve1: int

    @property
    def fee_ppm(self) -> int:
        """The fee, millionths of what is paid in."""
        return self.fee_bps * 100

    def afresh(self) -> V2Pool:
        """The same: a pair remembers no quotes."""
        return self

    def exact_in(self, zero_for_one: bool, amount: int) -> int:
        """What the pair pays for `amount`, both in base units; never 0.

        Raises:
            NoQuote: where the library or the pair reverts.
        """
        reserve_in, reserve_out = (self.reserve0, self.reserve1) if zero_for_one else (self.reserve1, self.reserve0)
        scale, kept = (1000, 1000 - self.fee_bps // 10) if self.fee_bps % 10 == 0 else (10_000, 10_000 - self.fee_bps)
        # As `amount_out`, spelled out: routing asks this a thousand times a block. Below MAX_RESERVE nothing of it can
        # overflow 256 bits (112 + 112 + 14).
        if amount <= 0:
            raise NoQuote(Why.ZERO_INPUT, self.address)
        if reserve_in <= 0 or reserve_out <= 0:
            raise NoQuote(Why.NO_LIQUIDITY, self.address)
        if amount + reserve_in > MAX_RESERVE:
            raise NoQuote(Why.OVERFLOW, self.address)
        with_fee = amount * kept
        out = with_fee * reserve_out // (reserve_in * scale + with_fee)
        if out == 0:
            raise NoQuote(Why.ZERO_OUTPUT, self.address)
        return out

    def through(self, zero_for_one: bool, amount: int) -> tuple[int, int]:
        """As `exact_in`, and the ticks crossed, of which there are none.

        Raises:
            NoQuote: as `exact_in`.
        """
        return self.exact_in(zero_for_one, amount), 0

    def exact_out(self, zero_for_one: bool, amount: int) -> int:
        """What must be paid in to be paid `amount`.

        Raises:
            NoQuote: where the library or the pair reverts.
        """
        reserve_in, reserve_out = (self.reserve0, self.reserve1) if zero_for_one else (self.reserve1, self.reserve0)
        needed = amount_in(amount, reserve_in, reserve_out, self.fee_bps)
        if needed + reserve_in > MAX_RESERVE:
            raise NoQuote(Why.OVERFLOW, self.address)
        return needed

    def through_out(self, zero_for_one: bool, amount: int) -> tuple[int, int]:
        """As `exact_out`, and the ticks crossed, of which there are none.

        Raises:
            NoQuote: as `exact_out`.
        """
        return self.exact_out(zero_for_one, amount), 0

    def spot(self, zero_for_one: bool) -> tuple[int, int]:
        """Price before fee and impact: base units paid out per base unit paid in, as a fraction.

        Raises:
            NoQuote: NO_LIQUIDITY.
        """
        if self.reserve0 <= 0 or self.reserve1 <= 0:
            raise NoQuote(Why.NO_LIQUIDITY, self.address)
        return (self.reserve1, self.reserve0) if zero_for_one else (self.reserve0, self.reserve1)

    def virtual(self, zero_for_one: bool) -> tuple[int, int, int]:
        """Reserves in and out of the constant product that this is, and most that can be paid in while it is."""
        reserve_in, reserve_out = (self.reserve0, self.reserve1) if zero_for_one else (self.reserve1, self.reserve0)
        return reserve_in, reserve_out, MAX_RESERVE - reserve_in
