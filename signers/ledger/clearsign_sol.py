"""What the Solana app shows. Source: the recorded reviews, and app-solana 1.9.0 (message.c, transaction_printers.c,
system_instruction.c, compute_budget_instruction.c) for what they leave open.

Read here: one transfer of SOL, or one advance of a nonce, alone or after an advance of a durable nonce and compute
budget instructions, with memos anywhere. The app also shows stakes, votes and the making of accounts in clear; this
program makes none of them and counts them as blind.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Final

from signers.base import Clarity, DeviceInfo, DeviceLine, DeviceState, Shown
from signers.ledger.apps import dotted
from signers.ledger.clearsign import model_of, version_of
from signers.ledger.clearsign_evm import amount
from signers.payloads import OffchainMessage, SolanaMessage
from signers.solana import SolanaInstruction, address_of

_SYSTEM: Final = "11111111111111111111111111111111"
_BUDGET: Final = "ComputeBudget111111111111111111111111111111"
_MEMO: Final = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
_SOL: Final = 9
_TRANSFER: Final = struct.pack("<I", 2)
_ADVANCE_NONCE: Final = struct.pack("<I", 4)
_MOST_INSTRUCTIONS: Final = 4
_SIGNATURE_FEE: Final = 5_000
"""Lamports."""
_UNITS_EACH: Final = 200_000
_UNITS_MOST: Final = 1_400_000
_BUDGET_SIZES: Final = {1: 5, 2: 5, 3: 9, 4: 5}
"""Instruction of the compute budget program -> bytes: heap frame, unit limit, unit price, size of loaded accounts."""
_WITH_DOMAIN: Final = (1, 8, 2)
"""Off-chain messages have had an application domain and signers in their header since then (its parser.c)."""
_ENDS: Final = 7
_BLIND_OFF: Final = "The Solana app can not show this, and blind signing is off in its settings."


@dataclass(frozen=True, slots=True)
class _Fees:
    """What the device says the fee is at most, and what it is; lamports. The app counts in 32 bits."""

    shown: int
    real: int


def offchain(payload: OffchainMessage, address: str, info: DeviceInfo) -> Shown:
    """A line of ASCII is shown whole."""
    if version_of(info) < _WITH_DOMAIN:
        why = f"Off-chain messages of today's form need version {dotted(_WITH_DOMAIN)} of the Solana app."
        return Shown(Clarity.BLIND, (), why, DeviceState.TOO_OLD)
    if address and payload.signer != address:
        return _not_signer(address)
    touch = model_of(info).touch
    last = "Sign message?" if touch else "Approve"
    return Shown(Clarity.CLEAR, (DeviceLine("Review message"), DeviceLine("Message", payload.text), DeviceLine(last)))


def transaction(payload: SolanaMessage, address: str, info: DeviceInfo, *, short_keys: bool) -> Shown:
    """The verdict. `short_keys`: the app is set to show the ends of public keys only."""
    fields = payload.fields
    if address and address not in fields.signers:
        return _not_signer(address)
    fees, rest = _parts(payload)
    lines = None if rest is None else _single(rest, address)
    if lines is None:
        return _blind(payload, address, info, fees)
    if fees is not None:
        lines.insert(1, DeviceLine("Max fees", f"{amount(fees.shown, _SOL)} SOL"))
    if address and fields.signers[0] != address:
        lines.append(DeviceLine("Fee payer", fields.signers[0]))
    why = ""
    if fees is not None and fees.shown != fees.real:
        why = f"The device shows a wrong fee: it can be {amount(fees.real, _SOL)} SOL."
    if short_keys:
        lines = [DeviceLine(each.label, _ends(each.value)) if _is_key(each) else each for each in lines]
        why = f"{why} The app is set to show the ends of public keys only.".lstrip()
    return Shown(Clarity.PARTLY if why else Clarity.CLEAR, _framed(info, lines), why)


# -- pieces -----------------------------------------------------------------------------------------------------------


def _parts(payload: SolanaMessage) -> tuple[_Fees | None, SolanaInstruction | None]:
    """The fee that compute budget instructions make the device show, and the one instruction left: None when the app
    would not read the message."""
    fields = payload.fields
    if fields.lookup_tables or not 1 <= len(fields.instructions) <= _MOST_INSTRUCTIONS:
        return None, None
    if not all(_known(each) for each in fields.instructions):
        return None, None
    left = [each for each in fields.instructions if each.program != _MEMO]
    if len(left) > 1 and _is_advance(left[0]):
        left = left[1:]
    count, budget = len(left), []
    while len(left) > 0 and count > 1 and left[0].program == _BUDGET:
        budget.append(left.pop(0).data)
    fees = _fees(budget, count, len(fields.signers))
    return fees, left[0] if len(left) == 1 else None


def _known(each: SolanaInstruction) -> bool:
    """Read by the app and, in this very form, by us."""
    if each.program == _BUDGET:
        return bool(each.data) and len(each.data) == _BUDGET_SIZES.get(each.data[0])
    return each.program == _MEMO or _is_transfer(each) or _is_advance(each)


def _is_transfer(each: SolanaInstruction) -> bool:
    right = each.program == _SYSTEM and each.data[:4] == _TRANSFER and len(each.data) == 12
    return right and len(each.accounts) == 2


def _is_advance(each: SolanaInstruction) -> bool:
    return each.program == _SYSTEM and each.data == _ADVANCE_NONCE and len(each.accounts) == 3


def _fees(budget: list[bytes], count: int, signatures: int) -> _Fees | None:
    """As calculate_max_fee does, which adds up in 32 bits and multiplies in 64."""
    values = {each[0]: int.from_bytes(each[1:], "little") for each in budget}
    if not values.keys() & {2, 3}:
        return None
    base = _SIGNATURE_FEE * signatures
    if 3 not in values:
        return _Fees(base, base)
    product = values[3] * values.get(2, min(count * _UNITS_EACH, _UNITS_MOST))
    real = base + product // 1_000_000
    return _Fees((base + (product % (1 << 64)) // 1_000_000) % (1 << 32), real)


def _single(each: SolanaInstruction, address: str) -> list[DeviceLine] | None:
    if _is_transfer(each):
        sender, recipient = each.accounts
        lines = [DeviceLine("Transfer", f"{amount(int.from_bytes(each.data[4:], 'little'), _SOL)} SOL")]
        if address and sender != address:
            lines.append(DeviceLine("Sender", sender))
        return [*lines, DeviceLine("Recipient", recipient)]
    if _is_advance(each):
        authority = each.accounts[2]
        lines = [DeviceLine("Advance nonce", each.accounts[0])]
        return lines + ([DeviceLine("Authorized by", authority)] if address and authority != address else [])
    return None


def _blind(payload: SolanaMessage, address: str, info: DeviceInfo, fees: _Fees | None) -> Shown:
    if not info.blind_signing:
        return Shown(Clarity.BLIND, (), _BLIND_OFF, DeviceState.BLIND_SIGNING_OFF)
    lines = [DeviceLine("Unrecognized", "format")]
    if fees is not None:  # it was put on the list before the rest was found unreadable
        lines.append(DeviceLine("Max fees", f"{amount(fees.shown, _SOL)} SOL"))
    lines.append(DeviceLine("Message Hash", address_of(hashlib.sha256(payload.message).digest())))
    if address and payload.fields.signers[0] != address:
        lines.append(DeviceLine("Fee payer", payload.fields.signers[0]))
    return Shown(Clarity.BLIND, _framed(info, lines), "The device shows a hash only.")


def _framed(info: DeviceInfo, lines: list[DeviceLine]) -> tuple[DeviceLine, ...]:
    if not model_of(info).touch:
        return (*lines, DeviceLine("Approve"))
    return (DeviceLine("Review transaction"), *lines, DeviceLine("Sign transaction on Solana network?"))


def _not_signer(address: str) -> Shown:
    why = f"{address} is not among those whose signature this message asks for."
    return Shown(Clarity.BLIND, (), why, DeviceState.UNSUPPORTED)


def _is_key(line: DeviceLine) -> bool:
    return line.label in {"Recipient", "Sender", "Fee payer", "Advance nonce", "Authorized by"}


def _ends(key: str) -> str:
    return f"{key[:_ENDS]}..{key[-_ENDS:]}"
