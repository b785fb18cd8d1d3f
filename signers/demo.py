"""The demo signer: real secp256k1 signatures from a key that is public and worth nothing. Paper and testnet only.

It stands where a hardware wallet stands and answers like one, so that everything around it is the real thing. Its key
is derived from a published phrase and the path: anybody can make the same signatures, and nobody should send it money.

Attended, it has a screen of its own: pages to walk through, and an answer that is accepted on the last one. Unattended
(a session without a screen) it signs what was confirmed.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace
from typing import Final

from signers import softkey
from signers.base import Clarity, DeviceInfo, DeviceLine, DeviceState, Person, Shown, SignerKind, SignRequest
from signers.evm import checksum
from signers.faults import DeviceFault, RefusedOnDevice
from signers.pages import Page, pages
from signers.paths import Path
from signers.payloads import Chain, EvmTransaction

_PHRASE: Final = b"countersign demo signer: this key is public, never send it anything"


@dataclass(frozen=True, slots=True)
class Review:
    """What the demo device shows. `page` counts from 0; the page after the last of `pages` asks for the answer."""

    pages: tuple[Page, ...]
    page: int = 0
    turned: int = 0
    """Furthest page seen."""

    @property
    def asks(self) -> bool:
        """Every page was seen, and the answer page is shown."""
        return self.page == len(self.pages)


class DemoSigner:
    """Approves whatever is confirmed on screen; `attended`, whatever is approved on its own."""

    def __init__(self, *, attended: bool = False) -> None:
        self._attended = attended
        self._changed = threading.Condition()
        self._review: Review | None = None
        self._answer: bool | None = None
        self._dropped = False

    # -- what a signer does, on the device's thread -----------------------------------------------------------------

    @property
    def kind(self) -> SignerKind:
        """The demo signer."""
        return SignerKind.DEMO

    def plugged(self) -> tuple[str, ...]:
        """Always there."""
        return ("demo",)

    def probe(self) -> DeviceInfo:
        """Always there."""
        return DeviceInfo(SignerKind.DEMO, "demo", "1", real=False)

    def open(self, chain: Chain, person: Person) -> DeviceInfo:  # noqa: ARG002 -- the contract's names
        """Always ready."""
        return self.probe()

    def address(self, chain: Chain, path: Path, person: Person, *, show: bool = False) -> str:  # noqa: ARG002 -- as above
        """Address of the public demo key at `path`."""
        return softkey.address(chain, self._key(path))

    def shown(self, request: SignRequest, address: str, info: DeviceInfo) -> Shown:  # noqa: ARG002 -- as above
        """A message in full; of a transaction where it goes, with how much, and which call; of anything else, what is
        hashed."""
        if isinstance(request.payload, EvmTransaction):
            why = "The demo device does not show what a call does, only where it goes and what it can cost."
            return Shown(Clarity.PARTLY, _transaction(request.payload), why)
        return softkey.shown(request.payload, "The demo device shows messages and EVM transactions only.")

    def sign(self, request: SignRequest, person: Person) -> bytes:
        """Sign as a device would; attended, once a person approved on its screen.

        Raises:
            RefusedOnDevice: refused there.
            DeviceFault: `cancel` took the request back.
        """
        if self._attended:
            self._ask(request, person)
        else:
            person.told(DeviceState.WAIT_BUTTON)
        signature = softkey.signature(request.payload, self._key(request.path))
        person.told(DeviceState.SIGNED)
        return signature

    def cancel(self) -> None:
        """Drop what is shown."""
        with self._changed:
            self._dropped = self._review is not None
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing to let go of but what is shown."""
        self.cancel()

    # -- what a person does, on any thread --------------------------------------------------------------------------

    @property
    def review(self) -> Review | None:
        """What its screen shows now; None while it waits for nobody."""
        return self._review

    def turn(self, pages_on: int) -> None:
        """Go `pages_on` pages on (or back, when negative), as far as there are pages."""
        with self._changed:
            review = self._review
            if review is not None:
                page = max(0, min(len(review.pages), review.page + pages_on))
                self._review = replace(review, page=page, turned=max(review.turned, page))

    def approve(self) -> bool:
        """Approve; accepted on the answer page only. Returns whether it was."""
        return self._press(approved=True)

    def refuse(self) -> bool:
        """Refuse; as on a Ledger, from any page. Returns whether there was anything to refuse."""
        return self._press(approved=False)

    def _press(self, *, approved: bool) -> bool:
        with self._changed:
            if self._review is None or self._answer is not None or (approved and not self._review.asks):
                return False
            self._answer = approved
            self._changed.notify_all()
            return True

    def _ask(self, request: SignRequest, person: Person) -> None:
        text = "\n".join(line.value for line in self.shown(request, "", self.probe()).lines)
        with self._changed:
            self._review, self._answer, self._dropped = Review(pages(text)), None, False
        person.told(DeviceState.WAIT_BUTTON)
        approved = self._wait()
        if approved is None:
            raise DeviceFault("The demo device's request was taken back.", "Nothing was sent.")
        if not approved:
            person.told(DeviceState.REJECTED)
            raise RefusedOnDevice("Refused on the demo device.", "Nothing was sent.")

    def _wait(self) -> bool | None:
        """The person's answer, or None when the request was taken back."""
        with self._changed:
            self._changed.wait_for(lambda: self._answer is not None or self._dropped)
            self._review = None
            return self._answer

    def _key(self, path: Path) -> bytes:
        return hashlib.sha256(_PHRASE + b"\n" + str(path).encode()).digest()


def _transaction(payload: EvmTransaction) -> tuple[DeviceLine, ...]:
    fields = payload.fields
    call = f"call 0x{fields.data[:4].hex()}, {len(fields.data)} bytes" if fields.data else "no call"
    texts = (
        f"transaction {fields.nonce} on chain {fields.chain_id}",
        f"send {_coins(fields.value)} coins",
        f"to {checksum(fields.to)}",
        call,
        f"fees up to {_coins(fields.highest_fee)} coins",
        f"hash 0x{payload.hash.hex()}",
    )
    return tuple(DeviceLine("", text) for text in texts)


def _coins(wei: int) -> str:
    """Wei as whole coins: every EVM chain's coin has 18 decimals."""
    whole, rest = divmod(wei, 10**18)
    return f"{whole}.{rest:018d}".rstrip("0").rstrip(".")
