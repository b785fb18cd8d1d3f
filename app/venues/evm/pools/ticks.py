"""`TickMath` of v3-core: a tick is a power of 1.0001, a price its square root times 2^96."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from app.venues.evm.chain import MAX_UINT256
from app.venues.evm.pools.faults import NoQuote, Why

MIN_TICK: Final = -887272
MAX_TICK: Final = 887272
MIN_SQRT_RATIO: Final = 4295128739
MAX_SQRT_RATIO: Final = 1461446703485210103287273052203988822378723970342

_FACTORS: Final = (
    0xFFFCB933BD6FAD37AA2D162D1A594001,
    0xFFF97272373D413259A46990580E213A,
    0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0,
    0xFFCB9843D60F6159C9DB58835C926644,
    0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861,
    0xFE5DEE046A99A2A811C461F1969C3053,
    0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54,
    0xF3392B0822B70005940C7A398E4B70F3,
    0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825,
    0xA9F746462D870FDF8A65DC1F90E061E5,
    0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6,
    0x9AA508B5B7A84E1C677DE54F3E99BC9,
    0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98,
    0x48A170391F7DC42444E8FA2,
)
"""1.0001^(-2^(i-1)) times 2^128, for each bit of a tick: TickMath's constants, the first bit's first."""


@lru_cache(maxsize=1 << 16)
def sqrt_ratio_at_tick(tick: int) -> int:
    """`getSqrtRatioAtTick`.

    Raises:
        NoQuote: OVERFLOW, beyond the lowest or highest tick ("T").
    """
    size = abs(tick)
    if size > MAX_TICK:
        raise NoQuote(Why.OVERFLOW)
    ratio = 1 << 128
    for bit, factor in enumerate(_FACTORS):
        if size >> bit & 1:
            ratio = ratio * factor >> 128
    if tick > 0:
        ratio = MAX_UINT256 // ratio
    return (ratio >> 32) + (1 if ratio & 0xFFFFFFFF else 0)


def tick_at_sqrt_ratio(price: int) -> int:
    """`getTickAtSqrtRatio`: the highest tick whose ratio is not above `price`.

    Raises:
        NoQuote: OVERFLOW, beyond the lowest or highest price ("R").
    """
    if not MIN_SQRT_RATIO <= price < MAX_SQRT_RATIO:
        raise NoQuote(Why.OVERFLOW)
    ratio = price << 32
    top = ratio.bit_length() - 1
    rest = ratio >> top - 127 if top >= 128 else ratio << 127 - top
    log_2 = (top - 128) << 64
    for bit in range(63, 49, -1):
        rest = rest * rest >> 127
        high = rest >> 128
        log_2 |= high << bit
        rest >>= high
    log_root = log_2 * 255738958999603826347141
    low = (log_root - 3402992956809132418596140100660247210) >> 128
    high = (log_root + 291339464771989622907027621153398088495) >> 128
    if low == high:
        return low
    return high if sqrt_ratio_at_tick(high) <= price else low
