"""The explicit adjustment: the trader says why venue and ledger differ, and the ledger says what the venue has.

It is posted from `equity:adjustment`, so it is neither profit nor loss: equity is the trading capital with the profit
of trades, and neither is touched. What the ledger begins with is posted here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.errors import SafetyError, UsageError, VenueError
from app.execution.desk import Desk
from app.execution.purse import trade_of
from app.execution.reconcile import Compared, Difference
from app.execution.recovery import Recovery
from app.execution.transactions_sent import NONCE, acknowledged
from app.money import ZERO, add, sub, to_text, total
from app.portfolio.ledger import OPENING, Posting, adjustment, opening, venue_account
from app.redact import redact_text
from app.reports_adjustments import ADJUSTED
from app.text import escape_untrusted
from app.venues.base import Reading

WORD: Final = "ADJUST"
"""What a trader types."""
MOST_REASON: Final = 200
_FIRST: Final = "the ledger was opened"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the trader wants to post, as they have read it.

    Attributes:
        subject: of the difference.
        venue_has, ledger_has: the figures that were shown.
        reason: why, in the trader's words.
    """

    subject: str
    venue_has: Decimal
    ledger_has: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What was posted, and where; and how venue and ledger stand now, None where the venue did not say."""

    difference: Difference
    block: str
    seq: int
    after: Compared | None


async def adjust(desk: Desk, recovery: Recovery, wanted: Wanted) -> Adjusted:
    """Compare once more, and post the difference if it is the one that was read.

    Raises:
        UsageError: there is no such difference, or no reason.
        SafetyError: it is another one now, can not be adjusted, or trades in flight need what is missing.
        VenueError: the venue did not answer. Nothing was posted.
    """
    reason = reason_of(wanted.reason)
    compared = await recovery.look_again()
    # No await from here until the posting is queued: what was compared is what is posted on.
    difference = _found(compared, wanted)
    amount = difference.amount
    transition = desk.transition()
    transition.adjusted(_row(desk, difference, compared.reading.block, reason))
    transition.change("adjustment", difference.subject, to_text(amount), reason)
    if difference.subject != NONCE:
        _check_free(desk, difference.subject, amount)
        post(desk, transition.post, adjustment(desk.state.venue, difference.subject, amount))
    seq = await desk.commit(transition, ADJUSTED, difference.subject)
    try:
        after: Compared | None = await recovery.look_again()
    except VenueError:
        after = None  # it is posted; the next comparison lifts the halt
    return Adjusted(difference, compared.reading.block, seq, after)


def reason_of(text: str) -> str:
    """Why, for the journal.

    Raises:
        UsageError: nothing was typed.
    """
    words = escape_untrusted(redact_text(text.strip()), MOST_REASON)
    if not words:
        raise UsageError("reconcile.reason", "An adjustment needs a reason.", next_step="Nothing was posted.")
    return words


def _found(compared: Compared, wanted: Wanted) -> Difference:
    if compared.doubt:
        step = "Nothing was posted. Repeat it in a moment."
        raise SafetyError("reconcile.doubt", f"Venue and ledger can not be compared: {compared.doubt}", next_step=step)
    found = {each.subject: each for each in compared.differences}
    difference = found.get(wanted.subject)
    if difference is None:
        there = f"There are: {', '.join(found)}." if found else "Venue and ledger agree."
        raise UsageError("reconcile.subject", f"{wanted.subject} does not differ. {there} Nothing was posted.")
    if not difference.adjustable:
        raise SafetyError(
            "reconcile.kind", f"An adjustment does not end that: {difference.words}.", next_step=difference.next_step
        )
    if (difference.venue_has, difference.ledger_has) != (wanted.venue_has, wanted.ledger_has):
        raise SafetyError(
            "reconcile.changed",
            f"It is not what you read any more: {difference.words}.",
            next_step="Nothing was posted. Read it again.",
        )
    return difference


def _check_free(desk: Desk, asset: str, amount: Decimal) -> None:
    """What trades in flight have reserved must be there for them.

    Raises:
        SafetyError: it would not be.
    """
    purse = desk.state.purse
    left = add(purse.balance(asset), amount)
    if left < purse.held(asset):
        names = sorted({trade_of(name)[:8] for name, hold in purse.holds.items() if hold.asset == asset})
        raise SafetyError(
            "reconcile.reserved",
            f"{to_text(purse.held(asset))} {asset} is reserved by trades in flight ({', '.join(names)}), and the venue "
            f"holds {to_text(left)}.",
            next_step="Nothing was posted. Decline what waits, or let it come to its end; then repeat.",
        )


def not_there(desk: Desk, asset: str) -> Decimal:
    """How much of `asset` modules hold as positions and the ledger does not have: it can not be sold."""
    held = [
        each.quantity for each in desk.state.positions.open_holdings() if desk.instruments[each.symbol].base == asset
    ]
    return max(ZERO, sub(total(held), desk.state.purse.balance(asset)))


async def post_opening(desk: Desk, reading: Reading) -> None:
    """What the ledger begins with: once for each asset, and once the count of the account's transactions. On a chain
    also that there is nothing of an asset: what comes later is a difference, and not its beginning."""
    state, chain = desk.state, reading.transactions is not None
    posted = {row["asset"] for row in state.reader.rows("SELECT asset FROM postings WHERE account = ?", (OPENING,))}
    transition, new = desk.transition(), []
    for asset, amount in reading.balances.items():
        if asset not in posted and (amount or chain):
            post(desk, transition.post, opening(state.venue, asset, amount))
            new.append(asset)
    if reading.transactions is not None and acknowledged(state.reader) is None:
        count = Decimal(reading.transactions)
        first = Difference(NONCE, "", "", stops=False, venue_has=count, ledger_has=ZERO)
        transition.adjusted(_row(desk, first, reading.block, _FIRST))
        new.append(NONCE)
    if new:
        await desk.commit(transition, "ledger.opening", " ".join(new))


def post(desk: Desk, write: Any, postings: tuple[Posting, ...]) -> None:
    """Write postings, and bring the purse along."""
    write(postings)
    for posting in postings:
        if posting.account == venue_account(desk.state.venue):
            desk.state.purse.move(posting.asset, posting.amount)


def _row(desk: Desk, difference: Difference, block: str, reason: str) -> tuple[Any, ...]:
    assert difference.venue_has is not None
    assert difference.ledger_has is not None
    figures = (difference.amount, difference.venue_has, difference.ledger_has)
    return ("adjustments", difference.subject, *map(to_text, figures), block, reason, desk.wall.now_ms())
