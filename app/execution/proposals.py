"""The queue for one pair of eyes: prepared trades that wait for confirm, decline, expiry, or the emergency stop.

Same module, instrument and side (DESIGN section 4, step 1): `Pipeline.propose` is synchronous up to RESERVED, so no
trade is ever seen PROPOSED and nothing is left to replace: the newer intent is dropped. What it says is not lost: the
one that waits counts it and keeps its worst price. It is not replaced either, because the trader may be reading it; its
edge is reckoned at the quote of now, it ends at its own expiry, and the re-check before sending holds it to its price.

What the module no longer wants: an entry that waits is withdrawn once its module says FLAT there, asks for the other
side, or fails. A withdrawn entry can lose nothing. A close is only marked `opposed`: it reduces risk, and whether it is
still wanted is the trader's decision; it is withdrawn when an exit has ended its position. Two modules that want the
same both wait, and each names the other (`beside`): together they are one larger position.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from app.errors import SafetyError
from app.execution.admission import may_rest
from app.execution.alike import alike
from app.execution.desk import Desk
from app.execution.device_view import device_view
from app.execution.fatigue import READ_MS, Requirement, rests_until, unsimulated, with_word
from app.execution.first_quote import first_quote
from app.execution.ranking import Edge, Waiting, device_app, edge, order, why
from app.execution.records import Trade
from app.execution.states import TradeState
from app.execution.transition import Transition
from app.money import mul, to_text
from app.risk.basket import notional
from app.text import lasting
from signers.base import Clarity
from strategies.model import Intent, Quote, Side

_NS_PER_MS: Final = 1_000_000
_STILL: Final = "It still waits."
_BLIND: Final = "BLIND"
"""The word to be typed for what the device can not show."""


class Answer(StrEnum):
    """What became of a proposal that waited for the trader."""

    CONFIRMED = "confirmed"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    STOPPED = "stopped"


class Refusal(StrEnum):
    """Why a trader declines, where they care to say."""

    TOO_LATE = "too-late"
    DISLIKE = "dislike"
    TOO_LARGE = "too-large"
    BAD_PRICE = "bad-price"
    DUPLICATE = "duplicate"

    @property
    def words(self) -> str:
        """For the record."""
        return {"dislike": "don't like it"}.get(self.value, self.value.replace("-", " "))


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer and, where it is a no, why."""

    answer: Answer
    reason: str = ""

    @property
    def state(self) -> TradeState:
        """Where the trade ends."""
        ends = {Answer.DECLINED: TradeState.DECLINED, Answer.EXPIRED: TradeState.EXPIRED}
        return ends.get(self.answer, TradeState.CANCELLED)


@dataclass(slots=True)
class _Asked:
    """What is known of one waiting trade beside the trade itself."""

    answer: asyncio.Future[Decision]
    then: Edge | None
    shown_ns: int | None = None
    again: int = 0
    newer: Intent | None = None
    opposed: bool = False
    journaled: bool = False


