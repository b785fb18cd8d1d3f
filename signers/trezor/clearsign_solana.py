"""What the newer firmware shows of a Solana message: the recorded forms, which are one transfer of SOL or of a token,
and one call of a program that it does not know."""

from __future__ import annotations

from typing import Final

from signers.base import Clarity, DeviceLine, Shown
from signers.solana import SolanaFields, SolanaInstruction
from signers.trezor.amounts import grouped

_SYSTEM: Final = "11111111111111111111111111111111"
_BUDGET: Final = "ComputeBudget111111111111111111111111111111"
_TOKENS: Final = frozenset({"TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"})
_KNOWN: Final = frozenset(
    {
        _SYSTEM,
        _BUDGET,
        *_TOKENS,
        "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
        "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
        "Stake11111111111111111111111111111111111111",
        "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
        "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo",
    }
)
"""Programs that the firmware may show in words: not called unknown here."""
_END: Final = DeviceLine("Sign transaction")
_LAMPORTS_PER_SIGNATURE: Final = 5_000
_UNITS_PER_INSTRUCTION: Final = 200_000
_MOST_UNITS: Final = 1_400_000


def shown(fields: SolanaFields, address: str) -> Shown:
    """See `signers.base.Signer.shown`."""
    doing = [each for each in fields.instructions if each.program != _BUDGET]
    if any(each.program not in _KNOWN for each in doing):
        return _unknown(doing)
    fee = _fee(fields, len(doing))
    only = doing[0] if len(doing) == 1 and fee is not None else None
    if only is not None and fee is not None:
        found = _sol(only, address, fee) or _token(only, fee)
        if found is not None:
            return _as_recorded(fields, found)
    why = "What the device shows of this message was not recorded; compare what it shows with what is shown here."
    return Shown(Clarity.PARTLY, (), why)


def _as_recorded(fields: SolanaFields, found: Shown) -> Shown:
    if fields.version == "legacy" and len(fields.signers) == 1:
        return found
    why = f"{found.why} Recorded for messages of the older form with one signer only.".strip()
    return Shown(Clarity.PARTLY, found.lines, why)


def _sol(each: SolanaInstruction, address: str, fee: int) -> Shown | None:
    """System program, Transfer: u32 2, u64 lamports; from, to."""
    if (
        each.program != _SYSTEM
        or len(each.data) != 12
        or each.data[:4] != b"\2\0\0\0"
        or len(each.accounts) != 2
        or each.accounts[0] != address
        or not each.accounts[1]
    ):
        return None
    amount = f"{grouped(int.from_bytes(each.data[4:], 'little'), 9)} SOL"
    return Shown(Clarity.CLEAR, (DeviceLine("Recipient", each.accounts[1]), *_summary(amount, fee)))


def _token(each: SolanaInstruction, fee: int) -> Shown | None:
    """Token program, TransferChecked: u8 12, u64 amount, u8 decimals; source, mint, destination, owner."""
    if (
        each.program not in _TOKENS
        or len(each.data) != 10
        or each.data[0] != 12
        or len(each.accounts) != 4
        or not all(each.accounts)
    ):
        return None
    mint, to = each.accounts[1], each.accounts[2]
    amount = f"{grouped(int.from_bytes(each.data[1:9], 'little'), each.data[9])} [UNKN]"
    lines = (
        DeviceLine("Recipient", to),
        DeviceLine("Warning", "Unknown token address. Continue only if you know what you are doing!"),
        DeviceLine("Address"),
        DeviceLine("Unknown token", mint),
        *_summary(amount, fee),
    )
    why = "The device shows the token's address instead of its name, and the token account instead of its owner."
    return Shown(Clarity.PARTLY, lines, why)


def _summary(amount: str, fee: int) -> tuple[DeviceLine, ...]:
    lines = (DeviceLine("Summary"), DeviceLine("Amount", amount))
    return *lines, DeviceLine("Transaction fee", f"{grouped(fee, 9)} SOL"), _END


def _unknown(doing: list[SolanaInstruction]) -> Shown:
    lines = [DeviceLine("Important", "Transaction contains unknown instructions.")]
    for number, each in enumerate(doing, 1):
        if each.program not in _KNOWN:
            size = f"{len(each.accounts)} accounts and its data is {len(each.data)} bytes long."
            lines += [
                DeviceLine(f"{number}/{len(doing)}: Unsupported program", each.program),
                DeviceLine("Instruction contains", size),
            ]
    lines += [DeviceLine("Summary"), DeviceLine("Max fees and rent", "Unknown"), _END]
    why = "The device shows no amount of this: neither what goes out nor what comes in. It is shown here only."
    if len(doing) > 1:
        why += " Further instructions are shown in between; their screens were not recorded."
    return Shown(Clarity.BLIND, tuple(lines), why)


def _fee(fields: SolanaFields, doing: int) -> int | None:
    """Lamports at most: signatures, and the price of computing (micro-lamports a unit) times the units asked for."""
    units, price = min(_UNITS_PER_INSTRUCTION * doing, _MOST_UNITS), 0
    for each in fields.instructions:
        if each.program == _BUDGET:
            kind, value = each.data[:1], int.from_bytes(each.data[1:], "little")
            if kind == b"\2" and len(each.data) == 5:
                units = min(value, _MOST_UNITS)
            elif kind == b"\3" and len(each.data) == 9:
                price = value
            else:
                return None
    return _LAMPORTS_PER_SIGNATURE * len(fields.signers) + -(-units * price // 10**6)
