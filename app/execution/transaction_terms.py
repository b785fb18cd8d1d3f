"""What the bytes of a trade's transactions must be: pure, from the intent, the settings and the bytes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.execution.records import Payload, Role
from app.money import CEILING, FLOOR, mul, quantise
from app.venues.evm.chain import Chain, Token
from app.venues.evm.planner import Wanted
from app.venues.evm.swap import Approval, Exact, Swap
from app.venues.evm.words import act_of
from strategies.model import Instrument, Intent, Side


@dataclass(frozen=True, slots=True)
class Account:
    """Who swaps where: 20 bytes of address on a chain."""

    chain: Chain
    address: bytes

    def token(self, symbol: str) -> Token:
        """A token of an instrument; instruments are made of the chain's tokens."""
        found = self.chain.token(symbol)
        assert found is not None, symbol
        return found

    def named(self, address: bytes) -> Token:
        """A token by its address: the wrapped coin, not the coin."""
        return next(token for token in self.chain.tokens if token.address == address)


def role_of(intent: Intent) -> Role:
    """What the order of the swap is for."""
    return Role.CLOSE if intent.reduce_only else Role.ENTRY


def wanted(account: Account, instrument: Instrument, intent: Intent, slippage_bps: Decimal, deadline: int) -> Wanted:
    """An intent as a swap: a buy receives exactly its quantity, a sale pays exactly its quantity; the other amount is
    bounded by the worst price, rounded to the trader's side."""
    base, quote = account.token(instrument.base), account.token(instrument.quote)
    buys, value = intent.side is Side.BUY, mul(intent.quantity, intent.worst_price)
    return Wanted(
        pays=quote if buys else base,
        gets=base if buys else quote,
        exact=Exact.OUT if buys else Exact.IN,
        amount=base.base_units(intent.quantity),
        limit=quote.base_units(quantise(value, quote.decimals, FLOOR if buys else CEILING)),
        slippage_bps=int(slippage_bps),
        recipient=account.address,
        deadline=deadline,
    )


def unlike(
    account: Account, instrument: Instrument, intent: Intent, payloads: Sequence[Payload], payload: Payload
) -> str | None:
    """Why a transaction of a trade is not what the trade wants, or None.

    Args:
        payloads: all of the trade, `payload` among them.

    Raises:
        ValueError: its bytes can not be read.
    """
    fields, act = act_of(payload.body)
    if fields.chain_id != account.chain.chain_id:
        return f"it is of chain {fields.chain_id}"
    if isinstance(act, Swap):
        return _unlike_swap(wanted(account, instrument, intent, Decimal(0), act.deadline), intent, payload, act)
    _, swap = act_of(payloads[-1].body)
    return _unlike_approval(swap, payload, act)


def _unlike_approval(swap: Swap | Approval, payload: Payload, act: Approval) -> str | None:
    """It lets the router of the trade's swap take exactly what the swap pays at most."""
    if payload.role is not Role.APPROVE or isinstance(swap, Approval):
        return "it approves, where a swap was confirmed"
    if (act.token, act.spender, act.amount) != (swap.token_in, swap.router, swap.amount_in):
        return "it approves something else than what the swap pays"
    return None


def _unlike_swap(wanted: Wanted, intent: Intent, payload: Payload, act: Swap) -> str | None:
    pays, gets = wanted.pays, wanted.gets
    buys = wanted.exact is Exact.OUT
    exact, bound = (act.amount_out, act.amount_in) if buys else (act.amount_in, act.amount_out)
    ends = (act.token_in, act.coin_in, act.token_out, act.coin_out)
    checks = (
        (payload.role is not role_of(intent), "it swaps, where something else was confirmed"),
        (ends != (pays.address, pays.native, gets.address, gets.native), "it swaps other tokens"),
        (act.recipient != wanted.recipient, "another account would receive what it brings"),
        (act.deadline * 1000 > payload.valid_until_ms, "it may be mined later than was confirmed"),
        (act.exact is not wanted.exact, "the other amount is exact"),
        (exact != wanted.amount, "its exact amount is another one"),
        (bound > wanted.limit if buys else bound < wanted.limit, "its bound is worse than the trade's price"),
    )
    return next((words for wrong, words in checks if wrong), None)
