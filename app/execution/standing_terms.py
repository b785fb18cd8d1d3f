"""Standing exits: what they are and when they are sent. Pure.

On a chain nothing rests, so a protective exit is a sale that is signed right after the entry and kept: a reduce-only
intent with a stop. It is *armed* once its signature is on disk and its approval in a block, and sent when the price has
fallen to the stop. What it brings at the least is in its signed bytes; its trigger is not, and is ours to watch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.money import CEILING, DOWN, ZERO, add, apply_bps, mul, quantise, round_to_step, sub, to_text
from strategies.model import Instrument, Intent, Quote, Side

_TWO: Final = Decimal(2)
_HALF: Final = Decimal("0.5")
_RENEWALS: Final = 7
"""A standing exit is proposed anew when a seventh of its time is left: a day of a week."""


@dataclass(frozen=True, slots=True)
class StandingRules:
    """The trader's.

    Attributes:
        slippage_bps: how far below its trigger it may still sell.
        validity_ms: how long its transaction can land, from its proposal.
    """

    slippage_bps: Decimal = Decimal(300)
    validity_ms: int = 7 * 86_400_000

    @property
    def renewal_ms(self) -> int:
        """How long before its end a new one is proposed."""
        return self.validity_ms // _RENEWALS


def is_standing(intent: Intent) -> bool:
    """Whether it is a standing exit: a sale of what is held, with a price at which it is sent."""
    return intent.reduce_only and intent.side is Side.SELL and intent.exits is not None and intent.act is None


def least(stop: Decimal, rules: StandingRules, instrument: Instrument) -> Decimal:
    """The least that a unit may bring, on the tick; 0 where the stop is too low to bound a sale."""
    return round_to_step(sub(stop, apply_bps(stop, rules.slippage_bps)), instrument.tick, CEILING)


def reached(stop: Decimal, quote: Quote) -> bool:
    """Whether the middle of the market is at or below `stop`."""
    return add(quote.bid, quote.ask) <= mul(stop, _TWO)


def middle(quote: Quote) -> Decimal:
    """Between bid and ask."""
    return mul(add(quote.bid, quote.ask), _HALF)


def shown(quote: Quote) -> str:
    """The middle with as many digits as anybody reads: seven at most."""
    price = middle(quote)
    return to_text(quantise(price, max(0, 6 - price.adjusted()), DOWN))


class Standing(StrEnum):
    """Where a standing exit stands."""

    ASKED = "asked"
    """It is read, signed, or its approval waits for a block."""
    ARMED = "armed"
    HELD_BACK = "held back"
    """Armed, and it could not be sent at this moment."""
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class StandingExit:
    """One, as far as its cover is concerned. `until_ms`: when its transaction can land no more."""

    trade_id: str
    standing: Standing
    quantity: Decimal
    stop: Decimal
    least: Decimal
    until_ms: int
    why: str = ""
    """Of one that is held back."""


def covers(exits: Sequence[StandingExit], held: Decimal, now_ms: int) -> Decimal:
    """The quantity of `held` that one of `exits` would sell. They share a nonce, so one of them is all that can land;
    one of more than is held is never sent."""
    ready = [
        each.quantity
        for each in exits
        if each.standing in {Standing.ARMED, Standing.SENT} and each.quantity <= held and now_ms <= each.until_ms
    ]
    return max(ready, default=ZERO)


def wanted(
    exits: Sequence[StandingExit], held: Decimal, stop: Decimal, rules: StandingRules, now_ms: int
) -> str | None:
    """Why a standing exit is to be proposed for `held`, or None: one is there that lasts, or is being asked for."""
    if any(each.standing in {Standing.ASKED, Standing.SENT} for each in exits):
        return None
    whole = [each for each in exits if each.quantity == held and each.stop == stop]
    if not whole:
        return "what is held has changed" if exits else "nothing sells it when the price falls"
    if max(each.until_ms for each in whole) - now_ms <= rules.renewal_ms:
        return "its standing exit ends soon"
    return None


def over(exit_: StandingExit, held: Decimal, now_ms: int, *, buying: bool) -> str | None:
    """Why a standing exit that was not sent is of no use any more, or None.

    Args:
        buying: a purchase of the position is under way again: a reorganisation took it back, and it may come back.
    """
    if now_ms > exit_.until_ms:
        return "Its time is over."
    if exit_.quantity <= held or buying:
        return None
    return "Part of the position was sold." if held else "The position has ended."


def words(intent: Intent, instrument: Instrument, until_ms: int) -> list[str]:
    """What its bytes do not say; ASCII. They stand before the words of its sale."""
    assert intent.exits is not None
    stop, brings = intent.exits.stop, mul(intent.quantity, intent.worst_price)
    return [
        "STANDING EXIT, kept and not sent",
        f"sent when {instrument.base} falls to {to_text(stop)} {instrument.quote}",
        f"sells {to_text(intent.quantity)} {instrument.base}",
        f"for {to_text(brings)} {instrument.quote} at least",
        f"stands until {until(until_ms)} UTC",
        "a later trade of this account takes its place",
    ]


def until(ms: int) -> str:
    """A time as words have it, to the minute.

    Raises:
        ValueError: there is no such time.
    """
    try:
        return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%d %H:%M}"
    except (OverflowError, OSError) as error:
        raise ValueError(f"{ms} is no time") from error
