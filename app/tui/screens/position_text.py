"""A position, a round trip and the totals as lines. Pure."""

from __future__ import annotations

from decimal import Decimal

from app.reports_orders import MOST_FILLS, PositionOrigin
from app.snapshots.holdings import ActsView, GasView, HeldView, TotalView, TripView, account_total
from app.text import escape_untrusted
from app.tui import words
from app.tui.glyphs import Glyphs
from app.tui.screens.facts import fact, fill_lines, heading, order_line, slippage, state_words
from app.tui.widgets.lines import Line, Piece, fit, line, wrapped


def position(each: HeldView, origin: PositionOrigin | None, missing: str, width: int, glyphs: Glyphs) -> list[Line]:
    """Everything known of one position; `missing` says why its origin is not there."""
    seen = each.seen
    mark = (
        "no price yet"
        if seen.mark is None
        else f"{words.price(seen.mark, seen.tick)}, {words.age(seen.mark_age_ms)} old"
    )
    lines = [line((seen.symbol, "title"), (f"  held by {escape_untrusted(seen.module)}", "label"))]
    if not seen.covered:
        what = f"{words.amount(each.uncovered)} of {words.amount(seen.quantity)} {each.base}"
        bare = f"UNCOVERED: no stop rests for {what}. Nothing sells it when the price falls."
        if seen.stands:
            why = next((exit_.why for exit_ in seen.exits if exit_.why), "")
            bare = f"UNCOVERED: no standing exit would sell {what}."
            bare += f" {escape_untrusted(why)}" if why else " V proposes one."
        lines += wrapped(bare, width, "alarm")
    lines += fact("quantity", f"{words.amount(seen.quantity)} {each.base}", width)
    lines += fact("cost", f"{words.amount(each.cost)} {seen.quote}", width)
    lines += fact("entry", f"{words.price(seen.entry, seen.tick)} on average", width)
    lines += fact("mark", mark, width)
    lines += fact("since", words.clock(seen.opened_ms), width)
    lines += [
        _profit("unrealised", seen.unrealised, seen.quote, glyphs, _return(each)),
        _profit("realised", each.realised, seen.quote, glyphs),
    ]
    lines += fact("fees", f"{words.amount(each.fees)} {seen.quote}", width)
    lines += heading("Exits")
    for exit_, far in zip(seen.exits, each.distances, strict=True):
        said = f"{exit_.role} {words.price(exit_.price, seen.tick)}, {words.bps(far)} from the mark, covers "
        said += f"{words.amount(exit_.quantity)}, {state_words(exit_.state)}"
        if exit_.until_ms is not None and exit_.least is not None:
            said += f" until {words.clock(exit_.until_ms)}, for {words.price(exit_.least, seen.tick)} at least"
        lines += wrapped(said, width, "error" if exit_.state == "UNKNOWN" else "", "  ")
    if not seen.exits:
        lines += wrapped("None.", width, "error")
    lines += heading("Lots, first in first out")
    for quantity, price in each.lots:
        lines.append(line(f"{words.amount(quantity)} at {words.amount(price)}"))
    return lines + _origin(origin, missing, width)


def _return(each: HeldView) -> str:
    return "" if each.return_bps is None else f", {words.bps(each.return_bps)}"


def _profit(label: str, value: Decimal | None, quote: str, glyphs: Glyphs, more: str = "") -> Line:
    return line((f"{label:<13}", "dim"), words.signed(value, glyphs, 4, exact=True), (f" {quote}{more}", ""))


def _origin(origin: PositionOrigin | None, missing: str, width: int) -> list[Line]:
    if origin is None:
        return [
            Line(),
            *wrapped(escape_untrusted(missing) or "reading its fills", width, "error" if missing else "dim"),
        ]
    lines = heading(f"Fills (the newest {MOST_FILLS})" if origin.more else "Fills")
    lines += fill_lines(origin.fills, width)
    lines += heading("Trades")
    for trade in origin.trades:
        lines += wrapped(f"{trade.id[:8]} {state_words(trade.state)}: {slippage(trade)}", width, "", "  ")
        if trade.why:
            lines += wrapped(f"  {escape_untrusted(trade.why)}", width, "dim", "  ")
    lines += heading("Orders")
    for order in origin.orders:
        lines += order_line(order, width)
    return lines


def trip(each: TripView, width: int, glyphs: Glyphs) -> list[Line]:
    """One closed round trip."""
    lines = [line((each.symbol, "title"), (f"  closed by {escape_untrusted(each.module)}", "label"))]
    lines += fact("quantity", words.amount(each.quantity), width)
    lines += fact("entry", f"{words.price(each.entry, each.tick)} on average", width)
    lines += fact("exit", f"{words.price(each.exit, each.tick)} on average", width)
    lines += fact("opened", words.clock(each.opened_ms), width)
    lines += fact(
        "closed", f"{words.clock(each.closed_ms)}, after {words.span(each.closed_ms - each.opened_ms)}", width
    )
    lines += fact("fees", f"{words.amount(each.fees)} {each.quote}", width)
    return [*lines, _profit("net of fees", each.net, each.quote, glyphs)]


def gas(found: tuple[GasView, ...]) -> list[Line]:
    """What gas has cost, a line a coin."""
    return [
        line(("gas    ", "label"), (f"-{words.precise(each.amount, 6)} {each.asset}", "down"), *_worth(each.value))
        for each in found
    ]


def acts(found: tuple[ActsView, ...], glyphs: Glyphs) -> list[Line]:
    """What acts have won, a line an asset; it is in none of the columns above."""
    lines = []
    for each in found:
        pieces: list[Piece] = [(f"{'acts':<7}", "label")]
        pieces += [words.signed(each.won, glyphs, 6), (f" {each.asset} won", "")] if each.won else []
        pieces += [(", ", "")] if each.won and each.open else []
        pieces += [words.signed(each.open, glyphs, 6), (f" {each.asset} in liquidity", "")] if each.open else []
        pieces += [] if each.value is None else [("  $ ", "dim"), words.signed(each.value, glyphs)]
        lines.append(line(*pieces))
    return lines


def _worth(value: Decimal | None) -> list[Piece]:
    return [] if value is None else [(f" (-${words.money(value)}), beside all above", "dim")]


def totals(found: tuple[TotalView, ...], width: int, glyphs: Glyphs) -> list[Line]:
    """A line an asset, and one for all of them in account currency."""
    if not found:
        return wrapped("Nothing was traded yet.", width, "dim")
    titles = ("asset", "unrealised", "realised", "fees", "net", "in $")
    lines = [line((_columns(titles), "label"))]
    for each in found:
        cells: list[Piece] = [
            (each.asset, "title"),
            words.signed(each.unrealised, glyphs),
            words.signed(each.realised, glyphs),
            (words.money(each.fees), ""),
            words.signed(each.net, glyphs),
            words.signed(each.value, glyphs),
        ]
        lines.append(_total_line(cells))
    everything = words.signed(account_total(found), glyphs)
    return [*lines, _total_line([("all", "label"), *[("", "")] * 4, everything])]


_WIDTHS = (6, 13, 13, 9, 13, 13)


def _columns(cells: tuple[str, ...]) -> str:
    return " ".join(fit(cell, size, right=size > 6) for cell, size in zip(cells, _WIDTHS, strict=True))


def _total_line(cells: list[Piece]) -> Line:
    pieces: list[Piece] = []
    for (cell, role), size in zip(cells, _WIDTHS, strict=True):
        pieces += [(fit(cell, size, right=size > 6), role), (" ", "")]
    return Line(tuple(pieces))
