"""Leave to take positions of liquidity, as their contract gives it (EIP-721): over one of them to one spender, or over
all of an owner's to an operator. Pages that phish ask for it: who has it takes the position, and what lies in it.

This program gives nobody such leave, so that only taking it back can be said here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.venues.evm import abi
from app.venues.evm.chain import ZERO_ADDRESS, Chain
from app.venues.evm.naming import name_of
from app.venues.evm.swap import Call
from signers.evm import checksum

EVERY: Final = 0
"""In the place of a number: all positions that an account has at one manager, which numbers them from 1."""
_ALL: Final = "all"
_MOST: Final = 2**256
_DIGITS: Final = len(str(_MOST))


@dataclass(frozen=True, slots=True)
class Release:
    """Nobody has leave over this one position any more; who may take all of them still may."""

    manager: bytes
    position: int

    def __post_init__(self) -> None:
        if not EVERY < self.position < _MOST:
            raise ValueError("positions are numbered from 1")


@dataclass(frozen=True, slots=True)
class Dismissal:
    """`operator` may take no position of the account any more."""

    manager: bytes
    operator: bytes


def leave_call(act: Release | Dismissal) -> Call:
    """The call that does it."""
    if isinstance(act, Release):
        return Call(act.manager, abi.APPROVE.encode(ZERO_ADDRESS, act.position))
    return Call(act.manager, abi.SET_OPERATOR.encode(act.operator, False))


def read_leave(call: Call) -> Release | Dismissal | None:
    """The inverse; None for what else an `approve` says.

    Raises:
        ValueError: it gives leave, or is none of these calls.
    """
    if call.data[:4] == abi.APPROVE.selector:
        spender, number = abi.APPROVE.decode(call.data)
        return Release(call.to, number) if spender == ZERO_ADDRESS and number else None
    operator, allowed = abi.SET_OPERATOR.decode(call.data)
    if allowed:
        raise ValueError("it would let somebody take every position")
    return Dismissal(call.to, operator)


def leave_words(chain: Chain, act: Release | Dismissal) -> list[str]:
    """The lines of one.

    Raises:
        ValueError: it goes to a contract that no exchange of the settings names.
    """
    if isinstance(act, Release):
        name = leave_name(chain, act.manager, act.position)
        kept = "who may take every position still may"
        return [f"REVOKE {name}", "nobody may take this one", kept, "positions are those of", checksum(act.manager)]
    return [
        f"REVOKE {leave_name(chain, act.manager, EVERY)}",
        f"{name_of(chain, act.operator)} may take no position",
        checksum(act.operator),
        "positions are those of",
        checksum(act.manager),
    ]


def leave_name(chain: Chain, manager: bytes, number: int) -> str:
    """What may be taken: ``EXCHANGE:NUMBER`` or ``EXCHANGE:all``.

    Raises:
        ValueError: no exchange of the settings has that manager.
    """
    found = next((dex.name for dex in chain.dexes if dex.positions == manager), None)
    if found is None:
        raise ValueError("it goes to a contract that no exchange of the settings names")
    return f"{found}:{_ALL if number == EVERY else number}"


def leave_of(chain: Chain, name: str) -> tuple[bytes, int] | None:
    """Manager and number of such a name; None for any other."""
    exchange, colon, number = name.rpartition(":")
    manager = next((dex.positions for dex in chain.dexes if dex.name == exchange), None)
    if not colon or manager is None:
        return None
    if number == _ALL:
        return manager, EVERY
    if not number.isascii() or not number.isdecimal() or number[0] == "0" or len(number) > _DIGITS:
        return None
    return (manager, int(number)) if int(number) < _MOST else None
