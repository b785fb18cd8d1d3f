"""Every signature is checked here, for every signer, before anything is sent."""

from __future__ import annotations

from signers import eth
from signers.faults import SignatureMismatch

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of the secp256k1 group (SEC 2)."""


def verify_text(text: str, signature: bytes, address: str) -> None:
    """Check an EIP-191 signature of exactly `text` by exactly `address`; high-s twins (EIP-2) are refused.

    Raises:
        SignatureMismatch: wrong length, malleable, of another text, or by another key.
    """
    recover, signed = eth.account().recover_message, eth.message(text)
    from eth_keys.exceptions import BadSignature  # noqa: PLC0415 -- loaded with eth_account, never before it

    if len(signature) != 65 or signature[64] not in {27, 28}:
        raise SignatureMismatch("The signature has a wrong form.", "Nothing was sent. Check the device.")
    if int.from_bytes(signature[32:64]) > _ORDER // 2:
        raise SignatureMismatch("The signature is malleable (high s).", "Nothing was sent. Check the device.")
    try:
        signer = recover(signed, signature=signature)
    except (BadSignature, ValueError) as error:
        raise SignatureMismatch("The signature recovers to no key.", "Nothing was sent. Check the device.") from error
    if signer != address:
        raise SignatureMismatch(
            f"The signature is by {signer} or of another text; expected {address}.",
            "Nothing was sent. Check that the right device and account are in use.",
        )
