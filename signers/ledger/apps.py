"""Which app is open, which are needed, and how to change between them. Source: Ledger's SDK and Device Management
Kit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from signers.ledger.apdu import CLA_ANY, encode
from signers.ledger.transport import bad_answer
from signers.payloads import Chain

Version = tuple[int, int, int]

DASHBOARD: Final = "BOLOS"
"""What the operating system calls itself."""
WHICH: Final = encode(0x01, 0, 0, cla=CLA_ANY)
"""Asks for the name and version of what runs. Before any app's command: the apps give the same instruction numbers to
different commands (04 signs in Ethereum and reads the settings in Solana)."""
QUIT: Final = encode(0xA7, 0, 0, cla=CLA_ANY)
"""Leaves the app; the device then disconnects and comes back as the dashboard."""


@dataclass(frozen=True, slots=True)
class App:
    """An app and the versions of it that are known.

    Attributes:
        oldest: the oldest that is good enough.
        why_oldest: what older ones lack.
        recorded: the one whose screens were recorded.
    """

    name: str
    oldest: Version
    why_oldest: str
    recorded: Version


APPS: Final = {
    Chain.EVM: App("Ethereum", (1, 10, 2), "older ones show no message or typed data in full", (1, 22, 0)),
    Chain.SOLANA: App("Solana", (1, 4, 3), "older ones sign no versioned messages", (1, 9, 0)),
}
"""Ethereum: 1.9.0 brought EIP-1559, 1.9.20 shows a message whole instead of its first 255 characters, 1.10.0 takes
typed data field by field, 1.10.2 mends an overflow with large transactions (its change log). Solana: 1.4.3 reads
versioned messages (its parser.c)."""


@dataclass(frozen=True, slots=True)
class Running:
    """What runs on the device."""

    name: str
    version: str

    def number(self) -> Version:
        """The version as numbers.

        Raises:
            DeviceFault: it is none.
        """
        found = re.match(r"(\d{1,5})\.(\d{1,5})\.(\d{1,5})(?!\d)", self.version, re.ASCII)
        if found is None:
            raise bad_answer(f"{self.name} names its version in an unknown way.", raw=ascii(self.version[:32]))
        return int(found[1]), int(found[2]), int(found[3])


def open_app(name: str) -> bytes:
    """Opens an app from the dashboard; the device asks its person first."""
    return encode(0xD8, 0, 0, name.encode())


def running(data: bytes) -> Running | None:
    """Read the answer to `WHICH`: format 1, name, version, and on apps flags, each with its length before it. None for
    anything else, which is then the answer to another command."""
    if data[:1] != b"\x01":
        return None
    fields, rest = [], data[1:]
    while rest and len(rest) > rest[0]:
        fields.append(rest[1 : 1 + rest[0]])
        rest = rest[1 + rest[0] :]
    if rest or not 2 <= len(fields) <= 3 or not fields[0] or not all(_plain(each) for each in fields[:2]):
        return None
    return Running(fields[0].decode(), fields[1].decode())


def dotted(version: Version) -> str:
    """``1.22.0``."""
    return ".".join(map(str, version))


def _plain(text: bytes) -> bool:
    return all(0x20 <= byte <= 0x7E for byte in text)
