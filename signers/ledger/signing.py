"""From a request to the commands that ask for its signature, and from the answer to the signature."""

from __future__ import annotations

from signers.base import DeviceInfo, SignRequest
from signers.ledger import clearsign, clearsign_evm, ethereum, solana
from signers.ledger.descriptors import Token
from signers.ledger.filtered import Filtered
from signers.payloads import EvmTransaction, OffchainMessage, Payload, PersonalMessage, SolanaMessage


def commands(request: SignRequest, info: DeviceInfo, told: Token | Filtered | None) -> list[bytes]:
    """What to send, in order; the answer to the last one waits for the person and brings the signature. `told`, from
    the verdict: the token that a transaction moves, described to the device first, or typed data with its filters."""
    payload, path = request.payload, request.path
    if isinstance(told, Filtered):
        return told.commands(path)
    if isinstance(payload, SolanaMessage | OffchainMessage):
        return solana.sign_commands(payload, path)
    if isinstance(payload, PersonalMessage):
        return ethereum.message_commands(payload, path)
    if isinstance(payload, EvmTransaction):
        described = [] if told is None else [ethereum.token_command(told.descriptor)]
        return described + ethereum.transaction_commands(payload, path, clearsign.version_of(info))
    document, _ = clearsign_evm.field_by_field(payload, info)
    return [ethereum.hashes_command(payload, path)] if document is None else document.commands(path)


def read_signature(payload: Payload, data: bytes) -> bytes:
    """The signature in the form that `signers.verify` states.

    Raises:
        DeviceFault: it is not one.
    """
    if isinstance(payload, SolanaMessage | OffchainMessage):
        return solana.signature(data)
    return ethereum.signature(payload, data)
