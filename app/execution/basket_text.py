"""The words of a basket's authorisation: one line for each leg, the common stop, what all of it may cost.

A basket of three, as the device shows it::

    countersign basket 1
    BUY 3 ETH-USDT
    on paper
    1: 1 at 99, sell at 100
    2: 1 at 98, sell at 99
    3: 1 at 97, sell at 98
    stop 90, sell at market
    a stop ends all buys
    fee up to 0.29 USDT
    pay up to 294.29 USDT
    open for 14400 s
    valid until 2020-09-13 12:41:40 UTC
    trade 0123456789abcdef0123456789abcdef

`read` accepts exactly what `words` writes.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from app.execution.signed_terms import AMOUNT, ASSET, HEX, SYMBOL, UNTIL, Authorisation, until_ms, until_text
from app.money import from_text, to_text, total
from strategies.model import MOST_LEGS, Leg, Side

HEADER: Final = "countersign basket 1"

_LEG: Final = re.compile(rf"([1-9]\d?): {AMOUNT} at {AMOUNT}, sell at {AMOUNT}", re.ASCII)
LINES: Final = re.compile(
    rf"{HEADER}\n"
    rf"BUY {AMOUNT} {SYMBOL}\n"
    rf"on ([a-z0-9_]{{1,20}})\n"
    rf"((?:[1-9]\d?: [0-9.]+ at [0-9.]+, sell at [0-9.]+\n){{1,{MOST_LEGS}}})"
    rf"stop {AMOUNT}, sell at market\n"
    rf"a stop ends all buys\n"
    rf"fee up to {AMOUNT} {ASSET}\n"
    rf"pay up to {AMOUNT} {ASSET}\n"
    rf"open for ([1-9]\d{{0,5}}) s\n"
    rf"valid until {UNTIL} UTC\n"
    rf"trade {HEX}",
    re.ASCII,
)


def words(a: Authorisation) -> str:
    """The lines of a basket. `a` has legs and a stop."""
    assert a.stop is not None
    legs = [
        f"{number}: {to_text(leg.quantity)} at {to_text(leg.price)}, sell at {to_text(leg.target)}"
        for number, leg in enumerate(a.legs, 1)
    ]
    lines = [
        HEADER,
        f"BUY {to_text(a.quantity)} {a.symbol}",
        f"on {a.venue}",
        *legs,
        f"stop {to_text(a.stop)}, sell at market",
        "a stop ends all buys",
        f"fee up to {to_text(a.max_fee)} {a.quote}",
        f"pay up to {to_text(a.bound)} {a.quote}",
        f"open for {a.time_in_force_ms // 1000} s",
        f"valid until {until_text(a.valid_until_ms)} UTC",
        f"trade {a.trade_id}",
    ]
    return "\n".join(lines)


def read(text: str) -> Authorisation:
    """What the lines say; the caller compares `words` of it with the text.

    Raises:
        ValueError: they are not a basket's lines, or contradict one another.
    """
    match = LINES.fullmatch(text)
    if match is None:
        raise ValueError("not a countersign basket authorisation")
    quantity, symbol, venue, lines, stop, fee, quote, _, _, open_for, until, trade = match.groups()
    legs = tuple(_leg(line) for line in lines.rstrip("\n").split("\n"))
    low = from_text(stop)
    whole = total([leg.quantity for leg in legs]) == from_text(quantity)
    falling = all(above.price > below.price for above, below in pairwise(legs))
    if not (whole and falling and 0 < low < legs[-1].price):
        raise ValueError("the lines of the authorisation contradict one another")
    return Authorisation(
        trade_id=trade,
        side=Side.BUY,
        quantity=from_text(quantity),
        symbol=symbol,
        quote=quote,
        venue=venue,
        worst_price=legs[0].price,
        max_fee=from_text(fee),
        stop=low,
        target=None,
        reduce_only=False,
        group=None,
        time_in_force_ms=int(open_for) * 1000,
        valid_until_ms=until_ms(until),
        legs=legs,
    )


def _leg(line: str) -> Leg:
    match = _LEG.fullmatch(line)
    if match is None:
        raise ValueError("not a leg of a countersign basket authorisation")
    _, quantity, price, target = match.groups()
    return Leg(from_text(price), from_text(quantity), from_text(target))
