"""The parts of ``countersign doctor`` for hardware wallets: what the system needs to let them be used, what is plugged
in and its state. The system's own files say most of it; a device is asked only while no trader runs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.cli import context
from app.cli.devices import asks_trader, run_here
from app.errors import CountersignError
from storage.faults import StorageFault

if TYPE_CHECKING:
    from app.config.schema import Settings

Check = tuple[str, str, str]

RULES: Final = tuple(
    Path(each) for each in ("/etc/udev/rules.d", "/run/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d")
)
"""Where udev looks; a file in an earlier one hides those of its name in the later ones."""
SYSFS: Final = Path("/sys/bus/usb/devices")

_MAKERS: Final = {"2c97": "Ledger", "534c": "Trezor", "1209": "Trezor"}
_TREZORS: Final = frozenset({"53c0", "53c1"})
"""Products of vendor 1209, which many makers share."""
_LATE: Final = "73-seat-late.rules"
"""Gives the devices that bear the tag `uaccess` to whoever is logged in; a rule after it tags in vain."""
_VENDOR: Final = re.compile(r'idVendor\}=="([0-9a-f]{4})"', re.IGNORECASE)
_GIVES: Final = re.compile(r'\bTAG\+="uaccess"|\bGROUP:?="|\bMODE:?="0?[0-7]{2}6"')
_FOLDERS: Final = ("", "data", "lib/data")
"""Where in npm's package the descriptors are; as `signers.ledger.descriptors` looks."""


@dataclass(frozen=True, slots=True)
class Plugged:
    """One hardware wallet on the USB, by the system's own list. `allowed`: this user may open it."""

    maker: str
    file: str
    allowed: bool


def checks(settings: Settings, db: Path) -> tuple[list[Check], bool]:
    """Every part, and whether the udev rules are to be printed."""
    found: list[Check] = []
    wanted = False
    plugged = list(on_usb()) if sys.platform == "linux" else []
    if sys.platform == "linux":
        part, wanted = udev(plugged)
        found.append(part)
    found += [libusb(settings, plugged), hidapi(settings), *descriptors(settings.signer.descriptors)]
    return [*found, *_devices(settings, db)], wanted


# -- the system -----------------------------------------------------------------------------------------------------


def on_usb(sysfs: Path = SYSFS, dev: Path = Path("/dev/bus/usb")) -> Iterator[Plugged]:
    """Hardware wallets that are plugged in. Opens none of them."""
    try:
        entries = sorted(sysfs.iterdir())
    except OSError:
        return
    for entry in entries:
        try:
            vendor, product, bus, number = (
                (entry / name).read_text().strip() for name in ("idVendor", "idProduct", "busnum", "devnum")
            )
            file = dev / f"{int(bus):03d}" / f"{int(number):03d}"
        except (OSError, ValueError):
            continue  # an interface, a hub's port, or unplugged while it was read
        if vendor in _MAKERS and (vendor != "1209" or product in _TREZORS):
            yield Plugged(_MAKERS[vendor], str(file), os.access(file, os.R_OK | os.W_OK))


def udev(plugged: Sequence[Plugged], folders: Sequence[Path] = RULES) -> tuple[Check, bool]:
    """Whether a rule lets this user open each maker's devices."""
    rules = list(_rules(folders))
    lacks = [vendor for vendor in _MAKERS if not any(each == vendor and not late for each, _, late in rules)]
    late = sorted({f"{name} tags {_MAKERS[each]}s after {_LATE}, in vain" for each, name, late in rules if late})
    denied = [f"{each.maker} at {each.file}" for each in plugged if not each.allowed]
    if denied:
        words = f"this user may not open the {', the '.join(denied)}"
        return ("udev", "warn", "; ".join([words, *late, "add the rules below, plug it in again"])), True
    names = ", ".join(dict.fromkeys(f"{_MAKERS[each]} ({each})" for each in lacks))
    if not lacks:
        files = ", ".join(dict.fromkeys(name for _, name, is_late in rules if not is_late))
        return ("udev", "ok", f"rules for Ledger and Trezor in {files}"), False
    if late:
        return ("udev", "warn", f"{'; '.join(late)}: give the file a lower number"), False
    return ("udev", "ok", f"no rule for {names}: needed to use one (doctor --udev prints them)"), False


