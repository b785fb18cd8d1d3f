"""The one purse: what the venue holds for us, and what trades in flight have reserved of it.

`reserve` checks and reserves in one synchronous call on the loop thread. There is no await inside, so no second trade
can see the money between the check and the hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.money import ZERO, add, sub

_GAS: Final = ":gas"
_BASE: Final = ":base"


def gas_hold(trade_id: str) -> str:
    """Under what a trade's second hold is kept: the gas of its transactions, in the chain's own coin."""
    return f"{trade_id}{_GAS}"


def base_hold(trade_id: str) -> str:
    """Under what the base asset is kept of a trade that pays with both."""
    return f"{trade_id}{_BASE}"


def trade_of(hold_id: str) -> str:
    """The trade that a hold belongs to."""
    return hold_id.removesuffix(_GAS).removesuffix(_BASE)


@dataclass(slots=True)
class Hold:
    """A reservation: `remaining` only ever shrinks, and is 0 when the trade has ended."""

    asset: str
    amount: Decimal
    remaining: Decimal


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why a reservation was refused."""

    asset: str
    needed: Decimal
    available: Decimal


class Purse:
    """Balances and holds of one venue account, in memory; the ledger on disk is the truth it is rebuilt from."""

    def __init__(self) -> None:
        self._balances: dict[str, Decimal] = {}
        self._held: dict[str, Decimal] = {}
        self.holds: dict[str, Hold] = {}

    def balance(self, asset: str) -> Decimal:
        """Everything the venue holds of `asset`, reserved or not."""
        return self._balances.get(asset, ZERO)

    def balances(self) -> dict[str, Decimal]:
        """All balances that are not zero."""
        return {asset: amount for asset, amount in sorted(self._balances.items()) if amount}

    def available(self, asset: str) -> Decimal:
        """Balance minus holds."""
        return sub(self.balance(asset), self._held.get(asset, ZERO))

    def held(self, asset: str) -> Decimal:
        """What trades in flight have reserved of `asset`."""
        return self._held.get(asset, ZERO)

    def move(self, asset: str, amount: Decimal) -> None:
        """A posting to the venue account."""
        self._balances[asset] = add(self.balance(asset), amount)

    def reserve(self, hold_id: str, asset: str, amount: Decimal, *, spoken_for: Decimal = ZERO) -> Shortfall | None:
        """Hold `amount` for a trade, or say what is missing. `spoken_for` is committed elsewhere (resting exits)."""
        if hold_id in self.holds:
            raise ValueError(f"trade {hold_id} holds a reservation already")
        available = sub(self.available(asset), spoken_for)
        if amount > available:
            return Shortfall(asset, amount, available)
        self.holds[hold_id] = Hold(asset, amount, amount)
        self._held[asset] = add(self.held(asset), amount)
        return None

    def of(self, trade_id: str) -> list[tuple[str, Hold]]:
        """What a trade holds, each with its id: what it pays with, and its gas."""
        ids = (trade_id, base_hold(trade_id), gas_hold(trade_id))
        return [(hold_id, self.holds[hold_id]) for hold_id in ids if hold_id in self.holds]

    def restore(self, hold_id: str, hold: Hold) -> None:
        """Put back a hold read from disk."""
        self.holds[hold_id] = hold
        self._held[hold.asset] = add(self.held(hold.asset), hold.remaining)

    def shrink(self, hold_id: str, remaining: Decimal) -> Hold:
        """Lower what a trade still holds.

        Raises:
            ValueError: `remaining` is larger than before; a hold never grows.
        """
        hold = self.holds[hold_id]
        if remaining > hold.remaining or remaining < 0:
            raise ValueError(f"the hold of {hold_id} can not go from {hold.remaining} to {remaining} {hold.asset}")
        self._held[hold.asset] = sub(self.held(hold.asset), sub(hold.remaining, remaining))
        hold.remaining = remaining
        return hold

    def release(self, trade_id: str) -> list[tuple[str, Hold]]:
        """End a trade's holds; empty when it has none."""
        ended = self.of(trade_id)
        for hold_id, _ in ended:
            self.shrink(hold_id, ZERO)
            del self.holds[hold_id]
        return ended
