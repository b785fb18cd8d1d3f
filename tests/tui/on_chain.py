"""A terminal that trades on a local chain: the real application, engine, nodes layer and demo device; anvil as the
judge. Blocks come with transactions and when a test mines one."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.config.load import load as load_config
from app.execution.records import Trade
from app.launch import Request
from app.session import Session
from app.tui.app import Terminal
from app.tui.host import Host, Stage
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.nodes.settings import NodesSettings
from app.venues.evm.private.way import PrivateWay
from app.venues.evm.venue import EvmVenue
from tests.evm.chain import LocalChain, endpoint
from tests.evm.rig import demo_address
from tests.execution.harness import WIDE
from tests.tui.harness import SMALL, Hand, Seat, _Watch
from tests.tui.idle import judged_by_the_loop

_PATIENCE, _STEP_S = 15_000, 0.002
"""More looks than for the paper venue: a block is another process's."""


class _ChainHost(Host):
    """Trades on a chain of the test's instead of one that it would start."""

    def __init__(self, request: Request, chain: LocalChain, private: PrivateWay | None) -> None:
        super().__init__(request)
        self._local, self._private = chain, private

    async def _load(self) -> None:
        await super()._load()
        assert self.launch is not None
        plan, chain = self.launch.plan, replace(self._local.chain, private=self._private)
        assert plan.chain is not None
        nodes = NodesSettings(
            chain.chain_id, (endpoint(self._local.url, self._local.ws_url),), chain.block_ms, stale_blocks=100_000
        )
        self.launch = replace(self.launch, plan=replace(plan, chain=replace(plan.chain, chain=chain, nodes=nodes)))


class ChainSeat(Seat):
    """In front of a terminal on a chain."""

    chain: LocalChain

    @property
    def session(self) -> Session:
        assert self.host.trader is not None
        return self.host.trader.session

    @property
    def nodes(self) -> Nodes:
        assert isinstance(self.session.venue, EvmVenue)
        return self.session.venue.nodes

    async def running(self) -> None:
        await self.until(lambda: self.host.stage is Stage.RUNNING and self.host.desk is not None)
        self.desk.wall = _Watch(self.person)
        await self.until(lambda: self.desk.market.quote("ETH-USDC") is not None)
        await self.look()

    async def mine(self) -> None:
        """A block."""
        await self.chain.arpc("anvil_mine", "0x1")

    async def until(self, happened: Callable[[], bool]) -> None:
        """It happened, with what anvil has to do for it."""
        for _ in range(_PATIENCE):
            if happened():
                await self.pilot.pause()
                return
            await asyncio.sleep(_STEP_S)
        raise AssertionError(f"it did not happen; the engine: {self.host.stage} {self.host.words}\n{self.text()}")

    async def ticket(self, op: str, **fields: str) -> Trade:
        """Proposed by hand at fresh quotes, and waiting."""
        await self.mine()
        answer: dict[str, Any] = await self.host.commands[op]({"op": op, "ticket": fields})
        assert answer["id"] is not None, answer
        await self.until(lambda: any(each.id == answer["id"] for each in self._waiting()))
        await self.look()
        (trade,) = (each for each in self._waiting() if each.id == answer["id"])
        return trade

    def _waiting(self) -> list[Trade]:
        return list(self.session.pipeline.proposals.waiting())

    async def approve(self) -> None:
        """Walk through the demo device's pages and say yes."""
        demo = self.session.devices.demo
        await self.until(lambda: demo.review is not None and self.dialog == "DeviceDialog")
        demo.turn(100)
        await self.press("A")


@asynccontextmanager
async def chain_terminal(
    folder: Path,
    chain: LocalChain,
    size: tuple[int, int] = SMALL,
    *,
    ready: bool = True,
    private: PrivateWay | None = None,
    settings: Mapping[str, str] | None = None,
    account: bytes | None = None,
) -> AsyncIterator[ChainSeat]:
    """A running terminal on `chain`, the signer's account funded: the demo device's, or `account`."""
    config = folder / "config.toml"
    config.touch()
    given = {**WIDE, "profile": "testnet", "manual.allocation": "100000", "modules.momentum.enabled": "false"}
    given |= settings or {}
    db = folder / "a.db"
    request = Request(
        settings=lambda: load_config(config, {}, given), db=db, attended=True, chain="anvil", profile="testnet"
    )
    if not db.exists():
        chain.fund(account or demo_address())
    host = _ChainHost(request, chain, private)
    app = Terminal(host)
    try:
        with judged_by_the_loop(app, host):
            async with app.run_test(size=size, notifications=False) as pilot:
                seat = ChainSeat(pilot, app, host, Hand(), [])
                seat.chain = chain
                if ready:
                    await seat.running()
                yield seat
    finally:
        await host.end("test ended")
        gc.unfreeze()
