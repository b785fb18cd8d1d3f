"""The test networks of `app.venues.evm.known`. Where each address was read is above its chain; the sources are listed
there. Their coins are worth nothing; their gas is capped as on the network that they stand for."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from app.venues.evm.chain import Chain, DataFee
from app.venues.evm.known_parts import (
    GWEI,
    MULTICALL3,
    PANCAKE_V2_TESTNET_HASH,
    PERMIT2,
    WETH_OP,
    Known,
    coin,
    pancake_v2,
    pancake_v3,
    token,
    uniswap_v2,
    uniswap_v3,
)

# docs (V2, V3, WETH); optimism and circle (USDC). The universal router is of another V2 factory than docs tells of, so
# that it is V3's alone.
SEPOLIA: Final = Known(
    "Sepolia",
    testnet=True,
    gas_ceiling=100 * GWEI,
    instruments=("ETH-USDC",),
    chain=Chain(
        "sepolia",
        11155111,
        coin("ETH", "0xfFf9976782d46CC05630D1f6eBAb18b2324d6B14"),
        (),
        confirmations=12,
        block_ms=12_000,
        gas_cap=50 * GWEI,
        gas_cap_value=Decimal(25),
        tokens=(
            token("WETH", "0xfFf9976782d46CC05630D1f6eBAb18b2324d6B14", 18),
            token("USDC", "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238", 6),
        ),
        dexes=(
            uniswap_v2("0xF62c03E08ada871A0bEb309762E260a7a6a880E6", "0xeE567Fe1712Faf6149d80dA1E6934E354124CfE3"),
            uniswap_v3(
                "0x0227628f3F023bb0B980b67D528571c95c6DaC1c",
                "0x3bFA4769FB09eefC5a80d6E87c3B9C650f7Ae48E",
                "0xEd1f6473345F45b75F8179591dd5bA1888cf2FB3",
                "0x1238536071E1c677A632429e3655c799b22cDA52",
                "0x3A9D48AB9751398BbFa63ad67599Bb04e4BdF98b",
            ),
        ),
        multicall=MULTICALL3,
        permit2=PERMIT2,
    ),
)

# docs (V3, WETH; sdks agree); sdks (V2); optimism and aave (USDC). universal and sdks name different universal
# routers.
BASE_SEPOLIA: Final = Known(
    "Base Sepolia",
    testnet=True,
    gas_ceiling=10 * GWEI,
    instruments=("ETH-USDC",),
    chain=Chain(
        "base-sepolia",
        84532,
        coin("ETH", WETH_OP),
        (),
        confirmations=10,
        block_ms=2_000,
        gas_cap=1 * GWEI,
        gas_cap_value=Decimal(2),
        data_fee=DataFee.OP_STACK,
        tokens=(
            token("WETH", WETH_OP, 18),
            token("USDC", "0x036CbD53842c5426634e7929541eC2318f3dCF7e", 6),
        ),
        dexes=(
            uniswap_v2("0x7Ae58f10f7849cA6F5fB71b7f45CB416c9204b1e", "0x1689E7B1F10000AE47eBfE339a4f69dECd19F602"),
            uniswap_v3(
                "0x4752ba5DBc23f44D87826276BF6Fd6b1C372aD24",
                "0x94cC0AaC535CCDB3C01d6787D6413C739ae12bc4",
                "0xC5290058841028F1614F3A6F0F5816cAd0df5E27",
                "0x27F971cb582BF9E50F397e4d29a5C7A34f11faA2",
            ),
        ),
        multicall=MULTICALL3,
        permit2=PERMIT2,
    ),
)

# docs (V3, WETH; sdks agree); circle and aave (USDC). universal names no router there.
ARBITRUM_SEPOLIA: Final = Known(
    "Arbitrum Sepolia",
    testnet=True,
    gas_ceiling=10 * GWEI,
    instruments=("ETH-USDC",),
    chain=Chain(
        "arbitrum-sepolia",
        421614,
        coin("ETH", "0x980B62Da83eFf3D4576C647993b0c1D7faf17c73"),
        (),
        confirmations=20,
        block_ms=1_000,
        gas_cap=1 * GWEI,
        gas_cap_value=Decimal(2),
        data_fee=DataFee.ARBITRUM,
        tokens=(
            token("WETH", "0x980B62Da83eFf3D4576C647993b0c1D7faf17c73", 18),
            token("USDC", "0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d", 6),
        ),
        dexes=(
            uniswap_v3(
                "0x248AB79Bbb9bC29bB72f7Cd42F17e054Fc40188e",
                "0x101F443B4d1b059569D643917553c771E1b9663E",
                "0x2779a0CC1c3e0E44D2542EC3e79e3864Ae93Ef0B",
                "0x6b2937Bde17889EDCf8fbD8dE31C3C2a70Bc4d65",
            ),
        ),
        multicall=MULTICALL3,
        permit2=PERMIT2,
    ),
)

# docs and sdks (WETH); optimism and aave (USDC). No exchange: docs lists two deployments of Uniswap V3 with one router
# for both, and does not say whose pools it reckons with.
OP_SEPOLIA: Final = Known(
    "OP Sepolia",
    testnet=True,
    gas_ceiling=10 * GWEI,
    instruments=("ETH-USDC",),
    chain=Chain(
        "op-sepolia",
        11155420,
        coin("ETH", WETH_OP),
        (),
        confirmations=10,
        block_ms=2_000,
        gas_cap=1 * GWEI,
        gas_cap_value=Decimal(2),
        data_fee=DataFee.OP_STACK,
        tokens=(
            token("WETH", WETH_OP, 18),
            token("USDC", "0x5fd84259d66Cd46123540766Be93DFE6D43130D7", 6),
        ),
        multicall=MULTICALL3,
        permit2=PERMIT2,
    ),
)

# maticnetwork/static 5580d14 (2024-06-20), network/testnet/amoy/index.json (its WMATIC). docs: Uniswap is not there;
# Permit2 and a USDC that two of Circle's own files agree on were not found.
AMOY: Final = Known(
    "Polygon Amoy",
    testnet=True,
    gas_ceiling=2_000 * GWEI,
    instruments=(),
    chain=Chain(
        "polygon-amoy",
        80002,
        coin("POL", "0x360ad4f9a9A8EFe9A8DCB5f461c4Cc1047E1Dcf9"),
        (),
        confirmations=32,
        block_ms=2_000,
        gas_cap=500 * GWEI,
        gas_cap_value=Decimal(2),
        tokens=(token("WPOL", "0x360ad4f9a9A8EFe9A8DCB5f461c4Cc1047E1Dcf9", 18),),
        multicall=MULTICALL3,
    ),
)

# pancake (V2, V3; tokens; WBNB in packages/swap-sdk-evm/src/constants.ts). Permit2 was not found.
BSC_TESTNET: Final = Known(
    "BNB Smart Chain Testnet",
    testnet=True,
    gas_ceiling=20 * GWEI,
    instruments=("BNB-USDT",),
    chain=Chain(
        "bsc-testnet",
        97,
        coin("BNB", "0xae13d989daC2f0dEbFf460aC112a837C89BAa7cd"),
        (),
        confirmations=15,
        block_ms=750,
        gas_cap=5 * GWEI,
        gas_cap_value=Decimal(2),
        tokens=(
            token("WBNB", "0xae13d989daC2f0dEbFf460aC112a837C89BAa7cd", 18),
            token("USDT", "0x0fB5D7c73FA349A90392f873a4FA1eCf6a3d0a96", 18),
            token("USDC", "0xCA8eB2dec4Fe3a5abbFDc017dE48E461A936623D", 18),
        ),
        dexes=(
            pancake_v2(
                "0x6725F303b657a9451d8BA641348b6761A6CC7a17",
                "0xD99D1c33F9fC3444f8101754aBC46c52416550D1",
                PANCAKE_V2_TESTNET_HASH,
            ),
            pancake_v3(
                "0x9a489505a00cE272eAa5e07Dba6491314CaE3796",
                "0xbC203d7f83677c7ed3F7acEc959963E7F4ECC5C2",
                "0x427bF5b37357632377eCbEC9de3626C71A5396c1",
            ),
        ),
        multicall=MULTICALL3,
    ),
)

TESTNETS: Final = (SEPOLIA, BASE_SEPOLIA, ARBITRUM_SEPOLIA, OP_SEPOLIA, AMOY, BSC_TESTNET)
