"""Why there is no quote."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Final

from app.errors import ErrorClass, VenueError


class Why(StrEnum):
    """What a contract would have reverted for, or what we can not know."""

    ZERO_INPUT = "zero-input"
    ZERO_OUTPUT = "zero-output"
    OVERFLOW = "overflow"
    NO_LIQUIDITY = "no-liquidity"
    LIQUIDITY_RAN_OUT = "liquidity-ran-out"
    NOT_INITIALISED = "not-initialised"
    BEYOND_LOADED = "beyond-loaded"
    BAD_LIMIT = "bad-limit"
    INCONSISTENT = "inconsistent"
    TAXED = "taxed"


_WORDS: Final = {
    Why.ZERO_INPUT: "an amount of 0 can not be swapped",
    Why.ZERO_OUTPUT: "the pool would pay 0 and refuses that",
    Why.OVERFLOW: "the amount is more than the contract can reckon with",
    Why.NO_LIQUIDITY: "the pool is empty",
    Why.LIQUIDITY_RAN_OUT: "the pool does not hold enough for this amount",
    Why.NOT_INITIALISED: "the pool has no price yet",
    Why.BEYOND_LOADED: "the price would move further than this pool's liquidity was read",
    Why.BAD_LIMIT: "the price limit lies on the wrong side of the price",
    Why.INCONSISTENT: "the pool's liquidity, as it was read, contradicts itself",
    Why.TAXED: "the token takes a share of each transfer in a way that can not be reckoned on this path",
}


@lru_cache(maxsize=1 << 13)
def _told(why: Why, pool: bytes) -> tuple[str, str]:
    """Code and words. Kept: a search for routes meets the same pool that can not, hundreds of times."""
    at = f"Pool 0x{pool.hex()}" if pool else "No quote"
    return f"quote.{why.value}", f"{at}: {_WORDS[why]}."


class NoQuote(VenueError):
    """There is no price for this. Nothing was asked of anybody.

    Attributes:
        why: the reason; `BEYOND_LOADED` alone goes away by reading more (`reader.PoolReader.widen`).
        pool: address of the pool that said no; empty where it is none in particular.
    """

    error_class = ErrorClass.CHAIN

    def __init__(self, why: Why, pool: bytes = b"") -> None:
        super().__init__(*_told(why, pool))
        self.why, self.pool = why, pool
