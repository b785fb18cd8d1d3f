"""Positions of liquidity: a pane of the Positions screen, where a session trades on a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType

from app.text import escape_untrusted
from app.tui import words
from app.tui.screens.facts import fact, heading
from app.tui.widgets.lines import Line, line, wrapped
from app.tui.widgets.table import Column, Row, Table

if TYPE_CHECKING:
    from decimal import Decimal

    from app.snapshots.liquidity import Amounts, LiquidityView
    from app.tui.app import Terminal
    from app.tui.glyphs import Glyphs

COLUMNS: Final = (
    Column("position", 14),
    Column("instrument", 10, rank=3),
    Column("fee", 5, right=True, rank=6),
    Column("range", 12),
    Column("worth", 12, right=True),
    Column("net", 11, right=True),
    Column("fees earned", 11, right=True, rank=2),
    Column("imp. loss", 10, right=True, rank=1),
    Column("prices", 24, rank=4),
    Column("module", 12, rank=5),
)
_NONE: Final = "No positions of liquidity. o proposes to open one."
_NO_ENGINE: Final = "The engine does not run, so nothing here is known. What lies in a pool stays there, and earns."


class LiquidityPane(Table):
    """As of the newest block that was looked at."""

    app: Terminal
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "provide", "open one", show=False),
        Binding("f", "collect", "collect its fees", show=False),
        Binding("w", "withdraw", "withdraw it", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(COLUMNS, empty=_NONE, id="liquidity")
        self.add_class("pane")
        self.border_title = "Liquidity"
        self._seen: dict[str, LiquidityView] = {}

    def show_rows(self) -> None:
        """Draw."""
        host = self.app.host
        if host.desk is None or host.trader is None:
            self._seen = {}
            self.set_rows((), empty=_NO_ENGINE)
            return
        from app.snapshots.liquidity import liquidity  # noqa: PLC0415 -- the engine behind it, after the first frame

        self._seen = {f"{each.module} {each.position}": each for each in liquidity(host.trader.session)}
        idle = sum(1 for each in self._seen.values() if each.in_range is False)
        count = f" ({len(self._seen)})" if self._seen else ""
        self.entitle(f"Liquidity{count}{f'  {idle} OUT OF RANGE' if idle else ''}")
        glyphs = self.app.glyphs
        self.set_rows([_row(key, each, glyphs) for key, each in self._seen.items()], empty=_NONE)

    @property
    def chosen(self) -> LiquidityView | None:
        """What is under the cursor."""
        return self._seen.get(self.cursor)

    def action_provide(self) -> None:
        """A dialog that proposes to open one."""
        provide(self.app)

    def action_collect(self) -> None:
        """Propose to take the fees of the position under the cursor."""
        if self.chosen is not None:
            self.app.do.propose("liquidity_collect", position=self.chosen.position)

    def action_withdraw(self) -> None:
        """Propose to end the position under the cursor."""
        if self.chosen is not None:
            self.app.do.propose("liquidity_withdraw", position=self.chosen.position)

    def detail_lines(self, width: int) -> list[Line]:
        """All of the position under the cursor."""
        return [] if self.chosen is None else detail(self.chosen, width, self.app.glyphs)


def provide(app: Terminal) -> None:
    """The dialog that proposes to open one."""
    from app.tui.screens.provide import ProvideDialog  # noqa: PLC0415 -- when it is wanted

    if app.host.desk is None:
        app.notify("The engine does not run yet.", severity="warning")
    else:
        app.push_screen(ProvideDialog())


def _row(key: str, each: LiquidityView, glyphs: Glyphs) -> Row:
    state = {True: ("in range", "ok"), False: ("OUT OF RANGE", "warn"), None: ("not seen", "dim")}[each.in_range]
    return Row(
        key,
        (
            (escape_untrusted(each.position), "title"),
            (escape_untrusted(each.pair), ""),
            (each.fee, "dim"),
            state,
            (_quote(each.value), ""),
            words.signed(each.net, glyphs),
            (_quote(each.earned), ""),
            (_quote(each.loss), ""),
            (f"{_price(each.lower)} to {_price(each.upper)}", "dim"),
            (each.module or "not ours", "label" if each.module else "dim"),
        ),
    )


def detail(each: LiquidityView, width: int, glyphs: Glyphs) -> list[Line]:
    """One position: what it holds, what it earned, what its assets became."""
    whose = f"  held by {escape_untrusted(each.module)}" if each.module else "  in no book of ours"
    lines = [line((escape_untrusted(each.position), "title"), (whose, "label"))]
    if not each.seen:
        lines += wrapped("The chain has not told of it yet.", width, "warn")
        return [*lines, *fact("put in", _amounts(each.put_in), width)]
    text = "It is in range: it earns fees." if each.in_range else "OUT OF RANGE: it holds one asset and earns nothing."
    lines += wrapped(text, width, "ok" if each.in_range else "warn")
    lines += fact("pool", f"{each.pair}, fee {each.fee}", width)
    if each.price is None:
        return [*lines, *wrapped("Of tokens that the settings do not name.", width, "warn")]
    lines += fact("earns from", f"{_price(each.lower)} to {_price(each.upper)} {each.quote}", width)
    lines += fact("pool's price", f"{_price(each.price)} {each.quote}", width)
    lines += fact("holds", _amounts(each.holds), width)
    lines += fact("earned", f"{_amounts(each.fees)}, not collected", width)
    lines += fact("worth", f"{_exact(each.value)} {each.quote}, fees included", width)
    if each.net is None:
        return [*lines, *wrapped("What was put in is in no book of ours.", width, "dim")]
    lines += fact("put in", f"{_amounts(each.put_in)}, less what was taken out", width)
    lines += heading("At the pool's price of now: fees less impermanent loss")
    lines += fact("fees", f"{_exact(each.earned)} {each.quote}", width)
    lines += fact("imp. loss", f"{_exact(each.loss)} {each.quote} against holding what was put in", width)
    net = words.signed(each.net, glyphs, 4, exact=True)
    return [*lines, line((f"{'net':<13}", "dim"), net, (f" {each.quote}", ""))]


def _amounts(of: Amounts) -> str:
    return " and ".join(f"{words.precise(amount, 6) if amount else 0} {asset}" for asset, amount in of) or "nothing"


def _quote(value: Decimal | None) -> str:
    return words.money(value)


def _exact(value: Decimal | None) -> str:
    return "-" if value is None else words.precise(value)


def _price(value: Decimal | None) -> str:
    return "?" if value is None else words.precise(value)
