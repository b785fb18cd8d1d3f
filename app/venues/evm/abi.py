"""Calls of contract functions as bytes. The codec is eth-abi; decoding is strict: what does not encode back to the same
bytes is not decoded, so nothing can hide behind the arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from signers.evm import keccak


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a contract.

    Attributes:
        name: without its arguments.
        inputs, outputs: types as the ABI spells them; a tuple is ``(address,uint256)``.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    selector: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "selector", keccak(f"{self.name}({','.join(self.inputs)})".encode())[:4])

    def encode(self, *arguments: Any) -> bytes:
        """Calldata: selector and arguments; addresses as 20 bytes."""
        return self.selector + bytes(_codec().encode(self.inputs, arguments))

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """The arguments of a call of this function.

        Raises:
            ValueError: it is none, or not in the one form in which `encode` writes it.
        """
        if data[:4] != self.selector:
            raise ValueError(f"not a call of {self.name}")
        arguments = _read(self.inputs, data[4:])
        if self.encode(*arguments) != data:
            raise ValueError(f"a call of {self.name} with something behind its arguments")
        return arguments

    def result(self, data: bytes) -> tuple[Any, ...]:
        """What the function answered.

        Raises:
            ValueError: something else.
        """
        return _read(self.outputs, data)


def _read(types: tuple[str, ...], data: bytes) -> tuple[Any, ...]:
    from eth_abi.exceptions import DecodingError  # noqa: PLC0415 -- eth-abi, 0.3 s

    try:
        found = _codec().decode(types, data)
    except (DecodingError, OverflowError, UnicodeDecodeError) as error:
        raise ValueError(f"not {', '.join(types)}: {type(error).__name__}") from error
    return tuple(_bytes(each, kind) for each, kind in zip(found, types, strict=True))


def _bytes(value: Any, kind: str) -> Any:
    """Addresses as 20 bytes, also within tuples and arrays: eth-abi answers them as text."""
    if kind == "address":
        return bytes.fromhex(value[2:])
    if kind.endswith("[]"):
        return tuple(_bytes(each, kind[:-2]) for each in value)
    if kind.startswith("("):
        return tuple(_bytes(each, part) for each, part in zip(value, _parts(kind), strict=True))
    return value


def _parts(kind: str) -> list[str]:
    """The types within a tuple that holds no other tuple."""
    return kind[1:-1].split(",")


def _codec() -> Any:
    import eth_abi  # noqa: PLC0415 -- 0.3 s

    return eth_abi


def word(number: int) -> bytes:
    """32 bytes, the most significant first."""
    return number.to_bytes(32)


def quantity(number: int) -> str:
    """JSON-RPC's form of a number: 0x text without leading zeros."""
    return hex(number)


def hexed(data: bytes) -> str:
    """JSON-RPC's form of bytes."""
    return f"0x{data.hex()}"


# -- ERC-20 (EIP-20) and the wrapped coin (WETH9) ---------------------------------------------------------------------

BALANCE_OF: Final = Function("balanceOf", ("address",), ("uint256",))
ALLOWANCE: Final = Function("allowance", ("address", "address"), ("uint256",))
APPROVE: Final = Function("approve", ("address", "uint256"))
TRANSFER: Final = Function("transfer", ("address", "uint256"))
DEPOSIT: Final = Function("deposit", ())
WITHDRAW: Final = Function("withdraw", ("uint256",))

# -- Permit2 (permit2, IAllowanceTransfer.sol) ------------------------------------------------------------------------

INNER_ALLOWANCE: Final = Function("allowance", ("address", "address", "address"), ("uint160", "uint48", "uint48"))
INNER_APPROVE: Final = Function("approve", ("address", "address", "uint160", "uint48"))

# -- UniversalRouter (universal-router, IUniversalRouter.sol and Dispatcher.sol) --------------------------------------

EXECUTE: Final = Function("execute", ("bytes", "bytes[]", "uint256"))

# -- Uniswap V2 Router02 (v2-periphery, UniswapV2Router02.sol) --------------------------------------------------------

