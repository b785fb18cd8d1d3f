"""APDUs: encoded, cut into chunks, and what their status words mean. Source: ISO 7816-4 and the recorded exchanges."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from signers.base import DeviceState
from signers.faults import DeviceFault, NotReady, RefusedOnDevice, SignerFault
from signers.ledger.transport import bad_answer
from signers.paths import Path
from signers.words import OTHER_PATH, next_step_of

CLA: Final = 0xE0
CLA_ANY: Final = 0xB0
"""Commands of the operating system, which every app and the dashboard answer."""
MOST: Final = 255
"""Bytes of data of one APDU."""

OK: Final = 0x9000
LOCKED: Final = 0x5515
OWN_SCREEN: Final = 0x6901
REFUSED: Final = frozenset({0x6985, 0x5501})
NOT_OPEN: Final = frozenset({0x6E00, 0x6E01, 0x6D00, 0x6D02, 0x6511})
"""What the dashboard, or another app, answers to an app's command; it varies with the firmware."""
_BLIND: Final = frozenset({0x6A80, 0x6808})
"""Ethereum's and Solana's answer to what they can not show while blind signing is off; also to what they do not
understand at all."""
_BAD_PATH: Final = frozenset({0x6A15, 0x6801, 0x6802})
_NOT_INSTALLED: Final = 0x6807


@dataclass(frozen=True, slots=True)
class Ask:
    """One command: its bytes, and what is known of it when its answer is judged.

    Attributes:
        app: which app it is for, "" for the operating system.
        person: the answer waits for somebody's hand.
        blind: the app's setting, for commands that sign; None for others.
        path: the account, for words.
    """

    apdu: bytes
    app: str = ""
    person: bool = False
    blind: bool | None = None
    path: str = ""


def encode(ins: int, p1: int, p2: int, data: bytes = b"", cla: int = CLA) -> bytes:
    """One APDU.

    Raises:
        ValueError: more than 255 bytes of data.
    """
    if len(data) > MOST:
        raise ValueError(f"{len(data)} bytes of data; an APDU has at most {MOST}")
    return bytes((cla, ins, p1, p2, len(data))) + data


def path_bytes(path: Path) -> bytes:
    """Count of levels, then each as u32be."""
    return struct.pack(f">B{len(path.levels)}I", len(path.levels), *path.levels)


def chunks(data: bytes, size: int = MOST) -> list[bytes]:
    """`data` in pieces of `size` bytes, the last shorter; at least one."""
    return [data[start : start + size] for start in range(0, len(data), size)] or [b""]


def split(answer: bytes) -> tuple[bytes, int]:
    """Data and status word. The last two bytes count, whatever lies before them: errors may carry garbage.

    Raises:
        DeviceFault: no status word.
    """
    if len(answer) < 2:
        raise bad_answer("It has no status.", raw=answer.hex())
    return answer[:-2], int.from_bytes(answer[-2:])


def fault(status: int, ask: Ask) -> SignerFault:
    """What `status`, which is not 9000, means as the answer to `ask`. The only place where status words are judged."""
    raw = f"0x{status:04X}"
    if status in REFUSED and ask.person:
        return RefusedOnDevice("Refused on the device.", next_step_of(DeviceState.REJECTED), raw=raw)
    if status in REFUSED or 0x6100 <= status < 0x6200:
        return bad_answer("It answers something else than was asked.", raw=raw)
    state, detail, step = None, "", ""
    if status == LOCKED:
        state = DeviceState.LOCKED
    elif status == OWN_SCREEN:
        state, detail = DeviceState.BUSY, "It shows a screen of its own."
        step = "Nothing was sent. Leave what it shows of its own, then try again."
    elif status in NOT_OPEN:
        state, detail = DeviceState.WRONG_APP, f"{ask.app} is not open." if ask.app else ""
    elif status == _NOT_INSTALLED and not ask.app:
        state, detail = DeviceState.WRONG_APP, "The app is not installed."
        step = "Nothing was sent. Install it with Ledger's own program, then try again."
    elif status in _BAD_PATH and ask.app:
        state, detail = DeviceState.UNSUPPORTED, f"The {ask.app} app does not allow {ask.path}."
        step = OTHER_PATH
    elif status in _BLIND and ask.blind is False:
        state = DeviceState.BLIND_SIGNING_OFF
    elif status in _BLIND and ask.blind:
        state, detail = DeviceState.UNSUPPORTED, f"The {ask.app} app does not take these bytes."
    if state is not None:
        return NotReady(state, detail, raw=raw, next_step=step)
    return DeviceFault(f"The device reported an error, {raw}.", next_step_of(DeviceState.UNKNOWN), raw=raw)
