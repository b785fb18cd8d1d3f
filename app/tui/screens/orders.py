"""The Orders screen: what lives first, then what has ended, the newest first; beside it one order in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.binding import Binding, BindingType

from app import reports_orders
from app.execution.act_rows import name_of_act
from app.text import counted, escape_untrusted
from app.tui import words
from app.tui.screens import order_text
from app.tui.screens.facts import UNKNOWN, state_words
from app.tui.screens.history import History
from app.tui.screens.paged import SIZE, Paged
from app.tui.widgets.lines import Line, Lines, fit
from app.tui.widgets.table import Column, Row
from app.wish_words import words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.widget import Widget

    from app.reports_orders import OrderDetail, OrderPage, OrderRow

COLUMNS: Final = (
    Column("updated", 14, rank=1),
    Column("state", 13),
    Column("side", 4),
    Column("quantity", 9, right=True),
    Column("instrument", 11),
    Column("price", 11, right=True),
    Column("role", 7),
    Column("filled", 9, right=True, rank=2),
    Column("module", 12, rank=3),
    Column("id", 8, rank=4),
)
_MORE: Final = {
    "module": Column("module", 12, rank=6),
    "instrument": Column("what", 13),
    "role": Column("role", 9),
}
ON_CHAIN: Final = (
    *(_MORE.get(each.title, each) for each in COLUMNS[:-1]),
    Column("block", 5, right=True, rank=3),
    Column("gas", 3, right=True, rank=4),
    Column("hash", 10, rank=5),
)
"""The same where an order is a transaction."""


def order_row(each: OrderRow, *, on_chain: bool = False) -> Row:
    """One order; one in doubt is loud from end to end."""
    mined = (("" if each.block is None else f"{each.block:,}", "dim"), (_gas(each), "dim")) if on_chain else ()
    ended = "" if each.live else "dim"
    return Row(
        each.client_id,
        (
            (words.clock(each.updated_ms), "dim"),
            (state_words(each.state), "error" if each.unknown else "ok" if each.live else "dim"),
            _side(each),
            (words.amount(each.quantity) if each.plain else "-", ended),
            (escape_untrusted(_what(each)), "title" if each.live else ""),
            (_price(each), ended),
            (_role(each), ended),
            (words.amount(each.filled) if each.plain else "-", ended),
            (escape_untrusted(each.module), "label"),
            *mined,
            (each.client_id[: 10 if on_chain else 8], "dim"),
        ),
        base="alarm" if each.unknown else "",
    )


def _side(each: OrderRow) -> tuple[str, str]:
    """An act has none, and neither has an approval for one."""
    if each.wish.act is not None:
        return "-", "dim"
    return each.side.upper(), ("up" if each.side == "buy" else "down") if each.live else "dim"


def _what(each: OrderRow) -> str:
    """The instrument; of an act what it is done with."""
    wish = each.wish
    return words_of(wish.act, wish.replaces, each.side, each.symbol)[1]


def _role(each: OrderRow) -> str:
    """What the order is for; of an act which."""
    act = each.wish.act
    return each.role if act is None or each.role != "act" else name_of_act(act)


def _price(each: OrderRow) -> str:
    if each.price is None:
        return "-" if each.transaction else "market"
    return words.amount(each.price)


def _gas(each: OrderRow) -> str:
    return words.precise(each.gas, 6) if each.gas else ""


class _Doubt(Lines):
    """One line while orders are in doubt, whatever the filter."""

    DEFAULT_CSS = "_Doubt { height: 1; display: none; } _Doubt.-some { display: block; }"

    def __init__(self) -> None:
        super().__init__(id="doubt")
        self.count = 0

    def content(self, width: int, height: int) -> list[Line]:  # noqa: ARG002 -- one line
        """How many, and what that means."""
        return [Line(((fit(f" {counted(self.count, 'order')} UNKNOWN: {UNKNOWN}", width), ""),), "alarm")]


class OrdersView(Paged):
    """Orders."""

    name_shown = "Orders"
    topic = "orders"
    SCOPED_CSS = False
    columns = COLUMNS
    list_id = "orders"
    choices = tuple(reports_orders.STATES)
    # a binding, so that the key that sells everything is not this one too
    BINDINGS: ClassVar[list[BindingType]] = [Binding("X", "take_trade_back", "take all legs back", show=False)]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id)
        self._detail: History[str, OrderDetail | None] = History(self, reports_orders.detail)

    @property
    def on_chain(self) -> bool:
        """Orders are transactions."""
        return self.host.request.chain is not None

    def titles(self) -> tuple[Column, ...]:
        """Of transactions the block and the gas too."""
        return ON_CHAIN if self.on_chain else COLUMNS

    def history(self) -> History[Any, Any]:
        """Pages of orders."""
        return History(self, reports_orders.page)

    def wanted(self) -> reports_orders.Wanted:
        """By state and text."""
        return reports_orders.Wanted(self.choice, self.text, self.page, SIZE, self.newest)

    def rows(self, found: OrderPage) -> list[Row]:
        """As the table shows them."""
        return [order_row(each, on_chain=self.on_chain) for each in found.rows]

    def title(self, found: OrderPage) -> str:
        """With how many there are."""
        return f"Orders ({found.total:,})"

    def nothing(self) -> str:
        """Before the first order."""
        return "No orders yet. Confirm a proposal to send one: p, then Enter."

    def above(self) -> Sequence[Widget]:
        """What is in doubt."""
        return [_Doubt()]

    def hints(self) -> list[tuple[str, str]]:
        """Of the focused pane."""
        if self.detail.has_focus:
            return [("Esc", "back")]
        if not self.table.has_focus:
            return [("Enter", "to the list"), ("Esc", "clear")]
        return [
            ("Enter", "detail"),
            ("f", f"filter: {self.choice}"),
            ("/", "find"),
            *([("c", "take back"), ("b", "bump")] if self.on_chain else [("c", "take back"), ("X", "all legs")]),
        ]

    def key_c(self) -> None:
        """Take the order under the cursor back; only while the list has the focus. It can only reduce risk: an exit
        that protects a position is refused, with words."""
        if self.table.has_focus and self.table.cursor:
            self.app.do.take_back(self.table.cursor)

    def key_b(self) -> None:
        """Propose the same trade with higher fees in the place of the transaction under the cursor; only on a chain,
        and while the list has the focus."""
        if self.on_chain and self.table.has_focus and self.table.cursor:
            self.app.do.propose("bump", id=self.table.cursor)

    def action_take_trade_back(self) -> None:
        """Take back the trade of that order: of a basket every leg that may still buy."""
        found = self.pages.result
        row = next((each for each in found.rows if each.client_id == self.table.cursor), None) if found else None
        if self.table.has_focus and row is not None:
            self.app.do.take_back(row.trade_id)

    def draw_more(self) -> None:
        """The line of doubt, and the order under the cursor."""
        doubt, found = self.query_one(_Doubt), self.pages.result
        doubt.count = 0 if found is None else found.unknown
        doubt.set_class(doubt.count > 0, "-some")
        doubt.show()
        if self.detail_seen() and self.table.cursor:
            self._detail.want(self.table.cursor)

    def document(self, width: int) -> list[Line]:
        """The order under the cursor."""
        cursor = self.table.cursor
        if not cursor:
            return []
        known = self._detail.result if self._detail.wanted == cursor else None
        return order_text.order(known, self._detail.words, width)
