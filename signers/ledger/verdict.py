"""The verdict on one payload: how clearly the device will show it, and whether it would refuse."""

from __future__ import annotations

from signers.base import DeviceInfo, Shown, SignRequest
from signers.ledger import clearsign, clearsign_evm, clearsign_sol, filtered
from signers.ledger.descriptors import Descriptors, Token
from signers.ledger.filtered import Filtered
from signers.ledger.filters import Filters
from signers.payloads import EvmTransaction, OffchainMessage, PersonalMessage, SolanaMessage


def verdict(
    request: SignRequest,
    address: str,
    info: DeviceInfo,
    descriptors: Descriptors | None,
    *,
    short_keys: bool,
    filters: Filters | None = None,
) -> tuple[Shown, Token | Filtered | None]:
    """What will be shown, and what the device is told for it: a token, or typed data with filters.

    Args:
        address: of `request.path`; "" leaves out what depends on it.
        filters: which fields of typed data are shown; None looks for none.
        short_keys: the Solana app's setting.
    """
    payload = request.payload
    told: Token | Filtered | None = None
    if isinstance(payload, PersonalMessage):
        shown = clearsign.message(payload, info)
    elif isinstance(payload, EvmTransaction):
        shown, told = clearsign_evm.transaction(payload, address, info, descriptors)
    elif isinstance(payload, SolanaMessage):
        shown = clearsign_sol.transaction(payload, address, info, short_keys=short_keys)
    elif isinstance(payload, OffchainMessage):
        shown = clearsign_sol.offchain(payload, address, info)
    else:
        shown, told = filtered.typed(payload, info, filters)
    return clearsign.with_version(shown, payload, info), told
