"""Recorded exchanges with the real apps, replayed: the driver must send the recorded bytes, and is given the recorded
answers."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from signers.ledger.transport import MODELS, Model, Opened
from tests.shared import shared_data

RECORDINGS = ("ethereum_1.22.0_nanosp", "ethereum_1.22.0_flex", "solana_1.9.0_nanosp", "solana_1.9.0_flex")
WHICH = {
    "Ethereum": (bytes.fromhex("b001000000"), bytes.fromhex("0108457468657265756d06312e32322e3001009000")),
    "Solana": (bytes.fromhex("b001000000"), bytes.fromhex("0106536f6c616e6105312e392e3001009000")),
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One case: its exchange, and each screen of its review as lines of text."""

    recording: str
    app: str
    model: Model
    line: dict[str, Any]
    exchange: tuple[tuple[bytes, bytes], ...]
    screens: tuple[tuple[str, ...], ...]

    @property
    def name(self) -> str:
        return str(self.line["case"])

    @property
    def inputs(self) -> dict[str, Any]:
        found: dict[str, Any] = self.line["inputs"]
        return found

    @property
    def final(self) -> int:
        return int(self.line["final_sw"], 16)

    @property
    def blind(self) -> bool:
        return bool(self.line["blind_signing"])

    @property
    def settings(self) -> tuple[bytes, bytes]:
        """The exchange about settings, as recorded in this state of them."""
        if self.app == "Ethereum":
            return bytes.fromhex("e006000000"), bytes([2 | self.blind]) + bytes.fromhex("0116009000")
        return bytes.fromhex("e004000000"), bytes([self.blind]) + bytes.fromhex("000109009000")

    @property
    def opening(self) -> list[tuple[bytes, bytes]]:
        """What goes before every operation."""
        return [WHICH[self.app], self.settings]


def recorded() -> list[Recorded]:
    """Every case of every recording; a loud skip where there is none."""
    return [case for name in RECORDINGS for case in _of(name)]


def _of(name: str) -> list[Recorded]:
    lines = [json.loads(line) for line in shared_data(f"ledger/{name}.jsonl").read_text().splitlines()]
    meta, found, at = lines[0], [], 1
    while at < len(lines):
        line = lines[at]
        at += 1
        if line["type"] != "case":
            continue
        apdus = []
        while at < len(lines) and lines[at]["type"] == "apdu":
            apdus.append(lines[at])
            at += 1
        exchange = tuple((bytes.fromhex(each["tx"]), bytes.fromhex(each["rx"])) for each in apdus)
        screens = tuple(tuple(each["screen"]) for apdu in apdus for each in apdu["human"] or ())
        found.append(Recorded(name, meta["app"], MODELS[meta["model"]], line, exchange, screens))
    return found


@dataclass(slots=True)
class Replay:
    """A door with one device behind it that knows `script` only, in its order."""

    model: Model
    script: deque[tuple[bytes, bytes]]
    name: str = "replay"
    emulator: bool = False
    switches: bool = False

    def plugged(self) -> tuple[str, ...]:
        return (self.name,)

    def open(self) -> Opened:
        return Opened(self, self.model)

    def exchange(self, apdu: bytes, deadline: float) -> bytes:
        assert deadline > 0
        assert self.script, f"nothing more was recorded, and {apdu.hex()} is sent"
        sent, answer = self.script.popleft()
        assert apdu.hex() == sent.hex()
        return answer

    def drop(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


# -- screens ----------------------------------------------------------------------------------------------------------

_CHROME = frozenset(
    {
        "Swipe to review", "Swipe to continue", "Hold to sign", "Reject", "Cancel", "Confirm", "Skip",
        "Back to safety", "Accept risk and continue",
    }
)  # fmt: skip
"""Buttons of touch screens."""
_ASKS_AGAIN = frozenset({"Yes, reject"})


def shown_text(screens: Iterable[tuple[str, ...]]) -> tuple[list[str], bool]:
    """Each page's text without white space, and whether all pages were recorded: some of the first or last presses were
    made before the recorder looked. Labels that are repeated on further pages of a value are left out."""
    pages: list[str] = []
    numbers: list[int] = []
    last, before = 0, None
    for screen in screens:
        if screen == before or _ASKS_AGAIN & set(screen):
            continue
        before = screen
        lines = [line for line in screen if line not in _CHROME]
        number = re.fullmatch(r"(\d+) of (\d+)", lines[-1]) if lines else None
        if number is not None:
            lines, last = lines[:-1], int(number[2])
            numbers.append(int(number[1]))
        paged = re.fullmatch(r"(.*) \((\d+)/\d+\)", lines[0]) if lines else None
        if paged is not None:
            lines = ([paged[1]] if paged[2] == "1" else []) + lines[1:]
        pages.append("".join("".join(lines).split()))
    return pages, not last or sorted(set(numbers)) == list(range(1, last + 1))
