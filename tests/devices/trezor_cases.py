"""What a Trezor is asked to sign in the tests, as (name, payload, path). The names are those of the recordings, so a
recorded device, the one in a thread and the maker's own emulator are all given the same."""

from __future__ import annotations

import json

from signers.evm import EvmFields, encode
from signers.paths import Path
from signers.payloads import EvmTransaction, Payload, PersonalMessage, SolanaMessage, TypedData

CaseOf = tuple[str, Payload, Path]

PATH = Path.parse("m/44'/60'/0'/0/0")
SOLANA_PATH = Path.parse("m/44'/501'/0'/0'")
ADDRESS = "0x73d0385F4d8E00C5e6504C6030F47BF6212736A8"
SOLANA_ADDRESS = "14CCvQzQzHCVgZM3j9soPnXuJXh1RmCfwLVUcdfbZVBS"
TO = bytes.fromhex("8eA7a3fccC211ED48b763b4164884DDbcF3b0A98")
USDC = bytes.fromhex("A0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
GWEI = 10**9
ETH = 10**18


def transaction(
    *,
    to: bytes = TO,
    value: int = 0,
    data: bytes = b"",
    gas: int = 21_000,
    nonce: int = 7,
    chain_id: int = 1,
    max_fee: int = 30 * GWEI,
    priority_fee: int = GWEI,
    access_list: tuple[tuple[bytes, tuple[bytes, ...]], ...] = (),
) -> EvmTransaction:
    """An EIP-1559 transaction."""
    fields = EvmFields(2, chain_id, nonce, max_fee, priority_fee, gas, to, value, data, access_list)
    return EvmTransaction(encode(fields))


def legacy(chain_id: int) -> EvmTransaction:
    """An EIP-155 transaction."""
    price = 20 * GWEI
    return EvmTransaction(encode(EvmFields(0, chain_id, 3, price, price, 21_000, TO, ETH // 100, b"")))


def token_call(selector: str, amount: int, to: bytes = TO) -> bytes:
    """Calldata of ``transfer`` (a9059cbb) or ``approve`` (095ea7b3)."""
    return bytes.fromhex(selector) + to.rjust(32, b"\0") + amount.to_bytes(32)


def some_call(size: int) -> bytes:
    """Calldata of a router that no device knows."""
    return bytes.fromhex("3593564c") + bytes(number % 251 for number in range(size - 4))


PERMIT = TypedData(
    json.dumps(
        {
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"},
                    {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"},
                    {"name": "verifyingContract", "type": "address"},
                ],
                "Permit": [
                    {"name": "owner", "type": "address"},
                    {"name": "spender", "type": "address"},
                    {"name": "value", "type": "uint256"},
                    {"name": "nonce", "type": "uint256"},
                    {"name": "deadline", "type": "uint256"},
                ],
            },
            "primaryType": "Permit",
            "domain": {
                "name": "USD Coin",
                "version": "2",
                "chainId": 1,
                "verifyingContract": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
            },
            "message": {
                "owner": ADDRESS,
                "spender": "0x" + TO.hex(),
                "value": 1_000_000_000,
                "nonce": 0,
                "deadline": 2_000_000_000,
            },
        }
    )
)

_BLOCKHASH = bytes(range(32)).hex()
_ATA = "0393bc2794936d1242ade39af7fb3c4000c483a3097d9c37c1f0864669d00a3f"


def _solana(text: str) -> SolanaMessage:
    return SolanaMessage(bytes.fromhex(text))


SOL_TRANSFER = _solana(
    "0100010300d1699dcb1811b50bb0055f13044463128242e37a463b52f6c97a1f6eef88ad"
    + "09" * 32
    + "00" * 32
    + _BLOCKHASH
    + "01020200010c02000000e803000000000000"
)
SOL_PRIORITY = _solana(
    "0100020400d1699dcb1811b50bb0055f13044463128242e37a463b52f6c97a1f6eef88ad"
    + "09" * 32
    + "00" * 32
    + "0306466fe5211732ffecadba72c39be7bc8ce5bbc5f7126b2c439b3a40000000"
    + _BLOCKHASH
    + "0303000502400d03000300090350c3000000000000020200010c020000003930000000000000"
)
SPL_TRANSFER = _solana(
    "0100020500d1699dcb1811b50bb0055f13044463128242e37a463b52f6c97a1f6eef88ad"
    + _ATA
    + "40e695f7e535928afbd70c74cc77efe4897a3c659ee5e58119ecb9a75a1a21c7"
    + "06ddf6e1d765a193d9cbe146ceeb79ac1cb485ed5f5b37913a8cf5857eff00a9"
    + "c6fa7af3bedbad3a3d65f36aabc97431b1bbe4c2d2f6e0e47ca60203452f5d61"
    + _BLOCKHASH
    + "010304010402000a0ca02526000000000006"
)
AGGREGATOR = _solana(
    "0100020400d1699dcb1811b50bb0055f13044463128242e37a463b52f6c97a1f6eef88ad"
    + _ATA
    + "0479d55bf231c06eee74c56ece681507fdb1b2dea3f48e5102b1cda256bc138f"
    + "09" * 32
    + _BLOCKHASH
    + "01020300010328"
    + bytes(range(40)).hex()
)

_LISTED = ((USDC, (b"\1" * 32,)),)

EVM: list[CaseOf] = [
    ("eip1559-transfer", transaction(value=ETH // 100), PATH),
    ("eip1559-access-list", transaction(value=ETH // 100, gas=60_000, access_list=_LISTED), PATH),
    ("eip1559-base", transaction(value=ETH // 100, chain_id=8453), PATH),
    ("eip1559-approve", transaction(to=USDC, gas=70_000, data=token_call("095ea7b3", 10**9)), PATH),
    ("eip1559-approve-unlimited", transaction(to=USDC, gas=70_000, data=token_call("095ea7b3", 2**256 - 1)), PATH),
    ("eip1559-erc20-transfer", transaction(to=USDC, gas=70_000, data=token_call("a9059cbb", 1_234_567)), PATH),
    ("eip1559-swap-calldata", transaction(value=ETH // 1000, gas=400_000, data=some_call(2_604)), PATH),
    ("legacy-transfer", legacy(1), PATH),
    ("legacy-bsc", legacy(56), PATH),
    ("message-ascii", PersonalMessage("Login 2026-08-01"), PATH),
]
"""On every model."""
TYPED: list[CaseOf] = [("typed-full-permit", PERMIT, PATH)]
"""In full on core models, as hashes on a Model One, where it is recorded as ``typed-hash-permit``."""
SOLANA: list[CaseOf] = [
    ("solana-transfer-legacy", SOL_TRANSFER, SOLANA_PATH),
    ("solana-transfer-priority", SOL_PRIORITY, SOLANA_PATH),
    ("solana-spl-without-info", SPL_TRANSFER, SOLANA_PATH),
    ("solana-unknown-program", AGGREGATOR, SOLANA_PATH),
]
"""On core models."""
UNKNOWN_TOKEN = transaction(
    gas=70_000, nonce=1, chain_id=8453, max_fee=GWEI, priority_fee=1_000_000, data=token_call("a9059cbb", 7)
)
"""Recorded as ``eip1559-definition-request``, where the device may ask for descriptions."""
CASES: list[CaseOf] = [*EVM, *TYPED, *SOLANA]
