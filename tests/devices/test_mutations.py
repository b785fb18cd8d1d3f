"""Whatever differs between what was confirmed, what was signed and what is about to be sent is found by the one
verification, for every kind of payload. No device is needed: a device that signs something else is a key that does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signers import evm, softkey
from signers.faults import SignatureMismatch
from signers.payloads import EvmTransaction, OffchainMessage, Payload, PersonalMessage, SolanaMessage, TypedData
from signers.verify import verify, verify_raw
from tests.devices.cases import PERMIT, ROUTER, TO, USDC, Case, cases, erc20, solana, transaction

KEY = bytes(range(1, 33))
LOOKALIKE = bytes.fromhex("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb49")
"""Another contract, whose symbol can be "USDC" too."""

SWAP = transaction(to=USDC, value=0, data=erc20("095ea7b3", ROUTER, 10**9), gas=60_000)


def fields(payload: EvmTransaction, **changed: Any) -> EvmTransaction:
    return EvmTransaction(evm.encode(replace(payload.fields, **changed)))


TRANSACTIONS: dict[str, tuple[EvmTransaction, EvmTransaction]] = {
    "payee": (transaction(), fields(transaction(), to=ROUTER)),
    "payee, one bit": (transaction(), fields(transaction(), to=bytes([TO[0] ^ 1]) + TO[1:])),
    "amount": (transaction(), fields(transaction(), value=10**16 + 1)),
    "spender": (SWAP, fields(SWAP, data=erc20("095ea7b3", TO, 10**9))),
    "allowance": (SWAP, fields(SWAP, data=erc20("095ea7b3", ROUTER, 2**256 - 1))),
    "method": (SWAP, fields(SWAP, data=erc20("a9059cbb", ROUTER, 10**9))),
    "token with an equal symbol": (SWAP, fields(SWAP, to=LOOKALIKE)),
    "chain id": (transaction(), fields(transaction(), chain_id=56)),
    "nonce": (transaction(), fields(transaction(), nonce=6)),
    "gas": (transaction(), fields(transaction(), gas=21_001)),
    "max fee": (transaction(), fields(transaction(), max_fee=31 * 10**9)),
    "priority fee": (transaction(), fields(transaction(), priority_fee=2)),
    "calldata": (transaction(), fields(transaction(), data=b"\x00")),
    "access list": (transaction(), fields(transaction(), access_list=((TO, ()),))),
    "type": (transaction(), fields(transaction(), type=0, max_fee=10**9, priority_fee=10**9)),
}


@pytest.mark.parametrize("field", TRANSACTIONS)
def test_a_transaction_changed_on_its_way(field: str) -> None:
    confirmed, other = TRANSACTIONS[field]
    address = softkey.address(confirmed.chain, KEY)
    signature = softkey.signature(other, KEY)
    with pytest.raises(SignatureMismatch):
        verify(confirmed, signature, address)  # between confirmation and signature
    verify(other, signature, address)
    with pytest.raises(SignatureMismatch, match="not the one that was confirmed"):
        verify_raw(confirmed, evm.assemble(other.unsigned, signature), address)  # between signature and submission
    verify_raw(other, evm.assemble(other.unsigned, signature), address)


def changed_permit(**message: Any) -> TypedData:
    data = PERMIT.data
    data["message"] |= message
    return TypedData(json.dumps(data))


def changed_domain(**domain: Any) -> TypedData:
    data = PERMIT.data
    data["domain"] |= domain
    return TypedData(json.dumps(data))


DOCUMENTS = {
    "spender": changed_permit(spender="0x" + TO.hex()),
    "value": changed_permit(value=2_500_001),
    "nonce": changed_permit(nonce=1),
    "deadline": changed_permit(deadline=1_893_456_001),
    "chain id": changed_domain(chainId=10),
    "contract": changed_domain(verifyingContract="0x" + LOOKALIKE.hex()),
    "name": changed_domain(name="USD Coin "),
}


@pytest.mark.parametrize("field", DOCUMENTS)
def test_a_document_changed_on_its_way(field: str) -> None:
    address = softkey.address(PERMIT.chain, KEY)
    with pytest.raises(SignatureMismatch):
        verify(PERMIT, softkey.signature(DOCUMENTS[field], KEY), address)


def flips(data: bytes) -> Iterator[bytes]:
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


SMALL = [case for case in cases() if len(case.payload.signed) <= 300]


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_no_bit_of_a_signature_can_change(case: Case) -> None:
    """Of the bits of r, s and v there is one spelling for one signature."""
    payload = signed_by_us(case.payload)
    address = softkey.address(payload.chain, KEY)
    signature = softkey.signature(payload, KEY)
    verify(payload, signature, address)
    for changed in flips(signature):
        with pytest.raises(SignatureMismatch):
            verify(payload, changed, address)


def signed_by_us(payload: Payload) -> Payload:
    """The same with our key where the payload names its signer."""
    address = softkey.address(payload.chain, KEY)
    if isinstance(payload, OffchainMessage):
        return OffchainMessage(payload.text, address)
    return (
        solana(("11111111111111111111111111111111", [(address, True, True)], b"\x02"), payer=address)
        if isinstance(payload, SolanaMessage)
        else payload
    )


def test_no_bit_of_a_signed_transaction_can_change() -> None:
    """Most broken ones are no transaction any more; the rest are another one, or another's."""
    for confirmed in (transaction(), SWAP, fields(transaction(), type=0, max_fee=7, priority_fee=7)):
        address = softkey.address(confirmed.chain, KEY)
        raw = evm.assemble(confirmed.unsigned, softkey.signature(confirmed, KEY))
        verify_raw(confirmed, raw, address)
        for changed in flips(raw):
            with pytest.raises(SignatureMismatch):
                verify_raw(confirmed, changed, address)


BYTES: dict[str, tuple[Payload, Callable[[bytes], Payload]]] = {
    "text": (PersonalMessage("countersign trade 1\nBUY 1 ETH-USDT"), lambda data: PersonalMessage(data.decode())),
    "transaction": (SWAP, EvmTransaction),
    "Solana message": (signed_by_us(solana(("11111111111111111111111111111111", [], b""))), SolanaMessage),
}


@pytest.mark.parametrize("kind", BYTES)
def test_no_bit_of_a_payload_can_change(kind: str) -> None:
    """What still is a payload with a bit flipped was not signed."""
    payload, make = BYTES[kind]
    address, signature = softkey.address(payload.chain, KEY), softkey.signature(payload, KEY)
    data = payload.text.encode() if isinstance(payload, PersonalMessage) else payload.signed
    found = 0
    for changed in flips(data):
        try:
            other = make(changed)
        except ValueError:
            continue  # no payload at all, so no device is asked for it
        found += 1
        with pytest.raises(SignatureMismatch):
            verify(other, signature, address)
    assert found, "some flips are payloads"


@settings(max_examples=200)
@given(st.binary(max_size=140))
def test_random_bytes_are_no_signature(signature: bytes) -> None:
    for payload in (SWAP, PERMIT, PersonalMessage("a"), BYTES["Solana message"][0]):
        with pytest.raises(SignatureMismatch):
            verify(payload, signature, softkey.address(payload.chain, KEY))
