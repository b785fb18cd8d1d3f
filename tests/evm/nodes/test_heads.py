"""Blocks followed in order. The truth is anvil's own chain: a consumer that applies what it is told must end with
exactly its blocks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.engine.clock import WallClock
from app.venues.evm.nodes.branch import NewBlock, Reorganised, Skipped
from app.venues.evm.nodes.heads import HeadEvent, Heads, Logs, Stale
from app.venues.evm.nodes.health import Block
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.nodes.settings import NodeSettings
from tests.evm.chain import LocalChain
from tests.evm.conftest import StartChain
from tests.evm.nodes.harness import pool
from tests.evm.nodes.server import faked, relayed, result

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


class Follower:
    """Applies what it is told, and objects to what does not fit."""

    def __init__(self) -> None:
        self.events: list[HeadEvent] = []
        self.blocks: list[Block] = []
        self._changed = asyncio.Event()

    def tell(self, event: HeadEvent) -> None:
        self.events.append(event)
        if isinstance(event, NewBlock):
            assert not self.blocks or event.block.parent == self.blocks[-1].hash
            self.blocks.append(event.block)
        elif isinstance(event, Reorganised):
            for each in event.dropped:
                assert self.blocks.pop() == each
            assert event.ancestor == self.blocks[-1]
        elif isinstance(event, Skipped):
            self.blocks = []
        self._changed.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not reached():
                self._changed.clear()
                await self._changed.wait()

    async def at(self, chain: LocalChain) -> None:
        """Until its last block is the chain's."""
        tip = bytes.fromhex(chain.block()["hash"][2:])
        await self.until(lambda: bool(self.blocks) and self.blocks[-1].hash == tip)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def following(nodes: Nodes, **filters: dict[str, Any]) -> AsyncIterator[tuple[Follower, Heads]]:
    follower = Follower()
    heads = Heads(nodes, WallClock(), follower.tell, filters)
    task = asyncio.create_task(heads.run())
    try:
        yield follower, heads
    finally:
        task.cancel()
        done = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError), done


def settings(chain: LocalChain, ws_port: int | None = None) -> NodeSettings:
    ws = "" if ws_port is None else f"ws://127.0.0.1:{ws_port}"
    return NodeSettings(chain.url, ws, requests_per_s=1_000, burst=1_000, timeout_ms=5_000)


def port(chain: LocalChain) -> int:
    return int(chain.url.rsplit(":", 1)[1])


@pytest.fixture
def chain(start_chain: StartChain) -> LocalChain:
    found = start_chain(deployed=False)
    found.mine(10)
    return found


@pytest.fixture(params=["websocket", "polling"])
def source(request: pytest.FixtureRequest, chain: LocalChain) -> NodeSettings:
    """The chain as a node that has a websocket, and as one that has none."""
    return settings(chain, port(chain) if request.param == "websocket" else None)


async def test_blocks_come_once_in_order_with_their_facts(chain: LocalChain, source: NodeSettings) -> None:
    async with pool(source, block_ms=20, stale_blocks=500) as nodes, following(nodes) as (follower, heads):
        await follower.at(chain)
        for _ in range(5):
            chain.mine()
            await follower.at(chain)
        assert [each.number for each in follower.blocks] == [10, 11, 12, 13, 14, 15]
        last, true = follower.blocks[-1], chain.block()
        assert (hex(last.timestamp), hex(last.base_fee or 0)) == (true["timestamp"], true["baseFeePerGas"])
        assert "0x" + last.parent.hex() == true["parentHash"]
        assert heads.view().source == (chain.url if source.ws_url else "polling")
        assert heads.view().trouble == ""


async def test_many_blocks_at_once_leave_no_hole(chain: LocalChain, source: NodeSettings) -> None:
    async with pool(source, block_ms=20, stale_blocks=500) as nodes, following(nodes) as (follower, _):
        await follower.at(chain)
        chain.mine(40)
        await follower.at(chain)
        assert [each.number for each in follower.blocks] == list(range(10, 51))


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
async def test_a_reorganisation_is_told_with_what_it_drops(depth: int, chain: LocalChain, source: NodeSettings) -> None:
    async with pool(source, block_ms=20, stale_blocks=500) as nodes, following(nodes) as (follower, _):
        await follower.at(chain)
        for _ in range(8):
            chain.mine()
        await follower.at(chain)
        ancestor = chain.block(18 - depth)["hash"]
        old = [chain.block(number)["hash"] for number in range(18, 18 - depth, -1)]
        chain.reorg(depth)
        chain.mine()
        await follower.at(chain)
        dropped = ["0x" + each.hash.hex() for event in follower.of(Reorganised) for each in event.dropped]
        first = follower.of(Reorganised)[0]
        assert "0x" + first.ancestor.hash.hex() == ancestor
        assert dropped[:depth] == old
        true = [chain.block(each.number)["hash"] for each in follower.blocks]
        assert ["0x" + each.hash.hex() for each in follower.blocks] == true
        assert follower.blocks[-1].number == 19


