"""Orders, fills and trades as lines: what the details of a position and of an order share. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.reports_orders import FillRow, OrderRow, Signed, TradeFacts
from app.text import escape_untrusted
from app.tui import words
from app.tui.widgets.lines import Line, line, wrapped

UNKNOWN: Final = "maybe sent; being looked up; do not repeat"
_LABEL: Final = 13


def heading(text: str) -> list[Line]:
    """A blank line and a title."""
    return [Line(), line((text, "title"))]


def fact(label: str, text: str, width: int, role: str = "") -> list[Line]:
    """A label and what it says, in two columns."""
    first, *more = wrapped(escape_untrusted(text), max(width - _LABEL, 8), role)
    return [line((f"{label:<{_LABEL}}", "dim"), *first.pieces), *(line(" " * _LABEL, *each.pieces) for each in more)]


def state_words(state: str) -> str:
    """``partly filled``; UNKNOWN stays as loud as it is."""
    return state if state == "UNKNOWN" else state.lower().replace("_", " ").replace("partially", "partly")


def order_words(row: OrderRow) -> str:
    """``sell 0.1 BTC-USDT at 98000, stop``; ``approve, for a buy of ETH-USDC``."""
    if row.role == "approve":
        return f"approve, to {row.name}" if row.wish.act is not None else f"approve, for a {row.side} of {row.symbol}"
    if row.wish.act is not None:
        return row.name
    price = "at market" if row.price is None else f"at {words.amount(row.price)}"
    place = f", in the place of {row.wish.replaces[:10]}" if row.wish.replaces else ""
    return f"{row.side} {words.amount(row.quantity)} {row.symbol} {price}, {row.role}{place}"


def order_line(row: OrderRow, width: int) -> list[Line]:
    """One order of a list of them, its fate in words."""
    role = "error" if row.unknown else "" if row.live else "dim"
    filled = f", filled {words.amount(row.filled)}" if row.filled else ""
    doubt = f": {UNKNOWN}" if row.unknown else ""
    text = f"{row.role} {row.client_id[:8]}: {order_words(row)}, {state_words(row.state)}{filled}{doubt}"
    return wrapped(escape_untrusted(text), width, role, "  ")


def fill_lines(fills: Sequence[FillRow], width: int) -> list[Line]:
    """Each execution."""
    lines: list[Line] = []
    for each in fills:
        text = (
            f"{words.clock(each.ts_ms)} {each.role} {each.side} {words.amount(each.quantity)} at "
            f"{words.amount(each.price)}, fee {words.amount(each.fee)} {each.fee_asset}"
        )
        lines += wrapped(escape_untrusted(text), width, "", "  ")
    return lines or wrapped("None.", width, "dim")


def slippage(trade: TradeFacts) -> str:
    """What entry and closes paid beyond the touch they were sent at."""
    if trade.slippage_bps is None:
        return "nothing of its entry filled yet"
    better = " (better than the touch)" if trade.slippage_bps < 0 else ""
    return f"{words.amount(trade.slippage_bps)} bps beyond the touch it was sent at{better}"


def steps(trade: TradeFacts) -> str:
    """How long each step took."""
    if not trade.steps:
        return "not measured: its steps were taken before a restart, or never"
    return ", ".join(f"{name} {words.micros(micros)}" for name, micros in trade.steps)


def signed_lines(signed: Signed, width: int) -> list[Line]:
    """The text, letter for letter as it was signed, and whose signature it bears."""
    lines: list[Line] = [line(("HOT: signed by a key in the keyring, by no device.", "error"))] if signed.hot else []
    for text in signed.text.split("\n"):
        shown, step = escape_untrusted(text), max(width - 2, 8)
        lines += [line("  ", shown[start : start + step]) for start in range(0, max(len(shown), 1), step)]
    lines += fact("signed by", signed.address, width)
    return lines + fact("with", f"{signed.signer}, {words.clock(signed.signed_ms)}", width)
