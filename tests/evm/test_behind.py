"""Nodes that are a block or so behind, which nodes are: what needs a block is planned and checked on one that has it.

The node behind is the one that the trader prefers, so that it is asked first wherever one is enough.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from app.venues.evm import venue
from strategies.model import Side
from tests.evm.chain import LocalChain
from tests.evm.faults import Behind, Exchange, Reply
from tests.evm.proxy import ALWAYS, FaultProxy
from tests.evm.rig import ChainRig, chain_rig
from tests.evm.test_restarts import foreign

_TIMES: Final = 12
"""Questions by which a node is slower than one that is behind, which asks some itself to know how far."""


@dataclass(frozen=True, slots=True)
class Slower:
    """A node that takes its time, and is right."""

    async def run(self, exchange: Exchange) -> Reply | None:
        for _ in range(_TIMES):
            await exchange.send([{"jsonrpc": "2.0", "id": 0, "method": "eth_blockNumber", "params": []}])
        return exchange.reply(await exchange.send(exchange.calls))


@asynccontextmanager
async def behind(
    folder: Path, anvil: LocalChain, nodes: int, by: int = 1
) -> AsyncIterator[tuple[ChainRig, FaultProxy]]:
    """A session with so many nodes, of which the first is behind."""
    with ExitStack() as stack:
        proxies = [stack.enter_context(FaultProxy(anvil.url, anvil.ws_url)) for _ in range(nodes)]
        urls = tuple((proxy.url, proxy.ws_url) for proxy in proxies)
        async with chain_rig(folder, anvil, urls=urls, confirmations=8) as rig:
            await rig.quoted()
            proxies[0].script("*", Behind(by), times=ALWAYS)
            for proxy in proxies[1:]:
                proxy.script("*", Slower(), times=ALWAYS)
            for member, proxy in zip(rig.venue.nodes._members, proxies, strict=True):
                member.node.health.latency_us = 1_000 if proxy is proxies[0] else 1_000_000
            yield rig, proxies[0]


async def test_what_follows_an_approval_is_checked_where_that_is_known(tmp_path: Path, anvil: LocalChain) -> None:
    async with behind(tmp_path, anvil, 3) as (rig, _):
        anvil.mine(2)
        trade = await rig.propose(quantity="0.25")
        await rig.reached(trade, "FILLED", "DENIED", "FAILED", "CANCELLED")
        assert rig.state(trade) == "FILLED", rig.told(trade)
        # The sale needs what was bought in the newest block; its approval is checked, then the sale itself.
        sale = await rig.propose(Side.SELL, "0.25", worst="1000")
        await rig.reached(sale, "FILLED", "DENIED", "FAILED", "CANCELLED")
        assert rig.state(sale) == "FILLED", rig.told(sale)
        await rig.assert_agrees()


async def test_what_was_bought_before_a_restart_is_known_after_it(tmp_path: Path, anvil: LocalChain) -> None:
    async with behind(tmp_path, anvil, 3) as (rig, _):
        trade = await rig.propose(quantity="0.25")
        await rig.reached(trade, "FILLED")
    bought = anvil.number()
    async with behind(tmp_path, anvil, 3) as (again, _):
        sale = await again.propose(Side.SELL, "0.25", worst="1000")
        await again.until(lambda: bool(sale.payloads), lambda: str(again.told(sale)))
        assert json.loads(sale.payloads[0].preview)["block"] >= bought
        await again.reached(sale, "FILLED")


async def test_one_address_of_many_nodes_is_waited_for(tmp_path: Path, anvil: LocalChain) -> None:
    """The only node there is answers as one that is behind, right after it told of the approval's block."""
    async with behind(tmp_path, anvil, 1, by=0) as (rig, proxy):
        anvil.automine(on=False)
        trade = await rig.propose(quantity="0.25")
        await rig.until(lambda: rig.orders(trade)[:1] == [("approve", "OPEN")], lambda: str(rig.told(trade)))
        step = rig.session.pipeline._preparation.until_read
        seen: list[int] = []

        async def late() -> None:
            if not seen:
                seen.append(anvil.number())
                proxy.clear()
                proxy.script("eth_getBlockByNumber", Behind(1), times=2)
            await step()

        rig.session.pipeline._preparation.until_read = late  # type: ignore[method-assign]  # who answers is the network's to say
        anvil.automine(on=True)
        anvil.mine()
        await rig.reached(trade, "FILLED", "DENIED", "FAILED", "CANCELLED")
        assert rig.state(trade) == "FILLED", rig.told(trade)
        assert seen
        await rig.assert_agrees()


async def test_who_is_far_behind_proves_nothing_dead(tmp_path: Path, anvil: LocalChain) -> None:
    """One of the nodes behind an address has the count of the account's transactions, and the other, which is asked for
    this one, not yet its block: the nonce is used up, and by itself."""
    async with behind(tmp_path, anvil, 1, by=0) as (rig, proxy):
        anvil.automine(on=False)
        trade = await rig.propose(quantity="0.25")
        await rig.until(lambda: rig.orders(trade)[:1] == [("approve", "OPEN")], lambda: str(rig.told(trade)))
        proxy.clear()
        for method in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
            proxy.script(method, Behind(40), times=ALWAYS)
        head = anvil.mine(20)
        await rig.until(lambda: rig.head >= head, "it is deep enough")
        (name,) = (order.request.client_id for order in trade.orders.values() if order.role == "approve")
        for _ in range(2):
            report = await rig.venue.order(name)
            assert report is not None
            assert report.state == "OPEN"
        proxy.clear()
        anvil.automine(on=True)
        anvil.mine()
        await rig.reached(trade, "FILLED")
        await rig.assert_agrees()


async def test_what_took_a_nonce_long_ago_is_believed_at_the_second_look(
    tmp_path: Path, anvil: LocalChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venue, "SECOND_LOOK_MS", 0)  # the blocks alone
    async with chain_rig(tmp_path, anvil, confirmations=3) as rig:
        anvil.automine(on=False)
        trade = await rig.propose(quantity="0.25")
        await rig.until(lambda: rig.orders(trade)[:1] == [("approve", "OPEN")], lambda: str(rig.told(trade)))
        (name,) = (order.request.client_id for order in trade.orders.values() if order.role == "approve")
    anvil.drop(bytes.fromhex(name[2:]))
    foreign(anvil, rig.me)
    anvil.mine(200)
    async with chain_rig(tmp_path, anvil, confirmations=3) as again:
        assert again.orders(trade)[0] == ("approve", "OPEN"), "by one look nothing is concluded"
        anvil.mine(3)
        await again.reached(trade, "CANCELLED")
        assert (
            "transaction before it failed"
            in again.rows("SELECT reason FROM trades WHERE id = ?", trade.id)[0]["reason"]
        )
