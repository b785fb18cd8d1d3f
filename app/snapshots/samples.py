"""One payload of each kind that a trader may have to sign: never asked for, only to find out what a device would show.
The keys are nobody's."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Final

from signers import evm
from signers.paths import Path, of_scheme
from signers.payloads import (
    Chain,
    EvmTransaction,
    OffchainMessage,
    Payload,
    PersonalMessage,
    SolanaMessage,
    TypedData,
)

_OWN: Final = bytes.fromhex("11" * 20)
_OTHER: Final = bytes.fromhex("22" * 20)
_USDC: Final = bytes.fromhex("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")
_AMOUNT: Final = (2_500_000).to_bytes(32)
_WORD: Final = _OTHER.rjust(32, b"\0")


@dataclass(frozen=True, slots=True)
class Sample:
    """`what`: the kind in words. `address`: the signer's, at `path`."""

    what: str
    payload: Payload
    address: str
    path: Path


def samples() -> tuple[Sample, ...]:
    """EVM, then Solana; the trade authorisation first. Loads eth-account and solders: half a second, once."""
    path, address = of_scheme("evm", "bip44", 0), evm.checksum(_OWN)
    kinds: list[tuple[str, Payload]] = [
        ("trade authorisation (message)", PersonalMessage("countersign\none line")),
        ("transfer of ETH", _transaction(_OTHER, value=10**17)),
        ("transfer of USDC", _transaction(_USDC, bytes.fromhex("a9059cbb") + _WORD + _AMOUNT)),
        ("approval of USDC", _transaction(_USDC, bytes.fromhex("095ea7b3") + _WORD + _AMOUNT)),
        ("swap (contract call)", _transaction(_OTHER, bytes.fromhex("414bf389") + _WORD * 8)),
        ("typed data (EIP-712)", TypedData(json.dumps(_PERMIT))),
    ]
    of_evm = [Sample(what, payload, address, path) for what, payload in kinds]
    return (*of_evm, *_solana())


def _transaction(to: bytes, data: bytes = b"", *, value: int = 0) -> EvmTransaction:
    fields = evm.EvmFields(
        type=2, chain_id=1, nonce=0, max_fee=2 * 10**10, priority_fee=10**9, gas=150_000, to=to, value=value, data=data
    )
    return EvmTransaction(evm.encode(fields))


_PERMIT: Final = {
    "types": {
        "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
        "Permit": [{"name": "spender", "type": "address"}, {"name": "value", "type": "uint256"}],
    },
    "primaryType": "Permit",
    "domain": {"name": "sample", "chainId": 1},
    "message": {"spender": evm.checksum(_OTHER), "value": 2_500_000},
}


def _solana() -> list[Sample]:
    from solders.hash import Hash  # noqa: PLC0415 -- native
    from solders.instruction import AccountMeta, Instruction  # noqa: PLC0415 -- as above
    from solders.message import Message  # noqa: PLC0415 -- as above
    from solders.pubkey import Pubkey  # noqa: PLC0415 -- as above

    own, other, mint = (Pubkey(bytes([number]) * 32) for number in (1, 2, 3))
    system, tokens = Pubkey(bytes(32)), Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")

    def message(program: Pubkey, data: bytes, *keys: Pubkey) -> SolanaMessage:
        metas = [AccountMeta(key, is_signer=key == own, is_writable=True) for key in keys]
        return SolanaMessage(
            bytes(Message.new_with_blockhash([Instruction(program, data, metas)], own, Hash(bytes(32))))
        )

    path, address = of_scheme(Chain.SOLANA, "bip44", 0), str(own)
    coin = struct.pack("<IQ", 2, 1_000_000_000)
    checked = struct.pack("<BQB", 12, 2_500_000, 6)
    kinds: list[tuple[str, Payload]] = [
        ("off-chain message", OffchainMessage("countersign, one line", address)),
        ("transfer of SOL", message(system, coin, own, other)),
        ("transfer of a token", message(tokens, checked, other, mint, other, own)),
        ("swap (unknown program)", message(Pubkey(bytes([9]) * 32), b"\x01" * 40, own, other)),
    ]
    return [Sample(what, payload, address, path) for what, payload in kinds]
