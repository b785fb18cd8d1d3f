"""What the words of one act's transaction on Sepolia are."""

from __future__ import annotations

from app.venues.evm.acts import Act, encode
from app.venues.evm.known import KNOWN
from app.venues.evm.words import transaction_words
from signers.evm import EvmFields
from signers.evm import encode as unsigned_of

SEPOLIA = KNOWN["sepolia"].chain


def said(act: Act) -> str:
    """From its bytes, as they are signed."""
    call = encode(act)
    fields = EvmFields(
        type=2,
        chain_id=SEPOLIA.chain_id,
        nonce=7,
        max_fee=10**9,
        priority_fee=1,
        gas=60_000,
        to=call.to,
        value=call.value,
        data=call.data,
    )
    return transaction_words(SEPOLIA, bytes(20), unsigned_of(fields), 1, 1)