def _rules(folders: Sequence[Path]) -> Iterator[tuple[str, str, bool]]:
    """Vendor, file, and whether it comes too late, of each line that gives somebody a hardware wallet."""
    files: dict[str, Path] = {}
    for folder in folders:
        try:
            for file in folder.glob("*.rules"):
                files.setdefault(file.name, file)
        except OSError:
            continue
    for name, file in sorted(files.items()):
        try:
            text = file.read_text("utf-8", "replace").replace("\\\n", " ")
        except OSError:
            continue
        for line in text.splitlines():
            if line.lstrip().startswith("#") or not _GIVES.search(line):
                continue
            only_tagged = not _GIVES.search(line.replace('TAG+="uaccess"', ""))
            for vendor in _VENDOR.findall(line):
                if vendor.lower() in _MAKERS:
                    yield vendor.lower(), name, name > _LATE and only_tagged


def libusb(settings: Settings, plugged: Sequence[Plugged] = ()) -> Check:
    """Whether a Trezor on the USB can be opened at all."""
    import usb1  # type: ignore[import-untyped] # noqa: PLC0415 -- native; ships no types

    needed = settings.signer.kind == "trezor" and not settings.signer.trezor
    needed = needed or any(each.maker == "Trezor" for each in plugged)
    try:
        with usb1.USBContext():
            return "libusb", "ok", "libusb-1.0, for a Trezor on USB"
    except OSError:
        words = "libusb-1.0 is missing; a Trezor on USB needs it (Debian and Ubuntu: apt install libusb-1.0-0)"
    except usb1.USBError as error:
        words = f"libusb-1.0 can not be used ({type(error).__name__}); a Trezor on USB needs it"
    return "libusb", "warn" if needed else "ok", words


def hidapi(settings: Settings) -> Check:
    """Whether a Ledger on the USB can be looked for at all."""
    try:
        import hid  # type: ignore[import-not-found] # noqa: PLC0415 -- native; ships no types
    except ImportError as error:
        needed = settings.signer.kind == "ledger" and not settings.signer.ledger
        return "hidapi", "warn" if needed else "ok", f"can not be loaded ({error}); a Ledger on USB needs it"
    return "hidapi", "ok", f"{hid.version_str()}, for a Ledger on USB"


def descriptors(folder: str) -> list[Check]:
    """Whether the folder that the settings name has what it is for."""
    if not folder:
        return []
    name, path = "descriptors", Path(folder)
    if not path.is_dir():
        return [
            (name, "warn", f"signer.descriptors = {folder}: there is no such folder; a Ledger shows no token's name")
        ]
    if not os.access(path, os.R_OK | os.X_OK):
        return [(name, "warn", f"signer.descriptors = {folder} can not be read by this user")]
    for below in _FOLDERS:
        if found := sorted(path.joinpath(below).glob("evm/*/erc20-signatures.json")):
            filters = "and the filters" if path.joinpath(below, "eip712_v2.json").is_file() else "but no filters"
            return [(name, "ok", f"{folder}: token descriptions of {len(found)} chains, {filters} of typed data")]
    return [(name, "warn", f"signer.descriptors = {folder}: no evm/CHAIN/erc20-signatures.json in it")]


# -- the devices ----------------------------------------------------------------------------------------------------


def _devices(settings: Settings, db: Path) -> list[Check]:
    from app.devices import HARDWARE  # noqa: PLC0415 -- asyncio and the signers, when they are wanted

    try:
        if asks_trader(db):
            found = context.ask_trader(db, {"op": "signers"})["signers"]
        else:
            from app.cli.signers_list import known  # noqa: PLC0415 -- as above

            found = run_here(settings, lambda devices: known(devices, (), settings.signer))["signers"]
    except (CountersignError, StorageFault) as error:
        return [("devices", "ok", f"not asked: {error}")]
    return [_device(each) for each in found if each["kind"] in set(HARDWARE)]


def _device(each: dict[str, Any]) -> Check:
    from app.cli.signers_list import words  # noqa: PLC0415 -- as above

    quiet = each["state"] in {None, "READY"} or (each["state"] == "NO_DEVICE" and not each["chosen"])
    return str(each["kind"]), "ok" if quiet else "warn", words(each)
