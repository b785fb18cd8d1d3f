"""Pairing with a device of the newer protocol (Safe 7). Written from the library's source; no such device was at hand,
so nothing here is proven."""

from __future__ import annotations

from typing import Any

from signers.base import DeviceState
from signers.trezor.hands import Hands
from signers.trezor.options import Credential, Options


def pair(device: Any, hands: Hands, options: Options) -> None:
    """Unlock and pair where that is needed: the device shows six digits, the person types them; what it gives
    for the next time is stored.

    Raises:
        NotReady: nobody typed them, or not six digits.
    """
    if not device.is_connected():  # it is locked, and asks for its PIN on its own screen
        hands.person.told(DeviceState.PIN)
        if hands.channel is not None:
            hands.channel.next_is_slow()
        device.connect()
    if device.pairing.is_paired():
        return
    from trezorlib.thp.pairing import default_pairing_flow  # noqa: PLC0415 -- for that protocol only

    given: Any = default_pairing_flow(device.pairing, code_entry_callback=hands.pairing_code)
    if given is not None:
        options.store_credential(Credential(given.trezor_pubkey, given.host_privkey, given.credential))
