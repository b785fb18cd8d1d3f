"""Payloads of every kind and size that a driver must handle, for all drivers. `clear` ones need no setting."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey

from signers import evm
from signers.paths import Path
from signers.payloads import Chain, EvmTransaction, OffchainMessage, Payload, PersonalMessage, SolanaMessage, TypedData
from tests.devices.keys import address

EVM_PATH, EVM_SECOND, EVM_LIVE = (
    Path.parse(text) for text in ("m/44'/60'/0'/0/0", "m/44'/60'/0'/0/1", "m/44'/60'/1'/0/0")
)
SOL_PATH, SOL_SHORT = Path.parse("m/44'/501'/0'/0'"), Path.parse("m/44'/501'/0'")
TO = bytes.fromhex("5a321744667052affa8386ed49e00ef223cbffc3")
ROUTER = bytes.fromhex("7a250d5630b4cf539739df2c5dacb4c659f2488d")
USDC = bytes.fromhex("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")
GWEI = 10**9
SOL_TO = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
UNKNOWN = "675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8"
BUDGET = "ComputeBudget111111111111111111111111111111"
SYSTEM = "11111111111111111111111111111111"
BLOCKHASH = "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N"

TRADE = """countersign trade 1
BUY 0.00016 BTC-USDT
at 61928.77 or better
on paper, valid 60 s
worst cost 9.91 USDT
stop 61000 then 60500
trade 0123456789abcdef0123456789abcdef"""


Told = tuple[str, list[tuple[str, bool, bool]], bytes]
"""An instruction: program, (key, signs, writable) of each account, data."""


@dataclass(frozen=True, slots=True)
class Case:
    """`clear`: no driver needs a setting switched on for it."""

    name: str
    payload: Payload
    path: Path
    clear: bool = True


def transaction(**changed: Any) -> EvmTransaction:
    given: dict[str, Any] = {
        "type": 2,
        "chain_id": 1,
        "nonce": 5,
        "max_fee": 30 * GWEI,
        "priority_fee": GWEI,
        "gas": 21_000,
        "to": TO,
        "value": 10**16,
        "data": b"",
    } | changed
    return EvmTransaction(evm.encode(evm.EvmFields(**given)))


def legacy(chain_id: int, data: bytes = b"") -> EvmTransaction:
    price = 20 * GWEI
    return transaction(type=0, chain_id=chain_id, max_fee=price, priority_fee=price, data=data)


def erc20(selector: str, other: bytes, units: int) -> bytes:
    return bytes.fromhex(selector) + bytes(12) + other + units.to_bytes(32)


def typed(types: dict[str, list[tuple[str, str]]], primary: str, message: Any, **domain: Any) -> TypedData:
    known = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}
    fields = {"EIP712Domain": [(name, known[name]) for name in known if name in domain]} | types
    listed = {key: [{"name": name, "type": kind} for name, kind in value] for key, value in fields.items()}
    return TypedData(json.dumps({"types": listed, "primaryType": primary, "domain": domain, "message": message}))


PERMIT = typed(
    {
        "Permit": [
            ("owner", "address"),
            ("spender", "address"),
            ("value", "uint256"),
            ("nonce", "uint256"),
            ("deadline", "uint256"),
        ]
    },
    "Permit",
    {
        "owner": "0xDad77910DbDFdE764fC21FCD4E74D71bBACA6D8D",
        "spender": "0x7a250d5630b4cf539739df2c5dacb4c659f2488d",
        "value": 2_500_000,
        "nonce": 0,
        "deadline": 1_893_456_000,
    },
    name="USD Coin",
    version="2",
    chainId=1,
    verifyingContract="0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
)

NESTED = typed(
    {
        "Order": [
            ("maker", "Party"),
            ("legs", "Leg[]"),
            ("grid", "uint8[2][]"),
            ("drift", "int64"),
            ("blob", "bytes"),
            ("salt", "bytes32"),
            ("flag", "bool"),
            ("note", "string"),
        ],
        "Party": [("wallet", "address"), ("tags", "string[]")],
        "Leg": [("token", "address"), ("amount", "uint256"), ("limits", "int256[2]")],
    },
    "Order",
    {
        "maker": {"wallet": "0x" + "11" * 20, "tags": ["a", "", "é€"]},
        "legs": [
            {"token": "0x" + "22" * 20, "amount": "1000000000000000000", "limits": [-1, 128]},
            {"token": "0x" + "33" * 20, "amount": "0xff", "limits": ["-170141183460469231731687303715884105728", 0]},
        ],
        "grid": [[1, 2], [255, 0], [3, 4]],
        "drift": -5,
        "blob": "0x" + "ab" * 300,
        "salt": "0x" + "00ff" * 16,
        "flag": True,
        "note": "x" * 400,
    },
    name="Nest",
    chainId=137,
)


def solana(*instructions: Told, payer: str = "", v0: bool = True) -> SolanaMessage:
    """Paid by the device's first account unless told."""
    made = [
        Instruction(
            Pubkey.from_string(program),
            data,
            [AccountMeta(Pubkey.from_string(key), signs, writable) for key, signs, writable in accounts],
        )
        for program, accounts, data in instructions
    ]
    paid_by, blockhash = Pubkey.from_string(payer or me()), Hash.from_string(BLOCKHASH)
    if v0:
        return SolanaMessage(to_bytes_versioned(MessageV0.try_compile(paid_by, made, [], blockhash)))
    return SolanaMessage(bytes(Message.new_with_blockhash(made, paid_by, blockhash)))


