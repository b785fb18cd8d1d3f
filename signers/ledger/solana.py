"""The commands of the Solana app. Source: app-solana's api.md and the recorded exchanges with 1.9.0."""

from __future__ import annotations

from typing import Final

from signers import solana
from signers.ledger.apdu import chunks, encode, path_bytes
from signers.ledger.ethereum import Config
from signers.ledger.transport import bad_answer
from signers.paths import Path
from signers.payloads import OffchainMessage, SolanaMessage

_CONFIG: Final = 0x04
_KEY: Final = 0x05
_SIGN: Final = 0x06
_MESSAGE: Final = 0x07
_ASKING: Final = 0x01
"""P1: with the person's consent; the app refuses to sign without."""
_GOES_ON: Final = 0x01
_MORE: Final = 0x02

CONFIG: Final = encode(_CONFIG, 0, 0)


def config(data: bytes) -> Config:
    """Read the answer to `CONFIG`: blind signing, key display, and the version once more.

    Raises:
        DeviceFault: it is not one.
    """
    if len(data) != 5 or data[0] > 1 or data[1] > 1:
        raise bad_answer("Not the app's settings.", raw=data[:16].hex())
    return Config(bool(data[0]), bool(data[1]))


def address_command(path: Path, *, show: bool) -> bytes:
    """Asks for the public key of `path`."""
    return encode(_KEY, int(show), 0, path_bytes(path))


def address(data: bytes) -> str:
    """Read the answer to `address_command`: the 32 bytes of the key.

    Raises:
        DeviceFault: it is not one.
    """
    if len(data) != 32:
        raise bad_answer("Not a public key.", raw=f"{len(data)} bytes")
    return solana.address_of(data)


def sign_commands(payload: SolanaMessage | OffchainMessage, path: Path) -> list[bytes]:
    """Count of signers (1) and path before the message. Unlike Ethereum's, the last chunk MUST be marked as such."""
    ins = _SIGN if isinstance(payload, SolanaMessage) else _MESSAGE
    pieces = chunks(b"\x01" + path_bytes(path) + payload.signed)
    last = len(pieces) - 1
    return [
        encode(ins, _ASKING, (_GOES_ON if number else 0) | (_MORE if number < last else 0), piece)
        for number, piece in enumerate(pieces)
    ]


def signature(data: bytes) -> bytes:
    """The 64 bytes.

    Raises:
        DeviceFault: it is not a signature.
    """
    if len(data) != 64:
        raise bad_answer("Not a signature.", raw=f"{len(data)} bytes")
    return data