async def test_a_websocket_that_dies_is_opened_again_and_the_gap_is_filled(chain: LocalChain) -> None:
    async with (
        relayed(port(chain)) as relay,
        pool(settings(chain, relay.port), block_ms=50, stale_blocks=200) as nodes,
        following(nodes) as (follower, heads),
    ):
        await follower.at(chain)
        relay.refuses = True
        relay.cut()
        chain.mine(5)
        await follower.at(chain)  # by asking, while there is no websocket
        assert heads.view().source == "polling"
        relay.refuses = False
        chain.mine(5)
        await follower.at(chain)
        while relay.connections < 2:
            chain.mine()
            await follower.at(chain)
        chain.mine()
        await follower.at(chain)
        assert [each.number for each in follower.blocks] == list(range(10, chain.number() + 1))
        assert heads.view().reconnects == 1


async def test_a_websocket_in_which_nothing_comes_is_given_up(chain: LocalChain) -> None:
    """Half-open: the connection stands, and not one byte arrives."""
    async with (
        relayed(port(chain)) as relay,
        pool(settings(chain, relay.port), block_ms=30) as nodes,
        following(nodes) as (follower, _),
    ):
        await follower.at(chain)
        chain.mine()
        await follower.at(chain)
        relay.freeze()
        chain.mine(3)
        await follower.at(chain)
        assert [each.number for each in follower.blocks] == list(range(10, 15))


async def test_a_chain_that_stands_still_is_told_once(chain: LocalChain, source: NodeSettings) -> None:
    async with pool(source, block_ms=100, stale_blocks=5) as nodes, following(nodes) as (follower, heads):
        await follower.at(chain)
        follower.events.clear()
        await follower.until(lambda: bool(follower.of(Stale)))
        await nodes._clock.sleep_until(nodes._clock.now_ms() + 300)
        assert len(follower.of(Stale)) == 1
        assert follower.of(Stale)[0].age_ms >= 500
        assert heads.view().stale
        chain.mine()
        await follower.at(chain)
        assert not heads.view().stale


async def test_logs_come_with_their_block_and_after_a_reorganisation_again(anvil: LocalChain) -> None:
    usdc, giver = anvil.token("USDC").address, anvil.accounts[1]
    wanted = {"address": "0x" + usdc.hex(), "topics": [TRANSFER]}
    async with (
        pool(settings(anvil, port(anvil)), block_ms=50, stale_blocks=200) as nodes,
        following(nodes, usdc=wanted) as (follower, _),
    ):
        await follower.at(anvil)
        anvil.transact(usdc, "transfer(address,uint256)", bytes(19) + b"\x01", 5, sender=giver)
        await follower.at(anvil)
        found = follower.of(Logs)[-1]
        assert follower.events[-2:] == [NewBlock(found.block), found]
        assert (found.name, len(found.logs), int(found.logs[0]["data"], 16)) == ("usdc", 1, 5)
        anvil.mine()
        await follower.at(anvil)
        assert follower.of(Logs)[-1].logs == ()
        anvil.reorg(2)
        anvil.mine()
        await follower.at(anvil)
        numbers = [event.block.number for event in follower.of(Logs) if event.logs]
        assert numbers == [found.block.number], "it is in no block any more"
        assert len(follower.of(Reorganised)) >= 1


async def test_a_websocket_of_another_chain_is_not_followed(start_chain: StartChain, chain: LocalChain) -> None:
    other = start_chain(chain_id=1, deployed=False)
    async with (
        pool(settings(chain, port(other)), block_ms=50, stale_blocks=200) as nodes,
        following(nodes) as (follower, heads),
    ):
        chain.mine()
        await follower.at(chain)
        assert heads.view().source == "polling"
        assert "is on another chain" in heads.view().trouble


async def test_logs_of_another_block_than_asked_for_are_not_believed(chain: LocalChain) -> None:
    wrong = result([{"blockHash": "0x" + "00" * 32, "data": "0x"}])
    async with (
        faked(chain.url, eth_getLogs=wrong) as liar,
        pool(liar.url, block_ms=20, stale_blocks=500) as nodes,
        following(nodes, any={}) as (follower, heads),
    ):
        await liar.asked("eth_getLogs", 3)
        assert "form" in heads.view().trouble
        assert follower.blocks == []
        liar.answers.clear()
        await follower.at(chain)