class Proposals:
    """The waiting ones."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting: dict[str, _Asked] = {}
        self._confirmed_ms = self._recent_confirmations()
        desk.on_sold = self.sold
        desk.on_unwanted = lambda module, symbol: self.withdraw(module, "Its module no longer wants it.", symbol)

    async def ask(self, trade: Trade) -> Decision:
        """Wait for the trader, the intent's expiry, or the stop. Paper may confirm by itself. An entry whose module was
        stopped since it was proposed does not begin to wait."""
        desk, intent = self._desk, trade.intent
        if desk.stop.raised() and not trade.under_stop:
            return Decision(Answer.STOPPED, "The emergency stop.")
        if not intent.reduce_only and (why_not := desk.refuses(intent.module)):
            return Decision(Answer.WITHDRAWN, why_not)
        if desk.terms.auto_confirm:
            if why_not := unsimulated(_preview(trade)):
                return Decision(Answer.DECLINED, f"Nobody is there to confirm what was not simulated: {why_not}.")
            trade.clarity = device_view(desk, trade).clarity  # nobody reads it, so nobody is told less than they read
            return Decision(Answer.CONFIRMED)
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._waiting[trade.id] = _Asked(
            answer, self._edge(trade, first_quote(self._desk, trade), trade.intent.created_ms)
        )
        expiry = asyncio.ensure_future(desk.clock.sleep_until(trade.intent.expires_ms))
        either: set[asyncio.Future[Any]] = {answer, expiry}
        try:
            with desk.activity.parked():
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return answer.result() if answer.done() else Decision(Answer.EXPIRED, "Nobody confirmed it in time.")
        finally:
            expiry.cancel()
            self._waiting.pop(trade.id, None)

    # -- what waits -------------------------------------------------------------------------------------------------

    def waiting(self) -> list[Trade]:
        """Trades that wait for an answer, oldest first. One that was answered is gone at once."""
        open_ids = {trade_id for trade_id, asked in self._waiting.items() if not asked.answer.done()}
        return [trade for trade in self._desk.state.trades.values() if trade.id in open_ids]

    def ranked(self, open_app: str = "") -> tuple[Waiting, ...]:
        """The same, most deserving first (`app.execution.ranking`). `open_app`: the app that is open on the device."""
        trades = self.waiting()
        return order((self._listed(trade, trades) for trade in trades), open_app)

    def requirement(self, trade: Trade) -> Requirement:
        """What confirming `trade` needs now, beside having read it."""
        return with_word(self._needed(trade), unsimulated(_preview(trade)))

    def _needed(self, trade: Trade) -> Requirement:
        limits, words, readback = self._desk.terms.fatigue, [], None
        if trade.intent.reduce_only:
            return Requirement()
        until = rests_until(self._confirmed_ms, limits)
        left_ms = 0 if until is None else max(0, until - self._now_ms())
        if left_ms:
            entries = "1 entry" if limits.confirmations == 1 else f"{limits.confirmations} entries"
            words.append(f"{entries} confirmed within {lasting(limits.window_ms)}: rest for {lasting(left_ms)}.")
        value = self._value(trade.intent)
        if value is None or value >= limits.large_value:
            readback = to_text(trade.intent.quantity)
            what = "quantity" if trade.intent.act is None else "value"
            words.append(f"A large trade: type its {what}, {readback}.")
        if trade.payload is not None and device_view(self._desk, trade).clarity is Clarity.BLIND:
            readback = " ".join([_BLIND, *([readback] if readback else [])])
            words.append(f"The device can not show what it signs: type {readback}.")
        return Requirement(readback, left_ms, " ".join(words))

    def _too_blind(self, trade: Trade) -> str:
        """Why an entry is not signed blind, or ""."""
        most = self._desk.terms.blind_value
        if trade.intent.reduce_only or device_view(self._desk, trade).clarity is not Clarity.BLIND:
            return ""
        value = self._value(trade.intent)
        if value is not None and value <= most:
            return ""
        worth = "Nothing values it" if value is None else f"It is worth {to_text(value)}"
        return f"{worth}; signer.blind_value allows {to_text(most)} without the device showing it."

    # -- the trader's answers ---------------------------------------------------------------------------------------

    def shown(self, trade_id: str) -> int:
        """Every line of this trade's text is visible now. To be called once each time it is brought up: showing it
        again begins anew. Returns after how many ms of wall time it can be confirmed.

        Raises:
            SafetyError: it does not wait for an answer.
        """
        asked = self._open(trade_id)
        asked.shown_ns = self._desk.wall.monotonic_ns()
        trade = self._desk.state.trades[trade_id]
        trade.clarity = device_view(self._desk, trade).clarity
        if not asked.journaled:
            asked.journaled = True
            transition = self._desk.transition()
            transition.change("shown", trade_id)
            self._desk.commit(transition, "trade.shown", trade_id)
        return READ_MS

    def confirm(self, trade_id: str, readback: str | None = None) -> None:
        """The trader confirmed the text of this trade.

        Args:
            readback: the quantity as the trader typed it, where `requirement` asks for it.

        Raises:
            SafetyError: it does not wait for an answer; or confirm.too_fast, confirm.device, confirm.blind,
                confirm.rate, confirm.readback, and it goes on waiting.
        """
        asked, trade = self._open(trade_id), self._desk.state.trades[trade_id]
        if asked.shown_ns is None:
            raise SafetyError("confirm.too_fast", f"Its text was not shown. {_STILL}", next_step="Read it first.")
        read_ms = (self._desk.wall.monotonic_ns() - asked.shown_ns) // _NS_PER_MS
        if read_ms < READ_MS:
            what = f"Its text was shown for {read_ms} ms; {READ_MS} ms are the least. {_STILL}"
            raise SafetyError("confirm.too_fast", what, next_step="Read it, then confirm.")
        if device_view(self._desk, trade).clarity.shows_less_than(trade.clarity):
            what = f"The device would show less of it than when you read it. {_STILL}"
            raise SafetyError("confirm.device", what, next_step="Read it again.")
        if why := self._too_blind(trade):
            raise SafetyError("confirm.blind", f"{why} {_STILL}", next_step="Decline it, or use another device.")
        need = self.requirement(trade)
        if need.cool_down_ms:
            raise SafetyError(
                "confirm.rate", f"{need.words} {_STILL}", next_step="Declining, closing and stopping stay possible."
            )
        if need.readback is not None and (readback or "").strip() != need.readback:
            raise SafetyError("confirm.readback", f"{need.words} {_STILL}", next_step="Type it exactly as it is shown.")
        self._answer(trade_id, Decision(Answer.CONFIRMED), counts=not trade.intent.reduce_only)

    def decline(self, trade_id: str, reason: str = "Declined by the trader.", code: Refusal | None = None) -> None:
        """The trader declined: at once, and whatever else is going on.

        Raises:
            SafetyError: it does not wait for an answer.
        """
        if code is not None:
            reason = f"{reason.rstrip('.')}: {code.words}."
        self._answer(trade_id, Decision(Answer.DECLINED, reason), code=code.value if code else "")

    # -- what the modules say meanwhile -----------------------------------------------------------------------------

    def duplicates(self, intent: Intent) -> bool:
        """Whether the same module, instrument and side is in flight already, so that `intent` is to be dropped; see
        the module's docstring. Where it is not, entries and closes of the other side hear that it was wanted."""
        name, symbol, side = intent.module, intent.symbol, intent.side
        for other in self._desk.state.in_flight():
            here = (other.intent.module, other.intent.symbol) == (name, symbol)
            if not here or other.kept or not alike(other.intent, intent):
                continue
            asked = self._waiting.get(other.id)
            if other.intent.side is side:
                if asked is not None:
                    asked.again, asked.newer = asked.again + 1, intent
                return True
            if asked is not None and other.intent.reduce_only:
                asked.opposed = True
        if self._waiting and intent.act is None:
            self.withdraw(name, "Its module wants the opposite now.", symbol, side.opposite)
        return False

    def withdraw(self, module: str, why_not: str, symbol: str | None = None, side: Side | None = None) -> None:
        """End the waiting entries of a module; closes go on waiting."""
        for trade in self.waiting():
            intent = trade.intent
            mine = intent.module == module and symbol in {None, intent.symbol}
            mine = mine and (side is None or (side is intent.side and intent.act is None))
            if mine and not intent.reduce_only:
                self.take_back(trade, why_not)

    def sold(self, module: str, symbol: str) -> None:
        """A position has ended: no close of it waits any more."""
        for trade in self.waiting():
            sells = trade.intent.reduce_only and trade.intent.act is None
            if sells and (trade.intent.module, trade.intent.symbol) == (module, symbol):
                self.take_back(trade, "The position has ended: an exit sold it.")

    def take_back(self, trade: Trade, why_not: str) -> None:
        """Nobody wants it any more; it waits."""
        self._waiting[trade.id].answer.set_result(Decision(Answer.WITHDRAWN, why_not))

    def stop_all(self, reason: str) -> None:
        """End everything that waits: the emergency stop."""
        self._end_all(Decision(Answer.STOPPED, reason))

    def expire_all(self, reason: str) -> None:
        """End everything that waits: the session ends."""
        self._end_all(Decision(Answer.EXPIRED, reason))

    def missed(self, transition: Transition, trade: Trade, answer: Answer) -> None:
        """Where `answer` let an entry go by: follow what it would have made, from the transition that ends it."""
        if answer not in {Answer.DECLINED, Answer.EXPIRED}:
            return
        desk, symbol = self._desk, trade.intent.symbol
        begun = desk.state.missed.begin(
            trade,
            answer.value,
            desk.instruments[symbol].quote,
            desk.market.quote(symbol),
            desk.venue_info.highest_fee_bps,
            desk.clock.now_ms(),
            rests=may_rest(trade),
        )
        if begun is not None:
            transition.record(*begun)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _end_all(self, decision: Decision) -> None:
        # one that was answered a moment ago has its answer; the pipeline asks the stop again before sign and send
        for asked in self._waiting.values():
            if not asked.answer.done():
                asked.answer.set_result(decision)

    def _open(self, trade_id: str) -> _Asked:
        asked = self._waiting.get(trade_id)
        if asked is None or asked.answer.done():
            raise SafetyError(
                "proposal.gone",
                f"Trade {trade_id} does not wait for an answer.",
                next_step="See what does: countersign proposals",
            )
        return asked

    def _answer(self, trade_id: str, decision: Decision, *, code: str = "", counts: bool = False) -> None:
        self._open(trade_id).answer.set_result(decision)
        if counts:
            limits, now = self._desk.terms.fatigue, self._now_ms()
            oldest = now - limits.window_ms - limits.pause_ms  # an older one can take part in no pause that still lasts
            self._confirmed_ms = [*(each for each in self._confirmed_ms if each > oldest), now]
        values = (trade_id, decision.answer.value, code, int(counts), self._desk.wall.now_ms())
        self._desk.note("INSERT INTO answers (trade_id, answer, code, counts, wall_ms) VALUES (?, ?, ?, ?, ?)", values)

    def _now_ms(self) -> int:
        return self._desk.wall.monotonic_ns() // _NS_PER_MS

    def _recent_confirmations(self) -> list[int]:
        """What earlier sessions confirmed, on the monotonic clock of this one: a restart is no rest. Where the wall
        clock was set back meanwhile, they count as confirmed now."""
        desk, limits = self._desk, self._desk.terms.fatigue
        oldest = desk.wall.now_ms() - limits.window_ms - limits.pause_ms
        rows = desk.state.reader.rows("SELECT wall_ms FROM answers WHERE counts AND wall_ms > ? ORDER BY id", (oldest,))
        offset = self._now_ms() - desk.wall.now_ms()
        return sorted(min(row["wall_ms"] + offset, self._now_ms()) for row in rows)

    def _edge(self, trade: Trade, quote: Quote | None, now_ms: int) -> Edge | None:
        if quote is None or trade.intent.act is not None:
            return None
        return edge(trade.intent, quote, self._desk.venue_info, now_ms, rests=may_rest(trade))

    def _rate(self, intent: Intent) -> Decimal | None:
        return self._desk.valuation.last_rate(self._desk.instruments[intent.symbol].quote)

    def _value(self, intent: Intent) -> Decimal | None:
        """Account currency, at the worst price."""
        rate = self._rate(intent)
        return None if rate is None else mul(notional(intent), rate)

    def _listed(self, trade: Trade, all_waiting: list[Trade]) -> Waiting:
        intent, asked, now_ms = trade.intent, self._waiting[trade.id], self._desk.clock.now_ms()
        now = self._edge(trade, self._desk.market.quote(intent.symbol), now_ms)
        then, rate = asked.then.bps if asked.then else None, self._rate(intent)
        left_ms = max(0, intent.expires_ms - now_ms)
        same = [t for t in all_waiting if (t.intent.symbol, t.intent.side) == (intent.symbol, intent.side)]
        beside = tuple(sorted(t.id for t in same if t.intent.module != intent.module))
        return Waiting(
            trade_id=trade.id,
            module=intent.module,
            symbol=intent.symbol,
            side=intent.side,
            quantity=intent.quantity,
            worst_price=intent.worst_price,
            closes=intent.reduce_only,
            value=self._value(intent),
            edge_bps=now.bps if now else None,
            edge_then_bps=then,
            edge_value=mul(now.amount, rate) if now and rate is not None else None,
            reachable=now is not None and now.reachable,
            expires_ms=intent.expires_ms,
            left_ms=left_ms,
            age_ms=max(0, now_ms - intent.created_ms),
            app=device_app(trade),
            resumed=trade.resumed,
            asked_again=asked.again,
            newer_worst_price=asked.newer.worst_price if asked.newer else None,
            opposed=asked.opposed,
            beside=beside,
            requirement=self.requirement(trade),
            reason=intent.reason,
            why=why(intent, now, then, left_ms, len(beside)),
        )


def _preview(trade: Trade) -> str:
    return "" if trade.payload is None else trade.payload.preview
