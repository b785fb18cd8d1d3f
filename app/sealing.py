"""Sealing the journal: the head of its hash chain, signed on the device. All that this file can ask a signer for is the
text of a seal, which permits no order.

A seal proves to others what the chain alone can not: whoever rewrites what lies before it can compute every hash anew,
but not this signature. It also has to be kept elsewhere, since whoever rewrites the database can leave it out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from app.accounts import Account
from app.errors import SignerError, UsageError
from app.seal_text import Seal, render
from signers.base import DeviceState, SignRequest
from signers.faults import SignerFault
from signers.payloads import PersonalMessage
from signers.session import DeviceSession
from signers.verify import verify_text
from signers.words import way_on
from storage.journal import Head

KIND: Final = "journal.sealed"
"""What the journal calls the row that holds a seal."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A seal and the verified signature of its text."""

    seal: Seal
    text: str
    signature: bytes
    address: str
    signer: str

    def row(self) -> tuple[Any, ...]:
        """As a hashed row: ``("seals", ...)`` in `storage.schema.HASHED` order."""
        seal = self.seal
        signed = (self.text, self.signature.hex(), self.address, self.signer)
        return ("seals", seal.seq, seal.hash, *signed, seal.sealed_ms)

    def document(self) -> dict[str, Any]:
        """For a command's answer: what to keep elsewhere."""
        return {
            "seq": self.seal.seq,
            "hash": self.seal.hash,
            "text": self.text,
            "signature": self.signature.hex(),
            "address": self.address,
            "signer": self.signer,
            "sealed_ms": self.seal.sealed_ms,
        }


async def seal(
    head: Head,
    of: tuple[str, str, int],
    device: DeviceSession,
    account: Account,
    deadline_s: float,
    on_state: Callable[[DeviceState], None] = lambda _: None,
) -> Sealed:
    """Have `head` signed. Nothing is written; whoever calls journals what comes back.

    Args:
        head: end of the chain, as it is on disk.
        of: profile, run id, and ms UTC of the machine's clock.
        account: whose key signs.

    Raises:
        UsageError: there is nothing to seal.
        SignerError: refused on the device, no device, or a signature that is not of this text by this address.
    """
    if not head.seq:
        raise UsageError("seal.empty", "The journal is empty: there is nothing to seal.")
    profile, run, now_ms = of
    what = Seal(head.seq, head.hash.hex(), profile, run, now_ms - now_ms % 1000)
    text = render(what)
    request = SignRequest(PersonalMessage(text), account.path)
    try:
        signed = await device.sign(request, account.address, on_state, deadline_s)
        verify_text(text, signed.signature, account.address)
    except SignerFault as fault:
        step = "Try again." if fault.state is DeviceState.REJECTED else way_on(fault.next_step)
        failed = f"The journal was not sealed: {fault.told}"
        raise SignerError(fault.code, failed, next_step=f"Nothing was written. {step}".rstrip()) from fault
    return Sealed(what, text, signed.signature, account.address, account.signer)
