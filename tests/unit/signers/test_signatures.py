"""A signature is taken only when it is of exactly these bytes, by exactly this address, in exactly one form."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signers.base import DeviceState, SignRequest
from signers.demo import DemoSigner
from signers.faults import SignatureMismatch
from signers.paths import Path, of_scheme
from signers.payloads import Chain, PersonalMessage
from signers.person import Alone
from signers.verify import verify_text
from tests.unit.signers.told import Told

PATH, OTHER_PATH = (of_scheme("evm", "bip44", number) for number in (0, 1))
TEXT = "countersign trade 1\nBUY 1.5 ETH-BTC\non paper\ntrade 0123456789abcdef0123456789abcdef"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SIGNER = DemoSigner()


def signature(text: str = TEXT, path: Path = PATH) -> bytes:
    return SIGNER.sign(SignRequest(PersonalMessage(text), path), Alone())


def address_of(path: Path) -> str:
    return SIGNER.address(Chain.EVM, path, Alone())


SIGNED = signature()  # here, because eth-account's first use changes the recursion limit, which hypothesis watches


def refused(text: str, signed: bytes, address: str) -> None:
    with pytest.raises(SignatureMismatch) as caught:
        verify_text(text, signed, address)
    assert "Nothing was sent" in caught.value.next_step


@settings(max_examples=25)
@given(st.text(st.one_of(st.just("\n"), st.characters(min_codepoint=32, max_codepoint=126)), min_size=1, max_size=400))
def test_what_the_demo_signer_signs_verifies(text: str) -> None:
    verify_text(text, signature(text), address_of(PATH))


def test_the_same_text_gives_the_same_signature_and_the_states_of_a_device() -> None:
    person = Told()
    assert SIGNER.sign(SignRequest(PersonalMessage(TEXT), PATH), person) == SIGNED
    assert person.states == [DeviceState.WAIT_BUTTON, DeviceState.SIGNED]
    assert not SIGNER.probe().real


def test_every_flipped_bit_of_the_signature_is_refused() -> None:
    signed, address = signature(), address_of(PATH)
    for bit in range(65 * 8):
        changed = bytearray(signed)
        changed[bit // 8] ^= 1 << bit % 8
        refused(TEXT, bytes(changed), address)


def test_every_flipped_bit_of_the_text_is_refused() -> None:
    signed, address = signature(), address_of(PATH)
    for bit in range(len(TEXT) * 8):
        changed = bytearray(TEXT.encode())
        changed[bit // 8] ^= 1 << bit % 8
        refused(changed.decode("latin-1"), signed, address)


@pytest.mark.parametrize("other", [TEXT + "\n", TEXT + " ", TEXT.upper(), TEXT[:-1], ""])
def test_another_text_is_refused(other: str) -> None:
    refused(other, signature(), address_of(PATH))


def test_the_high_s_twin_is_refused() -> None:
    """It recovers to the same address (EIP-2), so only its form can refuse it."""
    signed = signature()
    s = ORDER - int.from_bytes(signed[32:64])
    refused(TEXT, signed[:32] + s.to_bytes(32) + bytes([55 - signed[64]]), address_of(PATH))


def test_v_has_one_form() -> None:
    signed, address = signature(), address_of(PATH)
    for v in range(256):
        if v != signed[64]:
            refused(TEXT, signed[:64] + bytes([v]), address)


@pytest.mark.parametrize("r", [0, ORDER, ORDER + 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, ORDER // 2])
@pytest.mark.parametrize("v", [27, 28])
def test_impossible_numbers_are_a_mismatch_and_no_crash(r: int, s: int, v: int) -> None:
    refused(TEXT, r.to_bytes(32) + s.to_bytes(32) + bytes([v]), address_of(PATH))


@pytest.mark.parametrize("length", [0, 1, 64, 66, 130])
def test_another_length_is_refused(length: int) -> None:
    refused(TEXT, (signature() * 2)[:length], address_of(PATH))


def test_another_key_or_another_spelling_of_the_address_is_refused() -> None:
    address, other = address_of(PATH), address_of(OTHER_PATH)
    refused(TEXT, signature(path=OTHER_PATH), address)
    refused(TEXT, signature(), other)
    refused(TEXT, signature(), address.lower())
    refused(TEXT, signature(), "")