V2_EXACT_IN: Final = Function(
    "swapExactTokensForTokens", ("uint256", "uint256", "address[]", "address", "uint256"), ("uint256[]",)
)
V2_EXACT_OUT: Final = Function(
    "swapTokensForExactTokens", ("uint256", "uint256", "address[]", "address", "uint256"), ("uint256[]",)
)
V2_EXACT_COIN_IN: Final = Function(
    "swapExactETHForTokens", ("uint256", "address[]", "address", "uint256"), ("uint256[]",)
)
V2_COIN_FOR_EXACT: Final = Function(
    "swapETHForExactTokens", ("uint256", "address[]", "address", "uint256"), ("uint256[]",)
)
V2_EXACT_FOR_COIN: Final = Function(
    "swapExactTokensForETH", ("uint256", "uint256", "address[]", "address", "uint256"), ("uint256[]",)
)
V2_FOR_EXACT_COIN: Final = Function(
    "swapTokensForExactETH", ("uint256", "uint256", "address[]", "address", "uint256"), ("uint256[]",)
)
V2_TAXED: Final = Function(
    "swapExactTokensForTokensSupportingFeeOnTransferTokens",
    ("uint256", "uint256", "address[]", "address", "uint256"),
)
V2_TAXED_COIN_IN: Final = Function(
    "swapExactETHForTokensSupportingFeeOnTransferTokens", ("uint256", "address[]", "address", "uint256")
)
V2_TAXED_FOR_COIN: Final = Function(
    "swapExactTokensForETHSupportingFeeOnTransferTokens",
    ("uint256", "uint256", "address[]", "address", "uint256"),
)

# -- SwapRouter02 (swap-router-contracts): V2 and V3 pools in one transaction -----------------------------------------

MULTICALL: Final = Function("multicall", ("uint256", "bytes[]"), ("bytes[]",))
R_V2_EXACT_IN: Final = Function(
    "swapExactTokensForTokens", ("uint256", "uint256", "address[]", "address"), ("uint256",)
)
R_V2_EXACT_OUT: Final = Function(
    "swapTokensForExactTokens", ("uint256", "uint256", "address[]", "address"), ("uint256",)
)
V3_EXACT_IN: Final = Function("exactInput", ("(bytes,address,uint256,uint256)",), ("uint256",))
V3_EXACT_OUT: Final = Function("exactOutput", ("(bytes,address,uint256,uint256)",), ("uint256",))
UNWRAP: Final = Function("unwrapWETH9", ("uint256", "address"))
REFUND: Final = Function("refundETH", ())

# -- NonfungiblePositionManager (v3-periphery) ------------------------------------------------------------------------

P_MULTICALL: Final = Function("multicall", ("bytes[]",), ("bytes[]",))
MINT: Final = Function(
    "mint",
    ("(address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256)",),
    ("uint256", "uint128", "uint256", "uint256"),
)
DECREASE: Final = Function("decreaseLiquidity", ("(uint256,uint128,uint256,uint256,uint256)",), ("uint256", "uint256"))
COLLECT: Final = Function("collect", ("(uint256,address,uint128,uint128)",), ("uint256", "uint256"))
BURN: Final = Function("burn", ("uint256",))
SWEEP: Final = Function("sweepToken", ("address", "uint256", "address"))
OWNED_AT: Final = Function("tokenOfOwnerByIndex", ("address", "uint256"), ("uint256",))
POSITIONS: Final = Function(
    "positions",
    ("uint256",),
    (
        "uint96", "address", "address", "address", "uint24", "int24", "int24", "uint128", "uint256", "uint256",
        "uint128", "uint128",
    ),
)  # fmt: skip
OWNER_OF: Final = Function("ownerOf", ("uint256",), ("address",))

# -- Leave over positions (EIP-721); giving it over one of them is `APPROVE` with its number --------------------------

APPROVED: Final = Function("getApproved", ("uint256",), ("address",))
IS_OPERATOR: Final = Function("isApprovedForAll", ("address", "address"), ("bool",))
SET_OPERATOR: Final = Function("setApprovalForAll", ("address", "bool"))

# -- UniswapV3Pool (v3-core) ------------------------------------------------------------------------------------------

GROWTH_0: Final = Function("feeGrowthGlobal0X128", (), ("uint256",))
GROWTH_1: Final = Function("feeGrowthGlobal1X128", (), ("uint256",))
