"""What is known of the main networks and their usual test networks, so that a trader only has to name an endpoint.

Every address was read in what the projects themselves publish, named above each chain and above what all have in
common; what could not be found there is not here. A wrong one can not lose a trade: a pool is asked of the factory, and
refused where the hash does not give its address, but the right one still has to be found by hand. No endpoint is here:
which operator sees the trader's transactions first is the trader's choice.

The sources, as they were read:
- docs: Uniswap/docs 8c5d09e (2026-04-08), contracts/v3/reference/deployments/*.md and
  contracts/v2/reference/smart-contracts/08-deployment-addresses.md
- sdks: Uniswap/sdks 241fb9a (2026-08-07), sdk-core/src/{addresses,entities/weth9}.ts, {v2,v3}-sdk/src/constants.ts,
  universal-router-sdk/src/utils/constants.ts
- universal: Uniswap/universal-router b122a8d (2025-02-11), deploy-addresses/*.json (UniversalRouterV2, which is 2.0;
  sdks agree on each that is here) and, for whose factories each was made, script/deployParameters/*.sol
- tokens: Uniswap/default-token-list 49f39bd (2026-08-06), src/tokens/*.json
- aave: bgd-labs/aave-address-book f61c976 (2026-05-01), src/AaveV3*.sol: underlying assets and their decimals
- optimism: ethereum-optimism/ethereum-optimism.github.io 9db0b00 (2026-06-18), data/*/data.json
- circle: circlefin/cctp-sample-app 5483e78 (2024-07-02), src/constants/addresses.ts
- multicall3: mds1/multicall 19da7a5 (2025-02-23), README and deployments.json: one address, and the chains that have it
- sushi: sushiswap/sushi-docs, Classic AMM, Deployment Addresses; sushiswap/v2-core f770825, deployments/*/*.json, whose
  routers hold the init code hash
- pancake: pancakeswap/pancake-developer, contracts/{v2,v3}/addresses.md; pancake-v3-contracts 5cc479f (2024-04-22),
  deployments/bsc*.json, PoolAddress.sol; pancake-frontend, packages/v2-sdk/src/constants.ts, packages/tokens

Confirmations, block times and gas caps are ours: bounds for a trader, not facts of a chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.venues.evm.known_mainnets import MAINNETS
from app.venues.evm.known_parts import Known
from app.venues.evm.known_testnets import TESTNETS

__all__ = ["KNOWN", "Known", "known_id"]

KNOWN: Final[Mapping[str, Known]] = MappingProxyType({each.chain.name: each for each in (*MAINNETS, *TESTNETS)})
"""By the name that settings and ``--chain`` use."""


def known_id(chain_id: int) -> Known | None:
    """The network of this id, whatever it is called."""
    return next((each for each in KNOWN.values() if each.chain.chain_id == chain_id), None)
