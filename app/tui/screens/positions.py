"""The Positions screen: what is held and what protects it, what was closed today, what all of it comes to; beside them
where the position under the cursor came from."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from textual import on
from textual.widget import Widget

from app.tui import words
from app.tui.screens import position_text as text
from app.tui.screens.history import History
from app.tui.screens.liquidity import LiquidityPane
from app.tui.screens.split import Split
from app.tui.widgets.lines import Line, Lines
from app.tui.widgets.table import Column, Row, Table

if TYPE_CHECKING:
    from app.reports_orders import PositionOrigin
    from app.snapshots.holdings import ActsView, GasView, HeldView, TotalView, TripView
    from app.tui.app import Terminal
    from app.tui.glyphs import Glyphs
    from storage.database import Reader

_NONE_OPEN: Final = "No open positions. Confirm a proposal to open one: p, then Enter."
_NONE_CLOSED: Final = (
    "Nothing was closed since 00:00 UTC. A position ends by its stop, its target or a sale you confirm."
)
_NO_ENGINE: Final = "The engine does not run, so nothing here is known. Exits that rest at the venue rest there."

HELD: Final = (
    Column("instrument", 11),
    Column("cover", 9, rank=5),
    Column("quantity", 9, right=True),
    Column("entry", 10, right=True, rank=1),
    Column("mark", 10, right=True, rank=4),
    Column("age", 5, right=True, rank=6),
    Column("profit", 11, right=True),
    Column("realised", 10, right=True, rank=7),
    Column("fees", 8, right=True, rank=8),
    Column("stop", 17, rank=2),
    Column("target", 17, rank=3),
    Column("module", 12, rank=9),
    Column("since", 14, rank=10),
)

TRIPS: Final = (
    Column("closed", 14),
    Column("instrument", 11),
    Column("quantity", 9, right=True),
    Column("entry", 10, right=True, rank=1),
    Column("exit", 10, right=True, rank=2),
    Column("net", 11, right=True),
    Column("fees", 8, right=True, rank=3),
    Column("for", 8, right=True, rank=4),
    Column("module", 12, rank=5),
)


def held_row(each: HeldView, glyphs: Glyphs) -> Row:
    """One position."""
    seen = each.seen
    stop = _nearest(each, "standing" if seen.stands else "stop") or "none"
    return Row(
        each.key,
        (
            (seen.symbol, "title"),
            ("covered", "ok") if seen.covered else ("UNCOVERED", "error"),
            (words.amount(seen.quantity), ""),
            (words.price(seen.entry, seen.tick), ""),
            (words.price(seen.mark, seen.tick), ""),
            (words.age(seen.mark_age_ms), "warn" if (seen.mark_age_ms or 0) >= 60_000 else "dim"),
            words.signed(seen.unrealised, glyphs),
            words.signed(each.realised, glyphs),
            (words.money(each.fees), ""),
            (stop, "") if seen.covered else (f"UNCOVERED {stop}", "error"),
            (_nearest(each, "target") or "-", "dim"),
            (seen.module, "label"),
            (words.clock(seen.opened_ms), "dim"),
        ),
        base="" if seen.covered else "alarm",
    )


def _nearest(each: HeldView, role: str) -> str:
    """The exit of a role that the market comes to first, its distance, and how many more there are."""
    exits = [pair for pair in zip(each.seen.exits, each.distances, strict=True) if pair[0].role == role]
    if not exits:
        return ""
    exit_, far = min(exits, key=lambda pair: Decimal(0) if pair[1] is None else abs(pair[1]))
    more = f" +{len(exits) - 1}" if len(exits) > 1 else ""
    return f"{words.price(exit_.price, each.seen.tick)} {'?' if far is None else f'{far:+,f}'}bp{more}"


def trip_row(each: TripView, glyphs: Glyphs) -> Row:
    """One round trip."""
    return Row(
        f"{each.closed_ms} {each.symbol} {each.module} {each.opened_ms}",
        (
            (words.clock(each.closed_ms), "dim"),
            (each.symbol, "title"),
            (words.amount(each.quantity), ""),
            (words.price(each.entry, each.tick), ""),
            (words.price(each.exit, each.tick), ""),
            words.signed(each.net, glyphs),
            (words.money(each.fees), ""),
            (words.span(each.closed_ms - each.opened_ms), "dim"),
            (each.module, "label"),
        ),
    )


class _Totals(Lines):
    """What everything comes to, by quote asset and in account currency; as high as it must be."""

    DEFAULT_CSS = "_Totals { height: auto; max-height: 8; }"
    app: Terminal

    def __init__(self) -> None:
        super().__init__(id="totals", classes="pane")
        self.border_title = "Totals since the database began"
        self.found: tuple[TotalView, ...] = ()
        self.gas: tuple[GasView, ...] = ()
        self.acts: tuple[ActsView, ...] = ()

    def get_content_height(self, *_: object) -> int:
        """A header, a line an asset, one for all of them; one for each coin that paid gas, or that acts moved."""
        return (len(self.found) + 2 if self.found else 1) + len(self.gas) + len(self.acts)

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- it is as high as it must be
        """The lines."""
        glyphs = self.app.glyphs
        return [*text.totals(self.found, width, glyphs), *text.acts(self.acts, glyphs), *text.gas(self.gas)]


class PositionsView(Split):
    """What is held."""

    name_shown = "Positions"
    topic = "positions"
    SCOPED_CSS = False
    DEFAULT_CSS = """
    PositionsView #held { height: 2fr; }
    PositionsView #trips { height: 1fr; }
    PositionsView #liquidity { height: 1fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self._held: dict[str, HeldView] = {}
        self._trips: dict[str, TripView] = {}
        self._origin: History[tuple[str, str, int], PositionOrigin] = History(self, _origin)

    def lists(self) -> list[Widget]:
        """What is open, what was closed, what it comes to."""
        held, trips = Table(HELD, empty=_NONE_OPEN, id="held"), Table(TRIPS, empty=_NONE_CLOSED, id="trips")
        for table in (held, trips):
            table.add_class("pane")
        held.border_title, trips.border_title = "Positions", "Closed today"
        on_chain = self.host.request.chain is not None
        return [held, *([LiquidityPane()] if on_chain else []), trips, _Totals()]

    def hints(self) -> list[tuple[str, str]]:
        """Of the focused pane."""
        if self.detail.has_focus:
            return [("Esc", "back")]
        if self.current == "liquidity":
            keys = [("Enter", "detail"), ("o", "open"), ("f", "collect fees"), ("w", "withdraw")]
            return [*keys, ("Tab", "closed today" if self.narrow else "next pane")]
        other = "open positions" if self.current == "trips" else "closed today"
        if self.current == "held" and self.query(LiquidityPane):
            other = "liquidity"
        close = [] if self.current == "trips" else [("C", "close")]
        if close and self.host.request.chain is not None:
            close.append(("V", "cover"))
        return [("Enter", "detail"), *close, ("Tab", other if self.narrow else "next pane")]

    def key_upper_c(self) -> None:
        """Propose to close the position under the cursor; only while the open positions have the focus."""
        table = self.query_one("#held", Table)
        each = self._held.get(table.cursor)
        if table.has_focus and each is not None:
            self.app.do.close(each.seen.symbol, each.seen.module)

    def key_upper_v(self) -> None:
        """Propose a standing exit for the position under the cursor, on a chain."""
        table = self.query_one("#held", Table)
        each = self._held.get(table.cursor)
        if table.has_focus and each is not None:
            self.app.do.cover(each.seen.symbol, each.seen.module)

    def enter(self) -> None:
        """What is open comes first, whatever was looked at before."""
        desk = self.host.desk
        if self.is_mounted and not self.opened and desk is not None and desk.state.positions.open_holdings():
            self.current = "held"
            self._mark_current()
        super().enter()

    # -- what it shows ----------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Lists, totals, and the detail of the row under the cursor."""
        desk = self.host.desk
        held, trips, totals = self.query_one("#held", Table), self.query_one("#trips", Table), self.query_one(_Totals)
        if desk is None:
            self._held, self._trips = {}, {}
            held.set_rows((), empty=_NO_ENGINE)
            trips.set_rows((), empty=_NO_ENGINE)
        else:
            from app.snapshots import holdings  # noqa: PLC0415 -- the engine behind it, after the first frame

            glyphs = self.app.glyphs
            self._held = {each.key: each for each in holdings.held(desk)}
            held.set_rows([held_row(each, glyphs) for each in self._held.values()], empty=_NONE_OPEN)
            rows = [(trip_row(each, glyphs), each) for each in holdings.closed_today(desk)]
            self._trips = {row.key: each for row, each in rows}
            trips.set_rows([row for row, _ in rows], empty=_NONE_CLOSED)
            found, gas, acts = holdings.totals(desk), holdings.gas(desk), holdings.acts(desk)
            if (len(found), len(gas), len(acts)) != (len(totals.found), len(totals.gas), len(totals.acts)):
                totals.refresh(layout=True)
            totals.found, totals.gas, totals.acts = found, gas, acts
        bare = sum(1 for each in self._held.values() if not each.seen.covered)
        count = f" ({len(self._held)})" if self._held else ""
        held.entitle(f"Positions{count}{f'  {bare} UNCOVERED' if bare else ''}")
        trips.entitle(f"Closed today ({len(self._trips)})" if self._trips else "Closed today")
        for pane in self.query(LiquidityPane):
            pane.show_rows()
        totals.show()
        if self.detail_seen():
            self._want_origin()
            self.detail.show()

    def _want_origin(self) -> None:
        each = self._held.get(self.query_one("#held", Table).cursor)
        if self.current == "held" and each is not None:
            self._origin.want((each.seen.module, each.seen.symbol, each.seen.opened_ms))

    def document(self, width: int) -> list[Line]:
        """Of the position under the cursor, or of the round trip."""
        glyphs = self.app.glyphs
        if self.current == "liquidity":
            return self.query_one(LiquidityPane).detail_lines(width)
        if self.current == "trips":
            trip = self._trips.get(self.query_one("#trips", Table).cursor)
            return [] if trip is None else text.trip(trip, width, glyphs)
        each = self._held.get(self.query_one("#held", Table).cursor)
        if each is None:
            return []
        seen = each.seen
        known = self._origin.wanted == (seen.module, seen.symbol, seen.opened_ms)
        return text.position(each, self._origin.result if known else None, self._origin.words, width, glyphs)

    # -- messages ---------------------------------------------------------------------------------------------------

    @on(Table.RowMarked)
    def _another_row(self) -> None:
        self.detail.set_document(self.document)

    @on(Table.RowOpened)
    def _opened(self) -> None:
        self.open_detail()


def _origin(reader: Reader, wanted: tuple[str, str, int]) -> PositionOrigin:
    from app.reports_orders import origin  # noqa: PLC0415 -- the engine behind it, after the first frame

    return origin(reader, *wanted)
