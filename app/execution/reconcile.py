"""Does the ledger say what the venue has? Compared at the start, and again and again while the session runs.

A comparison must raise nothing false while trades are under way, and miss nothing. A venue that tells of a fill before
it answers with balances is compared as it answers. On a chain, all that is read is of one block, and the account's
nonce in it says exactly which of our transactions the balances include: as long as one of those is not booked, or one
is booked that the block does not have, nothing is concluded; what is known is caught up on, and a later block is read.

What differs is shown, and posted only by the trader's explicit adjustment (`app.execution.adjustments`). A shortage, an
order or a transaction that is not ours stops new trades until it is explained; so does a surplus, but on a chain:
anybody can send anything to an address there, and must not be able to stop its owner's trading with that. What came in
is not in the ledger, so nothing is traded with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app import logs
from app.errors import CountersignError, Severity
from app.execution.desk import Desk
from app.execution.states import PayloadState
from app.execution.transactions_sent import NONCE, TransactionsSent, behind_nothing, maybe_for_ever, nonce_of
from app.money import ZERO, sub, to_text
from app.venues.base import Reading
from storage.faults import StorageFault

_log = logs.get(__name__)
_LOOKS: Final = 4
"""Times that what differs is caught up on and compared anew."""
_TOLD: Final = frozenset({PayloadState.SENT, PayloadState.UNKNOWN, PayloadState.LANDED})

Again = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that venue and ledger say differently.

    Attributes:
        subject: an asset, `NONCE`, or the name of what a check looks at.
        words: what differs, with both numbers.
        next_step: what to do about it.
        stops: no new trade while it stands.
        venue_has, ledger_has: both figures, where an adjustment can make them one.
    """

    subject: str
    words: str
    next_step: str
    stops: bool
    venue_has: Decimal | None = None
    ledger_has: Decimal | None = None

    @property
    def adjustable(self) -> bool:
        """Whether the trader may post it."""
        return self.venue_has is not None and self.ledger_has is not None

    @property
    def amount(self) -> Decimal:
        """What the venue has more than the ledger."""
        return sub(self.venue_has or ZERO, self.ledger_has or ZERO)


Check = Callable[[Desk, Reading], list[Difference]]
"""Compares one reading with memory: synchronously, so that nothing is booked in between."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What one comparison found. `doubt`: why nothing can be concluded from it yet, or ""."""

    reading: Reading
    differences: tuple[Difference, ...]
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Books:
    """How venue and ledger stand to one another, for screens.

    Attributes:
        compared_ms: when they were last compared to an end, wall time; None: not yet.
        block: on a chain, the block of that.
        trouble: why the last attempt came to no end, or "".
    """

    compared_ms: int | None = None
    block: str = ""
    differences: tuple[Difference, ...] = ()
    trouble: str = ""


class Reconciliation:
    """Of one session.

    Attributes:
        checks: what is compared; whoever keeps another book about the account adds one here. What it must read of a
            chain it asks for in `app.venues.evm.account.AccountReader.beside`.
        books: the newest result.
        catch_up: books what the venue knows and we do not yet.
    """

    def __init__(self, desk: Desk, catch_up: Again) -> None:
        self._desk, self._catch_up = desk, catch_up
        self.checks: list[Check] = [of_balances, _OfTransactions(), of_waiting]
        self.books = Books()

    async def look(self, *, final: bool) -> Compared:
        """Compare, and tell what was found: as alerts, and as a halt or its end.

        Args:
            final: also tell what nothing could be concluded about; at a start trading must not begin on that.

        Raises:
            VenueError: the venue did not answer; what was known before stands.
        """
        compared = await self.compare()
        if compared.doubt and not final:
            self.books = Books(self.books.compared_ms, self.books.block, self.books.differences, compared.doubt)
        else:
            self._tell(compared)
        return compared

    async def compare(self) -> Compared:
        """Venue against ledger. When this returns, memory is what was compared: nothing was booked since.

        Raises:
            VenueError: the venue did not answer.
        """
        desk = self._desk
        reading, found = await self._read(sure=False)
        doubt = in_doubt(desk, reading)
        if not found or (found == self.books.differences and not doubt):
            return Compared(reading, found)
        for _ in range(_LOOKS):
            before = found
            await self._catch_up()
            reading, found = await self._read(sure=True)
            doubt = in_doubt(desk, reading)
            if not found or (found == before and not doubt):
                return Compared(reading, found)
        return Compared(reading, found, doubt or "The account moves faster than it can be read.")

    async def run(self, every_s: int, again: Again) -> None:
        """Compare every so many seconds, one comparison after the other, until cancelled. A venue that does not answer
        is asked again next time.

        Args:
            again: one comparison.
        """
        while True:
            await asyncio.sleep(every_s)
            try:
                await again()
            except (CountersignError, StorageFault) as fault:
                books = self.books
                self.books = Books(books.compared_ms, books.block, books.differences, fault.what)
                _log.warning("reconcile.not_done", fault=fault.what)

    async def _read(self, *, sure: bool) -> tuple[Reading, tuple[Difference, ...]]:
        """One reading and what differs from it, judged in the moment in which it arrives."""
        desk = self._desk
        strangers = [
            _stranger(report.client_id)
            for report in await desk.venue.open_orders()
            if desk.state.find_order(report.client_id) is None
        ]
        reading = await desk.venue.reading(sure=sure)
        found = [each for check in self.checks for each in check(desk, reading)]
        return reading, (*found, *strangers)

    def _tell(self, compared: Compared) -> None:
        desk, before = self._desk, set(self.books.differences)
        self.books = Books(desk.wall.now_ms(), compared.reading.block, compared.differences, compared.doubt)
        for each in compared.differences:
            if each not in before:
                severity = Severity.CRITICAL if each.stops else Severity.MEDIUM
                desk.alert(severity, "reconcile", f"{each.words}. {each.next_step}", each.subject)
        stopping = [each.words for each in compared.differences if each.stops]
        desk.halting.differs("the venue and the ledger differ: " + "; ".join(stopping) if stopping else "")


