"""One target under atheris: ``python -m tests.fuzz TARGET [libFuzzer's options]``."""

from __future__ import annotations

import struct
import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-untyped] # ships no types

with atheris.instrument_imports(include=["signers", "trezorlib.protobuf", "trezorlib.mapping"]):
    from tests.fuzz import targets

from tests.devices.cases import cases
from tests.shared import shared_folder


def seeds(name: str) -> list[bytes]:
    """Real bytes to begin with; recordings where they are."""
    found = [case.payload.signed for case in cases()]
    if name == "ledger":
        found = [bytes([which]) + b"\x02\x90\x00\x43" + bytes(65) + b"\x90\x00" for which in range(16)]
    if name == "trezor":
        found = [bytes([which, 4]) + b"\x00\x00\x00\x00" for which in range(16)]
    if name == "hid":
        found = [bytes.fromhex("010105000000020116") + bytes(55)]
    return found


def features() -> list[bytes]:
    """The answers that a device gives to the first questions, as recorded; none where there are no recordings."""
    import json  # noqa: PLC0415 -- for this alone

    file = shared_folder() / "data" / "trezor" / "t3t1-message-ascii.jsonl"
    if not file.exists():
        return []
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    said = [(each["id"], bytes.fromhex(each["hex"])) for each in lines if each.get("dir") == "device->host"]
    return [struct.pack(">HL", number, len(data)) + data for number, data in said[:5]]


def main() -> None:
    """Fuzz until an option says that it is enough."""
    name, *options = sys.argv[1:]
    targets.FEATURES = features()
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(name)):
            (Path(corpus) / str(number)).write_bytes(seed)
        atheris.Setup([sys.argv[0], *options, corpus], targets.TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
