"""What ``signers list`` finds out without a trader, and how it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from app.devices import LISTED, Devices
from app.snapshots.signers import SWITCHED_OFF, document, signers, signs
from app.wallets import look
from signers.base import DeviceInfo, SignerKind
from signers.payloads import Chain

if TYPE_CHECKING:
    from app.accounts import Account
    from app.config.signer import Signer as Settings


async def known(devices: Devices, registered: Sequence[Account], settings: Settings) -> dict[str, Any]:
    """Every kind of signer, looked for now, and the accounts."""
    chosen = await devices.chosen()
    await look(devices, LISTED)
    in_use = (chosen.value, Chain.EVM.value, settings.evm_path)
    return document(signers(devices, chosen), registered, in_use)


def with_signs(found: dict[str, Any], settings: Settings) -> None:
    """Add to each signer what it can show of each kind of payload. Asks no device."""
    from app.snapshots.samples import samples  # noqa: PLC0415 -- eth-account and solders, half a second

    devices, each_sample = Devices(settings, attended=False), samples()
    for each in found["signers"]:
        each["signs"] = []
        if each["device"] is not None and each["kind"] != SignerKind.KEYRING:
            kind = SignerKind(each["kind"])
            made = signs(devices.driver(kind), DeviceInfo(kind=kind, **each["device"]), each_sample)
            each["signs"] = [one.document() for one in made]


def lines(found: dict[str, Any], when: Callable[[int | None], str]) -> Iterator[str]:
    """For reading."""
    chosen = next((each["kind"] for each in found["signers"] if each["chosen"]), "none")
    who = "the running session uses" if found["running"] else "a session would use"
    yield f"signer.kind = {found['setting']}: {who} the {chosen}"
    for each in found["signers"]:
        yield f"{each['kind']:<8} {_state(each):<18} {words(each)}".rstrip()
        if each["doubt"]:
            yield f"    {each['doubt']}"
        for one in each.get("signs", ()):
            yield f"    {one['chain']:<6} {one['what']:<30} {_shown(one)}"
    if not found["accounts"]:
        yield "No address is registered. A session registers the one it uses; so does: signers address --register"
        return
    yield f"registered in {found['database']}"
    for each in found["accounts"]:
        used = "never" if each["used_ms"] is None else when(each["used_ms"])
        mark = "  IN USE" if each["in_use"] else ""
        yield (
            f"{each['signer']:<8} {each['chain']:<6} {each['path']:<20} {each['address']}  "
            f"registered {when(each['registered_ms'])} ({each['device']}), last signed {used}{mark}"
        )


def _state(each: dict[str, Any]) -> str:
    if each["words"] == SWITCHED_OFF:
        return "off"
    return "not looked for" if each["state"] is None else str(each["state"]).lower().replace("_", " ")


def words(each: dict[str, Any]) -> str:
    """One signer of the document, in a line."""
    device = each["device"]
    if device is None:
        there = f"{', '.join(each['plugged'])}: " if each["plugged"] else ""
        raw = f" (it said {each['raw']})" if each["raw"] else ""
        return f"{there}{each['words']} {each['next_step']}".rstrip() + raw
    runs = f"{device['app']} {device['app_version']}" if device["app"] else f"version {device['version']}"
    parts = [device["name"], *([runs] if device["app"] or device["version"] else [])]
    if device["blind_signing"] is not None:
        parts.append(f"blind signing {'ON' if device['blind_signing'] else 'off'}")
    parts += ["EMULATOR"] if device["emulator"] else []
    parts += [] if device["real"] else ["its key is public: for paper and testnets only"]
    parts += [f"serial {device['serial']}"] if device["serial"] else []
    return ", ".join(parts)


def _shown(one: dict[str, Any]) -> str:
    if one["clarity"] is None:
        return f"no: {one['why']}"
    refused = ", refused as it is set" if one["refuses"] else ""
    seen = "" if one["proven"] else " (unproven)"
    return f"{one['clarity']}{refused}{seen} {one['why']}".rstrip()
