"""What ``doctor`` says of hardware wallets: rules, libraries, descriptors, devices, each with the way on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from app.cli import doctor_signers
from app.cli.doctor_signers import Plugged, descriptors, on_usb, udev
from signers.words import UDEV_RULES
from storage.database import open_for_trading
from tests.devices.ledger_device import LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator
from tests.unit.cli.conftest import Call

LEDGER, TREZOR = Plugged("Ledger", "/dev/bus/usb/001/004", allowed=False), Plugged("Trezor", "/x", allowed=True)


def _rules(folder: Path, name: str, text: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return [folder]


def test_our_own_rules_are_right(tmp_path: Path) -> None:
    folders = _rules(tmp_path / "etc", "70-countersign.rules", "\n".join(UDEV_RULES))
    assert udev([TREZOR], folders) == (("udev", "ok", "rules for Ledger and Trezor in 70-countersign.rules"), False)


def test_missing_rules_matter_once_a_device_may_not_be_opened(tmp_path: Path) -> None:
    (name, state, words), wanted = udev([], [tmp_path])
    assert (name, state, wanted) == ("udev", "ok", False)
    assert "no rule for Ledger (2c97), Trezor (534c), Trezor (1209)" in words
    (_, state, words), wanted = udev([LEDGER, TREZOR], [tmp_path])
    assert (state, wanted) == ("warn", True)
    assert "this user may not open the Ledger at /dev/bus/usb/001/004" in words
    assert "/x" not in words


def test_a_rule_that_comes_too_late_tags_in_vain(tmp_path: Path) -> None:
    folders = _rules(tmp_path / "etc", "99-wallets.rules", "\n".join(UDEV_RULES))
    (_, state, words), _ = udev([], folders)
    assert state == "warn"
    assert "99-wallets.rules tags Ledgers after 73-seat-late.rules, in vain" in words
    everyone = "\n".join(each.replace("0660", "0666") for each in UDEV_RULES)
    (_, state, _), _ = udev([], _rules(tmp_path / "etc", "99-wallets.rules", everyone))
    assert state == "ok"


@pytest.mark.parametrize("text", ["# {}", "{}", 'SUBSYSTEM=="usb"', "\xff\x00"])
def test_what_is_no_rule_for_it_does_not_count(tmp_path: Path, text: str) -> None:
    lines = [text.format(each.replace('TAG+="uaccess"', "")) for each in UDEV_RULES]
    (_, _, words), _ = udev([], _rules(tmp_path / "etc", "70-a.rules", "\n".join(lines)))
    assert words.startswith("no rule for Ledger")


def test_a_file_of_the_administrator_hides_the_distribution_s(tmp_path: Path) -> None:
    lib = _rules(tmp_path / "lib", "70-a.rules", "\n".join(UDEV_RULES))
    etc = _rules(tmp_path / "etc", "70-a.rules", "")
    assert udev([], lib)[0][2].startswith("rules for")
    assert udev([], [*etc, *lib])[0][2].startswith("no rule")


def test_what_is_plugged_in_is_read_from_the_system_and_not_opened(tmp_path: Path) -> None:
    sysfs, dev = tmp_path / "sys", tmp_path / "dev"
    devices = {
        "1-1": ("2c97", "5011", "1", "4"), "1-2": ("1209", "53c1", "1", "5"), "1-3": ("1209", "0001", "1", "6"),
        "1-4": ("046d", "c52b", "1", "7"), "1-5": ("534c", "0001", "x", "8"),
    }  # fmt: skip
    for name, values in devices.items():
        (sysfs / name).mkdir(parents=True)
        for file, value in zip(("idVendor", "idProduct", "busnum", "devnum"), values, strict=True):
            (sysfs / name / file).write_text(f"{value}\n")
    (sysfs / "1-1:1.0").mkdir()
    (dev / "001").mkdir(parents=True)
    (dev / "001" / "005").touch()
    found = list(on_usb(sysfs, dev))
    assert [(each.maker, each.file, each.allowed) for each in found] == [
        ("Ledger", str(dev / "001" / "004"), False), ("Trezor", str(dev / "001" / "005"), True),
    ]  # fmt: skip
    assert list(on_usb(tmp_path / "none", dev)) == []


def test_descriptors_are_there_and_readable(tmp_path: Path) -> None:
    assert descriptors("") == []
    assert "there is no such folder" in descriptors(str(tmp_path / "gone"))[0][2]
    assert "no evm/CHAIN/erc20-signatures.json" in descriptors(str(tmp_path))[0][2]
    for chain in ("1", "137"):
        (tmp_path / "lib" / "data" / "evm" / chain).mkdir(parents=True)
        (tmp_path / "lib" / "data" / "evm" / chain / "erc20-signatures.json").touch()
    (check,) = descriptors(str(tmp_path))
    assert check[1:] == ("ok", f"{tmp_path}: token descriptions of 2 chains, but no filters of typed data")
    (tmp_path / "lib" / "data" / "eip712_v2.json").write_text("{}")
    assert "2 chains, and the filters of typed data" in descriptors(str(tmp_path))[0][2]
    if os.getuid():
        tmp_path.chmod(0)
        assert "can not be read" in descriptors(str(tmp_path))[0][2]
        tmp_path.chmod(0o700)


def _checks(document: Any) -> dict[str, tuple[str, str]]:
    return {each["name"]: (each["state"], each["detail"]) for each in document["checks"]}


def test_doctor_tells_all_of_it(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_signers, "on_usb", lambda: iter([LEDGER]))
    with LedgerEmulator(LedgerDevice(locked=True)) as emulator:
        settings = f'[signer]\nkind = "ledger"\nledger = "{emulator.url}"\ndescriptors = "{tmp_path / "gone"}"\n'
        (tmp_path / "c.toml").write_text(settings, encoding="utf-8")
        result = call("doctor", "--config", tmp_path / "c.toml", "--json")
        words = call("doctor", "--config", tmp_path / "c.toml").out
    assert result.code == 0, "warnings do not fail"
    checks = _checks(result.document)
    assert checks["ledger"][0] == "warn"
    assert "The device is locked. Unlock it with its PIN" in checks["ledger"][1]
    assert checks["descriptors"][0] == "warn"
    assert checks["hidapi"][0] == "ok"
    assert checks["udev"][0] == "warn"
    assert result.document["udev_rules"] == list(UDEV_RULES)
    assert "Save as /etc/udev/rules.d/70-countersign.rules" in words
    assert UDEV_RULES[0] in words


def test_the_rules_are_printed_when_asked_for(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_signers, "on_usb", lambda: iter(()))
    assert UDEV_RULES[0] not in call("doctor").out
    assert UDEV_RULES[0] in call("doctor", "--udev").out


def test_a_device_is_left_alone_while_a_trader_may_hold_it(call: Call, tmp_path: Path) -> None:
    with LedgerEmulator(LedgerDevice()) as emulator:
        (tmp_path / "c.toml").write_text(f'[signer]\nkind = "ledger"\nledger = "{emulator.url}"\n', encoding="utf-8")
        trading = open_for_trading(tmp_path / "a.db", "paper")  # holds the lock that a trader holds
        try:
            result = call("doctor", "--config", tmp_path / "c.toml", "--db", tmp_path / "a.db", "--json")
        finally:
            trading.close()
        assert "not asked: " in _checks(result.document)["devices"][1]
        assert emulator.device.log == []


def test_settings_that_are_wrong_are_told_once(call: Call, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[signer]\nkind = "wax"\n', encoding="utf-8")
    result = call("doctor", "--config", tmp_path / "c.toml", "--json")
    assert result.code == 1
    assert "ledger" not in _checks(result.document)


def test_a_missing_libusb_matters_to_a_trezor_on_usb_only(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import usb1  # type: ignore[import-untyped] # noqa: PLC0415 -- native; ships no types

    def missing() -> None:
        raise FileNotFoundError(2, "cannot find a suitable libusb-1.0")

    monkeypatch.setattr(usb1, "USBContext", missing)
    monkeypatch.setattr(doctor_signers, "on_usb", lambda: iter(()))
    assert _checks(call("doctor", "--json").document)["libusb"][0] == "ok"
    (tmp_path / "c.toml").write_text('[signer]\nkind = "trezor"\n', encoding="utf-8")
    state, words = _checks(call("doctor", "--config", tmp_path / "c.toml", "--json").document)["libusb"]
    assert state == "warn"
    assert "apt install libusb-1.0-0" in words
