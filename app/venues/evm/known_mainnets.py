"""The main networks of `app.venues.evm.known`. Where each address was read is above its chain; the sources are listed
there."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from app.venues.evm.chain import Chain, DataFee
from app.venues.evm.known_parts import (
    GWEI,
    MULTICALL3,
    PANCAKE_V2_HASH,
    PERMIT2,
    SUSHI_FIRST,
    V3_FIRST,
    WETH_OP,
    Known,
    coin,
    pancake_v2,
    pancake_v3,
    sushi,
    token,
    uniswap_v2,
    uniswap_v3,
)

# docs (V2, V3, WETH); sushi; tokens and aave agree on all five tokens.
ETHEREUM: Final = Known(
    "Ethereum",
    testnet=False,
    gas_ceiling=100 * GWEI,
    instruments=("ETH-USDC", "WBTC-USDC"),
    chain=Chain(
        "ethereum",
        1,
        coin("ETH", "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"),
        (),
        confirmations=12,
        block_ms=12_000,
        gas_cap=50 * GWEI,
        gas_cap_value=Decimal(25),
        tokens=(
            token("WETH", "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", 18),
            token("USDC", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", 6),
            token("USDT", "0xdAC17F958D2ee523a2206206994597C13D831ec7", 6),
            token("DAI", "0x6B175474E89094C44Da98b954EedeAC495271d0F", 18),
            token("WBTC", "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599", 8),
        ),
        dexes=(
            uniswap_v2(
                "0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f",
                "0x7a250d5630B4cF539739dF2C5dAcb4c659F2488D",
                "0x66a9893cC07D91D95644AEDD05D03f95e1dBA8Af",
            ),
            uniswap_v3(*V3_FIRST, "0x66a9893cC07D91D95644AEDD05D03f95e1dBA8Af"),
            sushi("0xC0AEe478e3658e2610c5F7A4A2E1777cE9e4f2Ac", "0xd9e1cE17f2641f24aE83637ab66a2cca9C378B9F"),
        ),
        multicall=MULTICALL3,
        permit2=PERMIT2,
    ),
)

# docs (V2, V3, WETH); sushi; tokens and optimism (DAI), tokens and aave (the others).
BASE: Final = Known(
    "Base",
    testnet=False,
    gas_ceiling=10 * GWEI,
    instruments=("ETH-USDC", "cbBTC-USDC"),
    chain=Chain(
        "base",
        8453,
        coin("ETH", WETH_OP),
        (),
        confirmations=10,
        block_ms=2_000,
        gas_cap=1 * GWEI,
        gas_cap_value=Decimal(2),
        data_fee=DataFee.OP_STACK,
        tokens=(
            token("WETH", WETH_OP, 18),
            token("USDC", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", 6),
            token("DAI", "0x50c5725949A6F0c72E6C4a641F24049A917DB0Cb", 18),
            token("cbBTC", "0xcbB7C0000aB88B473b1f5aFd9ef808440eed33Bf", 8),
        ),
        dexes=(
            uniswap_v2(
                "0x8909Dc15e40173Ff4699343b6eB8132c65e18eC6",
                "0x4752ba5DBc23f44D87826276BF6Fd6b1C372aD24",
                "0x6fF5693b99212Da76ad316178A184AB56D299b43",
            ),
            uniswap_v3(
                "0x33128a8fC17869897dcE68Ed026d694621f6FDfD",
                "0x2626664c2603336E57B271c5C0b26F421741e481",
                "0x3d4e44Eb1374240CE5F1B871ab261CD16335B76a",
                "0x03a520b32C04BF3bEEf7BEb72E919cf822Ed34f1",
                "0x6fF5693b99212Da76ad316178A184AB56D299b43",
            ),
            sushi("0x71524B4f93c58fcbF659783284E38825f0622859", "0x6BDED42c6DA8FBf0d2bA55B2fa120C5e0c8D7891"),
        ),
        multicall=MULTICALL3,
        permit2=PERMIT2,
    ),
)

# docs (V2, V3, WETH); sushi; aave (tokens; its USDCn is Circle's own USDC). A block comes with transactions, up to four
# a second.
ARBITRUM: Final = Known(
    "Arbitrum One",
    testnet=False,
    gas_ceiling=10 * GWEI,
    instruments=("ETH-USDC", "WBTC-USDC"),
    chain=Chain(
        "arbitrum",
        42161,
        coin("ETH", "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1"),
        (),
        confirmations=20,
        block_ms=1_000,
        gas_cap=1 * GWEI,
        gas_cap_value=Decimal(2),
        data_fee=DataFee.ARBITRUM,
        tokens=(
            token("WETH", "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1", 18),
            token("USDC", "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", 6),
            token("USDT", "0xFd086bC7CD5C481DCC9C85ebE478A1C0b69FCbb9", 6),
            token("DAI", "0xDA10009cBd5D07dd0CeCc66161FC93D7c9000da1", 18),
            token("WBTC", "0x2f2a2543B76A4166549F7aaB2e75Bef0aefC5B0f", 8),
            token("ARB", "0x912CE59144191C1204E64559FE8253a0e49E6548", 18),
        ),
        dexes=(
            uniswap_v2(
                "0xf1D7CC64Fb4452F05c498126312eBE29f30Fbcf9",
                "0x4752ba5DBc23f44D87826276BF6Fd6b1C372aD24",
                "0xA51afAFe0263b40EdaEf0Df8781eA9aa03E381a3",
            ),
            uniswap_v3(*V3_FIRST, "0xA51afAFe0263b40EdaEf0Df8781eA9aa03E381a3"),
            sushi(*SUSHI_FIRST),
        ),
        multicall=MULTICALL3,
        permit2=PERMIT2,
    ),
)

# docs (V2, V3, WETH); optimism (USDC, WBTC, DAI); aave (all tokens).
OPTIMISM: Final = Known(
    "OP Mainnet",
    testnet=False,
    gas_ceiling=10 * GWEI,
    instruments=("ETH-USDC", "WBTC-USDC"),
    chain=Chain(
        "optimism",
        10,
        coin("ETH", WETH_OP),
        (),
        confirmations=10,
        block_ms=2_000,
        gas_cap=1 * GWEI,
        gas_cap_value=Decimal(2),
        data_fee=DataFee.OP_STACK,
        tokens=(
            token("WETH", WETH_OP, 18),
            token("USDC", "0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85", 6),
            token("USDT", "0x94b008aA00579c1307B0EF2c499aD98a8ce58e58", 6),
            token("DAI", "0xDA10009cBd5D07dd0CeCc66161FC93D7c9000da1", 18),
            token("WBTC", "0x68f180fcCe6836688e9084f035309E29Bf0A2095", 8),
            token("OP", "0x4200000000000000000000000000000000000042", 18),
        ),
        dexes=(
            uniswap_v2(
                "0x0c3c1c532F1e39EdF36BE9Fe0bE1410313E074Bf",
                "0x4A7b5Da61326A6379179b40d00F57E5bbDC962c2",
                "0x851116D9223fabED8E56C0E6b8Ad0c31d98B3507",
            ),
            uniswap_v3(*V3_FIRST, "0x851116D9223fabED8E56C0E6b8Ad0c31d98B3507"),
        ),
        multicall=MULTICALL3,
        permit2=PERMIT2,
    ),
)

# docs (V2, V3; its WMATIC is called WPOL since); sushi; tokens and aave (tokens). Gas of 275 gwei was seen in 2026.
POLYGON: Final = Known(
    "Polygon",
    testnet=False,
    gas_ceiling=2_000 * GWEI,
    instruments=("POL-USDC", "WETH-USDC"),
    chain=Chain(
        "polygon",
        137,
        coin("POL", "0x0d500B1d8E8eF31E21C99d1Db9A6444d3ADf1270"),
        (),
        confirmations=32,
        block_ms=2_000,
        gas_cap=500 * GWEI,
        gas_cap_value=Decimal(2),
        tokens=(
            token("WPOL", "0x0d500B1d8E8eF31E21C99d1Db9A6444d3ADf1270", 18),
            token("USDC", "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", 6),
            token("USDT", "0xc2132D05D31c914a87C6611C10748AEb04B58e8F", 6),
            token("DAI", "0x8f3Cf7ad23Cd3CaDbD9735AFf958023239c6A063", 18),
            token("WETH", "0x7ceB23fD6bC0adD59E62ac25578270cFf1b9f619", 18),
            token("WBTC", "0x1BFD67037B42Cf73acF2047067bd4F2C47D9BfD6", 8),
        ),
        dexes=(
            uniswap_v2(
                "0x9e5A52f57b3038F1B8EeE45F28b3C1967e22799C",
                "0xedf6066a2b290C185783862C7F4776A2C8077AD1",
                "0x1095692A6237d83C6a72F3F5eFEdb9A670C49223",
            ),
            uniswap_v3(*V3_FIRST, "0x1095692A6237d83C6a72F3F5eFEdb9A670C49223"),
            sushi(*SUSHI_FIRST),
        ),
        multicall=MULTICALL3,
        permit2=PERMIT2,
    ),
)

# pancake (V2, V3); docs (Uniswap V2, V3, WBNB); sushi; aave (tokens: Binance's own, of 18 decimals each).
BSC: Final = Known(
    "BNB Smart Chain",
    testnet=False,
    gas_ceiling=20 * GWEI,
    instruments=("BNB-USDT", "BTCB-USDT"),
    chain=Chain(
        "bsc",
        56,
        coin("BNB", "0xbb4CdB9CBd36B01bD1cBaEBF2De08d9173bc095c"),
        (),
        confirmations=15,
        block_ms=750,
        gas_cap=5 * GWEI,
        gas_cap_value=Decimal(2),
        tokens=(
            token("WBNB", "0xbb4CdB9CBd36B01bD1cBaEBF2De08d9173bc095c", 18),
            token("USDT", "0x55d398326f99059fF775485246999027B3197955", 18),
            token("USDC", "0x8AC76a51cc950d9822D68b83fE1Ad97B32Cd580d", 18),
            token("ETH", "0x2170Ed0880ac9A755fd29B2688956BD959F933F8", 18),
            token("BTCB", "0x7130d2A12B9BCbFAe4f2634d864A1Ee1Ce3Ead9c", 18),
            token("CAKE", "0x0E09FaBB73Bd3Ade0a17ECC321fD13a19e81cE82", 18),
        ),
        dexes=(
            pancake_v2(
                "0xcA143Ce32Fe78f1f7019d7d551a6402fC5350c73",
                "0x10ED43C718714eb63d5aA57B78B54704E256024E",
                PANCAKE_V2_HASH,
            ),
            pancake_v3(
                "0x13f4EA83D0bd40E75C8222255bc855a974568Dd4",
                "0xB048Bbc1Ee6b733FFfCFb9e9CeF7375518e25997",
                "0x46A15B0b27311cedF172AB29E4f4766fbE7F4364",
            ),
            uniswap_v2(
                "0x8909Dc15e40173Ff4699343b6eB8132c65e18eC6",
                "0x4752ba5DBc23f44D87826276BF6Fd6b1C372aD24",
                "0x1906c1d672b88cD1B9aC7593301cA990F94Eae07",
            ),
            uniswap_v3(
                "0xdB1d10011AD0Ff90774D0C6Bb92e5C5c8b4461F7",
                "0xB971eF87ede563556b2ED4b1C0b0019111Dd85d2",
                "0x78D78E420Da98ad378D7799bE8f4AF69033EB077",
                "0x7b8A01B39D58278b5DE7e48c8449c9f4F5170613",
                "0x1906c1d672b88cD1B9aC7593301cA990F94Eae07",
            ),
            sushi(*SUSHI_FIRST),
        ),
        multicall=MULTICALL3,
        permit2=PERMIT2,
    ),
)

MAINNETS: Final = (ETHEREUM, BASE, ARBITRUM, OPTIMISM, POLYGON, BSC)
