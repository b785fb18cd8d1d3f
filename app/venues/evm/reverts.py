"""Why a call was reverted, in words for the trader.

Contracts give strings (``Error(string)``), numbers (``Panic(uint256)``) or errors of their own. The words that the
exchanges and the usual tokens give are known; any other text is the contract's: untrusted, and cut.

Sources. Read as published: v2-core UniswapV2Pair.sol and UniswapV2ERC20.sol; v2-periphery UniswapV2Router02.sol and
UniswapV2Library.sol; @uniswap/lib TransferHelper.sol; v3-core UniswapV3Pool.sol, TickMath.sol and TransferHelper.sol;
v3-periphery PeripheryValidation.sol, PeripheryPayments.sol and TransferHelper.sol; swap-router-contracts
V2SwapRouter.sol and V3SwapRouter.sol; universal-router IUniversalRouter.sol, V2SwapRouter.sol, V3SwapRouter.sol and
Payments.sol; permit2 IAllowanceTransfer.sol; solmate SafeTransferLib.sol; OpenZeppelin 3 ERC20.sol, Pausable.sol;
WETH9; the Solidity documentation, "Panic via assert and Error via require". Known by their names alone: ERC-6093 and
what OpenZeppelin 4 and 5 say.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from app.text import escape_untrusted
from signers.evm import keccak

_ERROR: Final = bytes.fromhex("08c379a0")
_PANIC: Final = bytes.fromhex("4e487b71")
_MOST_BYTES: Final = 800
_MOST_CHARACTERS: Final = 200

_MOVED: Final = "the price moved beyond the bound of the trade"
_PULL: Final = (
    "the token could not be taken from the account: too little of it, no approval, or it refuses the transfer"
)
_PUSH: Final = "the token refuses a transfer"
_COIN: Final = "the coin could not be paid out"
_OLD: Final = "its deadline has passed"
_EMPTY: Final = "the pool is empty"
_FUNDS: Final = "the account has too little of the token"
_ALLOWED: Final = "the router may not take that much of the token: an approval is missing"
_SHORT: Final = "the pool was paid less than it is owed: the token may take a share of transfers"

WORDS: Final = {
    # UniswapV2Router02, V2SwapRouter, V3SwapRouter, PeripheryValidation
    "UniswapV2Router: INSUFFICIENT_OUTPUT_AMOUNT": _MOVED,
    "UniswapV2Router: EXCESSIVE_INPUT_AMOUNT": _MOVED,
    "UniswapV2Router: EXPIRED": _OLD,
    "UniswapV2Router: INVALID_PATH": "the route does not begin or end with the wrapped coin",
    "Too little received": _MOVED,
    "Too much requested": _MOVED,
    "Transaction too old": _OLD,
    "Insufficient WETH9": _MOVED,
    "Insufficient token": _MOVED,
    # UniswapV2Library, UniswapV2Pair
    "UniswapV2Library: INSUFFICIENT_INPUT_AMOUNT": "nothing arrives in the pool: the token keeps what is sent to it",
    "UniswapV2Library: INSUFFICIENT_OUTPUT_AMOUNT": "the pool would pay nothing",
    "UniswapV2Library: INSUFFICIENT_LIQUIDITY": _EMPTY,
    "UniswapV2: INSUFFICIENT_OUTPUT_AMOUNT": "the pool would pay nothing",
    "UniswapV2: INSUFFICIENT_INPUT_AMOUNT": _SHORT,
    "UniswapV2: INSUFFICIENT_LIQUIDITY": "the pool does not hold enough for this amount",
    "UniswapV2: K": _SHORT,
    "UniswapV2: LOCKED": "the pool was called from within its own swap",
    "UniswapV2: OVERFLOW": "the pool would hold more than it can reckon with",
    "UniswapV2: TRANSFER_FAILED": _PUSH,
    "UniswapV2: INVALID_TO": "the pool does not pay to a token",
    # TransferHelper of all three
    "TransferHelper: TRANSFER_FROM_FAILED": _PULL,
    "TransferHelper: TRANSFER_FAILED": _PUSH,
    "TransferHelper: APPROVE_FAILED": "the token refuses the approval",
    "TransferHelper: ETH_TRANSFER_FAILED": _COIN,
    "TransferHelper::transferFrom: transferFrom failed": _PULL,
    "TransferHelper::safeTransfer: transfer failed": _PUSH,
    "TransferHelper::safeTransferETH: ETH transfer failed": _COIN,
    "STF": _PULL,
    "ST": _PUSH,
    "SA": "the token refuses the approval",
    "STE": _COIN,
    "TF": _PUSH,
    # SafeTransferLib
    "TRANSFER_FROM_FAILED": _PULL,
    "TRANSFER_FAILED": _PUSH,
    # UniswapV3Pool, TickMath
    "IIA": _SHORT,
    "AS": "an amount of 0 can not be swapped",
    "LOK": "the pool is not open, or was called from within its own swap",
    "SPL": "the price limit lies on the wrong side of the price",
    "R": "the price is out of range",
    "T": "the price is out of range",
    # OpenZeppelin before 5
    "ERC20: transfer amount exceeds balance": _FUNDS,
    "ERC20: transfer amount exceeds allowance": _ALLOWED,
    "ERC20: insufficient allowance": _ALLOWED,
    "Pausable: paused": "the token's owner has stopped its transfers",
    "ERC20Pausable: token transfer while paused": "the token's owner has stopped its transfers",
    "Ownable: caller is not the owner": "only the contract's owner may do that",
}
"""What a contract says, and what it means."""

ERRORS: Final = {
    # UniversalRouter, its V2SwapRouter, V3SwapRouter and Payments
    "V2TooLittleReceived()": _MOVED,
    "V2TooMuchRequested()": _MOVED,
    "V3TooLittleReceived()": _MOVED,
    "V3TooMuchRequested()": _MOVED,
    "InsufficientETH()": _MOVED,
    "TransactionDeadlinePassed()": _OLD,
    # Permit2
    "AllowanceExpired(uint256)": "what Permit2 lets the router take has ended",
    "InsufficientAllowance(uint256)": "Permit2 may not let the router take that much: an approval is missing",
    # ERC-6093, OpenZeppelin
    "ERC20InsufficientBalance(address,uint256,uint256)": _FUNDS,
    "ERC20InsufficientAllowance(address,uint256,uint256)": _ALLOWED,
    "ERC20InvalidSender(address)": "the token refuses this sender",
    "ERC20InvalidReceiver(address)": "the token refuses this recipient",
    "ERC20InvalidApprover(address)": "the token refuses this approver",
    "ERC20InvalidSpender(address)": "the token refuses this spender",
    "SafeERC20FailedOperation(address)": _PUSH,
    "EnforcedPause()": "the token's owner has stopped its transfers",
    "OwnableUnauthorizedAccount(address)": "only the contract's owner may do that",
    "ReentrancyGuardReentrantCall()": "it was called from within itself",
}
"""The same of errors that have a name and arguments."""

_PANICS: Final = {
    0x01: "an assertion failed",
    0x11: "a number became too large or too small",
    0x12: "a division by zero",
    0x21: "a value that does not exist",
    0x22: "storage that is damaged",
    0x31: "an empty list was taken from",
    0x32: "an index out of range",
    0x41: "too much memory",
    0x51: "a function that is not there",
}


def revert_words(data: bytes) -> str:
    """Why a call was reverted, from the bytes that it gave; escaped, one line."""
    if not data:
        return "no reason given"
    if data[:4] == _ERROR:
        return _said(data)
    if data[:4] == _PANIC and len(data) == 36:
        code = int.from_bytes(data[4:])
        return f"{_PANICS.get(code, 'the contract broke off')} (panic 0x{code:02x})"
    known = _names().get(data[:4])
    return f"{known[1]} ({known[0]})" if known is not None else f"an error of the contract's own, 0x{data[:36].hex()}"


def _said(data: bytes) -> str:
    length = int.from_bytes(data[36:68])
    words = data[68 : 68 + min(length, _MOST_BYTES)].decode(errors="replace")
    known = WORDS.get(words)
    shown = escape_untrusted(words, _MOST_CHARACTERS)
    return f"{known} ({shown})" if known is not None else shown or "no reason given"


@lru_cache(maxsize=1)
def _names() -> dict[bytes, tuple[str, str]]:
    """Selector to name and words."""
    return {keccak(each.encode())[:4]: (each.partition("(")[0], words) for each, words in ERRORS.items()}
