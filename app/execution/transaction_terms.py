"""What the bytes of a trade's transactions must be: pure, from the intent, the settings and the bytes alone."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from app.execution.act_terms import unlike_act
from app.execution.chain_account import Account
from app.execution.records import Payload, Role
from app.money import CEILING, FLOOR, mul, quantise
from app.venues.evm.acts import Act, Approval, InnerApproval, Swap
from app.venues.evm.effects import paid
from app.venues.evm.planner import Wanted
from app.venues.evm.swap import Exact
from app.venues.evm.words import act_of
from strategies.model import Instrument, Intent, Side


def role_of(intent: Intent) -> Role:
    """What the order of the transaction that trades is for."""
    if intent.act is not None:
        return Role.ACT
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
    if payload is payloads[-1]:
        if payload.role is not role_of(intent):
            return "it does something else than was confirmed"
        return _unlike(account, instrument, intent, payload, act)
    _, last = act_of(payloads[-1].body)
    return _unlike_approval(account, last, payload, act)


def _unlike(account: Account, instrument: Instrument, intent: Intent, payload: Payload, act: Act) -> str | None:
    """The transaction that trades."""
    if intent.act is not None:
        return unlike_act(account, instrument, intent.act, payload.valid_until_ms, act)
    if isinstance(act, Swap):
        return _unlike_swap(wanted(account, instrument, intent, Decimal(0), act.deadline), payload.valid_until_ms, act)
    return "it does something else than was confirmed"


def _unlike_approval(account: Account, last: Act, payload: Payload, act: Act) -> str | None:
    """It allows exactly what the trade's last transaction pays at most; at Permit2 also to its router alone, and until
    its deadline.

    Raises:
        ValueError: the trade is paid through Permit2, which the settings do not name.
    """
    if payload.role is not Role.APPROVE or not isinstance(act, Approval | InnerApproval):
        return "it trades, where an approval was confirmed"
    if act not in paid(last, account.chain.permit2):
        return "it approves something else than what the trade pays"
    if isinstance(act, InnerApproval) and all(act.spender != dex.universal for dex in account.chain.dexes):
        return "it lets a contract take it that no exchange of the settings names"
    return None


def _unlike_swap(wanted: Wanted, valid_until_ms: int, act: Swap) -> str | None:
    pays, gets = wanted.pays, wanted.gets
    buys = wanted.exact is Exact.OUT
    exact, bound = (act.amount_out, act.amount_in) if buys else (act.amount_in, act.amount_out)
    ends = (act.token_in, act.coin_in, act.token_out, act.coin_out)
    # Of a token that takes a share of each transfer no router brings an exact amount: then it is the least.
    kind = Exact.IN if act.taxed else wanted.exact
    checks = (
        (ends != (pays.address, pays.native, gets.address, gets.native), "it swaps other tokens"),
        (act.recipient != wanted.recipient, "another account would receive what it brings"),
        (act.deadline * 1000 > valid_until_ms, "it may be mined later than was confirmed"),
        (act.exact is not kind, "the other amount is exact"),
        (exact != wanted.amount, "its exact amount is another one"),
        (bound > wanted.limit if buys else bound < wanted.limit, "its bound is worse than the trade's price"),
    )
    return next((words for wrong, words in checks if wrong), None)
