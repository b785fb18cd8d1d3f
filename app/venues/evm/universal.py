"""Swaps of Uniswap's UniversalRouter, paid in a token that Permit2 lets it take: as bytes, and read from them.

A call names commands, a byte each, and gives each its inputs. Of all that the router can do only these are written:
swaps of V2 and V3 pools, of which the first of each route is paid by who sends it, and at the end the wrapped coin paid
out as the coin. Every other byte is not read, among them the flag that lets a command fail and the rest go on.

Sources: universal-router, Commands.sol, Dispatcher.sol, V2SwapRouter.sol, V3SwapRouter.sol, Payments.sol of 1.6.0,
2.0.0, 2.1.0, 2.1.1 and 2.2.0. From 2.1.1 on a swap has a sixth input, the least price of each hop, and reads it: empty
is none. Those before find each input by its offset and read five, so that the longer form is right for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.venues.evm import abi
from app.venues.evm.abi import Function
from app.venues.evm.chain import DexKind
from app.venues.evm.decode import unpacked
from app.venues.evm.swap import TO_ROUTER, Call, Exact, Part, RouterKind, Segment, Swap

ALL: Final = 2**255
"""``CONTRACT_BALANCE``: as much as the router has; 0 would mean that the pool was paid already."""
_UNWRAP: Final = 0x0C
_COMMANDS: Final = {
    0x00: (DexKind.V3, Exact.IN),
    0x01: (DexKind.V3, Exact.OUT),
    0x08: (DexKind.V2, Exact.IN),
    0x09: (DexKind.V2, Exact.OUT),
}
_NUMBERS: Final = {kind: number for number, kind in _COMMANDS.items()}
_INPUTS: Final = {
    DexKind.V2: Function("v2", ("address", "uint256", "uint256", "address[]", "bool", "uint256[]")),
    DexKind.V3: Function("v3", ("address", "uint256", "uint256", "bytes", "bool", "uint256[]")),
}
"""Recipient, the exact amount, the bound of the other, path, whether the sender pays, least prices. Inputs are written
as arguments are, without a selector."""
_PAYOUT: Final = Function("unwrap", ("address", "uint256"))


def universal_call(swap: Swap) -> Call:
    """The call that does it.

    Raises:
        ValueError: an amount that the router would take for another.
    """
    if any(part.amount_in == ALL for part in swap.parts):
        raise ValueError("the router takes that amount for all that it has")
    steps = [step for part in swap.parts for step in _steps(swap, part)]
    if swap.coin_out:
        steps.append((_UNWRAP, _PAYOUT.encode(swap.recipient, swap.amount_out)[4:]))
    commands, inputs = bytes(number for number, _ in steps), [each for _, each in steps]
    return Call(swap.router, abi.EXECUTE.encode(commands, inputs, swap.deadline))


def _steps(swap: Swap, part: Part) -> Iterator[tuple[int, bytes]]:
    """One command for each segment; between two of them the router holds what the first has brought."""
    to, last = TO_ROUTER if swap.coin_out else swap.recipient, len(part.segments) - 1
    if swap.exact is Exact.OUT:
        yield _step(Exact.OUT, part.segments[0], to, part.amount_out, part.amount_in, pays=True)
        return
    for number, segment in enumerate(part.segments):
        amount = part.amount_in if number == 0 else ALL
        least, receiver = (part.amount_out, to) if number == last else (0, TO_ROUTER)
        yield _step(Exact.IN, segment, receiver, amount, least, pays=number == 0)


def _step(exact: Exact, segment: Segment, to: bytes, amount: int, bound: int, *, pays: bool) -> tuple[int, bytes]:
    inputs = _INPUTS[segment.kind].encode(to, amount, bound, _path(segment, exact), pays, ())
    return _NUMBERS[segment.kind, exact], inputs[4:]


def _path(segment: Segment, exact: Exact) -> tuple[bytes, ...] | bytes:
    if segment.kind is DexKind.V2:
        return segment.tokens
    return (segment if exact is Exact.IN else _back(segment)).path


def _back(segment: Segment) -> Segment:
    """V3 walks an exact-out path from its end."""
    return Segment(segment.kind, segment.tokens[::-1], segment.fees[::-1])


def read_universal(call: Call) -> Swap:
    """The swap of a call of a universal router. That its bytes say no more than that is for who reads them to prove
    (`app.venues.evm.acts.decode`).

    Raises:
        ValueError: it is none that we write.
    """
    commands, inputs, deadline = abi.EXECUTE.decode(call.data)
    if len(commands) != len(inputs):
        raise ValueError("not as many inputs as commands")
    steps = list(zip(commands, inputs, strict=True))
    unwrapped = None
    if steps and steps[-1][0] == _UNWRAP:
        unwrapped, _ = _PAYOUT.decode(_PAYOUT.selector + steps.pop()[1])
    read = [_read(*step) for step in steps]
    if len({each.exact for each in read}) != 1:
        raise ValueError("commands that are no swap")
    exact, parts = read[0].exact, []
    firsts = [number for number, each in enumerate(read) if each.pays]
    for begin, end in zip(firsts, [*firsts[1:], len(read)], strict=True):
        route = read[begin:end]
        amounts = (route[0].amount, route[-1].bound)
        parts.append(Part(tuple(each.segment for each in route), *(amounts[::-1] if exact is Exact.OUT else amounts)))
    return Swap(
        router=call.to,
        kind=RouterKind.UNIVERSAL,
        exact=exact,
        parts=tuple(parts),
        recipient=read[-1].to if unwrapped is None else unwrapped,
        deadline=deadline,
        coin_out=unwrapped is not None,
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """One command. `amount` is exact, `bound` that of the other; `pays`: who sends the transaction pays it."""

    exact: Exact
    segment: Segment
    to: bytes
    amount: int
    bound: int
    pays: bool


def _read(command: int, data: bytes) -> _Read:
    if command not in _COMMANDS:
        raise ValueError(f"a command that is none of ours, 0x{command:02x}")
    kind, exact = _COMMANDS[command]
    form = _INPUTS[kind]
    to, amount, bound, path, pays, _ = form.decode(form.selector + data)
    segment = Segment(kind, path) if kind is DexKind.V2 else unpacked(path)
    if kind is DexKind.V3 and exact is Exact.OUT:
        segment = _back(segment)
    return _Read(exact, segment, to, amount, bound, pays)
