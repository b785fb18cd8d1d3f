"""The built-in networks. The truth is EIP-55's own checksum in each address's letters, and pools whose addresses the
exchanges' own sources state."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from app.config.chain_facts import ChainProblem, configured
from app.config.chains import ChainSettings
from app.venues.evm import known_mainnets, known_parts, known_testnets
from app.venues.evm.chain import Approvals, Dex, DexKind
from app.venues.evm.known import KNOWN, Known, known_id
from app.venues.evm.pools.addresses import v2_pair, v3_pool
from signers.evm import checksum

EVERY = pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
IDS = {
    "ethereum": 1, "base": 8453, "arbitrum": 42161, "optimism": 10, "polygon": 137, "bsc": 56,
    "sepolia": 11155111, "base-sepolia": 84532, "arbitrum-sepolia": 421614, "op-sepolia": 11155420,
    "polygon-amoy": 80002, "bsc-testnet": 97,
}  # fmt: skip


def test_every_address_has_its_checksum() -> None:
    files = [Path(module.__file__ or "") for module in (known_parts, known_mainnets, known_testnets)]
    found = [each for file in files for each in re.findall(r"0x[0-9a-fA-F]{40}", file.read_text(encoding="utf-8"))]
    assert len(found) > 100
    assert [each for each in found if checksum(bytes.fromhex(each[2:])) != each] == []


def test_the_networks_and_their_ids() -> None:
    assert {name: known.chain.chain_id for name, known in KNOWN.items()} == IDS
    assert len(set(IDS.values())) == len(IDS)
    assert {name for name, known in KNOWN.items() if known.testnet} == set(list(IDS)[6:])
    assert known_id(1) is KNOWN["ethereum"]
    assert known_id(31337) is None


@EVERY
def test_nothing_is_there_twice(known: Known) -> None:
    chain = known.chain
    symbols = [token.symbol.lower() for token in (chain.native, *chain.tokens)]
    assert len(set(symbols)) == len(symbols)
    assert len({token.address for token in chain.tokens}) == len(chain.tokens)
    assert len({dex.name for dex in chain.dexes}) == len(chain.dexes)
    assert len({(dex.factory, dex.init_code_hash) for dex in chain.dexes}) == len(chain.dexes)
    assert chain.native.address in {token.address for token in chain.tokens}
    assert len({chain.native.decimals} | {t.decimals for t in chain.tokens if t.address == chain.native.address}) == 1


@EVERY
def test_no_endpoint_is_chosen_for_the_trader(known: Known) -> None:
    assert known.chain.rpcs == ()


@EVERY
def test_an_endpoint_is_all_that_is_needed(known: Known) -> None:
    section = ChainSettings.model_validate({"rpcs": ["https://node.example"]})
    if not known.chain.dexes:
        with pytest.raises(ChainProblem, match="no exchange"):
            configured(known.chain.name, section)
        return
    made = configured(known.chain.name, section)
    trusted = frozenset(token.address for token in known.chain.tokens)
    assert made.chain == replace(known.chain, trusted=trusted)
    assert made.instruments == known.instruments
    assert 0 < made.chain.gas_cap <= known.gas_ceiling


def test_the_caps_of_ethereum() -> None:
    assert KNOWN["ethereum"].chain.gas_cap == 50 * 10**9
    assert KNOWN["ethereum"].gas_ceiling == 100 * 10**9


def dex(chain: str, name: str) -> Dex:
    (found,) = (each for each in KNOWN[chain].chain.dexes if each.name == name)
    return found


@pytest.mark.parametrize(
    ("chain", "exchange", "one", "other", "fee", "pool"),
    [
        # Uniswap's docs, V2 API queries ("the DAI/WETH pair"), and Ethereum deployments ("the ETH/USDC 0.3% pool").
        ("ethereum", "uniswap-v2", "DAI", "WETH", 0, "0xa478c2975ab1ea89e8196811f51a7b7ade33eb11"),
        ("ethereum", "uniswap-v3", "USDC", "WETH", 3000, "0x8ad599c3a0ff1de082011efddc58f1908eb6e6d8"),
        # pancake-frontend, packages/farms/constants/56.ts.
        ("bsc", "pancake-v2", "CAKE", "USDT", 0, "0xA39Af17CE4a8eb807E076805Da1e2B8EA7D0755b"),
        ("bsc", "pancake-v3", "CAKE", "WBNB", 2500, "0x133B3D95bAD5405d14d53473671200e9342896BF"),
        ("bsc", "pancake-v3", "USDT", "WBNB", 500, "0x36696169C63e42cd08ce11f5deeBbCeBae652050"),
        # Not stated by Sushi itself where it was looked for; many public programs that trade there agree on it.
        ("ethereum", "sushi-v2", "USDC", "WETH", 0, "0x397FF1542f962076d0BFE58eA045FfA2d347ACa0"),
    ],
)
def test_pools_are_where_their_exchange_says(
    chain: str, exchange: str, one: str, other: str, fee: int, pool: str
) -> None:
    where = dex(chain, exchange)
    tokens = [KNOWN[chain].chain.token(symbol) for symbol in (one, other)]
    a, b = (token.address for token in tokens if token is not None)
    made = v2_pair(where, a, b) if where.kind is DexKind.V2 else v3_pool(where, a, b, fee)
    assert made == bytes.fromhex(pool[2:])


def test_universal_routers_are_where_two_sources_agree() -> None:
    """Uniswap's own exchanges alone; and on Sepolia not the V2 exchange, whose factory is another one there."""
    found = {
        name: {dex.name for dex in known.chain.dexes if dex.universal is not None} for name, known in KNOWN.items()
    }
    both = {"uniswap-v2", "uniswap-v3"}
    whole = dict.fromkeys(("ethereum", "base", "arbitrum", "optimism", "polygon", "bsc"), both)
    assert {name: each for name, each in found.items() if each} == {**whole, "sepolia": {"uniswap-v3"}}
    for name, named in found.items():
        chain = KNOWN[name].chain
        assert len({dex.universal for dex in chain.dexes} - {None}) == bool(named)
        assert chain.permit2 is not None or not named
        assert chain.approvals is Approvals.ROUTER


@EVERY
def test_exchanges_are_whole(known: Known) -> None:
    for each in known.chain.dexes:
        if each.kind is DexKind.V3:
            assert each.fee_tiers
            assert each.quoter
            assert each.positions
        else:
            assert each.fee_bps in {25, 30}
