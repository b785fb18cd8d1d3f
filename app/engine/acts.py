"""Acts by the trader's own hand: neither a purchase nor a sale. Through the same door as every trade, where it waits to
be read and confirmed.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from app.errors import SafetyError, UsageError
from app.execution.admission import judge
from app.execution.desk import Desk
from app.execution.pipeline import Pipeline
from app.execution.records import Order, Trade
from app.ids import intent_id
from app.money import ZERO, add, mul
from app.portfolio.stakes import Stake
from app.risk.model import Deny
from app.venues.base import OrderKind, OrderState
from strategies.acts import Act, Cancel, Collect, Provide, Revoke, Withdraw
from strategies.base import MANUAL
from strategies.model import Intent, Quote, Side

_ONE = Decimal(1)
_WAITS = frozenset({OrderState.OPEN, OrderState.UNKNOWN})


class Acts:
    """One per session; on the loop thread."""

    def __init__(self, desk: Desk, pipeline: Pipeline, run: str) -> None:
        self._desk, self._pipeline, self._run = desk, pipeline, run
        self._sequence = 0

    def revoke(self, token: str, spender: str, *, inner: bool = False) -> Trade:
        """Take back what `spender` (0x address) may take of `token` (its symbol here, or 0x address); `inner`: through
        Permit2.

        Raises:
            SafetyError: it was not admitted.
        """
        return self._propose(self._intent(MANUAL, next(iter(self._desk.instruments)), Revoke(token, spender, inner)))

    def provide(self, symbol: str, act: Provide, module: str = MANUAL) -> Trade:
        """Open a position of liquidity.

        Raises:
            UsageError: there is no such instrument.
            SafetyError: it was not admitted.
        """
        quote = self._quote(symbol)
        # Counted at the higher of the ask and the upper price: what was sold to the pool on the way up is worth that.
        value = add(act.quote, mul(act.base, max(quote.ask, act.upper)))
        made = self._intent(module, symbol, act)
        return self._propose(replace(made, side=Side.BUY, reduce_only=False, quantity=value))

    def collect(self, position: str) -> Trade:
        """Take the fees of a position of liquidity (``EXCHANGE:NUMBER``).

        Raises:
            UsageError: no module has it.
            SafetyError: it was not admitted.
        """
        stake = self._stake(position)
        return self._propose(self._intent(stake.module, stake.symbol, Collect(position)))

    def withdraw(self, position: str) -> Trade:
        """End a position of liquidity.

        Raises:
            UsageError: no module has it.
            SafetyError: it was not admitted.
        """
        stake = self._stake(position)
        return self._propose(self._intent(stake.module, stake.symbol, Withdraw(position)))

    def _quote(self, symbol: str) -> Quote:
        quote = self._desk.market.quote(symbol)
        if quote is None:
            known = ", ".join(sorted(self._desk.instruments))
            raise UsageError("act.symbol", f"No market of {symbol[:40]!r} has been seen; there are: {known}.")
        return quote

    def _stake(self, position: str) -> Stake:
        found = [stake for stake in self._desk.state.stakes.open.values() if stake.position == position]
        if len(found) == 1:
            return found[0]
        known = ", ".join(sorted(stake.position for stake in self._desk.state.stakes.open.values())) or "none"
        raise UsageError("act.position", f"There is no position of liquidity {position[:40]!r}; open: {known}.")

    def cancel(self, trade: Trade, order: Order) -> Trade:
        """Put nothing in the place of a transaction that waits to be taken into a block.

        Raises:
            UsageError: it does not wait.
            SafetyError: it was not admitted.
        """
        self._must_wait(order)
        made = self._intent(trade.intent.module, trade.intent.symbol, Cancel())
        return self._propose(replace(made, replaces=order.request.client_id, reason=f"in the place of {trade.id[:8]}"))

    def bump(self, trade: Trade, order: Order) -> Trade:
        """Put the same trade, at the prices of now and within the bounds it had, with higher fees in the place of one
        whose transaction waits.

        Raises:
            UsageError: it does not wait.
            SafetyError: it was not admitted.
        """
        self._must_wait(order)
        old, now = trade.intent, self._desk.clock.now_ms()
        made = replace(
            old,
            id=self._next(),
            replaces=order.request.client_id,
            reason=f"in the place of {trade.id[:8]}, with higher fees",
            created_ms=now,
            expires_ms=now + self._desk.terms.proposal_expiry_ms,
            config_version=self._desk.terms.config_version,
            max_gas=self._max_gas(),
        )
        return self._propose(made)

    def _must_wait(self, order: Order) -> None:
        if order.request.kind is OrderKind.TRANSACTION and order.state in _WAITS:
            return
        what = (
            f"Order {order.request.client_id[:10]} is {order.state.value}: it does not wait to be taken into a block."
        )
        raise UsageError("replace.order", what, next_step="See what waits: countersign orders")

    def _intent(self, module: str, symbol: str, act: Act) -> Intent:
        """One that puts nothing at stake."""
        now = self._desk.clock.now_ms()
        return Intent(
            id=self._next(),
            module=module,
            symbol=symbol,
            side=Side.SELL,
            quantity=ZERO,
            worst_price=_ONE,
            max_fee=ZERO,
            exits=None,
            reason="by hand",
            created_ms=now,
            expires_ms=now + self._desk.terms.proposal_expiry_ms,
            config_version=self._desk.terms.config_version,
            reduce_only=True,
            max_gas=self._max_gas(),
            act=act,
        )

    def _propose(self, intent: Intent) -> Trade:
        verdict = judge(self._desk, intent)
        trade = None if isinstance(verdict, Deny) else self._pipeline.propose(intent)
        if trade is None:
            reason = verdict.reason if isinstance(verdict, Deny) else "The same is on its way already."
            raise SafetyError("act.denied", reason, next_step="Nothing was proposed.")
        return trade

    def _max_gas(self) -> Decimal:
        """What an act may spend on gas.

        Raises:
            SafetyError: nothing fresh says what the coin is worth.
        """
        most = self._desk.max_gas()
        if most is None:
            what = (
                f"Nothing fresh says what {self._desk.venue_info.gas_asset} is worth: no bound for its gas can be set."
            )
            raise SafetyError("act.gas", what, next_step="Nothing was proposed. Try again in a moment.")
        return most

    def _next(self) -> str:
        self._sequence += 1
        return intent_id(self._run, f"{MANUAL}.acts", self._sequence)
