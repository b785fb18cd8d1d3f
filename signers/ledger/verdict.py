"""The verdict on one payload: how clearly the device will show it, and whether it would refuse."""

from __future__ import annotations

from signers.base import DeviceInfo, Shown, SignRequest
from signers.ledger import clearsign, clearsign_evm, clearsign_sol
from signers.ledger.descriptors import Descriptors, Token
from signers.payloads import EvmTransaction, OffchainMessage, PersonalMessage, SolanaMessage


def verdict(
    request: SignRequest, address: str, info: DeviceInfo, descriptors: Descriptors | None, *, short_keys: bool
) -> tuple[Shown, Token | None]:
    """What will be shown, and the token to describe to the device first.

    Args:
        address: of `request.path`; "" leaves out what depends on it.
        short_keys: the Solana app's setting.
    """
    payload, token = request.payload, None
    if isinstance(payload, PersonalMessage):
        shown = clearsign.message(payload, info)
    elif isinstance(payload, EvmTransaction):
        shown, token = clearsign_evm.transaction(payload, address, info, descriptors)
    elif isinstance(payload, SolanaMessage):
        shown = clearsign_sol.transaction(payload, address, info, short_keys=short_keys)
    elif isinstance(payload, OffchainMessage):
        shown = clearsign_sol.offchain(payload, address, info)
    else:
        shown = clearsign_evm.typed(payload, info)
    return clearsign.with_version(shown, payload, info), token
