"""How one person uses a Trezor: where the passphrase is typed, and what is kept or looked up for it elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

PassphraseWay = Literal["none", "device", "ask"]
"""No passphrase; typed on the device; typed on the computer."""

Definitions = Callable[[str, str], bytes | None]
"""A description that the maker signed, so that a device shows a token's or a chain's name: of a chain as CAIP-2 has it
(``eip155:8453``) and a token's address on it, in lower case, or "" for the chain itself. None where there is none; it
may ask a disk or a network, so it is called before a person is asked to sign. It does not raise."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a device and this computer know each other by once they are paired. `host_privkey` is a secret."""

    trezor_pubkey: bytes = field(repr=False)
    host_privkey: bytes = field(repr=False)
    credential: bytes = field(repr=False)


def _none() -> Sequence[Credential]:
    return ()


def _drop(credential: Credential) -> None:
    """Not kept: it is paired again at every start."""


@dataclass(frozen=True, slots=True)
class Options:
    """See `signers.trezor.driver.TrezorSigner`."""

    passphrase: PassphraseWay = "none"  # noqa: S105 -- a way to enter it
    load_credentials: Callable[[], Sequence[Credential]] = _none
    store_credential: Callable[[Credential], None] = _drop
    definitions: Definitions | None = None
