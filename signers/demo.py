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
from typing import Any, Final

from signers import eth
from signers.base import DeviceInfo, DeviceState, OnState, SignRequest
from signers.faults import DeviceFault, RefusedOnDevice
from signers.pages import Page, pages

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
        self._accounts: dict[str, Any] = {}
        self._attended = attended
        self._changed = threading.Condition()
        self._review: Review | None = None
        self._answer: bool | None = None
        self._dropped = False

    # -- what a signer does, on the device's thread -----------------------------------------------------------------

    def probe(self) -> DeviceInfo:
        """Always there."""
        return DeviceInfo("demo", "1", real=False)

    def address(self, path: str) -> str:
        """EIP-55 address of the public demo key at `path`."""
        return str(self._account(path).address)

    def sign(self, request: SignRequest, on_state: OnState) -> bytes:
        """Sign as a device would; attended, once a person approved on its screen.

        Raises:
            RefusedOnDevice: refused there.
            DeviceFault: `cancel` took the request back.
        """
        if self._attended:
            self._ask(request, on_state)
        else:
            on_state(DeviceState.WAIT_BUTTON)
        signed = self._account(request.path).sign_message(eth.message(request.text))
        on_state(DeviceState.SIGNED)
        return bytes(signed.signature)

    def cancel(self) -> None:
        """Drop what is shown."""
        with self._changed:
            self._dropped = self._review is not None
            self._changed.notify_all()

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

    def _ask(self, request: SignRequest, on_state: OnState) -> None:
        with self._changed:
            self._review, self._answer, self._dropped = Review(pages(request.text)), None, False
        on_state(DeviceState.WAIT_BUTTON)
        approved = self._wait()
        if approved is None:
            raise DeviceFault("The demo device's request was taken back.", "Nothing was sent.")
        if not approved:
            on_state(DeviceState.REJECTED)
            raise RefusedOnDevice("Refused on the demo device.", "Nothing was sent.")

    def _wait(self) -> bool | None:
        """The person's answer, or None when the request was taken back."""
        with self._changed:
            self._changed.wait_for(lambda: self._answer is not None or self._dropped)
            self._review = None
            return self._answer

    def _account(self, path: str) -> Any:
        if path not in self._accounts:
            key = hashlib.sha256(_PHRASE + b"\n" + path.encode()).digest()
            self._accounts[path] = eth.account().from_key(key)
        return self._accounts[path]
