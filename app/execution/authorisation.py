"""The trade authorisation: a short text in plain ASCII words that a device shows in clear and signs (EIP-191).

The text is the contract. It is rendered once, shown, signed, stored; an order is sent only if `refusal` finds, from the
text alone, that the text permits it. `parse` accepts exactly what `render` writes and nothing else, so there is one
text for one meaning. Lines are short because a Nano page holds three lines of about 19 characters.
"""

from __future__ import annotations

import re
from typing import Final

from app.execution import basket_text
from app.execution.records import Role, slot
from app.execution.signed_terms import (
    AMOUNT,
    ASSET,
    HEX,
    MOST_IN_LINE,
    SYMBOL,
    UNTIL,
    Authorisation,
    Part,
    exit_group,
    until_ms,
    until_text,
)
from app.ids import client_order_id
from app.money import from_text, to_text
from app.venues.base import OrderKind, OrderRequest
from strategies.model import Side

__all__ = ["HEADER", "MOST_IN_LINE", "RESTS", "Authorisation", "parse", "permits", "refusal", "render", "says_rests"]

HEADER: Final = "countersign trade 1"
RESTS: Final = "limit order, may rest"
"""The line of an order that may wait at its price. Without it the order is meant to trade at once."""

_LINES: Final = re.compile(
    rf"{HEADER}\n"
    rf"(BUY|SELL) {AMOUNT} {SYMBOL}\n"
    rf"on ([a-z0-9_]{{1,20}})\n"
    rf"at {AMOUNT} or better\n"
    rf"(?:{RESTS}\n)?"
    rf"fee up to {AMOUNT} {ASSET}\n"
    rf"(?:pay up to|get at least) (-?){AMOUNT} {ASSET}\n"
    rf"(?:stop {AMOUNT}, sell at market\n)?"
    rf"(?:target {AMOUNT}, sell\n)?"
    rf"(?:reduce only\n)?"
    rf"(?:shares exits {HEX}\n)?"
    rf"open for ([1-9]\d{{0,9}}) ms\n"
    rf"valid until {UNTIL} UTC\n"
    rf"trade {HEX}",
    re.ASCII,
)


def render(authorisation: Authorisation) -> str:
    """The text to show and to sign; ASCII, lines joined by a newline, no trailing one.

    Raises:
        ValueError: a line would be longer than `MOST_IN_LINE`, or `parse` would not read it back.
    """
    text = _words(authorisation)
    form = basket_text.LINES if authorisation.legs else _LINES
    if any(len(line) > MOST_IN_LINE for line in text.split("\n")) or form.fullmatch(text) is None:
        raise ValueError(f"the authorisation of trade {authorisation.trade_id} can not be shown in plain short lines")
    return text


def _words(authorisation: Authorisation) -> str:
    a = authorisation
    if a.legs:
        return basket_text.words(a)
    word = "pay up to" if a.side is Side.BUY else "get at least"
    lines = [
        HEADER,
        f"{a.side.value.upper()} {to_text(a.quantity)} {a.symbol}",
        f"on {a.venue}",
        f"at {to_text(a.worst_price)} or better",
        *([RESTS] if a.rests else []),
        f"fee up to {to_text(a.max_fee)} {a.quote}",
        f"{word} {to_text(a.bound)} {a.quote}",
    ]
    if a.stop is not None:
        lines.append(f"stop {to_text(a.stop)}, sell at market")
    if a.target is not None:
        lines.append(f"target {to_text(a.target)}, sell")
    if a.reduce_only:
        lines.append("reduce only")
    if a.group is not None:
        lines.append(f"shares exits {a.group}")
    lines += [
        f"open for {a.time_in_force_ms} ms",
        f"valid until {until_text(a.valid_until_ms)} UTC",
        f"trade {a.trade_id}",
    ]
    return "\n".join(lines)


def parse(text: str) -> Authorisation:
    """Read a text back.

    Raises:
        ValueError: not exactly what `render` writes.
    """
    a = basket_text.read(text) if text.startswith(basket_text.HEADER) else _read(text)
    if _words(a) != text or a.symbol.split("-")[1] != a.quote or max(map(len, text.split("\n"))) > MOST_IN_LINE:
        raise ValueError("the lines of the authorisation contradict one another")
    return a


def _read(text: str) -> Authorisation:
    match = _LINES.fullmatch(text)
    if match is None:
        raise ValueError("not a countersign trade authorisation")
    side, quantity, symbol, venue, worst, fee, quote, _, _, _, stop, target, group, open_for, until, trade = (
        match.groups()
    )
    return Authorisation(
        trade_id=trade,
        side=Side(side.lower()),
        quantity=from_text(quantity),
        symbol=symbol,
        quote=quote,
        venue=venue,
        worst_price=from_text(worst),
        max_fee=from_text(fee),
        stop=from_text(stop) if stop else None,
        target=from_text(target) if target else None,
        reduce_only="\nreduce only\n" in text,
        group=group,
        time_in_force_ms=int(open_for),
        valid_until_ms=until_ms(until),
        rests=says_rests(text),
    )


