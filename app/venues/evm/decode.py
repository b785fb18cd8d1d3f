"""What a swap of ours does, read from its bytes alone. That they say no more than that is for who reads them to prove
(`app.venues.evm.acts.decode`).
"""

from __future__ import annotations

from typing import Final

from app.venues.evm import abi
from app.venues.evm.chain import DexKind
from app.venues.evm.swap import ALL, Call, Exact, Part, RouterKind, Segment, Swap

_V2: Final = {
    abi.V2_EXACT_IN: (Exact.IN, False, False, False),
    abi.V2_EXACT_OUT: (Exact.OUT, False, False, False),
    abi.V2_EXACT_COIN_IN: (Exact.IN, True, False, False),
    abi.V2_COIN_FOR_EXACT: (Exact.OUT, True, False, False),
    abi.V2_EXACT_FOR_COIN: (Exact.IN, False, True, False),
    abi.V2_FOR_EXACT_COIN: (Exact.OUT, False, True, False),
    abi.V2_TAXED: (Exact.IN, False, False, True),
    abi.V2_TAXED_COIN_IN: (Exact.IN, True, False, True),
    abi.V2_TAXED_FOR_COIN: (Exact.IN, False, True, True),
}
"""Which amount is exact, coin paid, coin received, taxed."""


def read_swap(call: Call) -> Swap:
    """The swap of a call of a router.

    Raises:
        ValueError: it is none.
    """
    return _many(call) if call.data[:4] == abi.MULTICALL.selector else _router02(call)


def _router02(call: Call) -> Swap:
    function = next((each for each in _V2 if call.data[:4] == each.selector), None)
    if function is None:
        raise ValueError(f"a call of an unknown function, 0x{call.data[:4].hex()}")
    exact, coin_in, coin_out, taxed = _V2[function]
    *amounts, path, recipient, deadline = function.decode(call.data)
    if coin_in:
        paid, received = call.value, amounts[0]
    elif exact is Exact.OUT:
        received, paid = amounts
    else:
        paid, received = amounts
    part = Part((Segment(DexKind.V2, path),), paid, received)
    return Swap(call.to, RouterKind.V2, exact, (part,), recipient, deadline, coin_in, coin_out, taxed)


def _many(call: Call) -> Swap:
    deadline, calls = abi.MULTICALL.decode(call.data)
    inner = list(calls)
    coin_in, refunds = call.value > 0, False
    if inner and inner[-1] == abi.REFUND.encode():
        refunds = bool(inner.pop())
    unwrapped = None
    if inner and inner[-1][:4] == abi.UNWRAP.selector:
        _, unwrapped = abi.UNWRAP.decode(inner.pop())
    segments = [_segment(each) for each in inner]
    parts: list[Part] = []
    pending: list[Segment] = []
    amount_in, recipient = 0, b""
    for number, (_, segment, paid, received, to) in enumerate(segments):
        amount_in = amount_in if pending else paid
        pending.append(segment)
        if number + 1 < len(segments) and segments[number + 1][2] == ALL:
            continue  # the next call goes on with what this one brings
        parts.append(Part(tuple(pending), amount_in, received))
        pending, recipient = [], to
    exacts = {exact for exact, *_ in segments}
    if len(exacts) != 1 or refunds != (coin_in and exacts == {Exact.OUT}):
        raise ValueError("a multicall that is no swap")
    return Swap(
        router=call.to,
        kind=RouterKind.MANY,
        exact=exacts.pop(),
        parts=tuple(parts),
        recipient=recipient if unwrapped is None else unwrapped,
        deadline=deadline,
        coin_in=coin_in,
        coin_out=unwrapped is not None,
    )


def _segment(data: bytes) -> tuple[Exact, Segment, int, int, bytes]:
    """Which amount is exact, the pools, what is paid, what is received, who receives."""
    selector = data[:4]
    if selector == abi.R_V2_EXACT_IN.selector:
        paid, received, path, to = abi.R_V2_EXACT_IN.decode(data)
        return Exact.IN, Segment(DexKind.V2, path), paid, received, to
    if selector == abi.R_V2_EXACT_OUT.selector:
        received, paid, path, to = abi.R_V2_EXACT_OUT.decode(data)
        return Exact.OUT, Segment(DexKind.V2, path), paid, received, to
    if selector == abi.V3_EXACT_IN.selector:
        ((packed, to, paid, received),) = abi.V3_EXACT_IN.decode(data)
        return Exact.IN, unpacked(packed), paid, received, to
    ((packed, to, received, paid),) = abi.V3_EXACT_OUT.decode(data)
    back = unpacked(packed)
    return Exact.OUT, Segment(back.kind, back.tokens[::-1], back.fees[::-1]), paid, received, to


def unpacked(packed: bytes) -> Segment:
    """The inverse of `Segment.path`."""
    if len(packed) < 43 or (len(packed) - 20) % 23:
        raise ValueError("not a path of V3 pools")
    tokens = tuple(packed[at : at + 20] for at in range(0, len(packed), 23))
    fees = tuple(int.from_bytes(packed[at : at + 3]) for at in range(20, len(packed), 23))
    return Segment(DexKind.V3, tokens, fees)
