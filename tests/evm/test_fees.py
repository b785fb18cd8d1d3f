"""Fees on a chain: what is proposed is mined, what is bumped replaces, and the fee oracle is asked in its own words.
The truth is anvil; the oracle is a few bytes of code at the predeploy's address that hand back what they were asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

from app.errors import SafetyError
from app.venues.evm.chain import Chain, DataFee, FeeKind, Token
from app.venues.evm.fees import (
    GAS_PRICE_ORACLE,
    Caps,
    FeeRules,
    Market,
    bump,
    caps_of,
    data_fee,
    propose,
    read_market,
    risen,
)
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.rpc import RpcDown
from tests.evm.chain import CHAIN_ID, LocalChain
from tests.evm.conftest import StartChain
from tests.evm.nodes.harness import Sender, hash_of, pool
from tests.evm.nodes.server import error, faked, result

GWEI = 10**9
RULES = FeeRules()
CHAIN = Chain("anvil", CHAIN_ID, Token("ETH", bytes(20), 18, native=True), (), 1, 12_000, 500 * GWEI, Decimal(100))
CAPS = caps_of(CHAIN, Decimal(2_500), "USD")
ORACLE = "0x" + GAS_PRICE_ORACLE.hex()
ECHO = "0x60043560005260206000f3"
"""PUSH1 4 CALLDATALOAD PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN: the first argument is the answer."""
LENGTH_UNLESS_NEW = "0x60003560e01c6349948e0e14601357600080fd5b60243560005260206000f3"
"""An oracle before Fjord: reverts but for getL1Fee(bytes), whose answer is the length of the bytes."""


@pytest.fixture
def local(start_chain: StartChain) -> LocalChain:
    found = start_chain(deployed=False)
    found.mine(3)
    return found


@pytest.fixture
async def rpc(
    local: LocalChain,
) -> AsyncIterator[Nodes]:
    async with pool(local.url, block_ms=12_000) as nodes:
        yield nodes


async def test_what_is_proposed_is_mined(local: LocalChain, rpc: Nodes) -> None:
    account = Sender(local)
    local.automine(on=False)
    for nonce in range(3):
        market = await read_market(rpc, CHAIN, RULES)
        fee = propose(market, 21_000, CAPS, RULES, CHAIN.block_ms)
        await rpc.send_raw(account.transaction(nonce, max_fee=fee.max_fee, tip=fee.priority_fee))
        assert int(local.rpc("eth_getBlockByNumber", "pending", False)["baseFeePerGas"], 16) == market.base_fee
        local.mine()
        assert local.nonce(bytes.fromhex(account.address[2:])) == nonce + 1


async def test_the_tip_is_what_others_paid(local: LocalChain, rpc: Nodes) -> None:
    account = Sender(local)
    assert (await read_market(rpc, CHAIN, RULES)).tip > 0, "only empty blocks: what the node suggests"
    for nonce, tip in enumerate((2 * GWEI, 3 * GWEI, 4 * GWEI)):
        await rpc.send_raw(account.transaction(nonce, tip=tip))
        local.mine()  # empty
    assert (await read_market(rpc, CHAIN, RULES)).tip == 3 * GWEI


@pytest.mark.parametrize(("max_fee", "tip"), [(2 * GWEI, 1), (2 * GWEI, GWEI), (3 * GWEI, 3 * GWEI), (10 * GWEI, 7)])
async def test_a_bump_always_replaces(local: LocalChain, rpc: Nodes, max_fee: int, tip: int) -> None:
    account = Sender(local)
    local.automine(on=False)
    market = await read_market(rpc, CHAIN, RULES)
    first = account.transaction(0, max_fee=max_fee, tip=tip)
    await rpc.send_raw(first)
    for _ in range(4):
        fee = bump((max_fee, tip), market, 21_000, CAPS, RULES, CHAIN.block_ms)
        max_fee, tip = fee.max_fee, fee.priority_fee
        second = account.transaction(0, max_fee=max_fee, tip=tip)
        await rpc.send_raw(second)
        assert local.rpc("eth_getTransactionByHash", hash_of(first)) is None
        first = second
    local.mine()
    assert local.receipt(bytes.fromhex(hash_of(first)[2:])) is not None


async def test_a_market_above_the_cap_is_refused(local: LocalChain, rpc: Nodes) -> None:
    local.next_base_fee(600 * GWEI)
    local.mine()
    market = await read_market(rpc, CHAIN, RULES)
    assert market.base_fee > 500 * GWEI
    with pytest.raises(SafetyError, match="the cap is 500 gwei"):
        propose(market, 21_000, CAPS, RULES, CHAIN.block_ms)


async def test_a_legacy_chain_has_one_price(local: LocalChain, rpc: Nodes) -> None:
    legacy = replace(CHAIN, fee_kind=FeeKind.LEGACY)
    market = await read_market(rpc, legacy, RULES)
    assert market == Market(FeeKind.LEGACY, 0, int(local.rpc("eth_gasPrice"), 16))
    fee = propose(market, 21_000, CAPS, RULES, CHAIN.block_ms)
    assert fee.max_fee == fee.priority_fee == risen(market.tip, 1)


@pytest.mark.parametrize(
    "history",
    [
        None, {}, [], {"baseFeePerGas": [], "gasUsedRatio": []}, {"baseFeePerGas": ["x"], "gasUsedRatio": []},
        {"baseFeePerGas": ["0x1"], "gasUsedRatio": [0.5], "reward": [["-0x1"]]},
    ],
)  # fmt: skip
async def test_a_fee_history_that_is_none_is_not_believed(local: LocalChain, history: object) -> None:
    async with faked(local.url, eth_feeHistory=result(history)) as liar, pool(liar.url) as nodes:
        with pytest.raises(RpcDown, match="can not be read"):
            await read_market(nodes, CHAIN, RULES)


async def test_a_node_that_suggests_no_tip_costs_nothing(local: LocalChain) -> None:
    silent = error(-32601, "no such method")
    async with faked(local.url, eth_maxPriorityFeePerGas=silent) as fake, pool(fake.url) as nodes:
        assert (await read_market(nodes, CHAIN, RULES)).tip == RULES.least_tip


async def test_an_op_stack_chain_is_asked_for_its_data_fee(local: LocalChain, rpc: Nodes) -> None:
    op = replace(CHAIN, data_fee=DataFee.OP_STACK)
    unsigned = b"\x02" + bytes(999)
    with pytest.raises(RpcDown, match="oracle did not answer"):  # nothing is there
        await data_fee(rpc, op, unsigned, 21_000, RULES)
    local.rpc("anvil_setCode", ORACLE, ECHO)
    # The size of the transaction, as much dearer as five blocks of the chain below can make it; the operator's for gas.
    assert await data_fee(rpc, op, unsigned, 21_000, RULES) == risen(1_000, 5) + 21_000
    local.rpc("anvil_setCode", ORACLE, LENGTH_UNLESS_NEW)
    assert await data_fee(rpc, op, unsigned, 21_000, RULES) == risen(1_000, 5)


async def test_other_chains_charge_nothing_on_top(rpc: Nodes) -> None:
    for kind in (DataFee.NONE, DataFee.ARBITRUM):
        assert await data_fee(rpc, replace(CHAIN, data_fee=kind), bytes(10), 21_000, RULES) == 0


def test_caps_come_from_the_chain_s_settings() -> None:
    assert Caps(500 * GWEI, Decimal(100), Decimal(2_500), "ETH", "USD", 18) == CAPS
