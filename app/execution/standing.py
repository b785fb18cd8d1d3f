"""Keeps every position on a chain covered by a standing exit (`app.execution.standing_terms`): proposes it once the
entry was mined and whenever nothing else stands, sends it when its price is reached, ends it when it is of no use, and
says so loudly where none can go. It sends nothing itself: `Pipeline.trigger` does.

All standing exits of an account have its next nonce, so that each of them can go at any time. Whatever is sent first
ends the others, which are proposed anew. One that was never sent is proven to be so, because its signed bytes never
left: it is dropped by a transition of ours, not by anything the chain says.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.errors import SafetyError, Severity, UsageError
from app.execution.desk import Desk
from app.execution.pipeline import Pipeline
from app.execution.preparation import Preparation
from app.execution.records import Trade
from app.execution.settlement import end_unsent
from app.execution.standing_intents import prepared_sale, standing_exit
from app.execution.standing_nonces import NonceWatch
from app.execution.standing_terms import middle, over, reached, shown, wanted
from app.execution.standing_view import described, on_chain, standing_trades
from app.execution.states import IN_FLIGHT, TradeState
from app.ids import intent_id
from app.market.events import MarketEvent
from app.money import DOWN, round_to_step, to_text
from app.venues.base import OrderState, SignedTransaction
from strategies.model import Intent, Quote, Side

_NAME: Final = "standing exits"
"""What the ids of its intents are made from; no module can be called that."""
_FIRST_PAUSE_MS: Final = 15_000
_LONGEST_PAUSE_MS: Final = 600_000
"""Before one that failed is proposed again: at first, and at most after doubling."""
_AGAIN_MS: Final = 600_000
"""Between two alerts of one fall."""
_LATE_MS: Final = 60_000
"""How long one that was sent may be in no block before that is an alarm."""
_FAILED: Final = frozenset({TradeState.DENIED, TradeState.FAILED, TradeState.EXPIRED, TradeState.REJECTED})
_REFUSED: Final = frozenset({TradeState.DECLINED, TradeState.REFUSED})

Key = tuple[str, str]
"""Module and instrument."""


@dataclass(slots=True)
class _Position:
    """What was done about one position.

    Attributes:
        asked: the newest proposal for it, a standing exit or a sale at the market.
        declined: the purchase that its refused proposal was for; a newer one is asked about again.
        falling: its price is at the stop and nothing can go.
    """

    asked: Trade | None = None
    declined: str = ""
    retry_ms: int = 0
    pause_ms: int = _FIRST_PAUSE_MS
    falling: bool = False
    told_ms: int = 0
    late: str = ""


class StandingExits:
    """Of one session; on the loop thread. On a venue where exits rest it does nothing.

    Args:
        run: what the ids of its proposals are made from.
        on_progress: told of what it ends.
    """

    def __init__(
        self, desk: Desk, pipeline: Pipeline, preparation: Preparation, run: str, on_progress: Callable[[Trade], None]
    ) -> None:
        self._desk, self._pipeline = desk, pipeline
        self._nonces = NonceWatch(desk, preparation, pipeline.work, self.review)
        self._run, self._numbers, self._on_progress = run, itertools.count(1), on_progress
        self._positions: dict[Key, _Position] = {}
        self._stops: dict[str, Decimal | None] = {}
        self._sent_ms: dict[str, int] = {}
        self._signed: Trade | None = None  # a moment ago: its work is at its end
        self._begun = self._reviewing = False

    # -- when it looks ------------------------------------------------------------------------------------------------

    def saw(self, event: MarketEvent) -> None:
        """The market of an instrument has moved: synchronously, whatever follows from that."""
        if not on_chain(self._desk):
            return
        self._begun = True
        self.review(event.symbol)
        self._nonces.look()

    def progressed(self, trade: Trade) -> None:
        """A trade went on: what it sent ends every standing exit of its nonces at once, also one that is signed only
        now, and never covered anything."""
        self._nonces.sent(trade)
        before = self._signed  # what is proposed in the review goes on at once, and comes by here
        self._signed = trade if trade.armed and not trade.triggered else before
        try:
            self.review()
        finally:
            self._signed = before

    def review(self, symbol: str | None = None) -> None:
        """Look at every position, or those in one instrument, once the market was seen. Looking again does no harm."""
        if not self._begun or self._reviewing or self._desk.stale or not on_chain(self._desk):
            return
        self._reviewing = True
        try:
            state = self._desk.state
            keys = {(each.module, each.symbol) for each in state.positions.open_holdings()}
            keys |= {(t.intent.module, t.intent.symbol) for t in state.in_flight() if t.standing}
            for key in sorted(keys):
                if symbol in {None, key[1]}:
                    self._keep(key)
        finally:
            self._reviewing = False

    # -- one position -------------------------------------------------------------------------------------------------

    def _keep(self, key: Key) -> None:
        held, stop = self._held(key), self.stop(*key)
        self._end_useless(key, held, stop)
        if not held:
            self._positions.pop(key, None)
            return
        quote = self._quote(key[1])
        self._watch_sent(key, quote)
        if quote is None:
            return  # an old price sells nothing
        at = self._positions.setdefault(key, _Position())
        self._learn(key, at)
        trades = standing_trades(self._desk, *key)
        for trade in trades:
            if trade.armed and reached(_stop_of(trade), quote):
                self._trigger(trade, quote)
        if stop is not None and reached(stop, quote):
            self._fall(key, at, quote, stop)
            return
        at.falling = False
        for trade in trades:
            if trade.armed and not self._nonces.doubts(trade) and not reached(_stop_of(trade), quote):
                trade.held_back, at.pause_ms = "", _FIRST_PAUSE_MS
        if stop is not None and self._may_propose(key, at):
            rules, now = self._desk.terms.standing, self._desk.clock.now_ms()
            why = wanted([described(trade) for trade in trades], held, stop, rules, now)
            if why is not None and at.declined != self._newest(key):
                self._propose(key, at, held, stop, why)

    def _trigger(self, trade: Trade, quote: Quote) -> None:
        """The price is there. Journaled once; tried at each quote until it went."""
        if self._pipeline.work.owns(trade.id):
            return
        if not trade.held_back:
            desk, intent = self._desk, trade.intent
            transition = desk.transition()
            transition.change("standing", trade.id, "triggered", to_text(_stop_of(trade)), to_text(middle(quote)))
            desk.commit(transition, "exit.triggered", trade.id)
            text = f"{intent.symbol}: the price fell to {shown(quote)}; the standing exit of {intent.module} goes."
            desk.alert(Severity.HIGH, "exit.triggered", text, trade.id)
        self._pipeline.trigger(trade)

    def _fall(self, key: Key, at: _Position, quote: Quote, stop: Decimal) -> None:
        """The price is at the stop: unless something sells, nobody may overlook it."""
        desk, now, (module, symbol) = self._desk, self._desk.clock.now_ms(), key
        trades = standing_trades(desk, *key)
        goes = [each for each in trades if each.armed and not each.held_back and reached(_stop_of(each), quote)]
        if goes or any(not each.kept for each in trades):
            return  # it is on its way
        if not at.falling or now - at.told_ms >= _AGAIN_MS:
            backs = [trade.held_back for trade in trades if trade.held_back]
            why = backs[0].rstrip(".") if backs else "none is signed"
            text = (
                f"UNCOVERED: {symbol} of {module} fell to {shown(quote)}, its stop is {to_text(stop)}, and no standing "
                f"exit can go: {why}. Confirm the sale that is prepared, or close it yourself."
            )
            desk.alert(Severity.CRITICAL, "exit.not_sent", text, symbol)
            at.told_ms = now
        if not at.falling:  # whatever was refused before was refused at another price
            at.falling, at.declined, at.retry_ms = True, "", 0
        if self._may_propose(key, at) and not at.declined:
            self._asked(at, prepared_sale(desk, key, self._next_id(), self._held(key), quote))

    # -- what is proposed ---------------------------------------------------------------------------------------------

    def _may_propose(self, key: Key, at: _Position) -> bool:
        """Whether nothing else is being done about the position, and nothing was a moment ago."""
        if self._desk.stop.raised() or self._desk.clock.now_ms() < at.retry_ms:
            return False
        others = [each for each in self._in_flight(key) if not each.standing and each.intent.act is None]
        return not any(each.intent.side is Side.SELL or each.state not in _WAITING for each in others)

    def _propose(self, key: Key, at: _Position, held: Decimal, stop: Decimal, why: str) -> Trade | None:
        return self._asked(at, standing_exit(self._desk, key, self._next_id(), held, stop, why))

    def _asked(self, at: _Position, made: Intent | None) -> Trade | None:
        """Through the door. A denial says why in the journal; it is tried again later."""
        trade = None if made is None else self._pipeline.propose(made)
        at.asked = trade or at.asked
        if trade is None:
            self._pause(at)
        return trade

    def _next_id(self) -> str:
        return intent_id(self._run, _NAME, next(self._numbers))

    def _learn(self, key: Key, at: _Position) -> None:
        """What became of the newest proposal."""
        trade = at.asked
        if trade is None or trade.state in IN_FLIGHT:
            return
        at.asked = None
        if trade.state in _REFUSED:
            at.declined = self._newest(key)
            text = (
                f"UNCOVERED: {key[1]} of {key[0]} has no standing exit; it was {trade.state.value.lower()}. "
                f"To be asked again: countersign cover {key[1]}:{key[0]}"
            )
            self._desk.alert(Severity.HIGH, "exit.declined", text, trade.id)
        elif trade.state in _FAILED or any(each.state is OrderState.REJECTED for each in trade.orders.values()):
            self._pause(at)

    def _pause(self, at: _Position) -> None:
        at.retry_ms = self._desk.clock.now_ms() + at.pause_ms
        at.pause_ms = min(2 * at.pause_ms, _LONGEST_PAUSE_MS)

    def cover(self, module: str, symbol: str) -> Trade:
        """The trader asks for a standing exit.

        Raises:
            UsageError, SafetyError: there is nothing to propose, and why.
        """
        desk, key = self._desk, (module, symbol)
        held, stop, quote = self._held(key), self.stop(module, symbol), self._quote(symbol)
        if not on_chain(desk):
            raise UsageError("cover.venue", "Exits rest at this venue; nothing has to be signed for them.")
        if not held:
            raise UsageError("cover.position", f"{module} holds nothing in {symbol}.")
        if stop is None:
            raise SafetyError("cover.stop", f"No stop of {symbol} is on record.", next_step=_CLOSE)
        exits = [described(trade) for trade in standing_trades(desk, *key)]
        if (why := wanted(exits, held, stop, desk.terms.standing, desk.clock.now_ms())) is None:
            raise SafetyError("cover.there", "Its standing exit is signed already, or waits for you.", next_step=_SEE)
        if quote is None:
            raise SafetyError(
                "cover.quote", f"There is no fresh price of {symbol}.", next_step="Try again in a moment."
            )
        if reached(stop, quote):
            what = f"{symbol} is at {shown(quote)}, and the stop is {to_text(stop)}."
            raise SafetyError("cover.fallen", what, next_step=_CLOSE)
        at = self._positions[key] = _Position()
        if not self._may_propose(key, at):
            what = "The emergency stop is in force." if desk.stop.raised() else "A trade of it is on its way."
            raise SafetyError("cover.busy", what, next_step=_SEE)
        trade = self._propose(key, at, held, stop, f"{why} (asked for)")
        if trade is None:
            raise SafetyError("cover.denied", "It was denied; the journal says why.", next_step=_CLOSE)
        return trade

    # -- what ends ----------------------------------------------------------------------------------------------------

    def _end_useless(self, key: Key, held: Decimal, stop: Decimal | None) -> None:
        desk, now = self._desk, self._desk.clock.now_ms()
        bought = [each for each in self._in_flight(key) if each.intent.side is Side.BUY and each.intent.act is None]
        buying = any(trade.state not in _WAITING for trade in bought)
        trades = standing_trades(desk, *key)
        waiting = {trade.id for trade in self._pipeline.proposals.waiting()}
        for number, trade in enumerate(trades):
            other = trade.intent.quantity != held or (stop is not None and _stop_of(trade) != stop)
            if trade.id in waiting and not trade.armed:
                if other and not buying:
                    self._pipeline.proposals.take_back(trade, "What is held has changed.")
            elif trade.armed and (trade is self._signed or not self._pipeline.work.owns(trade.id)):
                newer = any(each.armed and not each.held_back for each in trades[number + 1 :])
                why = over(described(trade), held, now, buying=buying)
                why = why or ("A newer standing exit is signed." if newer else self._nonces.taken(trade))
                if why is not None:
                    self._end(trade, why, expired=now > described(trade).until_ms)

    def _end(self, trade: Trade, why: str, *, expired: bool) -> None:
        """It was never sent, and never will be."""
        desk = self._desk
        transition = desk.transition()
        end_unsent(desk, transition, trade, TradeState.EXPIRED if expired else TradeState.CANCELLED, why)
        desk.commit(transition, f"exit.{'expired' if expired else 'ended'}", trade.id)
        if self._held((trade.intent.module, trade.intent.symbol)) and not expired:
            text = f"{trade.intent.symbol}: the standing exit of {trade.intent.module} is void. {why}"
            desk.alert(Severity.MEDIUM, "exit.ended", text, trade.id)
        self._nonces.forget(trade)
        self._on_progress(trade)

    def _watch_sent(self, key: Key, quote: Quote | None) -> None:
        """One that was sent and comes into no block: its fee is too low for now, or a node forgot it."""
        desk, now = self._desk, self._desk.clock.now_ms()
        for trade in standing_trades(desk, *key):
            if trade.kept:
                self._sent_ms.pop(trade.id, None)
                continue
            since, at = self._sent_ms.setdefault(trade.id, now), self._positions.setdefault(key, _Position())
            if now - since < _LATE_MS:
                continue
            if at.late != trade.id:
                at.late, at.declined, at.retry_ms = trade.id, "", 0
                text = (
                    f"{key[1]}: the standing exit of {key[0]} was sent {(now - since) // 1000} s ago and is in no "
                    "block. It may still be. A sale with more gas is prepared in its place: one of the two can land."
                )
                desk.alert(Severity.CRITICAL, "exit.late", text, trade.id)
            signed = trade.payload.signed if trade.payload is not None else None
            ready = quote is not None and not at.declined and self._may_propose(key, at)
            if ready and quote is not None and isinstance(signed, SignedTransaction):
                name, held = self._next_id(), self._held(key)
                self._asked(at, prepared_sale(desk, key, name, held, quote, replaces=signed.hash))

    # -- facts --------------------------------------------------------------------------------------------------------

    def stop(self, module: str, symbol: str) -> Decimal | None:
        """Where the position is sold: the highest stop of the purchases that it is made of; None where none is
        known."""
        found = []
        for fill in self._desk.state.positions.holding(module, symbol).opened_by:
            if fill.fill_id not in self._stops:
                known = self._desk.state.find_order(fill.client_id)
                exits = None if known is None else known[0].intent.exits
                self._stops[fill.fill_id] = None if exits is None else exits.stop
            if (stop := self._stops[fill.fill_id]) is not None:
                found.append(stop)
        return max(found, default=None)

    def _held(self, key: Key) -> Decimal:
        quantity = self._desk.state.positions.holding(*key).quantity
        return round_to_step(quantity, self._desk.instruments[key[1]].lot, DOWN)

    def _newest(self, key: Key) -> str:
        fills = self._desk.state.positions.holding(*key).opened_by
        return fills[-1].fill_id if fills else ""

    def _in_flight(self, key: Key) -> list[Trade]:
        return [t for t in self._desk.state.in_flight() if (t.intent.module, t.intent.symbol) == key]

    def _quote(self, symbol: str) -> Quote | None:
        """A fresh one."""
        desk, quote = self._desk, self._desk.market.quote(symbol)
        if quote is None or not 0 <= desk.clock.now_ms() - quote.ts_ms <= desk.limits.quote_age_ms:
            return None
        return quote


_WAITING: Final = frozenset({TradeState.RESERVED, TradeState.PREPARED})
"""A purchase in one of these may never come; from the confirmation on the position is about to change."""
_CLOSE: Final = "Close the position: countersign close POSITION"
_SEE: Final = "See: countersign positions; countersign proposals"


def _stop_of(trade: Trade) -> Decimal:
    assert trade.intent.exits is not None
    return trade.intent.exits.stop
