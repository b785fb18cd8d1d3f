"""A plan becomes transactions that do on the chain what the words say: the truth is anvil with Uniswap's contracts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from eth_keys.datatypes import PrivateKey

from app.engine.clock import WallClock
from app.venues.evm.assemble import Assembled, Assembler, wish_of
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.nodes.settings import NodesSettings
from app.venues.evm.planner import Planner, Wanted
from app.venues.evm.swap import Exact
from signers.evm import assemble as signed_of
from signers.evm import keccak
from tests.evm.chain import LocalChain, endpoint

ACCOUNT_KEY = keccak(b"a trader of the tests")
FAR = 2**40


def account() -> bytes:
    return PrivateKey(ACCOUNT_KEY).public_key.to_canonical_address()


def sign(unsigned: bytes) -> bytes:
    return signed_of(unsigned, PrivateKey(ACCOUNT_KEY).sign_msg_hash(keccak(unsigned)).to_bytes())


@pytest.fixture
async def nodes(anvil: LocalChain) -> AsyncIterator[Nodes]:
    made = Nodes(NodesSettings(anvil.chain.chain_id, (endpoint(anvil.url),), 2000), WallClock())
    await made.start()
    yield made
    await made.close()


class Desk:
    """One account that swaps."""

    def __init__(self, chain: LocalChain, nodes: Nodes) -> None:
        self.local, self.chain, self.nodes = chain, chain.chain, nodes
        self.me = account()
        self.planner = Planner(self.chain, nodes)
        self.assembler = Assembler(self.chain, nodes, self.me)
        chain.fund(self.me)
        chain.deal(chain.token("WETH").address, self.me, 50 * 10**18)

    def balance(self, symbol: str) -> int:
        token = self.local.token(symbol)
        if token.native:
            return int(self.local.rpc("eth_getBalance", "0x" + self.me.hex(), "latest"), 16)
        return int(self.local.call(token.address, "balanceOf(address)(uint256)", self.me))

    async def prepared(self, pays: str, gets: str, exact: Exact, amount: int, **more: Any) -> Assembled:
        limit = 0 if exact is Exact.IN else 2**255
        wanted = Wanted(self.local.token(pays), self.local.token(gets), exact, amount, limit, 50, self.me, FAR, **more)
        self.plan = await self.planner.plan(wanted)
        return await self.assembler.assemble(wish_of(self.plan), Decimal(2500), ())

    def send(self, made: Assembled) -> list[dict[str, Any]]:
        receipts = []
        for each in made.transactions:
            name = self.local.send_raw(sign(each.unsigned))
            self.local.mine()
            receipt = self.local.receipt(name)
            assert receipt is not None
            receipts.append(receipt)
        return receipts


@pytest.mark.parametrize("exact", Exact)
@pytest.mark.parametrize(
    ("pays", "gets"),
    [
        ("USDC", "WETH"),
        ("WETH", "USDC"),
        ("ETH", "USDC"),
        ("USDC", "ETH"),
        ("DAI", "WBTC"),
        ("PUP", "USDC"),
        ("WBTC", "PUP"),
    ],
)
async def test_what_was_quoted_is_received_to_the_last_unit(
    anvil: LocalChain, nodes: Nodes, pays: str, gets: str, exact: Exact
) -> None:
    desk = Desk(anvil, nodes)
    token = anvil.token(pays if exact is Exact.IN else gets)
    amount = {"USDC": 40_000, "DAI": 40_000, "WBTC": 1, "PUP": 20_000}.get(token.symbol, 15) * 10**token.decimals
    if "PUP" in {pays, gets} and exact is Exact.OUT:
        amount //= 10  # it has little to give
    before = {symbol: desk.balance(symbol) for symbol in (pays, gets)}
    made = await desk.prepared(pays, gets, exact, amount)
    receipts = desk.send(made)
    assert [int(receipt["status"], 16) for receipt in receipts] == [1] * len(made.transactions)
    gas = sum(int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16) for receipt in receipts)
    after = {symbol: desk.balance(symbol) for symbol in (pays, gets)}
    if "ETH" in after:
        after["ETH"] += gas
    assert before[pays] - after[pays] == desk.plan.amount_in
    assert after[gets] - before[gets] == desk.plan.amount_out
    for receipt, each in zip(receipts, made.transactions, strict=True):
        assert int(receipt["gasUsed"], 16) <= each.fields.gas