def says_rests(text: str) -> bool:
    """Whether a text lets its order wait away from the market."""
    return f"\n{RESTS}\n" in text


def refusal(text: str, order: OrderRequest, venue: str | None = None) -> str | None:
    """Why `text` does not permit `order`, or None when it does. Pure: the text decides alone. `venue` is where the
    order goes; None asks only about the order itself, which does not say so.

    An entry or close needs: the text's side, symbol, at most its quantity, a limit no worse than its price, an end no
    later than valid-until plus the time it may stay open, and the client id derived from the trade. A stop or target
    needs: a sale that only reduces, hangs on that entry, and carries exactly the price that was read. Of a basket each
    leg is such an entry with its own quantity, price and target, tied to the others by the basket's name.
    """
    try:
        allowed = parse(text)
    except ValueError as error:
        return str(error)
    if (why := _elsewhere(allowed, order, venue)) is not None:
        return why
    for number, part in enumerate(allowed.parts, 1):
        for role, rule in _RULES.items():
            if order.client_id == client_order_id(allowed.trade_id, slot(role, number)):
                return _too_much(part, order) or rule(allowed, number, part, order)
    return "the order's id does not derive from the trade"


def _elsewhere(allowed: Authorisation, order: OrderRequest, venue: str | None) -> str | None:
    if venue is not None and venue != allowed.venue:
        return f"the text is for {allowed.venue}, the order goes to {venue}"
    if order.symbol != allowed.symbol:
        return f"the text is for {allowed.symbol}, the order for {order.symbol}"
    if order.valid_until_ms != allowed.valid_until_ms:
        return "the order is valid for another time than the text"
    if order.basket != allowed.basket:
        return "the order is in another basket than the text says"
    return None


def _too_much(part: Part, order: OrderRequest) -> str | None:
    if not 0 < order.quantity <= part.quantity:
        return f"the text allows {to_text(part.quantity)}, the order has {to_text(order.quantity)}"
    return None


def permits(text: str, order: OrderRequest, venue: str | None = None) -> bool:
    """Whether `text` permits `order`, at `venue` when one is named."""
    return refusal(text, order, venue) is None


def _entry(allowed: Authorisation, _number: int, part: Part, order: OrderRequest) -> str | None:
    if allowed.reduce_only or order.reduce_only:
        return "an entry can not be reduce-only"
    if order.parent is not None or order.group is not None:
        return "an entry hangs on no other order"
    return _marketable(allowed, part, order)


def _close(allowed: Authorisation, _number: int, part: Part, order: OrderRequest) -> str | None:
    if not (allowed.reduce_only and order.reduce_only):
        return "a close must be reduce-only in the text and in the order"
    if order.parent is not None or order.group != allowed.group:
        return "the close shares other exits than the text says"
    return _marketable(allowed, part, order)


def _marketable(allowed: Authorisation, part: Part, order: OrderRequest) -> str | None:
    if order.side is not allowed.side:
        return f"the text says {allowed.side}, the order {order.side}"
    if order.kind is not OrderKind.LIMIT or order.limit_price is None or order.stop_price is not None:
        return "the order must be a limit"
    worst = part.worst_price
    if order.limit_price > worst if allowed.side is Side.BUY else order.limit_price < worst:
        return f"the text says {to_text(worst)} or better, the order {to_text(order.limit_price)}"
    if order.expires_ms is None or order.expires_ms > allowed.valid_until_ms + allowed.time_in_force_ms:
        return "the order may stay open longer than the text says"
    return None


def _exit(allowed: Authorisation, number: int, order: OrderRequest) -> str | None:
    if allowed.side is not Side.BUY or order.side is not Side.SELL or not order.reduce_only:
        return "an exit must be a reduce-only sale of what was bought"
    if order.parent != client_order_id(allowed.trade_id, slot(Role.ENTRY, number)):
        return "the exit hangs on another entry"
    if order.group != exit_group(allowed.trade_id, number):
        return "the exit is in another group"
    if order.expires_ms is not None:
        return "an exit rests until it is done"
    return None


def _stop(allowed: Authorisation, number: int, _part: Part, order: OrderRequest) -> str | None:
    if order.kind is not OrderKind.STOP or order.limit_price is not None or order.stop_price != allowed.stop:
        return "the stop is not the one in the text"
    return _exit(allowed, number, order)


def _target(allowed: Authorisation, number: int, part: Part, order: OrderRequest) -> str | None:
    if order.kind is not OrderKind.LIMIT or order.stop_price is not None or order.limit_price != part.target:
        return "the target is not the one in the text"
    return _exit(allowed, number, order)


_RULES: Final = {Role.ENTRY: _entry, Role.CLOSE: _close, Role.STOP: _stop, Role.TARGET: _target}
