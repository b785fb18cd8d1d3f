"""What a Trezor is asked for Solana. A Model One knows nothing of it."""

from __future__ import annotations

from typing import Any

from trezorlib import solana as _solana

from signers import solana as messages
from signers.base import DeviceState
from signers.faults import NotReady
from signers.payloads import SolanaMessage
from signers.trezor.evm import bad, whole

solana: Any = _solana
"""Untyped: the library's decorator loses its functions' types."""


def address(session: Any, path: list[int], *, show: bool) -> str:
    """Base58 address.

    Raises:
        DeviceFault: it answered something else.
    """
    found = str(solana.get_address(session, path, show))
    try:
        messages.key_of(found)
    except ValueError:
        raise bad("no address") from None
    return found


def signature_of(session: Any, path: list[int], payload: SolanaMessage, own: str) -> bytes:
    """64 bytes, by the key at `path`, whose address is `own`.

    Raises:
        NotReady: that key is not among those who must sign: the device does not check that, and its signature would be
            of no use.
        DeviceFault: it answered something else.
    """
    if own not in payload.fields.signers:
        raise NotReady(DeviceState.WRONG_DEVICE, f"{own} is not among those who must sign this message.")
    return whole(solana.sign_tx(session, path, payload.message, None), 64)
