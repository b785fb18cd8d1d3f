"""What a contract's code shows without running it: which functions it answers, and whether it can run other code or end
itself. Pure.

Only instructions that can be reached in a straight line from the start or a jump's destination are looked at, so that
data, constants and the compiler's appendix are not taken for instructions, as far as that can be told.

Sources: EIP-1167 (minimal proxy), EIP-1967 (slots), EIP-1822 (slot), OpenZeppelin's earlier slot; the Solidity
documentation, "Contract metadata".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from app.venues.evm.safety.findings import Rule
from app.venues.evm.safety.powers import selectors
from signers.evm import keccak

_PUSH1, _PUSH4, _PUSH32, _JUMPDEST = 0x60, 0x63, 0x7F, 0x5B
_ENDS: Final = frozenset({0x00, 0x56, 0xF3, 0xFD, 0xFE, 0xFF})
"""STOP, JUMP, RETURN, REVERT, INVALID, SELFDESTRUCT: what follows is reached by a jump alone."""
_CALLCODE, _DELEGATECALL, _SELFDESTRUCT = 0xF2, 0xF4, 0xFF
_MINIMAL: Final = (
    (bytes.fromhex("363d3d373d3d3d363d73"), bytes.fromhex("5af43d82803e903d91602b57fd5bf3")),
    # The same with PUSH0 (Solady), and the older one with a selector's length in another place (0age).
    (bytes.fromhex("365f5f375f5f365f73"), bytes.fromhex("5af43d5f5f3e5f3d91602a57fd5bf3")),
    (bytes.fromhex("3d3d3d3d363d3d37363d73"), bytes.fromhex("5af43d3d93803e602a57fd5bf3")),
)
_LONGEST_APPENDIX: Final = 256


@lru_cache(maxsize=1)
def proxy_slots() -> dict[str, bytes]:
    """Where a proxy keeps what it runs, by what the slot is called."""

    def less_one(name: str) -> bytes:
        return (int.from_bytes(keccak(name.encode())) - 1).to_bytes(32)

    return {
        "implementation": less_one("eip1967.proxy.implementation"),
        "beacon": less_one("eip1967.proxy.beacon"),
        "proxiable": keccak(b"PROXIABLE"),
        "zeppelinos": keccak(b"org.zeppelinos.proxy.implementation"),
    }


@dataclass(frozen=True, slots=True)
class Code:
    """
    Attributes:
        powers: (rule, function) of `powers` that it answers, in order.
        target: whose code a minimal proxy runs; None: it is none.
    """

    size: int
    powers: tuple[tuple[Rule, str], ...] = ()
    delegates: bool = False
    destructs: bool = False
    target: bytes | None = None


def scan(code: bytes) -> Code:
    """What can be seen in a contract's code."""
    target = minimal_target(code)
    if target is not None:
        return Code(len(code), target=target)
    known, found = selectors(), dict[tuple[Rule, str], None]()
    delegates = destructs = False
    for instruction, argument in reachable(code):
        delegates |= instruction in {_CALLCODE, _DELEGATECALL}
        destructs |= instruction == _SELFDESTRUCT
        # A selector that begins with a zero is pushed in fewer bytes.
        if _PUSH1 < instruction <= _PUSH4 and (power := known.get(argument)) is not None:
            found[power] = None
    return Code(len(code), tuple(sorted(found)), delegates, destructs)


def minimal_target(code: bytes) -> bytes | None:
    """Whose code a minimal proxy runs, or None."""
    for head, tail in _MINIMAL:
        if code.startswith(head) and code[len(head) + 20 :].startswith(tail):
            return code[len(head) : len(head) + 20]
    return None


def reachable(code: bytes) -> Iterator[tuple[int, int]]:
    """(instruction, what it pushes or 0) in order."""
    at, end, runs = 0, len(code) - _appendix(code), True
    while at < end:
        instruction = code[at]
        length = instruction - _PUSH1 + 1 if _PUSH1 <= instruction <= _PUSH32 else 0
        runs = runs or instruction == _JUMPDEST
        if runs:
            yield instruction, int.from_bytes(code[at + 1 : at + 1 + length])
        runs = runs and instruction not in _ENDS
        at += 1 + length


def _appendix(code: bytes) -> int:
    """Bytes of the compiler's metadata at the end: a CBOR map and its length."""
    if len(code) < 2:
        return 0
    length = int.from_bytes(code[-2:]) + 2
    if length > min(len(code), _LONGEST_APPENDIX) or not 0xA1 <= code[-length] <= 0xA4:
        return 0
    return length