def of_balances(desk: Desk, reading: Reading) -> list[Difference]:
    """Assets of which venue and ledger do not have the same."""
    theirs, ours = reading.balances, desk.state.purse.balances()
    return [
        _of_asset(desk, asset, theirs.get(asset, ZERO), ours.get(asset, ZERO))
        for asset in sorted(theirs.keys() | ours.keys())
        if theirs.get(asset, ZERO) != ours.get(asset, ZERO)
    ]


def _of_asset(desk: Desk, asset: str, theirs: Decimal, ours: Decimal) -> Difference:
    open_to_all = desk.venue_info.capabilities.transactions
    words = (
        f"{asset}: the venue holds {to_text(theirs)}, the ledger {to_text(ours)} "
        f"(difference {to_text(sub(theirs, ours))})"
    )
    step = f"When you know why, post it: countersign reconcile --adjust {asset}"
    if theirs > ours and open_to_all:
        step = f"Anybody can send to an address: trading goes on, and not with that. {step}"
    return Difference(asset, words, step, theirs < ours or not open_to_all, theirs, ours)


class _OfTransactions:
    """Transactions of the account that this program did not send: another wallet has its key."""

    def __init__(self) -> None:
        self._sent = TransactionsSent()

    def __call__(self, desk: Desk, reading: Reading) -> list[Difference]:
        found = self._sent.foreign(desk.state, reading.transactions)
        if found is None:
            return []
        step = (
            f"Was it you, with another wallet? Then: countersign reconcile --adjust {NONCE}. If not, somebody else "
            "has your key: move what is left to a new one."
        )
        return [Difference(NONCE, found.words, step, stops=True, venue_has=found.chain, ledger_has=found.ledger)]


def of_waiting(desk: Desk, reading: Reading) -> list[Difference]:
    """Transactions of ours that wait for ever: for one that is not there, or that may not be there."""
    count, found = reading.transactions, list[Difference]()
    if count is None:
        return found
    if (lost := maybe_for_ever(desk.state, count, desk.clock.now_ms())) is not None:
        name = lost.client_id[:10]
        words = f"transaction {name} was maybe sent, nobody shows it, its time is over, and it keeps nonce {lost.nonce}"
        step = f"Nothing above it can land, no exit either. Take its place: countersign cancel {name}"
        found.append(Difference("maybe sent", words, step, stops=True))
    if (waits := behind_nothing(desk.state, count)) is not None:
        name = waits.client_id[:10]
        words = f"transaction {name} waits for nonce {waits.nonce}, which no transaction of this program has"
        step = "The next one that you confirm gets it, unless another wallet of yours used it; then both go on."
        found.append(Difference("waiting", words, step, stops=False))
    return found


def in_doubt(desk: Desk, reading: Reading) -> str:
    """Why a difference may be a trade of ours that is under way, or ""."""
    if desk.stale:
        return "The account is being read again from disk."
    if reading.transactions is None:
        return "The fate of an order is not known yet." if desk.state.unknown_orders() else ""
    number = reading.block.partition("/")[0]
    told = [each for trade in desk.state.remembered() for each in trade.payloads if each.body and each.state in _TOLD]
    landed = {nonce_of(each.body) for each in told if each.state is PayloadState.LANDED}
    # (one of the same nonce that landed in its place is what the block has)
    given = [each.sending for each in desk.state.remembered() if each.sending is not None and each.sending.body]
    waiting = {nonce_of(each.body) for each in [*given, *told] if each.state is not PayloadState.LANDED} - landed
    if any(nonce < reading.transactions for nonce in waiting):
        return f"Block {number} has a transaction of ours that is not booked yet, or another one in its place."
    if any(nonce >= reading.transactions for nonce in landed):
        return f"A transaction is booked that block {number} does not have."
    return ""


def _stranger(client_id: str) -> Difference:
    words = f"order {client_id} rests at the venue and is not in this database"
    return Difference(f"order {client_id}", words, "Find out whose it is, and cancel it at the venue.", stops=True)
