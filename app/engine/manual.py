"""Trades by the trader's own hand: a ticket judged against market and account while it is typed, then proposed through
the same door as every module's trade, where it waits to be read and confirmed.

A buy belongs to module ``manual``, whose capital is the setting ``manual.allocation``. A sale reduces what a module
holds, also one that is paused, failed or no longer enabled: the position and its resting exits stay that module's, the
sale shares their quantity at the venue, so close and stop together never sell more than is held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from app.engine.intents import IntentMaker
from app.engine.ticket import (
    LIMIT_SECONDS,
    MOST_SECONDS,
    Kind,
    Measure,
    Problem,
    Ticket,
    given_fields,
    missing,
    off_step,
    read,
)
from app.engine.ticket_preview import TicketPreview, preview_of
from app.errors import SafetyError
from app.execution.admission import judge
from app.execution.desk import Desk
from app.execution.pipeline import Pipeline
from app.execution.preview import fee_bound
from app.execution.records import Trade
from app.ids import intent_id
from app.money import CEILING, DOWN, UP, ZERO, add, apply_bps, div, mul, round_to_step, sub, to_text
from app.portfolio.positions import Holding
from app.risk.model import Allow, Deny, Sizing
from app.text import escape_untrusted
from strategies.base import MANUAL
from strategies.model import Exits, Instrument, Intent, Quote, Side

_MOST_AGAIN: Final = 3
"""Fresh proposals in a row for one ticket whose price ran away; after that the trader asks anew."""
_REASONS: Final = {Side.BUY: "bought by hand", Side.SELL: "sold by hand"}


@dataclass(frozen=True, slots=True)
class Look:
    """A typed ticket as it stands: `ticket` once every field can be read, `preview` once nothing is wrong."""

    ticket: Ticket | None
    problems: tuple[Problem, ...]
    preview: TicketPreview | None


@dataclass(frozen=True, slots=True)
class Proposed:
    """A ticket that was admitted. It waits for the trader like any other trade."""

    trade: Trade
    preview: TicketPreview


@dataclass(frozen=True, slots=True)
class _Sized:
    """A ticket in numbers: base units, the price that bounds it, and what a sale leaves of what was asked for."""

    quantity: Decimal
    price: Decimal
    left: Decimal = ZERO


class Tickets:
    """The trader's hand. One per session; on the loop thread.

    Args:
        allocation: capital of trades by hand, account currency.
    """

    def __init__(self, desk: Desk, pipeline: Pipeline, run: str, allocation: Decimal) -> None:
        self._desk = desk
        self._pipeline = pipeline
        self._run = run
        self._allocation = allocation
        self._sequence = 0
        self._proposed: dict[str, int] = {}
        """Trades of this hand by id: how often they may still be proposed again when the market ran away."""

    # -- while it is typed ----------------------------------------------------------------------------------------

    def look(self, typed: Mapping[str, object]) -> Look:
        """Fields as typed (`app.engine.ticket.FIELDS`), judged. Raises nothing for what is typed, changes nothing."""
        ticket, wrong = read(typed)
        if ticket is None:
            return Look(None, wrong, None)
        wrong, sized = self._judged(ticket)
        return Look(ticket, wrong, None if sized is None else self._preview(ticket, sized))

    def problems(self, ticket: Ticket) -> tuple[Problem, ...]:
        """What is wrong with which field, at this instant; empty when the ticket can be proposed."""
        return self._judged(ticket)[0]

    def preview(self, ticket: Ticket) -> TicketPreview | None:
        """What the ticket would do, and what the gate would say of it now; None while it has problems."""
        sized = self._judged(ticket)[1]
        return None if sized is None else self._preview(ticket, sized)

    def holders(self, symbol: str) -> list[Holding]:
        """Who holds `symbol`, by module."""
        return [each for each in self._desk.state.positions.open_holdings() if each.symbol == symbol]

    def holdings(self) -> list[Holding]:
        """Every open position, by module and symbol."""
        return self._desk.state.positions.open_holdings()

    # -- propose --------------------------------------------------------------------------------------------------

    def propose(self, ticket: Ticket) -> Proposed | tuple[Problem, ...]:
        """Through the door. What the gate denies is journaled as every module's denied trade is.

        Returns:
            The admitted trade, or what is wrong with the ticket: then nothing was proposed.

        Raises:
            SafetyError: denied, with number and limit.
        """
        problems, sized = self._judged(ticket)
        if sized is None:
            return problems
        preview = self._preview(ticket, sized)
        self._sequence += 1
        intent = self._intent(ticket, sized, self._next_id(0))
        own = self._own_rules(intent)
        trade = None if own is not None else self._pipeline.propose(intent)  # the gate's verdict is asked at once
        if trade is None:
            denied = own or preview.verdict
            reason = denied.reason if isinstance(denied, Deny) else "It was not admitted."
            raise SafetyError("ticket.denied", reason, next_step="Nothing was proposed.")
        self._proposed[trade.id] = _MOST_AGAIN if ticket.kind is Kind.MARKET and ticket.price is None else 0
        return Proposed(trade, preview)

    def again(self, trade: Trade) -> bool:
        """The re-check dropped a signed trade. True when it was this hand's: then it is proposed afresh at the market's
        price, unless the trader had set the price."""
        left = self._proposed.pop(trade.id, None)
        if left:
            self._sequence += 1
            made = self._maker(trade.intent.module).again(trade.intent, self._next_id(0), trade.reason)
            if isinstance(made, Intent):
                made = replace(made, time_in_force_ms=trade.intent.time_in_force_ms)
                if self._own_rules(made) is None and self._pipeline.propose(made) is not None:
                    self._proposed[made.id] = left - 1
        return left is not None

    # -- judged by market and account -----------------------------------------------------------------------------

    def _judged(self, ticket: Ticket) -> tuple[tuple[Problem, ...], _Sized | None]:
        """What is wrong, or the ticket in numbers."""
        desk = self._desk
        found = missing(ticket.side, ticket.kind, given_fields(ticket), has_symbol=bool(ticket.symbol))
        held_ms = ticket.time_in_force_ms
        if held_ms is not None and not 1000 <= held_ms <= MOST_SECONDS * 1000:
            found.append(Problem("seconds", "is out of bounds", f"1 to {MOST_SECONDS}"))
        instrument = desk.instruments.get(ticket.symbol)
        quote = None if instrument is None else desk.market.quote(ticket.symbol)
        if ticket.symbol and instrument is None:
            name = escape_untrusted(ticket.symbol, 40)
            found.append(
                Problem("symbol", f'there is no instrument "{name}" here', ", ".join(sorted(desk.instruments)))
            )
        elif instrument is not None and quote is None:
            found.append(Problem("symbol", f"no market of {ticket.symbol} has been seen yet"))
        if instrument is None or quote is None:
            return tuple(found), None
        found += off_step(ticket, instrument)
        if ticket.side is Side.BUY and ticket.module != MANUAL:
            found.append(Problem("module", "what is bought by hand is the trader's own", MANUAL))
        price = ticket.price or self._usual_price(ticket.side, instrument, quote)
        found += self._price_problems(ticket, instrument, quote, price)
        if ticket.side is Side.BUY:
            found += _exit_problems(ticket, quote, price)
        sized = self._sized(ticket, instrument, price)
        if isinstance(sized, Problem):
            told = any(problem.field == sized.field for problem in found)
            return (*found, *(() if told else (sized,))), None
        return tuple(found), None if found else sized

    def _usual_price(self, side: Side, instrument: Instrument, quote: Quote) -> Decimal:
        """The touch and the slippage setting. Where that leaves no tick beyond the touch, the touch's own tick."""
        tick = instrument.tick
        if side is Side.SELL:
            return self._maker(MANUAL).worst_sale(quote.bid, tick)
        worst = add(quote.ask, apply_bps(quote.ask, self._desk.terms.slippage_bps))
        return max(round_to_step(worst, tick, DOWN), round_to_step(quote.ask, tick, CEILING))

    def _price_problems(self, ticket: Ticket, instrument: Instrument, quote: Quote, price: Decimal) -> list[Problem]:
        """A price that would not trade at once, or that gives away more than the gate allows."""
        if ticket.price is None:
            low = price <= ZERO or (ticket.side is Side.SELL and price > quote.bid)
            return [Problem("price", f"the bid of {to_text(quote.bid)} is too low to bound a sale")] if low else []
        if ticket.side is Side.SELL:
            if ticket.kind is Kind.LIMIT or price <= quote.bid:
                return []
            words = (
                f"{to_text(price)} is above the bid of {to_text(quote.bid)} and would not sell now; a limit would wait"
            )
            return [Problem("price", words, f"above 0 to {to_text(quote.bid)}")]
        dearest = add(quote.ask, apply_bps(quote.ask, self._desk.limits.slippage_bps))
        dearest = round_to_step(dearest, instrument.tick, DOWN)
        if price > dearest:
            words = f"{to_text(price)} is too far above the ask of {to_text(quote.ask)}"
            return [Problem("price", words, f"up to {to_text(dearest)}")]
        if ticket.kind is Kind.MARKET and price < quote.ask:
            words = (
                f"{to_text(price)} is below the ask of {to_text(quote.ask)} and would not buy now; a limit would wait"
            )
            return [Problem("price", words, f"{to_text(quote.ask)} to {to_text(dearest)}")]
        return []

    def _sized(self, ticket: Ticket, instrument: Instrument, price: Decimal) -> _Sized | Problem:
        """In base units; for a sale no more than the exits it shares its quantity with still cover."""
        if price <= ZERO:
            return Problem("price", "is needed", "above 0")
        wanted = self._base_units(ticket, instrument, price)
        if isinstance(wanted, Problem):
            return wanted
        if ticket.side is Side.BUY:
            return Problem("quantity", "is needed", "above 0") if wanted is None else _Sized(wanted, price)
        holders = {each.module: each.quantity for each in self.holders(ticket.symbol)}
        held = holders.get(ticket.module, ZERO)
        if not held:
            words = f"{ticket.module} holds no {instrument.base} of {ticket.symbol}: only what is held can be sold"
            return Problem("module" if holders else "symbol", words, ", ".join(holders))
        wanted = wanted or held
        if wanted > held:
            words = f"{to_text(wanted)} is more than {ticket.module} holds; selling what is not held is not done here"
            return Problem("quantity", words, f"up to {to_text(held)}")
        groups = self._desk.state.exit_groups(ticket.module, ticket.symbol)
        quantity = min(wanted, groups[0][1]) if groups else wanted
        return _Sized(quantity, price, sub(wanted, quantity))

    def _base_units(self, ticket: Ticket, instrument: Instrument, price: Decimal) -> Decimal | Problem | None:
        amount = ticket.quantity
        if amount is None or ticket.measure is Measure.BASE:
            return amount
        if ticket.measure is Measure.ACCOUNT:
            rate = self._desk.rate(instrument.quote)
            if rate is None or rate <= ZERO:
                return Problem("measure", f"nothing fresh says what {instrument.quote} is worth", "base, quote")
            price = mul(price, rate)
        quantity = round_to_step(div(amount, price, 2 * 18, DOWN), instrument.lot, DOWN)
        if quantity:
            return quantity
        least = div(mul(instrument.lot, price), Decimal(1), 2, CEILING)
        return Problem("quantity", f"{to_text(amount)} buys less than one lot", f"{to_text(least)} or more")

    # -- rules of the hand itself ---------------------------------------------------------------------------------

    def _own_rules(self, intent: Intent) -> Deny | None:
        """What holds before the gate is asked: a stop in force, one trade of a side at a time, the hand's capital."""
        desk = self._desk
        if desk.stop.raised():
            words = (
                "The emergency stop is in force. Out of everything: countersign stop --emergency --flatten. To lift "
                "it: countersign stop --reset."
            )
            return Deny("stop", words, "in force", "lifted")
        for other in desk.state.in_flight():
            same = (other.intent.module, other.intent.symbol, other.intent.side)
            if same == (intent.module, intent.symbol, intent.side) and not other.kept:
                words = (
                    f"Trade {other.id[:8]} of {intent.module} ({intent.side} {intent.symbol}) is on its way: confirm, "
                    f"decline or cancel it first."
                )
                return Deny("in_flight", words, "2", "1")
        if intent.side is Side.SELL:
            return None
        rate = desk.rate(desk.instruments[intent.symbol].quote)
        if rate is None:
            return None  # the gate says so
        after = add(self.committed(), mul(mul(intent.quantity, intent.worst_price), rate))
        if after <= self._allocation:
            return None
        number, limit = to_text(div(after, Decimal(1), 2, UP)), to_text(self._allocation)
        words = f"Trades by hand would have {number} USD at work; manual.allocation is {limit} USD."
        return Deny("allocation", words, number, limit)

    def committed(self) -> Decimal:
        """What trades by hand have at work, account currency: cost of open lots and pending buys."""
        return self._maker(MANUAL).committed()

    def _verdict(self, intent: Intent) -> Allow | Deny:
        return self._own_rules(intent) or judge(self._desk, intent)

    def _preview(self, ticket: Ticket, sized: _Sized) -> TicketPreview:
        intent = self._intent(ticket, sized, self._next_id(1))
        committed = self.committed()
        verdict = self._verdict(intent)
        return preview_of(
            self._desk, intent, verdict, left=sized.left, committed=committed, allocation=self._allocation
        )

    def _intent(self, ticket: Ticket, sized: _Sized, identity: str) -> Intent:
        desk, now, side = self._desk, self._desk.clock.now_ms(), ticket.side
        exits = None if ticket.stop is None else Exits(ticket.stop, ticket.target)
        limit = ticket.kind is Kind.LIMIT
        usual_ms = LIMIT_SECONDS * 1000 if limit else desk.terms.time_in_force_ms
        dearest, quote = IntentMaker.dearest(side, sized.price), desk.market.quote(ticket.symbol)
        if side is Side.SELL and quote is not None:  # a low price is given to be filled for sure; the bid pays the fee
            dearest = max(dearest, IntentMaker.dearest(side, quote.bid))
        return Intent(
            id=identity,
            module=MANUAL if side is Side.BUY else ticket.module,
            symbol=ticket.symbol,
            side=side,
            quantity=sized.quantity,
            worst_price=sized.price,
            max_fee=fee_bound(sized.quantity, dearest, desk.venue_info.highest_fee_bps),
            exits=exits,
            reason=_REASONS[side],
            created_ms=now,
            expires_ms=now + desk.terms.proposal_expiry_ms,
            config_version=desk.terms.config_version,
            reduce_only=side is Side.SELL,
            rests=limit,
            time_in_force_ms=ticket.time_in_force_ms or usual_ms,
            max_gas=desk.max_gas() or ZERO,
        )

    def _maker(self, module: str) -> IntentMaker:
        return IntentMaker(self._desk, module, Sizing(), self._allocation)

    def _next_id(self, ahead: int) -> str:
        return intent_id(self._run, MANUAL, self._sequence + ahead)


def _exit_problems(ticket: Ticket, quote: Quote, price: Decimal) -> list[Problem]:
    """A stop that would sell at once, a target that is no gain."""
    found, edge = [], min(price, quote.bid)
    if ticket.stop is not None and ticket.stop >= edge:
        words = f"{to_text(ticket.stop)} would sell at once"
        found.append(Problem("stop", words, f"above 0 and below {to_text(edge)}"))
    if ticket.target is not None and ticket.target <= price:
        words = f"{to_text(ticket.target)} is no gain on {to_text(price)}"
        found.append(Problem("target", words, f"above {to_text(price)}"))
    return found
