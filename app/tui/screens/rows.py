"""Columns and rows of the tables that more than one screen shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app import wish_words
from app.execution.act_rows import name_of_act
from app.text import counted, escape_untrusted
from app.tui import words
from app.tui.widgets.lines import Piece
from app.tui.widgets.table import Column, Row

if TYPE_CHECKING:
    from decimal import Decimal

    from app.execution.ranking import Waiting
    from app.snapshots.account import PositionView
    from app.snapshots.market import WatchRow
    from app.tui.glyphs import Glyphs
    from strategies.model import Intent

NO_MARKET: Final = "The market has not spoken yet."
NO_PROPOSALS: Final = "Nothing waits for you. Running modules propose when a bar ends; 4 shows them."
NO_POSITIONS: Final = "No open positions. Confirm a proposal to open one: p, then Enter."

CHANGE: Final = 2
"""The column of `WATCH` whose title says how far back it looks."""
WATCH: Final = (
    Column("instrument", 12),
    Column("last", 11, right=True),
    Column("change", 9, right=True),
    Column("spread", 7, right=True, rank=2),
    Column("age", 5, right=True, rank=1),
)

PROPOSALS: Final = (
    Column("side", 4),
    Column("quantity", 10, right=True),
    Column("instrument", 12),
    Column("worst price", 11, right=True, rank=1),
    Column("value", 8, right=True, rank=2),
    Column("edge", 6, right=True),
    Column("left", 5, right=True),
    Column("module", 14, rank=3),
    Column("why", 0, rank=4),
)

POSITIONS: Final = (
    Column("instrument", 12),
    Column("quantity", 11, right=True),
    Column("entry", 11, right=True, rank=1),
    Column("mark", 11, right=True, rank=3),
    Column("profit", 10, right=True),
    Column("exits", 0, rank=2, least=34),
    Column("module", 14, rank=4),
)


def no_engine(exits: str) -> str:
    """Why nothing is shown once the engine has ended, and what guards positions meanwhile."""
    return f"The engine does not run, so nothing here is known. R starts it again; {exits[:1].lower()}{exits[1:]}"


def watch(seen: WatchRow, glyphs: Glyphs, chosen: str) -> Row:
    """One instrument."""
    name = f"{seen.symbol}{' ' + glyphs.bullet if seen.held else ''}"
    change = ("-", "dim")
    if seen.change_pct is not None:
        arrow, role = words.signed(seen.change_pct, glyphs)
        change = (f"{arrow}%", role)
    stale = "dim" if (seen.age_ms or 0) < 60_000 else "warn"
    return Row(
        seen.symbol,
        (
            (name, "title" if seen.symbol == chosen else ""),
            (words.price(seen.last, seen.tick), ""),
            change,
            (f"{seen.spread_bps}bp" if seen.spread_bps is not None else "-", "dim"),
            (words.age(seen.age_ms), stale),
        ),
    )


def proposal(seen: Waiting, intent: Intent, tick: Decimal) -> Row:
    """One waiting trade. `edge`: what it should earn after costs, basis points of its value, as things stand now."""
    notes = []
    if seen.resumed:
        notes.append("SIGNED BEFORE A RESTART")
    if seen.requirement.words:
        notes.append(seen.requirement.words)
    if seen.opposed:
        notes.append("its module wants the other side now")
    if seen.beside:
        others = len(seen.beside)
        notes.append(f"{counted(others, 'other module')} {'asks' if others == 1 else 'ask'} for the same")
    if intent.replaces or intent.act is not None:
        notes.append(wish_words.title(intent))
    text = "; ".join([*notes, seen.reason])
    plain, (_, what) = intent.act is None, wish_words.words_of(intent.act, intent.replaces, "", seen.symbol)
    return Row(
        seen.trade_id,
        (
            _side(seen, intent),
            (words.amount(seen.quantity) if plain else "-", ""),
            (what, "title"),
            (words.price(seen.worst_price, tick) if plain else "-", ""),
            (f"${words.money(seen.value)}" if seen.value else "-", ""),
            _edge(seen),
            (words.span(seen.left_ms), "warn" if seen.left_ms < 60_000 else ""),
            (seen.module, "label"),
            (escape_untrusted(text), "warn" if notes else "dim"),
        ),
    )


def _side(seen: Waiting, intent: Intent) -> Piece:
    """Of an act its kind: it neither buys nor sells."""
    if intent.act is not None:
        return name_of_act(intent.act).upper(), "key"
    return seen.side.value.upper(), "up" if seen.side.value == "buy" else "down"


def _edge(seen: Waiting) -> Piece:
    """What ranks it: ``gone`` where the market has left its worst price behind, which is why such a one stands last."""
    if seen.edge_bps is None:
        return "-", "dim"
    if not seen.reachable:
        return "gone", "warn"
    return f"{words.money(seen.edge_bps, 0)}bp", "ok" if seen.edge_bps > 0 else "warn"


def position(seen: PositionView, glyphs: Glyphs) -> Row:
    """One position with what protects it."""
    exits = ", ".join(f"{each.role} {words.price(each.price, seen.tick)}" for each in seen.exits)
    covered = (exits, "dim") if seen.covered else (f"UNCOVERED {exits}", "error")
    return Row(
        f"{seen.symbol} {seen.module}",
        (
            (seen.symbol, "title"),
            (words.amount(seen.quantity), ""),
            (words.price(seen.entry, seen.tick), ""),
            (words.price(seen.mark, seen.tick), ""),
            words.signed(seen.profit, glyphs),
            covered,
            (seen.module, "label"),
        ),
    )
