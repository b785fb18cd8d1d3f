"""The Trade screen: watchlist, chart, book, proposals, positions, log. One pane at a time on 80 columns, two columns
from 120, all of it from 160."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from app.tui.screens import rows
from app.tui.screens.view import View
from app.tui.widgets.book import BookPane
from app.tui.widgets.chart import Chart, Level
from app.tui.widgets.lines import Line, Lines, Piece, line
from app.tui.widgets.log import LogPane
from app.tui.widgets.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.execution.desk import Desk
    from app.snapshots.account import PositionView
    from app.snapshots.market import BarHistory
    from app.tui.app import Terminal
    from app.tui.last import PastBar
    from strategies.model import Bar

_LEVELS = 20


class _Tabs(Lines):
    """Which pane is shown, where one is shown at a time."""

    DEFAULT_CSS = "_Tabs { height: 1; display: none; }"
    app: Terminal

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- one line
        """Names of the panes, the shown one marked."""
        view = self.parent
        assert isinstance(view, TradeView)
        pieces: list[Piece] = []
        for pane in view.panes():
            name = str(pane.border_title).split("  ", maxsplit=1)[0] if pane.id != "chart" else "Chart"
            name = "Book" if pane.id == "book" else name
            pieces.append((f" {name} ", "mode" if pane.id == view.current else "dim"))
        return [line(*pieces, (" Tab", "key"))]


class TradeView(View):
    """What a trader looks at."""

    name_shown = "Trade"
    topic = "trade"
    SCOPED_CSS = False
    DEFAULT_CSS = """
    TradeView { layout: grid; grid-size: 1 1; grid-gutter: 0; }
    .-narrow TradeView { grid-size: 1 2; grid-rows: 1 1fr; }
    .-narrow TradeView .pane { display: none; }
    .-narrow TradeView .pane.-current { display: block; }
    .-narrow TradeView _Tabs { display: block; }
    .-wide TradeView { grid-size: 2 3; grid-rows: 3fr 2fr 8; grid-columns: 2fr 3fr; }
    .-wide TradeView #book { display: none; }
    .-wide TradeView #log { column-span: 2; }
    .-full TradeView { grid-size: 4 3; grid-rows: 3fr 2fr 8; grid-columns: 54 1fr 1fr 46; }
    .-full TradeView #chart, .-full TradeView #proposals, .-full TradeView #positions { column-span: 2; }
    .-full TradeView #log { column-span: 4; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next_pane(1)", "next pane", show=False, priority=True),
        Binding("shift+tab", "next_pane(-1)", "pane before", show=False, priority=True),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self.symbol = ""
        self.current = "watch"

    def compose(self) -> ComposeResult:
        """Six panes; the style sheet says which are seen."""
        yield _Tabs(id="tabs")
        for name, title, columns, empty in (
            ("watch", "Watchlist", rows.WATCH, rows.NO_MARKET),
            ("proposals", "Proposals", rows.PROPOSALS, rows.NO_PROPOSALS),
            ("positions", "Positions", rows.POSITIONS, rows.NO_POSITIONS),
        ):
            table = Table(columns, empty=empty, id=name)
            table.add_class("pane")
            table.entitle(title)
            if name == "proposals":
                yield Chart(id="chart")
                yield BookPane(id="book")
            yield table
        yield LogPane(id="log")

    def on_mount(self) -> None:
        """The watchlist first, and what is known already: the first layout paints it."""
        self._show_pane(self.current, focus=False)
        self.draw()

    def hints(self) -> list[tuple[str, str]]:
        """Of the focused pane."""
        focused = self.app.focused
        name = None if focused is None else focused.id
        if name == "proposals":
            return [("Enter", "read and confirm"), ("x", "decline"), ("w", "what became of them"), ("Tab", "next pane")]
        if name == "watch":
            return [
                ("↑↓" if self.app.glyphs.border == "round" else "up/down", "instrument"),
                ("b", "buy"),
                ("s", "sell"),
                ("Tab", "next pane"),
            ]
        if name == "chart":
            return [("[ ]", "zoom"), ("b", "buy"), ("Tab", "next pane")]
        if name == "positions":
            return [("C", "close"), ("b", "buy"), ("Tab", "next pane")]
        return [("b", "buy"), ("s", "sell"), ("Tab", "next pane")]

    # -- panes ------------------------------------------------------------------------------------------------------

    def action_next_pane(self, by: int) -> None:
        """Go round the panes."""
        panes = [pane for pane in self.panes() if pane.display or self._one_at_a_time]
        here = next((number for number, pane in enumerate(panes) if pane.id == self.current), 0)
        self._show_pane(str(panes[(here + by) % len(panes)].id), focus=True)

    def show_pane(self, name: str) -> None:
        """Bring one pane to the front."""
        self._show_pane(name, focus=True)

    def _show_pane(self, name: str, *, focus: bool) -> None:
        self.current = name
        for pane in self.panes():
            pane.set_class(pane.id == name, "-current")
        for pane in self.query(f"#{name}") if focus else ():
            pane.focus()
        self.call_after_refresh(self.refresh_view)

    def on_descendant_focus(self) -> None:
        """A click may have focused another pane."""
        focused = self.own_focus
        if focused is not None and focused.id and focused.has_class("pane"):
            self.current = focused.id

    @property
    def _one_at_a_time(self) -> bool:
        return self.screen.has_class("-narrow")

    def enter(self) -> None:
        """Focus the pane that was left."""
        self._show_pane(self.current, focus=True)

    # -- what it shows ----------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Every pane that is seen."""
        host = self.host
        self.query_one(_Tabs).show()
        self.query_one(LogPane).set_lines(tuple(host.told))
        desk = host.desk
        if desk is None or host.trader is None or host.history is None:
            self._over() if host.over else self._last()
            return
        from app.snapshots import account  # noqa: PLC0415 -- the engine behind it, after the first frame

        glyphs = self.app.glyphs
        self._watched(desk, host.history)
        waiting = host.trader.session.pipeline.proposals.ranked()
        proposals = self.query_one("#proposals", Table)
        proposals.entitle(f"Proposals ({len(waiting)})" if waiting else "Proposals")
        shown = [
            rows.proposal(each, desk.state.trades[each.trade_id].intent, desk.instruments[each.symbol].tick)
            for each in waiting
        ]
        proposals.set_rows(shown, empty=rows.NO_PROPOSALS)
        held = account.positions(desk)
        positions = self.query_one("#positions", Table)
        positions.entitle(f"Positions ({len(held)})" if held else "Positions")
        positions.set_rows([rows.position(each, glyphs) for each in held], empty=rows.NO_POSITIONS)
        self._market(desk, held)

    def _watched(self, desk: Desk, history: BarHistory) -> None:
        from app.snapshots import market  # noqa: PLC0415 -- as above

        watched = market.watchlist(desk, history)
        if not self.symbol and watched:
            self.symbol = watched[0].symbol
        table = self.query_one("#watch", Table)
        table.set_rows([rows.watch(each, self.app.glyphs, self.symbol) for each in watched], empty=rows.NO_MARKET)

    def _chosen(self, symbol: str) -> None:
        """Another instrument: at once what shows it, the rest with the next tick."""
        from app.snapshots import account  # noqa: PLC0415 -- as above

        self.symbol = symbol
        host, desk = self.host, self.host.desk
        if desk is None or host.history is None:
            self.refresh_view()
        elif self.is_mounted:
            self._watched(desk, host.history)
            self._market(desk, account.positions(desk))

    def _over(self) -> None:
        """The engine runs no more: what was fresh then is not shown as if it were now."""
        for name, title in (("watch", "Watchlist"), ("proposals", "Proposals"), ("positions", "Positions")):
            table = self.query_one(f"#{name}", Table)
            table.entitle(title)
            table.set_rows((), empty=rows.no_engine(self.host.request.exits))
        self.query_one(BookPane).set_book(None)

    def _last(self) -> None:
        """What the last session left, while the engine starts."""
        last = self.host.last
        if last is None or not last.watch:
            return
        self.symbol = self.symbol or last.watch[0].symbol
        self.query_one("#watch", Table).set_rows(
            [rows.watch(each, self.app.glyphs, self.symbol) for each in last.watch]
        )
        self._say_since(last.bars.get(self.symbol, ()))
        tick = next(each.tick for each in last.watch if each.symbol == self.symbol)
        self.query_one(Chart).set_market(self.symbol, last.bars.get(self.symbol, ()), None, (), tick)

    def _say_since(self, bars: Sequence[Bar | PastBar]) -> None:
        """Over what the watchlist's change is."""
        from app.snapshots.market import change_over  # noqa: PLC0415 -- as above

        title = change_over(bars[-1].timeframe_ms) if bars else "change"
        self.query_one("#watch", Table).name_column(rows.CHANGE, title)

    def _market(self, desk: Desk, held: tuple[PositionView, ...]) -> None:
        from app.snapshots import market  # noqa: PLC0415 -- as above

        history = self.host.history
        if not self.symbol or history is None:
            return
        self._say_since(history.bars(self.symbol))
        mark, tick = desk.market.mark(self.symbol), desk.instruments[self.symbol].tick
        last = None if mark is None else mark[0]
        chart = self.query_one(Chart)
        if chart.display:
            chart.set_market(self.symbol, history.bars(self.symbol), last, _levels(held, self.symbol), tick)
        book = self.query_one(BookPane)
        if book.display:
            book.set_book(market.book(desk, self.symbol, _LEVELS))

    # -- messages ---------------------------------------------------------------------------------------------------

    @on(Table.RowMarked, "#watch")
    def _symbol_chosen(self, event: Table.RowMarked) -> None:
        self._chosen(event.key)

    @on(Table.RowMarked, "#positions")
    def _position_marked(self, event: Table.RowMarked) -> None:
        if event.table.has_focus:
            self._chosen(event.key.split(" ")[0])

    @on(Table.RowOpened, "#watch")
    def _chart_wanted(self) -> None:
        self._show_pane("chart", focus=True)

    @on(Table.RowOpened, "#proposals")
    def _proposal_opened(self, event: Table.RowOpened) -> None:
        self.app.do.read(event.key)

    def key_b(self) -> None:
        """A ticket to buy the chosen instrument."""
        self.app.do.ticket("buy", symbol=self.symbol)

    def key_w(self) -> None:
        """What became of all proposals; only while those that wait have the focus."""
        if self.query_one("#proposals", Table).has_focus:
            self.app.do.became()

    def key_s(self) -> None:
        """A ticket to sell what the trader's own hand holds of the chosen instrument."""
        self.app.do.ticket("sell", symbol=self.symbol)

    def key_upper_c(self) -> None:
        """Propose to close the position under the cursor; only while the positions have the focus."""
        table = self.query_one("#positions", Table)
        if table.has_focus and table.cursor:
            self.app.do.close(*table.cursor.split(" ", 1))

    def key_x(self) -> None:
        """Decline the proposal under the cursor; only while the proposals have the focus."""
        table = self.query_one("#proposals", Table)
        if table.has_focus and table.cursor:
            self.app.do.refuse(table.cursor)


def _levels(held: tuple[PositionView, ...], symbol: str) -> tuple[Level, ...]:
    found: list[Level] = []
    for each in held:
        if each.symbol != symbol:
            continue
        found.append(Level(float(each.entry), "entry", "label"))
        found += [Level(float(exit_.price), exit_.role, "warn") for exit_ in each.exits]
    return tuple(found)
