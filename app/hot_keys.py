"""The hot signer's keys in the operating system's keyring: what they are called there, and how one is read.

For each chain there is at most one key in use and at most one before it that is being drained. The keyring belongs to
the person, so all their databases share its keys; which addresses a database knows is in its own accounts.
"""

from __future__ import annotations

from typing import Final

from app.hot_names import PREFIX
from signers import hot_key
from signers.base import DeviceState
from signers.faults import DeviceFault
from signers.hot import KeyringSigner
from signers.hot_key import BadKey
from signers.paths import Path
from signers.payloads import Chain
from storage.secrets import Secret, SecretsError, SecretStore

_PATIENCE_S: Final = 10.0
"""For one call to the keyring, a person's time to unlock it included; less than what a device may take."""
_ABSENT: Final = "secrets.absent"


def store() -> SecretStore:
    """The keyring, as a signer waits for it."""
    return SecretStore(timeout_s=_PATIENCE_S)


def name(chain: Chain, *, old: bool = False) -> str:
    """What the key in use is called, or the one before it."""
    return f"{PREFIX}{chain}.old" if old else f"{PREFIX}{chain}"


def signer() -> KeyringSigner:
    """The driver, reading each key when it is used."""
    return KeyringSigner(_load, _usable)


def numbered(count: int) -> Path:
    """The path under which the `count`-th hot key of a chain is registered."""
    return Path((count,))


def address_in(keyring: SecretStore, chain: Chain, *, old: bool = False) -> str | None:
    """The address of a key in the keyring, or None where there is none.

    Raises:
        SecretsError: the keyring failed, or must not be used.
        BadKey: somebody else put it there.
    """
    try:
        return hot_key.address(chain, hot_key.from_stored(chain, keyring.get(name(chain, old=old)).reveal()))
    except SecretsError as error:
        if error.code != _ABSENT:
            raise
        return None


def keep(keyring: SecretStore, chain: Chain, key: bytes) -> None:
    """Put a key in use, in place of the one before it.

    Raises:
        SecretsError: as `address_in`; nothing was stored.
    """
    keyring.set(name(chain), Secret(hot_key.stored(key)))


def set_aside(keyring: SecretStore, chain: Chain) -> None:
    """Keep the key in use under its old name too: written before another takes its place, so that no crash loses it.

    Raises:
        SecretsError: as `address_in`; there is no key, or nothing was stored.
    """
    keyring.set(name(chain, old=True), keyring.get(name(chain)))


def _usable() -> None:
    try:
        store().backend_name()
    except SecretsError as error:
        fault = DeviceFault(error.what, f"Nothing was sent. {error.next_step}", state=DeviceState.NO_DEVICE)
    else:
        return
    raise fault


def _load(chain: Chain) -> bytes:
    words, step = "", f"Make or import one: countersign hotkey generate --chain {chain}"
    try:
        return hot_key.from_stored(chain, store().get(name(chain)).reveal())
    except SecretsError as error:
        words, step = error.what, step if error.code == _ABSENT else error.next_step
    except BadKey as error:
        words = str(error)
    # outside the handlers, so that nothing of theirs hangs on it
    raise DeviceFault(f"The hot key can not be read: {words}", f"Nothing was sent. {step}")
