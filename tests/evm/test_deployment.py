"""The practice chain's contracts are the real ones and are put together rightly: what they quote is what a swap brings.
The truth is what the token contracts say an address holds.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from app.errors import VenueError
from app.practice.chain.deploy import MOST, NO_DEADLINE, Deployment, description
from app.practice.chain.node import NodeRefused, calldata, hex_of, results
from app.venues.evm.chain import DexKind
from app.venues.evm.described import chain_of
from tests.evm.chain import LocalChain
from tests.evm.conftest import StartChain

SWAP_V2 = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)(uint256[])"
SWAP_TAXED = "swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256,uint256,address[],address,uint256)"
SINGLE = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))(uint256)"
PATH = "exactInput((bytes,address,uint256,uint256))(uint256)"
QUOTE = "quoteExactInputSingle((address,address,uint256,uint24,uint160))(uint256,uint160,uint32,uint256)"
QUOTE_PATH = "quoteExactInput(bytes,uint256)(uint256,uint160[],uint32[],uint256)"
AMOUNTS = "getAmountsOut(uint256,address[])(uint256[])"


def approve(chain: LocalChain, token: bytes, spender: bytes) -> None:
    chain.transact(token, "approve(address,uint256)", spender, MOST)


@pytest.mark.parametrize("dex", ["uniswap-v2", "v2b"])
def test_v2_quotes_what_it_gives(anvil: LocalChain, dex: str) -> None:
    me, router = anvil.accounts[0], anvil.dex(dex).router
    usdc, weth = anvil.token("USDC").address, anvil.contract("WETH9")
    approve(anvil, usdc, router)
    amount = 12_345_678_901
    quoted = anvil.call(router, AMOUNTS, amount, (usdc, weth))[-1]
    before = anvil.held(weth, me)
    anvil.transact(router, SWAP_V2, amount, quoted, (usdc, weth), me, NO_DEADLINE)
    assert anvil.held(weth, me) - before == quoted
    assert Decimal(quoted) / 10**18 == pytest.approx(Decimal("4.92"), rel=Decimal("0.01"))


@pytest.mark.parametrize(("give", "take", "fee"), [("WETH", "USDC", 500), ("USDC", "WETH", 3000), ("USDC", "DAI", 100)])
def test_v3_quotes_what_it_gives(anvil: LocalChain, give: str, take: str, fee: int) -> None:
    me, router, quoter = anvil.accounts[0], anvil.contract("SwapRouter02"), anvil.contract("QuoterV2")
    one, other = anvil.token(give), anvil.token(take)
    anvil.transact(anvil.contract("WETH9"), "deposit()", value=10**21)
    approve(anvil, one.address, router)
    amount = (700 if give == "WETH" else 900_000) * 10**one.decimals  # across the ends of the narrow positions
    quoted, _, crossed, _ = anvil.call(quoter, QUOTE, (one.address, other.address, amount, fee, 0))
    before = anvil.held(other.address, me)
    anvil.transact(router, SINGLE, (one.address, other.address, fee, me, amount, quoted, 0))
    assert anvil.held(other.address, me) - before == quoted
    assert crossed or fee != 500, "a position's end was crossed"


def test_a_path_over_two_pools_and_both_kinds_of_pool_in_one_transaction(anvil: LocalChain) -> None:
    """SwapRouter02.multicall: half over two V3 pools, half over two V2 pools."""
    me, router = anvil.accounts[0], anvil.contract("SwapRouter02")
    wbtc, weth, usdc = anvil.token("WBTC").address, anvil.contract("WETH9"), anvil.token("USDC").address
    approve(anvil, wbtc, router)
    half, path = 25_000_000, wbtc + (3000).to_bytes(3) + weth + (500).to_bytes(3) + usdc
    from_v3 = anvil.call(anvil.contract("QuoterV2"), QUOTE_PATH, path, half)[0]
    from_v2 = anvil.call(anvil.dex("uniswap-v2").router, AMOUNTS, half, (wbtc, weth, usdc))[-1]
    calls = (
        calldata(PATH, ((path, me, half, from_v3),)),
        calldata(
            "swapExactTokensForTokens(uint256,uint256,address[],address)", (half, from_v2, (wbtc, weth, usdc), me)
        ),
    )
    before = anvil.held(usdc, me)
    anvil.transact(router, "multicall(uint256,bytes[])(bytes[])", NO_DEADLINE, calls)
    assert anvil.held(usdc, me) - before == from_v3 + from_v2
    assert 24_000 < (from_v3 + from_v2) // 10**6 < 25_000


def test_a_taxed_token_brings_less_than_quoted(anvil: LocalChain) -> None:
    me, router = anvil.accounts[0], anvil.dex("uniswap-v2").router
    taxed, weth = anvil.token("TAX").address, anvil.contract("WETH9")
    approve(anvil, weth, router)
    anvil.transact(weth, "deposit()", value=10**18)
    quoted = anvil.call(router, AMOUNTS, 10**18, (weth, taxed))[-1]
    before = anvil.held(taxed, me)
    anvil.transact(router, SWAP_TAXED, 10**18, 0, (weth, taxed), me, NO_DEADLINE)
    assert anvil.held(taxed, me) - before == quoted - quoted * 200 // 10_000
    with pytest.raises(NodeRefused, match="INSUFFICIENT_OUTPUT_AMOUNT"):
        anvil.call(router, SWAP_TAXED, 10**15, quoted, (weth, taxed), me, NO_DEADLINE, sender=me)


def test_the_multicall_reads_many_things_in_one_call(anvil: LocalChain) -> None:
    signature = "multicall((address,uint256,bytes)[])(uint256,(bool,uint256,bytes)[])"
    usdc, nobody = anvil.token("USDC").address, bytes(19) + b"\x01"
    asked = calldata("decimals()", ())
    multicall = anvil.chain.multicall
    assert multicall is not None
    height, (good, bad) = anvil.call(
        multicall, signature, ((usdc, 100_000, asked), (anvil.contract("WETH9"), 5_000, b"\xff" * 4))
    )
    assert height == anvil.number()
    assert (good[0], results("decimals()(uint8)", good[2])) == (True, 6)
    assert bad[0] is False
    assert anvil.balance(nobody) == 0


def test_the_description_is_the_chain(anvil: LocalChain) -> None:
    chain = anvil.chain
    assert (chain.chain_id, chain.rpcs, chain.confirmations) == (31337, (anvil.url,), 1)
    assert chain.native.native
    assert chain.native.address == anvil.contract("WETH9")
    for token in chain.tokens:
        assert anvil.call(token.address, "decimals()(uint8)") == token.decimals
        assert anvil.call(token.address, "symbol()(string)") == token.symbol
    for pool in anvil.described["pools"]:
        dex, (a, b) = anvil.dex(pool["dex"]), (bytes.fromhex(pool[side][2:]) for side in ("token0", "token1"))
        found = (
            anvil.call(dex.factory, "getPair(address,address)(address)", a, b)
            if dex.kind is DexKind.V2
            else anvil.call(dex.factory, "getPool(address,address,uint24)(address)", a, b, pool["fee"])
        )
        assert hex_of(found) == pool["address"]
    for dex in chain.dexes:
        if dex.kind is DexKind.V3:
            assert all(anvil.call(dex.factory, "feeAmountTickSpacing(uint24)(int24)", fee) for fee in dex.fee_tiers)


def test_init_code_hashes_are_those_of_the_main_chain(anvil: LocalChain) -> None:
    """So that addresses reckoned from them, and the routers that do so, are right there as well."""
    hashes = {dex.name: dex.init_code_hash.hex() for dex in anvil.chain.dexes}
    assert hashes["uniswap-v2"] == hashes["v2b"]
    assert hashes["v2b"] == "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"
    assert hashes["uniswap-v3"] == "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"


def test_another_deployment_has_the_same_addresses(anvil: LocalChain, start_chain: StartChain) -> None:
    other = start_chain(chain_id=7, deployed=False)
    again = description(7, 0)
    Deployment(other.node, other.parts).run(again)
    assert again | {"chain_id": 31337, "url": anvil.url, "ws_url": anvil.ws_url} == anvil.described


def test_a_description_that_is_none_says_so(anvil: LocalChain) -> None:
    changes: tuple[dict[str, Any], ...] = (
        {"schema": "x/1"},
        {"native": {}},
        {"multicall": "0x12"},
        {"dexes": [{"name": "x"}]},
        {"tokens": 7},
    )
    for change in changes:
        with pytest.raises(VenueError, match="The practice chain's description can not be read"):
            chain_of(json.dumps(anvil.described | change))
    with pytest.raises(VenueError):
        chain_of("[]")


def test_each_test_has_a_chain_of_its_own(start_chain: StartChain) -> None:
    one, two = start_chain(), start_chain(chain_id=5)
    who = b"\x22" * 20
    one.set_balance(who, 5)
    assert (one.balance(who), two.balance(who)) == (5, 0)
    assert two.node.number("eth_chainId") == 5
    with one.undone():
        one.deal(one.token("USDC").address, who, 7)
        assert one.held(one.token("USDC").address, who) == 7
    assert one.held(one.token("USDC").address, who) == 0
