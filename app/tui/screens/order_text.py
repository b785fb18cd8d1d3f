"""One order as lines: what it is, what happened to it, what permitted it, how long it took. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.money import mul
from app.reports_orders import OrderDetail, needs_no_text
from app.text import escape_untrusted
from app.tui import words
from app.tui.screens.facts import (
    UNKNOWN,
    fact,
    fill_lines,
    heading,
    order_words,
    signed_lines,
    slippage,
    state_words,
    steps,
)
from app.tui.widgets.lines import Line, line, wrapped
from app.wish_words import move_words

if TYPE_CHECKING:
    from app.reports_chain import TransactionFacts


def order(each: OrderDetail | None, missing: str, width: int) -> list[Line]:
    """Everything known of one order; `missing` says why it is not there."""
    if each is None:
        return wrapped(escape_untrusted(missing) or "reading", width, "error" if missing else "dim")
    row, terms, trade = each.row, each.terms, each.trade
    lines = wrapped(escape_untrusted(order_words(row)), width, "title")
    if row.unknown:
        lines += wrapped(f"UNKNOWN: {UNKNOWN}", width, "alarm")
    lines += fact("state", state_words(row.state), width, "error" if row.unknown else "")
    if row.plain:
        lines += fact("filled", f"{words.amount(row.filled)} of {words.amount(row.quantity)}", width)
    lines += fact("kind", f"{row.kind}{', only reduces' if terms['reduce_only'] else ''}", width)
    lines += fact("module", row.module, width)
    lines += _at_the_venue(each, width) if each.transaction is None else _on_chain(each, each.transaction, width)
    lines += fact("trade", f"{row.trade_id}, {state_words(trade.state)}", width)
    if trade.why:
        lines += fact("why", trade.why, width)
    lines += heading("Events")
    for event in each.events:
        reason = f": {event.reason}" if event.reason else ""
        filled = f", filled {words.amount(event.filled)}" if event.filled else ""
        said = f"{words.clock(event.ts_ms)} {state_words(event.state)}{filled}{reason}  (journal {event.seq})"
        lines += wrapped(escape_untrusted(said), width, "error" if event.state == "UNKNOWN" else "", "  ")
    lines += _moved(each, width) if row.wish.act is not None else [*heading("Fills"), *fill_lines(each.fills, width)]
    lines += [*_permitted(each, width), *heading("Its trade took")]
    lines += wrapped(steps(trade), width, "", "  ")
    return [*lines, *(fact("slippage", slippage(trade), width) if row.wish.act is None else [])]


def _moved(each: OrderDetail, width: int) -> list[Line]:
    """What an act that is in a block has moved; an approval for one moves nothing."""
    lines = heading("Moved")
    for move in each.moves:
        lines += wrapped(escape_untrusted(move_words(move)), width, "", "  ")
    return lines if each.moves else [*lines, *wrapped("Nothing.", width, "dim")]


def _at_the_venue(each: OrderDetail, width: int) -> list[Line]:
    expires = each.terms["expires_ms"]
    lines = fact("stays open", "until it is cancelled" if expires is None else f"until {words.clock(expires)}", width)
    lines += fact("sent until", words.clock(each.terms["valid_until_ms"]), width)
    lines += fact("client id", each.row.client_id, width)
    return lines + fact("venue's id", each.venue_order_id or "none yet", width)


def _on_chain(each: OrderDetail, of: TransactionFacts, width: int) -> list[Line]:
    """The hash is cut nowhere but at the edge: it is what an explorer is asked for."""
    row = each.row
    place = f"{of.chain}, transaction {of.number} of {of.of}, nonce {of.nonce}"
    lines = fact("chain", place, width)
    lines += fact("hash", row.client_id, width)
    lines += fact("sent", _way(of), width)
    lines += fact("block", "in none" if row.block is None else f"{row.block:,}", width)
    worth = "" if of.gas_rate is None or not row.gas else f" (${words.money(mul(row.gas, of.gas_rate))})"
    lines += fact("gas paid", f"{words.amount(row.gas)} {of.gas_asset}{worth}" if row.gas else "nothing yet", width)
    return lines + fact("ends", f"{words.clock(each.terms['valid_until_ms'])} at the latest", width)


def _way(of: TransactionFacts) -> str:
    """Who could see it before it was mined."""
    if not of.private:
        return "to the public mempool"
    shown = "" if of.published_ms is None else f", and to the public mempool at {words.clock(of.published_ms)}"
    return f"privately through {of.private}{shown}"


def _permitted(each: OrderDetail, width: int) -> list[Line]:
    signed = each.trade.signed
    if needs_no_text(each.row.role):
        words_ = "By no text: a sale that only reduces, after an emergency stop, needs none."
        return [*heading("Permitted"), *wrapped(words_, width, "label")]
    if signed is None:
        return [*heading("Permitted"), *wrapped("By nothing: no signature of its trade is on record.", width, "error")]
    if each.transaction is not None:
        signed = replace(signed, text=each.transaction.text)
        return [*heading("The transaction that was signed, in words"), line(), *signed_lines(signed, width)]
    return [*heading("Permitted by this text"), line(), *signed_lines(signed, width)]
