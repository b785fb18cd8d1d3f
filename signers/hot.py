"""The hot signer: a key in this computer's own keyring. It countersigns nothing a person could compare on a second
screen, so it is off unless its owner switched it on, and what it may sign is capped by whoever asks it.

Its key is loaded for each call and kept nowhere: not in an attribute, a repr, a log or a fault.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from signers import softkey
from signers.base import DeviceInfo, DeviceState, Person, Shown, SignerKind, SignRequest
from signers.paths import Path
from signers.payloads import Chain

TITLE: Final = "HOT KEY (this computer's keyring, no hardware wallet)"

Load = Callable[[Chain], bytes]
"""The 32 bytes of the private key (EVM) or the Ed25519 seed (Solana), read anew each time."""


class KeyringSigner:
    """One key for each chain, whatever the path: a path only numbers the keys that followed one another.

    Args:
        load: gives a valid key; raises a `SignerFault` that never has it in its words.
        usable: raises a `SignerFault` where this computer has no keyring that a key may be in; reads none.
    """

    def __init__(self, load: Load, usable: Callable[[], None] = lambda: None) -> None:
        self._load, self._usable = load, usable

    def __repr__(self) -> str:
        return "KeyringSigner(...)"

    @property
    def kind(self) -> SignerKind:
        """The keyring."""
        return SignerKind.KEYRING

    def plugged(self) -> tuple[str, ...]:
        """Always there; whether the keyring opens is found out when a key is wanted."""
        return ("keyring",)

    def probe(self) -> DeviceInfo:
        """There where this computer has a keyring. Loads no key.

        Raises:
            SignerFault: it has none.
        """
        self._usable()
        return _info()

    def open(self, chain: Chain, person: Person) -> DeviceInfo:  # noqa: ARG002 -- the contract's names
        """Nothing to open: `address` and `sign` read the key themselves."""
        return _info()

    def address(self, chain: Chain, path: Path, person: Person, *, show: bool = False) -> str:  # noqa: ARG002 -- as above
        """Address of the key for `chain`; there is no screen to show it on.

        Raises:
            SignerFault: the keyring gives no key.
        """
        return softkey.address(chain, self._load(chain))

    def shown(self, request: SignRequest, address: str, info: DeviceInfo) -> Shown:  # noqa: ARG002 -- as above
        """What its owner can have read of it: a message in full, of anything else what is hashed."""
        return softkey.shown(request.payload, "A hot key has no screen that would decode it.")

    def sign(self, request: SignRequest, person: Person) -> bytes:
        """Sign at once: nobody is asked a second time.

        Raises:
            SignerFault: the keyring gives no key.
        """
        signature = softkey.signature(request.payload, self._load(request.payload.chain))
        person.told(DeviceState.SIGNED)
        return signature

    def cancel(self) -> None:
        """It shows nothing that could be dropped."""

    def close(self) -> None:
        """It holds nothing that could be let go."""


def _info() -> DeviceInfo:
    return DeviceInfo(SignerKind.KEYRING, TITLE, "", real=True)
