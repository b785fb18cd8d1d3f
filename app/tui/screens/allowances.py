"""What may be taken from the account, and by whom: a pane of the Wallets screen, where a session trades on a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.binding import Binding, BindingType

from app.allowance_words import allowed, amount, looked, spender
from app.text import escape_untrusted
from app.tui import words
from app.tui.screens.facts import fact
from app.tui.widgets.lines import Line, line, wrapped
from app.tui.widgets.table import Column, Row, Table

if TYPE_CHECKING:
    from app.tui.app import Terminal

COLUMNS: Final = (
    Column("amount", 9, right=True),
    Column("token", 14),
    Column("may be taken by", 18),
    Column("whose address is", 0, rank=3, least=42),
    Column("told by", 8, rank=2),
    Column("until", 14, rank=1),
)
_NO_ENGINE: Final = "The engine does not run, so no node is asked. R starts it again once it has stopped."
_READING: Final = "The nodes are asked what may be taken from the account."


class AllowancePane(Table):
    """Asked for when it is first seen, after each transaction of ours, and on its key."""

    app: Terminal
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "revoke", "revoke", show=False),
        Binding("l", "look", "look again", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(COLUMNS, empty=_READING, id="allowances")
        self.add_class("pane")
        self.border_title = "Allowances"
        self._answer: dict[str, Any] | None = None
        self._have: object = None
        """What was paid in gas when it was asked for last: a transaction of ours may have changed it since."""
        self._asking = False

    def show_rows(self) -> None:
        """Draw, and ask where that is due."""
        host = self.app.host
        if host.desk is None:
            self._answer = None
            self.set_rows((), empty=_NO_ENGINE)
            return
        paid = sorted(host.desk.state.gas.items())
        if not self._asking and self._have != paid:
            self._asking, self._have = True, paid
            self.app.keep(self._ask())
        found = self._rows_of()
        loud = sum(1 for each in found if each["unlimited"])
        self.entitle(f"Allowances{f' ({len(found)})' if found else ''}{f'  {loud} UNLIMITED' if loud else ''}")
        self.set_rows([_row(each) for each in found], empty=self._nothing())

    async def _ask(self) -> None:
        try:
            answer = await self.app.do.ask("allowances")
            self._answer = self._answer if answer is None else answer
        finally:
            self._asking = False
        if self.is_attached and self.app.view is not None:
            self.app.view.refresh_view()

    def _rows_of(self) -> list[dict[str, Any]]:
        return [] if self._answer is None else list(self._answer["allowances"])

    def _nothing(self) -> str:
        if self._answer is None:
            return _READING if self._asking else "No node told. l asks again."
        return f"Nothing may be taken from the account. {looked(self._answer)} l looks again."

    @property
    def chosen(self) -> dict[str, Any] | None:
        """What is under the cursor."""
        return next((each for each in self._rows_of() if _key(each) == self.cursor), None)

    def action_look(self) -> None:
        """Ask anew."""
        self._have = None
        if self.app.view is not None:
            self.app.view.refresh_view()

    def action_revoke(self) -> None:
        """Propose to take back what is under the cursor; it is read and confirmed like every trade."""
        each = self.chosen
        if each is not None:
            token = each["symbol"] or each["token"]
            self.app.do.propose("revoke", token=token, spender=each["spender"], inner=each["permit2"])

    def detail_lines(self, width: int) -> list[Line]:
        """All of what is under the cursor, and how far back was looked."""
        each, answer = self.chosen, self._answer
        if answer is None:
            return wrapped(_READING, width, "dim")
        lines: list[Line] = []
        if each is not None:
            lines.append(line((escape_untrusted(allowed(each)), "error" if each["unlimited"] else "title")))
            if each["unlimited"]:
                owned = "has of this token" if each["position"] is None else "has in positions of liquidity there"
                what = f"UNLIMITED: everything that the account {owned}, now and later, can be taken."
                lines += wrapped(what, width, "alarm")
            if not each["symbol"]:
                what = "The settings do not name this token: its contract may say anything."
                lines += wrapped(what, width, "warn")
            if not each["spender_name"]:
                what = "The settings do not name who may take it. Look the address up before you leave it so."
                lines += wrapped(what, width, "warn")
            until = "" if each["expires_ms"] is None else f"{words.clock(each['expires_ms'])} UTC"
            for label, text in (
                ("spender", spender(each)),
                ("its address", each["spender"]),
                ("token", each["token"]),
                ("until", until or "it is taken back"),
                ("told by", "the settings" if each["from"] == "settings" else "an event of the token"),
            ):
                lines += fact(label, text, width)
            lines += [Line(), *wrapped("r proposes to take it back: a transaction, which costs gas.", width, "key")]
        as_of = f"As of block {answer['block']:,}. {looked(answer)}"
        return [*lines, Line(), *wrapped(as_of, width, "label" if answer["since_block"] is not None else "error")]


def _row(each: dict[str, Any]) -> Row:
    strange = not each["symbol"]
    return Row(
        _key(each),
        (
            (amount(each), "error" if each["unlimited"] else ""),
            (each["symbol"] or each["token"][:10], "warn" if strange else "title"),
            (escape_untrusted(spender(each)), "" if each["spender_name"] else "warn"),
            (each["spender"], "dim"),
            (each["from"], "dim"),
            (words.clock(each["expires_ms"]) if each["expires_ms"] else "-", "dim"),
        ),
    )


def _key(each: dict[str, Any]) -> str:
    return f"{each['token']} {each['spender']} {each['permit2']}"
