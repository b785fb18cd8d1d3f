"""Every signature is checked here, for every signer and payload, before anything is sent.

Forms: PersonalMessage and TypedData ``r || s || v``, v 27 or 28; EvmTransaction ``r || s || y_parity``, 0 or 1;
SolanaMessage and OffchainMessage 64 bytes (Ed25519).
"""

from __future__ import annotations

from typing import Final

from signers import evm, solana
from signers.faults import SignatureMismatch
from signers.payloads import EvmTransaction, OffchainMessage, Payload, PersonalMessage, SolanaMessage

_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of the secp256k1 group (SEC 2)."""
_CHECK: Final = "Nothing was sent. Check that the right device and account are in use."


def verify(payload: Payload, signature: bytes, address: str) -> None:
    """Check a signature of exactly `payload` by exactly `address`; high-s twins (EIP-2) are refused.

    Raises:
        SignatureMismatch: wrong form, malleable, of other bytes, or by another key.
    """
    if isinstance(payload, SolanaMessage | OffchainMessage):
        _verify_ed25519(payload, signature, address)
    else:
        base = 0 if isinstance(payload, EvmTransaction) else 27
        _verify_secp256k1(evm.keccak(payload.signed), signature, address, base)


def verify_text(text: str, signature: bytes, address: str) -> None:
    """Check an EIP-191 signature of exactly `text` by exactly `address`.

    Raises:
        SignatureMismatch: as `verify`.
    """
    try:
        payload = PersonalMessage(text)
    except ValueError as error:
        raise SignatureMismatch(f"Not a text that could have been signed: {error}.", _CHECK) from error
    verify(payload, signature, address)


def verify_raw(confirmed: EvmTransaction, raw: bytes, address: str) -> None:
    """Check, right before it is sent, that a signed transaction is `confirmed` signed by `address`, byte for byte.

    Raises:
        SignatureMismatch: it is not.
    """
    try:
        unsigned, signature = evm.disassemble(raw)
    except ValueError as error:
        raise SignatureMismatch(f"The transaction to send is malformed: {error}.", _CHECK) from error
    if unsigned != confirmed.unsigned:
        raise SignatureMismatch("The transaction to send is not the one that was confirmed.", _CHECK)
    verify(confirmed, signature, address)


def _verify_secp256k1(digest: bytes, signature: bytes, address: str, base: int) -> None:
    from eth_keys.datatypes import Signature  # noqa: PLC0415 -- when it is wanted, 0.1 s
    from eth_keys.exceptions import BadSignature  # noqa: PLC0415 -- as above
    from eth_utils.exceptions import ValidationError  # noqa: PLC0415 -- as above

    if len(signature) != 65 or signature[64] - base not in {0, 1}:
        raise SignatureMismatch("The signature has a wrong form.", _CHECK)
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])
    if s > _ORDER // 2:
        raise SignatureMismatch("The signature is malleable (high s).", _CHECK)
    try:
        key = Signature(vrs=(signature[64] - base, r, s)).recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValueError, ValidationError) as error:
        raise SignatureMismatch("The signature recovers to no key.", _CHECK) from error
    signer = key.to_checksum_address()
    if signer != address:
        raise SignatureMismatch(
            f"The signature is by {signer} or of something else than was confirmed; expected {address}.", _CHECK
        )


def _verify_ed25519(payload: SolanaMessage | OffchainMessage, signature: bytes, address: str) -> None:
    from solders.pubkey import Pubkey  # noqa: PLC0415 -- native
    from solders.signature import Signature  # noqa: PLC0415 -- as above

    signers = payload.fields.signers if isinstance(payload, SolanaMessage) else (payload.signer,)
    if address not in signers:
        raise SignatureMismatch(f"{address} is not among those who must sign: {', '.join(signers)}.", _CHECK)
    if len(signature) != 64:
        raise SignatureMismatch("The signature has a wrong form.", _CHECK)
    if not Signature(signature).verify(Pubkey(solana.key_of(address)), payload.signed):
        raise SignatureMismatch(
            f"The signature is by another key than {address} or of something else than was confirmed.", _CHECK
        )