def me() -> str:
    return address(Chain.SOLANA, SOL_PATH)


def transfer(lamports: int) -> Told:
    return SYSTEM, [(me(), True, True), (SOL_TO, False, True)], struct.pack("<IQ", 2, lamports)


def evm_cases() -> list[Case]:
    token = transaction(to=USDC, value=0, data=erc20("a9059cbb", ROUTER, 2_500_000))
    swap = bytes.fromhex("38ed1739") + bytes(range(256))
    return [
        Case("personal", PersonalMessage("Login to trader: nonce 8f3a"), EVM_PATH),
        Case("personal_trade", PersonalMessage(TRADE), EVM_PATH),
        Case("personal_longest", PersonalMessage("trade 0123456789 " * 58 + "end"), EVM_PATH),
        Case("personal_second_account", PersonalMessage(TRADE), EVM_SECOND),
        Case("personal_other_scheme", PersonalMessage(TRADE), EVM_LIVE),
        Case("eip1559_transfer", transaction(), EVM_PATH),
        Case("eip1559_no_value", transaction(value=0), EVM_PATH),
        Case("eip1559_sepolia", transaction(chain_id=11_155_111), EVM_PATH),
        Case("eip1559_loopback_chain", transaction(chain_id=31_337), EVM_PATH),
        Case("eip1559_access_list", transaction(access_list=((ROUTER, (bytes(32), bytes([1]) * 32)),)), EVM_PATH),
        Case("legacy_mainnet", legacy(1), EVM_PATH),
        Case("legacy_bsc", legacy(56), EVM_PATH),
        Case("legacy_arbitrum", legacy(42_161), EVM_PATH),
        Case("legacy_large_chain_id", legacy(11_297_108_109), EVM_PATH),
        Case("swap", transaction(data=swap, value=0, to=ROUTER, gas=250_000), EVM_PATH, clear=False),
        Case("data4", transaction(data=bytes.fromhex("deadbeef")), EVM_PATH, clear=False),
        Case("data5000", transaction(data=bytes(n % 251 + 1 for n in range(5000)), gas=900_000), EVM_PATH, clear=False),
        Case("legacy_data700", legacy(1, b"\x11" * 700), EVM_PATH, clear=False),
        Case("erc20_transfer", token, EVM_PATH, clear=False),
        Case("typed_permit", PERMIT, EVM_PATH, clear=False),
        Case("typed_nested", NESTED, EVM_PATH, clear=False),
    ]


def solana_cases() -> list[Case]:
    unknown = (UNKNOWN, [(me(), True, True)], bytes(range(0, 96, 3)))
    accounts = [(me(), True, True)] + [(solana_key(n), False, True) for n in range(1, 21)]
    budget: list[Told] = [
        (BUDGET, [], b"\x02" + struct.pack("<I", 300_000)),
        (BUDGET, [], b"\x03" + struct.pack("<Q", 1_000_000)),
    ]
    return [
        Case("sol_transfer_legacy", solana(transfer(1_500_000_000), v0=False), SOL_PATH),
        Case("sol_transfer_v0", solana(transfer(2_000_000)), SOL_PATH),
        Case("sol_transfer_budget", solana(*budget, transfer(1)), SOL_PATH),
        Case("sol_transfer_memo", solana(transfer(5_000), (MEMO, [], b"countersign")), SOL_PATH),
        Case("sol_offchain", OffchainMessage("Login to trader: nonce 8f3a", me()), SOL_PATH),
        Case("sol_offchain_longest", OffchainMessage("trade 0123456789 " * 58, me()), SOL_PATH),
        Case("sol_unknown", solana(unknown), SOL_PATH, clear=False),
        Case("sol_two_transfers", solana(transfer(1), transfer(2)), SOL_PATH, clear=False),
        Case("sol_unknown_long", solana((UNKNOWN, accounts, bytes(300))), SOL_PATH, clear=False),
    ]


def solana_key(number: int) -> str:
    return str(Pubkey(bytes([number]) * 32))


def cases() -> list[Case]:
    """All of them."""
    return evm_cases() + solana_cases()
