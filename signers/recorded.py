"""On which devices, with which versions, the screens that `Signer.shown` foretells were recorded. Elsewhere they are
what the makers' sources say, and a person must be told so."""

from __future__ import annotations

from typing import Final

from signers.base import DeviceInfo, SignerKind
from signers.ledger.apps import APPS, dotted
from signers.ledger.transport import MODELS
from signers.payloads import Chain

_LEDGERS: Final = ("nanosp", "flex")
_TREZOR: Final = ("T3T1", "2.12.5")


def proven(info: DeviceInfo, chain: Chain) -> bool:
    """Whether what is foretold for `chain` was recorded on this model with this version. On a Ledger `info` must be of
    that chain's app."""
    if info.kind is SignerKind.LEDGER:
        return info.model in _LEDGERS and info.app_version == dotted(APPS[chain].recorded)
    return info.kind is not SignerKind.TREZOR or (info.model, info.version) == _TREZOR


def doubt(info: DeviceInfo) -> str:
    """What `Signer.shown` does not say of that: a model that was never recorded, or on a Trezor a version; "" where
    there is no doubt, or its own words have it (another version of a Ledger's app)."""
    if info.kind is SignerKind.LEDGER and info.model not in _LEDGERS:
        names = " and ".join(MODELS[each].name for each in _LEDGERS)
        return f"Recorded were the screens of {names}, not of this model."
    if info.kind is SignerKind.TREZOR and (info.model, info.version) != _TREZOR:
        return f"Recorded were the screens of a Trezor Safe 5 with firmware {_TREZOR[1]}, not of this one."
    return ""
