"""The demo signer: real secp256k1 signatures from a key that is public and worth nothing. Paper and testnet only.

It stands where a hardware wallet stands and answers like one, so that everything around it is the real thing. Its key
is derived from a published phrase and the path: anybody can make the same signatures, and nobody should send it money.
"""

from __future__ import annotations

import hashlib
from typing import Any

from signers import eth
from signers.base import DeviceInfo, DeviceState, OnState, SignRequest

_PHRASE = b"countersign demo signer: this key is public, never send it anything"


class DemoSigner:
    """Approves whatever is confirmed on screen."""

    def __init__(self) -> None:
        self._accounts: dict[str, Any] = {}

    def probe(self) -> DeviceInfo:
        """Always there."""
        return DeviceInfo("demo", "1", real=False)

    def address(self, path: str) -> str:
        """EIP-55 address of the public demo key at `path`."""
        return str(self._account(path).address)

    def sign(self, request: SignRequest, on_state: OnState) -> bytes:
        """Sign as a device would, without a person."""
        on_state(DeviceState.WAIT_BUTTON)
        signed = self._account(request.path).sign_message(eth.message(request.text))
        on_state(DeviceState.SIGNED)
        return bytes(signed.signature)

    def cancel(self) -> None:
        """Nothing is ever pending."""

    def _account(self, path: str) -> Any:
        if path not in self._accounts:
            key = hashlib.sha256(_PHRASE + b"\n" + path.encode()).digest()
            self._accounts[path] = eth.account().from_key(key)
        return self._accounts[path]
