"""What is shown is decoded from the bytes that are signed: encoding and decoding are inverse, and nothing else decodes.
That the bytes do on a chain what they say is tests/evm's."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode as encode_abi
from hypothesis import given, settings
from hypothesis import strategies as st

from app.venues.evm import abi
from app.venues.evm.acts import decode, encode
from app.venues.evm.chain import DexKind
from app.venues.evm.swap import Approval, Call, Exact, Part, RouterKind, Segment, Swap

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
    if kind is RouterKind.UNIVERSAL:
        ends["coin_in"] = False  # the coin needs no leave
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


@settings(max_examples=300)
@given(swaps())
def test_a_swap_is_read_back_from_its_bytes(swap: Swap) -> None:
    assert decode(encode(swap)) == swap


@given(ADDRESS, ADDRESS, st.integers(0, 2**256 - 1))
def test_an_approval_is_read_back_from_its_bytes(token: bytes, spender: bytes, amount: int) -> None:
    assert decode(encode(Approval(token, spender, amount))) == Approval(token, spender, amount)


@settings(max_examples=300)
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


ONE = (C, 5, 4, (A, B), True, ())
ROUTE = (C, 5, 4, A + (500).to_bytes(3) + B, True, ())
V2_INPUTS = ["address", "uint256", "uint256", "address[]", "bool", "uint256[]"]
V3_INPUTS = ["address", "uint256", "uint256", "bytes", "bool", "uint256[]"]


def executed(*steps: tuple[int, tuple[Any, ...]], value: int = 0, more: tuple[bytes, ...] = ()) -> Call:
    """A call of a universal router, command by command."""
    forms = {0x00: V3_INPUTS, 0x01: V3_INPUTS, 0x08: V2_INPUTS, 0x09: V2_INPUTS, 0x0C: ["address", "uint256"]}
    inputs = [encode_abi(forms[number & 0x3F], given) for number, given in steps]
    return Call(A, abi.EXECUTE.encode(bytes(number for number, _ in steps), [*inputs, *more], 9), value)


def test_what_a_universal_router_is_told() -> None:
    """The form that is its own: written here once more by the source, not by what encodes it."""
    for number, kind, exact in ((0x08, DexKind.V2, Exact.IN), (0x09, DexKind.V2, Exact.OUT)):
        part = Part((Segment(kind, (A, B)),), *((5, 4) if exact is Exact.IN else (4, 5)))
        assert encode(Swap(A, RouterKind.UNIVERSAL, exact, (part,), C, 9)) == executed((number, ONE))
    part = Part((Segment(DexKind.V3, (A, B), (500,)),), 5, 4)
    assert encode(Swap(A, RouterKind.UNIVERSAL, Exact.IN, (part,), C, 9)) == executed((0x00, ROUTE))
    paid_out = Swap(A, RouterKind.UNIVERSAL, Exact.IN, (part,), C, 9, coin_out=True)
    with pytest.raises(ValueError, match="paid in tokens"):
        Swap(A, RouterKind.UNIVERSAL, Exact.IN, (part,), C, 9, coin_in=True)
    kept = ((2).to_bytes(20), *ROUTE[1:])
    assert encode(paid_out) == executed((0x00, kept), (0x0C, (C, 4)))


@pytest.mark.parametrize(
    "call",
    [
        executed((0x88, ONE)),
        executed((0x48, ONE)),
        executed((0x08, (*ONE[:4], False, ()))),
        executed((0x08, (*ONE[:5], (7,)))),
        executed((0x08, ONE), value=1),
        executed((0x08, ONE), more=(b"",)),
        executed((0x08, ONE), (0x08, (C, 2**255, 4, (A, B), True, ()))),
        executed((0x08, ((2).to_bytes(20), 5, 0, (A, B), True, ())), (0x00, (C, 0, 4, B + ROUTE[3][20:], False, ()))),
        executed((0x08, ONE), (0x01, ROUTE)),
        executed((0x08, ONE), (0x0C, (C, 4))),
        executed((0x0C, (C, 4))),
        executed((0x0C, (C, 4)), (0x08, ONE)),
        executed(),
        Call(A, abi.EXECUTE.encode(b"\x0b", [bytes(64)], 9)),
        Call(A, abi.EXECUTE.encode(b"\x0a\x08", [bytes(64), executed((0x08, ONE)).data[-256:]], 9)),
        Call(A, abi.EXECUTE.encode(b"\x08", [b""], 9)),
    ],
    ids=[
        "one that may fail", "an unknown bit", "paid by the router", "least prices", "coins sent along",
        "more inputs than commands", "all that the router has, paid by the sender", "a pool that was paid already",
        "exact in both", "a receiver before the payout", "a payout alone", "a payout first", "nothing",
        "a wrapping", "a signed permit", "no inputs",
    ],
)  # fmt: skip
def test_what_is_not_a_swap_of_ours_at_a_universal_router_is_not_read(call: Call) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(call)


@pytest.mark.parametrize(
    ("why", "call"),
    [
        ("coins sent to somebody", Call(A, b"", 1)),
        ("less than a selector", Call(A, b"\x09\x5e\xa7")),
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
