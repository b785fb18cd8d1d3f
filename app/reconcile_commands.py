"""Venue and ledger, as a running trader (or one that was opened for it) answers and posts; what screens and ``--json``
show of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from app.errors import SafetyError
from app.execution.adjustments import WORD, Adjusted, Wanted, adjust, not_there
from app.execution.control import Handler
from app.money import from_text, to_text

if TYPE_CHECKING:
    from app.execution.desk import Desk
    from app.execution.reconcile import Books, Difference
    from app.session import Session


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """One difference as text; figures are "" where no adjustment is possible."""

    subject: str
    words: str
    next_step: str
    stops: bool
    venue_has: str
    ledger_has: str
    amount: str
    adjustable: bool


@dataclass(frozen=True, slots=True)
class BooksView:
    """How venue and ledger stand. `compared_ms`: wall time, None before the first comparison; `block`: of a chain;
    `trouble`: why the last attempt came to no end."""

    agree: bool
    compared_ms: int | None
    block: str
    trouble: str
    differences: tuple[DifferenceView, ...]


def books_view(books: Books) -> BooksView:
    """For screens and documents."""
    return BooksView(
        agree=books.compared_ms is not None and not books.differences,
        compared_ms=books.compared_ms,
        block=books.block.partition("/")[0],
        trouble=books.trouble,
        differences=tuple(_view(each) for each in books.differences),
    )


def _view(each: Difference) -> DifferenceView:
    figures = (each.venue_has, each.ledger_has, each.amount if each.adjustable else None)
    venue_has, ledger_has, amount = ("" if figure is None else to_text(figure) for figure in figures)
    return DifferenceView(
        each.subject, each.words, each.next_step, each.stops, venue_has, ledger_has, amount, each.adjustable
    )


def document(view: BooksView) -> dict[str, Any]:
    """For the control socket and ``--json``."""
    return asdict(view)


def reconcile_handlers(session: Session) -> Mapping[str, Handler]:
    """The commands by name. The word was typed where the command runs, and is looked at here again."""

    async def reconcile(_: dict[str, Any]) -> dict[str, Any]:
        """Compare now."""
        await session.recovery.look_again()
        return {**document(books_view(session.recovery.books.books)), "halted": session.desk.halted}

    async def post(request: dict[str, Any]) -> dict[str, Any]:
        """Post one difference: ``subject``, both figures as they were read, ``reason``, ``word``."""
        if request.get("word") != WORD:
            raise SafetyError("reconcile.word", "The word was not typed. Nothing was posted.")
        figures = from_text(str(request["venue_has"])), from_text(str(request["ledger_has"]))
        wanted = Wanted(str(request["subject"]), *figures, str(request["reason"]))
        made = await adjust(session.desk, session.recovery, wanted)
        books = document(books_view(session.recovery.books.books))
        return {**_posted(session.desk, made), "books": books, "halted": session.desk.halted}

    return {"reconcile": reconcile, "adjust": post}


def _posted(desk: Desk, made: Adjusted) -> dict[str, Any]:
    each, missing = made.difference, not_there(desk, made.difference.subject)
    return {
        "subject": each.subject,
        "amount": to_text(each.amount),
        "block": made.block.partition("/")[0],
        "seq": made.seq,
        "not_there": to_text(missing) if missing else "",
        "compared": made.after is not None,
    }


def told(answer: Mapping[str, Any]) -> list[str]:
    """What was posted, and how things stand, in words; from the answer of ``adjust``."""
    lines = [f"Posted: {answer['amount']} {answer['subject']}, journal row {answer['seq']}."]
    if answer["not_there"]:
        lines.append(
            f"ATTENTION: positions hold {answer['not_there']} {answer['subject']} that the venue does not have; that "
            "much of them can not be sold."
        )
    left = answer["books"]["differences"]
    lines += [f"Still differs: {each['words']}." for each in left]
    if answer["halted"]:
        lines.append(f"New trades stay stopped: {answer['halted']}.")
    elif not answer["compared"]:
        lines.append("The venue did not answer since; it is compared again soon.")
    elif not left:
        lines.append("Venue and ledger agree. New trades are taken.")
    return lines
