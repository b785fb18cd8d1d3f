"""How the networks of `app.venues.evm.known` are written down, and what several of them have in common. The sources
that the comments name are listed there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.venues.evm.chain import Chain, Dex, DexKind, Token

GWEI: Final = 10**9


@dataclass(frozen=True, slots=True)
class Known:
    """One network.

    Attributes:
        title: its own name.
        testnet: its coins are worth nothing.
        gas_ceiling: wei per unit of gas; no setting allows more.
        instruments: traded unless the settings say otherwise.
        chain: without endpoints.
    """

    title: str
    testnet: bool
    gas_ceiling: int
    instruments: tuple[str, ...]
    chain: Chain


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def token(symbol: str, address: str, decimals: int) -> Token:
    """`address`: EIP-55 text."""
    return Token(symbol, _bytes(address), decimals)


def coin(symbol: str, wrapped: str) -> Token:
    """The native coin; `wrapped`: where its ERC-20 form is."""
    return Token(symbol, _bytes(wrapped), 18, native=True)


# multicall3; docs (the same on every chain they list).
MULTICALL3: Final = _bytes("0xcA11bde05977b3631167028862bE2a173976CA11")
PERMIT2: Final = _bytes("0x000000000022D473030F116dDEE9F6B43aC78BA3")

# sdks: v2-sdk and v3-sdk, checked there against the bytecode.
UNISWAP_V2_HASH: Final = bytes.fromhex("96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f")
UNISWAP_V3_HASH: Final = bytes.fromhex("e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54")
UNISWAP_V3_TIERS: Final = (100, 500, 3000, 10_000)
# sushi: v2-core, contracts/libraries/UniswapV2Library.sol.
SUSHI_V2_HASH: Final = bytes.fromhex("e18a34eb0e04b04f7a0ac29a6e80748dca96319b42c54d679cb821dca90c6303")
# pancake: v2-sdk (one of BSC, one of its testnet); PoolAddress.sol and v3-sdk.
PANCAKE_V2_HASH: Final = bytes.fromhex("00fb7f630766e6a796048ea87d01acd3068e8ff67d078148a3fa3f4a84f69bd5")
PANCAKE_V2_TESTNET_HASH: Final = bytes.fromhex("d0d4c4cd0848c93cb4fd1f498d7013ee6bfb25783ea21593d5834f5d250ece66")
PANCAKE_V3_HASH: Final = bytes.fromhex("6ce8eb472fa82df5469c6ab6d485f17c3ad13c8cd7af59b3d4a8026c5ce0f7e2")
PANCAKE_V3_TIERS: Final = (100, 500, 2500, 10_000)
PANCAKE_V2_FEE_BPS: Final = 25
_PANCAKE_V3_FACTORY: Final = "0x0BFbCF9fa4f9C56B0F40a671Ad40E0805A091865"
_PANCAKE_V3_DEPLOYER: Final = "0x41ff9AA7e16B8B1a8a8dc4f0eFacd93D02d071c9"


def uniswap_v2(factory: str, router: str, universal: str = "") -> Dex:
    """`router`: Router02. `universal`: UniversalRouter of this factory."""
    return Dex(
        "uniswap-v2",
        DexKind.V2,
        _bytes(factory),
        _bytes(router),
        UNISWAP_V2_HASH,
        30,
        universal=_bytes(universal) or None,
    )


def uniswap_v3(factory: str, router: str, quoter: str, positions: str, universal: str = "") -> Dex:
    """`router`: SwapRouter02. `universal`: as of V2."""
    return Dex(
        "uniswap-v3",
        DexKind.V3,
        _bytes(factory),
        _bytes(router),
        UNISWAP_V3_HASH,
        fee_tiers=UNISWAP_V3_TIERS,
        quoter=_bytes(quoter),
        positions=_bytes(positions),
        universal=_bytes(universal) or None,
    )


def sushi(factory: str, router: str) -> Dex:
    """`router`: its own Router02."""
    return Dex("sushi-v2", DexKind.V2, _bytes(factory), _bytes(router), SUSHI_V2_HASH, 30)


def pancake_v2(factory: str, router: str, init_code_hash: bytes) -> Dex:
    """`router`: PancakeRouter, which has Router02's functions."""
    return Dex("pancake-v2", DexKind.V2, _bytes(factory), _bytes(router), init_code_hash, PANCAKE_V2_FEE_BPS)


def pancake_v3(router: str, quoter: str, positions: str) -> Dex:
    """`router`: the SmartRouter, which has SwapRouter02's functions (projects/router of pancake-v3-contracts)."""
    return Dex(
        "pancake-v3",
        DexKind.V3,
        _bytes(_PANCAKE_V3_FACTORY),
        _bytes(router),
        PANCAKE_V3_HASH,
        fee_tiers=PANCAKE_V3_TIERS,
        quoter=_bytes(quoter),
        positions=_bytes(positions),
        deployer=_bytes(_PANCAKE_V3_DEPLOYER),
    )


V3_FIRST: Final = (
    "0x1F98431c8aD98523631AE4a59f267346ea31F984",
    "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45",
    "0x61fFE014bA17989E743c5F6cB21bF9697530B21e",
    "0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
)
"""docs: Uniswap V3 on Ethereum, Arbitrum One, OP Mainnet and Polygon, which share these."""
SUSHI_FIRST: Final = ("0xc35DADB65012eC5796536bD9864eD8773aBc74C4", "0x1b02dA8Cb0d097eB8D57A175b88c7D8b47997506")
"""sushi: on Arbitrum One, Polygon and BSC."""
WETH_OP: Final = "0x4200000000000000000000000000000000000006"
"""docs, sdks: a predeploy of the OP stack."""
