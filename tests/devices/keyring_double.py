"""An allowed keyring backend whose D-Bus calls are answered from a dict, so that a hot key can be kept anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keyring
import pytest
from keyring.backends import SecretService

from app import hot_keys
from signers import hot_key
from signers.payloads import Chain

EVM_KEY = bytes(range(1, 33))
EVM_ADDRESS = "0x6370eF2f4Db3611D657b90667De398a2Cc2a370C"
SOLANA_KEY = bytes(range(101, 133))

HOT = {"signer.kind": "keyring", "signer.hot.enabled": "true"}
"""Settings of a session whose caps are the defaults."""


@contextmanager
def kept_in(entries: dict[str, str]) -> Iterator[dict[str, str]]:
    """`entries` is the keyring, until this is left."""
    from keyring import core  # noqa: PLC0415 -- only to put back what was there

    def get_password(_: object, service: str, name: str) -> str | None:
        return entries.get(name)

    def set_password(_: object, service: str, name: str, value: str) -> None:
        entries[name] = value

    def delete_password(_: object, service: str, name: str) -> None:
        del entries[name]

    before = core._keyring_backend
    with pytest.MonkeyPatch.context() as patched:
        for each in (get_password, set_password, delete_password):
            patched.setattr(SecretService.Keyring, each.__name__, each)
        make: type[SecretService.Keyring] = SecretService.Keyring
        keyring.set_keyring(make())
        try:
            yield entries
        finally:
            core._keyring_backend = before


def with_key(chain: Chain = Chain.EVM, key: bytes = EVM_KEY) -> dict[str, str]:
    """A keyring that holds one key."""
    return {hot_keys.name(chain): hot_key.stored(key), "@names": f'["{hot_keys.name(chain)}"]'}
