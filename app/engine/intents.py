"""From a strategy's opinion to an intent with exact bounds. Statistics become amounts here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.engine.act_intents import act_of
from app.engine.baskets import Skipped, basket_of
from app.execution.desk import Desk
from app.execution.preview import fee_bound
from app.execution.purse import gas_hold
from app.execution.records import Trade
from app.money import CEILING, DOWN, FLOOR, ZERO, add, apply_bps, from_float, mul, round_to_step, sub, total
from app.portfolio.positions import TripRecord
from app.risk.model import Sizing
from app.risk.room import rooms
from app.risk.sizing import ModuleRecord, quantity
from strategies.model import Direction, Exits, Instrument, Intent, Side, Signal

__all__ = ["IntentMaker", "Skipped"]

_MOST_OF_REWARD = Decimal("0.25")

_BETTER_SALE_BPS = Decimal(300)
"""How much better than its worst price a sale may be filled within its fee bound: slippage, and a move meanwhile."""


@dataclass(frozen=True, slots=True)
class IntentMaker:
    """Makes the intents of one module."""

    desk: Desk
    module: str
    sizing: Sizing
    allocation: Decimal

    def from_signal(self, signal: Signal, intent_id: str, volatility: float | None) -> Intent | Skipped:
        """The intent of a signal, or why there is none."""
        if signal.act is not None:
            return act_of(self, signal, signal.act, intent_id)
        if signal.direction is Direction.FLAT:  # before anything else: whatever comes with it, it never buys
            return self._close(signal, intent_id)
        if signal.levels:
            return basket_of(self, signal, intent_id, volatility)
        return self._entry(signal, intent_id, volatility)

    def _entry(self, signal: Signal, intent_id: str, volatility: float | None) -> Intent | Skipped:
        desk, instrument = self.desk, self.desk.instruments[signal.symbol]
        quote, rate = desk.market.quote(signal.symbol), desk.rate(instrument.quote)
        if quote is None:
            return Skipped("no quote")
        if rate is None:
            return Skipped(f"no fresh value for {instrument.quote}")
        if signal.stop is None:
            return Skipped("no stop")
        worst = self._worst_buy(signal, quote.ask, instrument.tick)
        if worst < quote.ask:
            return Skipped("the target is too near to pay the ask")
        amount = self.size(instrument, worst, rate, volatility)
        if not amount:
            return Skipped("no room for one lot")
        target = None if signal.target is None else round_to_step(from_float(signal.target), instrument.tick, CEILING)
        exits = Exits(round_to_step(from_float(signal.stop), instrument.tick, FLOOR), target)
        return self._intent(signal, intent_id, Side.BUY, amount, worst, exits)

    def _worst_buy(self, signal: Signal, ask: Decimal, tick: Decimal) -> Decimal:
        """The slippage bound, but never more than a quarter of the way to the target: a bound that gives the whole
        reward away is none."""
        worst = add(ask, apply_bps(ask, self.desk.terms.slippage_bps))
        if signal.target is not None:
            reward = sub(from_float(signal.target), ask)
            worst = min(worst, add(ask, mul(reward, _MOST_OF_REWARD)))
        return round_to_step(worst, tick, DOWN)

    def worst_sale(self, bid: Decimal, tick: Decimal) -> Decimal:
        """The bid less the slippage bound, on the tick; not above 0 where the bid is too low to bound a sale."""
        return round_to_step(sub(bid, apply_bps(bid, self.desk.terms.slippage_bps)), tick, CEILING)

    def _close(self, signal: Signal, intent_id: str) -> Intent | Skipped:
        desk, instrument = self.desk, self.desk.instruments[signal.symbol]
        quote = desk.market.quote(signal.symbol)
        if quote is None:
            return Skipped("no quote")
        groups = desk.state.exit_groups(self.module, signal.symbol)
        held = desk.state.positions.holding(self.module, signal.symbol).quantity
        amount = groups[0][1] if groups else held
        if not amount:
            return Skipped("nothing to close")
        worst = self.worst_sale(quote.bid, instrument.tick)
        if worst <= 0:
            return Skipped("the bid is too low to bound a sale")
        return self._intent(signal, intent_id, Side.SELL, amount, worst, None)

    def again(self, old: Intent, intent_id: str, why: str) -> Intent | Skipped:
        """A fresh proposal for a trade whose confirmed price no longer holds; it says what changed. An entry is one of
        the capital there is now, which may have become less. The levels of a basket follow from bars that have passed:
        its strategy must ask anew; so must that of an act, which has no price."""
        if old.legs or old.act is not None:
            return Skipped(f"{'a basket' if old.legs else 'an act'} is not proposed again")
        desk, instrument = self.desk, self.desk.instruments[old.symbol]
        quote = desk.market.quote(old.symbol)
        if quote is None:
            return Skipped("no quote")
        buys, reason = old.side is Side.BUY, f"{old.reason} [{why}]"
        direction = Direction.LONG if buys else Direction.FLAT
        target = float(old.exits.target) if old.exits and old.exits.target is not None else None
        signal = Signal(old.symbol, direction, old.strength, old.confidence, reason, target=target)
        if buys:
            worst = self._worst_buy(signal, quote.ask, instrument.tick)
            if worst < quote.ask:
                return Skipped("the target is too near to pay the ask")
            if add(self.committed(), self._value(old.symbol, mul(old.quantity, worst))) > self.allocation:
                return Skipped("no capital left for it")
        else:
            worst = self.worst_sale(quote.bid, instrument.tick)
            if worst <= 0:
                return Skipped("the bid is too low to bound a sale")
        return self._intent(signal, intent_id, old.side, old.quantity, worst, old.exits)

    def size(self, instrument: Instrument, worst: Decimal, rate: Decimal, volatility: float | None) -> Decimal:
        """Base units to buy at `worst` by the module's sizing, within every room there is; 0: none."""
        risk = self.desk.risk_state(instrument.symbol)
        room = rooms(risk, self.desk.limits)
        return quantity(
            self.sizing,
            price=worst,
            rate=rate,
            instrument=instrument,
            equity=risk.equity,
            allocation_left=max(ZERO, sub(self.allocation, self.committed())),
            position_room=room.position,
            exposure_room=room.exposure,
            volatility=volatility,
            record=self._record(instrument, rate),
        )

    def committed(self) -> Decimal:
        """What this module has at work: cost of its open lots, its liquidity and its pending entries, in account
        currency."""
        desk, result = self.desk, ZERO
        for holding in desk.state.positions.open_holdings():
            if holding.module == self.module:
                result = add(result, self._value(holding.symbol, holding.cost))
        for stake in desk.state.stakes.open.values():
            if stake.module == self.module:
                result = add(result, total([self.worth(*each) for each in sorted(stake.held().items())]))
        for trade in desk.state.in_flight():
            if trade.intent.module == self.module and trade.intent.side is Side.BUY:
                result = add(result, self._pending(trade))
        return result

    def _pending(self, trade: Trade) -> Decimal:
        """What an entry has reserved to pay with; its gas is none of it."""
        gas = gas_hold(trade.id)
        holds = self.desk.state.purse.of(trade.id)
        return total([self.worth(hold.asset, hold.remaining) for hold_id, hold in holds if hold_id != gas])

    def _value(self, symbol: str, amount: Decimal) -> Decimal:
        return self.worth(self.desk.instruments[symbol].quote, amount)

    def worth(self, asset: str, amount: Decimal) -> Decimal:
        """In account currency at the last known price: counted as nothing for want of a fresh one, it would make room
        for more."""
        rate = self.desk.valuation.last_rate(asset)
        return ZERO if rate is None else mul(amount, rate)

    def _record(self, instrument: Instrument, rate: Decimal) -> ModuleRecord:
        trips = self.desk.state.positions.records.get((self.module, instrument.symbol), TripRecord())
        return ModuleRecord(trips.wins, trips.losses, mul(trips.gross_win, rate), mul(trips.gross_loss, rate))

    @staticmethod
    def dearest(side: Side, worst: Decimal) -> Decimal:
        """The price at which the fee is largest: a buy never pays more than the worst price; a sale may be filled
        better than its worst, and its fee grows with what it brings in."""
        return worst if side is Side.BUY else add(worst, apply_bps(worst, _BETTER_SALE_BPS))

    def _intent(
        self, signal: Signal, intent_id: str, side: Side, amount: Decimal, worst: Decimal, exits: Exits | None
    ) -> Intent:
        desk, now = self.desk, self.desk.clock.now_ms()
        return Intent(
            id=intent_id,
            module=self.module,
            symbol=signal.symbol,
            side=side,
            quantity=amount,
            worst_price=worst,
            max_fee=fee_bound(amount, self.dearest(side, worst), desk.venue_info.highest_fee_bps),
            exits=exits,
            reason=signal.reason,
            created_ms=now,
            expires_ms=now + desk.terms.proposal_expiry_ms,
            config_version=desk.terms.config_version,
            reduce_only=side is Side.SELL,
            strength=signal.strength,
            confidence=signal.confidence,
            max_gas=desk.max_gas() or ZERO,
        )
