"""Which blocks are asked for leave that the account gave: every one, also what was not told of, or is undone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.execution.reconcile_allowances import AllowanceCheck
from app.venues.evm import allowances
from app.venues.evm.pools.state import At
from app.venues.evm.rpc import RpcRefused
from tests.evm.chain import LocalChain
from tests.evm.rig import ChainRig, chain_rig, demo_address
from tests.evm.test_reconcile import STRANGER, permit


class Deaf:
    """Nodes that tell of no events of some blocks; which those are."""

    def __init__(self, nodes: Any) -> None:
        self._nodes, self.blocks, self.asked = nodes, range(0), list[tuple[int, int]]()

    async def call(self, method: str, params: Any = ()) -> Any:
        if method == "eth_getLogs":
            first, last = (int(params[0][end], 16) for end in ("fromBlock", "toBlock"))
            self.asked.append((first, last))
            if {*range(first, last + 1)} & {*self.blocks}:
                raise RpcRefused(method, -32000, "not now")
        return await self._nodes.call(method, params)


async def checked(rig: ChainRig, rpc: Any) -> tuple[AllowanceCheck, At]:
    """A comparison of its own, and the newest block; the settings name nothing here."""
    chain = replace(rig.venue.chain, multicall=None)
    block = await rig.venue.nodes.agreed("eth_getBlockByNumber", ["latest", False])
    at = At(int(block["number"], 16), bytes.fromhex(block["hash"][2:]))
    return AllowanceCheck(chain, allowances.AllowanceReader(chain, rpc), rig.me), at


async def test_blocks_that_were_not_told_of_are_asked_for_again(
    tmp_path: Path, anvil: LocalChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer ones are known meanwhile; and of a long sleep, more than one comparison asks for, all is looked at."""
    monkeypatch.setattr(allowances, "SPAN", 20)
    monkeypatch.setattr(allowances, "SPANS", 3)
    anvil.fund(demo_address())
    permit(anvil, anvil.pool("uniswap-v2", "WETH", "USDC"), STRANGER, 1_000)
    there = anvil.number()
    anvil.mine(30)
    async with chain_rig(tmp_path, anvil) as rig:
        rpc = Deaf(rig.venue.nodes)
        rpc.blocks = range(there, there + 1)
        check, at = await checked(rig, rpc)
        assert await check.calls(at) == []
        rpc.blocks = range(0)
        assert len(await check.calls(at)) == 1
        rpc.asked.clear()
        anvil.mine(200)
        _, later = await checked(rig, rpc)
        for _ in range(6):
            await check.calls(later)
        seen = {block for first, last in rpc.asked for block in range(first, last + 1)}
        assert seen >= {*range(at.number + 1, later.number + 1)}
        assert all(last - first < 20 for first, last in rpc.asked)
        before = len(rpc.asked)
        await check.calls(later)
        assert rpc.asked[before:] == [(later.number, later.number)], "what may be undone, and nothing else"


async def test_what_a_block_says_that_took_the_place_of_another_is_told(tmp_path: Path, anvil: LocalChain) -> None:
    anvil.fund(demo_address())
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        check, at = await checked(rig, rig.venue.nodes)
        before = anvil.snapshot()
        anvil.mine(2)
        assert await check.calls(At(at.number + 2, bytes(32))) == []
        anvil.revert(before)
        permit(anvil, anvil.pool("uniswap-v2", "WETH", "USDC"), STRANGER, 1_000)
        anvil.mine()
        assert len(await check.calls(At(at.number + 2, bytes(32)))) == 1


async def test_without_a_multicall_contract_only_what_events_tell_of_is_asked_for(
    tmp_path: Path, anvil: LocalChain
) -> None:
    """Each would be a request of its own."""
    anvil.fund(demo_address())
    async with chain_rig(tmp_path, anvil) as rig:
        check, at = await checked(rig, rig.venue.nodes)
        assert await check.calls(at) == []
        permit(anvil, anvil.pool("uniswap-v2", "WETH", "USDC"), STRANGER, 1_000)
        assert len(await check.calls(At(at.number + 1, bytes(32)))) == 1
