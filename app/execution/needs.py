"""What a trade must have reserved before it begins: exactly its intent's bounds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.execution.purse import base_hold, gas_hold
from app.execution.standing_terms import is_standing
from app.money import ZERO, add
from app.risk.basket import notional
from strategies.acts import Cycle, Provide
from strategies.model import Instrument, Intent, Side


@dataclass(frozen=True, slots=True)
class Need:
    """One reservation; `part`: "" what is paid, "base" the base asset beside it, "gas" the gas."""

    part: str
    asset: str
    amount: Decimal

    def hold_id(self, trade_id: str) -> str:
        """Under what the purse keeps it."""
        return {"": trade_id, "base": base_hold(trade_id), "gas": gas_hold(trade_id)}[self.part]


def needs_of(intent: Intent, instrument: Instrument, coin: str) -> tuple[Need, ...]:
    """Everything that a trade pays with.

    Args:
        coin: what gas is paid in; "" where a venue has none.
    """
    gas = (Need("gas", coin, intent.max_gas),) if intent.max_gas else ()
    return (*_paid(intent, instrument), *gas)


def _paid(intent: Intent, instrument: Instrument) -> tuple[Need, ...]:
    act = intent.act
    if act is None:
        if is_standing(intent):  # what it would sell stays free: whatever else closes the position makes an end of it
            return (Need("", instrument.base, ZERO),)
        if intent.side is Side.SELL:
            return (Need("", instrument.base, intent.quantity),)
        return (Need("", instrument.quote, add(notional(intent), intent.max_fee)),)
    if isinstance(act, Cycle):
        return (Need("", act.asset, act.amount),)
    if isinstance(act, Provide):
        both = (Need("", instrument.quote, act.quote), Need("base", instrument.base, act.base))
        return tuple(need for need in both if need.amount > ZERO)
    return ()
