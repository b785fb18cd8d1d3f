"""Everything that a transaction of ours can do, as values and as bytes.

`encode` and `decode` are inverse: what is shown to the trader is decoded from the bytes that are signed, and bytes that
`encode` would not have written are not shown, and so not signed.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.venues.evm import abi
from app.venues.evm.decode import read_swap
from app.venues.evm.liquidity.calls import Collect, Open, Withdraw, liquidity_call, read_liquidity
from app.venues.evm.liquidity.leave import Dismissal, Release, leave_call, read_leave
from app.venues.evm.swap import Approval, Call, InnerApproval, RouterKind, Swap, swap_call
from app.venues.evm.universal import read_universal, universal_call

__all__ = [
    "Act",
    "Approval",
    "Call",
    "Collect",
    "Dismissal",
    "InnerApproval",
    "Nothing",
    "Open",
    "Plain",
    "Release",
    "Swap",
    "Withdraw",
    "decode",
    "encode",
]


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing at all, sent to `account`: it takes the place of another transaction of the same nonce."""

    account: bytes


Plain = Approval | InnerApproval | Nothing | Release | Dismissal
"""What moves nothing but gas."""
Act = Plain | Swap | Open | Collect | Withdraw

_OF_MANAGER = frozenset(
    each.selector for each in (abi.P_MULTICALL, abi.MINT, abi.COLLECT)
)  # what is taken out is collected at once, so that it is always a multicall


def encode(act: Act) -> Call:
    """The call that does it."""
    match act:
        case Swap():
            return universal_call(act) if act.kind is RouterKind.UNIVERSAL else swap_call(act)
        case Approval():
            return Call(act.token, abi.APPROVE.encode(act.spender, act.amount))
        case Nothing():
            return Call(act.account, b"")
        case InnerApproval():
            return Call(act.permit2, abi.INNER_APPROVE.encode(act.token, act.spender, act.amount, act.expires))
        case Release() | Dismissal():
            return leave_call(act)
        case _:
            return liquidity_call(act)


def decode(call: Call) -> Act:
    """The inverse of `encode`.

    Raises:
        ValueError: nothing that `encode` writes.
    """
    act = _read(call)
    if encode(act) != call:
        raise ValueError("a call that says more than can be told of it")
    return act


def _read(call: Call) -> Act:
    selector = call.data[:4]
    if not call.data:
        return Nothing(call.to)
    if selector in {abi.APPROVE.selector, abi.SET_OPERATOR.selector}:
        return read_leave(call) or Approval(call.to, *abi.APPROVE.decode(call.data))
    if selector == abi.INNER_APPROVE.selector:
        return InnerApproval(call.to, *abi.INNER_APPROVE.decode(call.data))
    if selector == abi.EXECUTE.selector:
        return read_universal(call)
    if selector in _OF_MANAGER:
        return read_liquidity(call)
    return read_swap(call)
