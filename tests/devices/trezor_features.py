"""What the two recorded models tell of themselves, field by field as recorded."""

from __future__ import annotations

from typing import Any

from trezorlib import messages as m

_REVISION = bytes.fromhex("dd7afbc3df8da3bbfc68cceaec41ef3945fd86d9")
_C = m.Capability
_ONE = [_C.Bitcoin, _C.Bitcoin_like, _C.Crypto, _C.Ethereum, _C.NEM, _C.Stellar, _C.U2F]
_CORE = [
    *(_C.Bitcoin, _C.Bitcoin_like, _C.Binance, _C.Cardano, _C.Crypto, _C.Ethereum, _C.Monero, _C.Ripple, _C.Stellar),
    *(_C.Tezos, _C.Tron, _C.U2F, _C.Shamir, _C.ShamirGroups, _C.PassphraseEntry, _C.Solana, _C.Translations),
    *(_C.Haptic, _C.Brightness),
]


def features(device: Any, session_id: bytes) -> m.Features:
    """The Features message of `device`."""
    common: dict[str, Any] = {
        "vendor": "trezor.io",
        "pin_protection": bool(device.pin),
        "passphrase_protection": device.passphrase,
        "language": "en-US",
        "label": "rig",
        "initialized": device.initialized,
        "revision": _REVISION,
        "unlocked": not device.locked,
        "backup_availability": m.BackupAvailability.NotAvailable,
        "fw_vendor": "EMULATOR",
        "unfinished_backup": False,
        "no_backup": False,
        "wipe_code_protection": False,
        "session_id": session_id or None,
        "safety_checks": m.SafetyCheckLevel.Strict,
        "auto_lock_delay_ms": 600_000,
        "busy": False,
        "language_version_matches": True,
    }
    one = device.model == "T1B1"
    told: dict[str, Any] = common | (_model_one(device) if one else _core(device))
    kept_back: set[str] = (_KEPT_BACK_ONE if one else _KEPT_BACK) if device.locked else set()
    if not device.initialized:
        kept_back = {"label", "imported"} & set(told)
    for name in kept_back:
        told[name] = None
    return m.Features(**told)


_KEPT_BACK_ONE = {"imported", "wipe_code_protection", "auto_lock_delay_ms"}
_KEPT_BACK = {
    *("backup_availability", "flags", "unfinished_backup", "no_backup", "recovery_status", "backup_type"),
    *("sd_protection", "wipe_code_protection", "passphrase_protection", "passphrase_always_on_device"),
    *("safety_checks", "auto_lock_delay_ms", "display_rotation", "experimental_features", "hide_passphrase_from_host"),
}
"""What a locked device does not tell."""


def _model_one(device: Any) -> dict[str, Any]:
    major, minor, patch = device.version or (1, 14, 2)
    return {
        "major_version": major,
        "minor_version": minor,
        "patch_version": patch,
        "device_id": "AE3C744E355C817510C0EABF",
        "bootloader_hash": bytes.fromhex("9378f2d641be25b1d9c62d9c4d249c7a440ad34eff6246d9cf25d623a755267b"),
        "imported": True,
        "model": "1",
        "capabilities": _ONE,
    }


def _core(device: Any) -> dict[str, Any]:
    major, minor, patch = device.version or (2, 12, 5)
    return {
        "major_version": major,
        "minor_version": minor,
        "patch_version": patch,
        "build_version": 0,
        "device_id": "E6C35A580D8A8E040824F2BD",
        "flags": 0,
        "model": "Safe 5",
        "recovery_status": m.RecoveryStatus.Nothing,
        "capabilities": _CORE,
        "backup_type": m.BackupType.Bip39,
        "sd_card_present": True,
        "sd_protection": False,
        "passphrase_always_on_device": False,
        "display_rotation": m.DisplayRotation.North,
        "experimental_features": False,
        "homescreen_format": m.HomescreenFormat.Jpeg,
        "hide_passphrase_from_host": False,
        "internal_model": "T3T1",
        "homescreen_width": 240,
        "homescreen_height": 240,
        "bootloader_locked": True,
        "haptic_feedback": True,
        "optiga_sec": 0,
    }
