"""What this computer and a Trezor Safe 7 agreed on when they were paired, kept in the operating system's keyring: with
it the next start needs no code. Without a keyring the code is asked at every start, and nothing else is lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from app import logs
from signers.trezor.options import Credential
from storage.secrets import Secret, SecretsError, SecretStore

NAME: Final = "trezor.pairings"
_MOST: Final = 4
"""Devices remembered; the keyring keeps 4,096 characters under one name, and one credential has about 500."""

_log = logs.get(__name__)


def load() -> Sequence[Credential]:
    """What is remembered, the newest first; nothing where the keyring can not be used or holds something else."""
    try:
        rows = json.loads(SecretStore().get(NAME).reveal())
        return [Credential(*(bytes.fromhex(part) for part in row)) for row in rows]
    except SecretsError as error:
        _log.info("pairings.unread", code=error.code)
    except (ValueError, TypeError):
        _log.warning("pairings.malformed")
    return []


def store(credential: Credential) -> None:
    """Remember one more; the oldest is forgotten beyond `_MOST`."""
    kept = [credential, *(each for each in load() if each.trezor_pubkey != credential.trezor_pubkey)][:_MOST]
    rows = [[each.trezor_pubkey.hex(), each.host_privkey.hex(), each.credential.hex()] for each in kept]
    try:
        SecretStore().set(NAME, Secret(json.dumps(rows, separators=(",", ":"))))
    except SecretsError as error:
        _log.warning("pairings.unkept", code=error.code)
