"""What is shown is decoded from the bytes that are signed: encoding and decoding are inverse, and nothing else decodes.
That the bytes do on a chain what they say is tests/evm's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.venues.evm import abi
from app.venues.evm.chain import DexKind
from app.venues.evm.decode import decode
from app.venues.evm.swap import Approval, Call, Exact, Part, RouterKind, Segment, Swap, encode

ADDRESS = st.binary(min_size=20, max_size=20).filter(lambda a: int.from_bytes(a) > 2)
AMOUNT = st.integers(1, 2**255)
A, B, C = (bytes([n]) * 20 for n in (0xA, 0xB, 0xC))


@st.composite
def segments(draw: st.DrawFn, first: bytes, last: bytes, *, kinds: tuple[DexKind, ...]) -> tuple[Segment, ...]:
    made, token = [], first
    for number, kind in enumerate(kinds):
        between = draw(st.lists(ADDRESS, max_size=2))
        end = last if number == len(kinds) - 1 else draw(ADDRESS)
        tokens = (token, *between, end)
        fees = tuple(draw(st.integers(0, 2**24 - 1)) for _ in tokens[1:]) if kind is DexKind.V3 else ()
        made.append(Segment(kind, tokens, fees))
        token = end
    return tuple(made)


@st.composite
def swaps(draw: st.DrawFn) -> Swap:
    first, last, exact = draw(ADDRESS), draw(ADDRESS), draw(st.sampled_from(Exact))
    kind, parts = draw(st.sampled_from(RouterKind)), []
    ends = {"coin_in": draw(st.booleans()), "coin_out": draw(st.booleans())}
    if kind is RouterKind.V2:
        if all(ends.values()):
            ends["coin_out"] = False  # Router02 has no function from coin to coin
        parts = [Part(draw(segments(first, last, kinds=(DexKind.V2,))), draw(AMOUNT), draw(AMOUNT))]
    else:
        for _ in range(draw(st.integers(1, 3))):
            most = 3 if exact is Exact.IN else 1
            kinds = tuple(draw(st.lists(st.sampled_from(DexKind), min_size=1, max_size=most)))
            part = Part(
                draw(segments(first, last, kinds=kinds)), draw(st.integers(1, 2**200)), draw(st.integers(1, 2**200))
            )
            parts.append(part)
    taxed = kind is RouterKind.V2 and exact is Exact.IN and draw(st.booleans())
    deadline = draw(st.integers(1, 2**40))
    return Swap(draw(ADDRESS), kind, exact, tuple(parts), draw(ADDRESS), deadline, taxed=taxed, **ends)


@settings(max_examples=300, deadline=None)
@given(swaps())
def test_a_swap_is_read_back_from_its_bytes(swap: Swap) -> None:
    assert decode(encode(swap)) == swap


@given(ADDRESS, ADDRESS, st.integers(0, 2**256 - 1))
def test_an_approval_is_read_back_from_its_bytes(token: bytes, spender: bytes, amount: int) -> None:
    assert decode(encode(Approval(token, spender, amount))) == Approval(token, spender, amount)


@settings(max_examples=300, deadline=None)
@given(swaps(), st.data())
def test_a_changed_byte_is_another_act_or_none(swap: Swap, data: st.DataObject) -> None:
    call = encode(swap)
    at = data.draw(st.integers(0, len(call.data) - 1))
    changed = bytearray(call.data)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        read = decode(Call(call.to, bytes(changed), call.value))
    except ValueError:
        return
    assert read != swap
    assert encode(read).data == bytes(changed)


@pytest.mark.parametrize(
    ("why", "call"),
    [
        ("nothing", Call(A, b"")),
        ("a transfer", Call(A, abi.TRANSFER.encode(B, 1))),
        ("bytes behind an approval", Call(A, abi.APPROVE.encode(B, 1) + bytes(1))),
        ("coins sent along with an approval", Call(A, abi.APPROVE.encode(B, 1), 1)),
        ("coins sent along with a swap of tokens", Call(A, abi.V2_EXACT_IN.encode(1, 1, [A, B], C, 9), 1)),
        ("an empty multicall", Call(A, abi.MULTICALL.encode(9, []))),
        ("a multicall with an approval in it", Call(A, abi.MULTICALL.encode(9, [abi.APPROVE.encode(B, 1)]))),
        (
            "two receivers",
            Call(A, abi.MULTICALL.encode(9, [abi.R_V2_EXACT_IN.encode(1, 1, [A, B], to) for to in (B, C)])),
        ),
        (
            "two tokens received",
            Call(A, abi.MULTICALL.encode(9, [abi.R_V2_EXACT_IN.encode(1, 1, [A, token], C) for token in (B, C)])),
        ),
        (
            "a part that keeps what it brings in the router",
            Call(A, abi.MULTICALL.encode(9, [abi.R_V2_EXACT_IN.encode(1, 1, [A, B], (2).to_bytes(20))])),
        ),
        ("a path of nothing", Call(A, abi.V2_EXACT_IN.encode(1, 1, [], C, 9))),
        ("a path of one token", Call(A, abi.V2_EXACT_IN.encode(1, 1, [A], C, 9))),
        ("nothing paid", Call(A, abi.V2_EXACT_IN.encode(0, 1, [A, B], C, 9))),
    ],
)
def test_what_no_screen_could_say_is_not_read(why: str, call: Call) -> None:
    try:
        read = decode(call)
    except ValueError:
        return
    assert why == "a part that keeps what it brings in the router"
    assert isinstance(read, Swap)
    assert read.recipient == (2).to_bytes(20), "shown as what it is, and refused by who prepares it"
