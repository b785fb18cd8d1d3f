"""A trader with its modules on a local chain: the real trader, engine, watch and pipeline, anvil as the judge."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from app.engine.module_views import ModuleView
from app.market.live import LiveSource
from app.trader import RunLimits, Trader
from strategies.chain_messages import (
    LiquidityState,
    NewPair,
    Opportunity,
    OpportunityEnded,
    Undone,
    WhaleMove,
)
from tests.evm.chain import LocalChain
from tests.evm.rig import INSTRUMENTS, ChainRig, demo_address, plan_of

M = TypeVar("M")
KINDS = (Opportunity, OpportunityEnded, NewPair, WhaleMove, LiquidityState, Undone)
_SINGLE = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))(uint256)"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


class TradingRig(ChainRig):
    """One running trader. `told`: every message that modules were told, in order."""

    def __init__(self, trader: Trader, chain: LocalChain) -> None:
        super().__init__(trader.session, chain, cast("LiveSource", trader.source))
        self.trader = trader
        self.told_: list[Any] = []
        for kind in KINDS:
            trader.bus.subscribe(kind, "test", self.told_.append)

    def pump(self) -> None:
        """The trader does it."""

    def of(self, kind: type[M]) -> list[M]:
        """What was told of one kind."""
        return [message for message in self.told_ if isinstance(message, kind)]

    def module(self, name: str) -> ModuleView:
        return next(view for view in self.trader.manager.views() if view.name == name)

    def alerts(self, kind: str = "module.notice") -> list[str]:
        return [row["text"] for row in self.rows("SELECT text FROM alerts WHERE kind = ? ORDER BY id", kind)]

    def trades(self, module: str) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM trades WHERE module = ? ORDER BY rowid", module)

    def why(self) -> str:
        """What helps to understand why something does not happen."""
        trades = [(row["module"], row["state"], row["reason"]) for row in self.rows("SELECT * FROM trades")]
        errors = [row["what"] for row in self.rows("SELECT what FROM errors")]
        views = [(v.name, v.state, v.reason, v.counters, v.notes) for v in self.trader.manager.views() if v.enabled]
        return f"{trades} {errors} {views} {self.desk.halted} {self.desk.counters.by_rule} told {len(self.told_)}"

    async def mined(self, blocks: int = 1) -> None:
        """One after the other, so that each is looked at."""
        for _ in range(blocks):
            await self.chain.arpc("anvil_mine", "0x1")
            await asyncio.sleep(0)


def swap(chain: LocalChain, pays: str, gets: str, amount: int, *, fee: int = 3000, who: int = 1) -> None:
    """One of the node's own accounts swaps in a V3 pool; it is given what it pays where that is USDC."""
    sender, (one, other) = chain.accounts[who], (chain.token(pays).address, chain.token(gets).address)
    router = chain.dex("uniswap-v3").router
    if pays == "USDC":
        chain.deal(one, sender, amount)
    chain.transact(one, "approve(address,uint256)", router, 2**255, sender=sender)
    chain.transact(router, _SINGLE, (one, other, fee, sender, amount, 0, 0), sender=sender)


def settings_of(modules: Mapping[str, Mapping[str, Any]], allocation: str = "10000") -> dict[str, str]:
    """Settings that switch these modules on, with their parameters, and no other."""
    given = {"modules.momentum.enabled": "false"}
    for name, params in modules.items():
        given |= {f"modules.{name}.enabled": "true", f"modules.{name}.allocation": allocation}
        given |= {f"modules.{name}.params.{key}": str(value).lower() for key, value in params.items()}
    return given


@asynccontextmanager
async def trading(
    folder: Path,
    chain: LocalChain,
    modules: Mapping[str, Mapping[str, Any]],
    *,
    bar_ms: int = 60_000,
    settings: Mapping[str, str] | None = None,
    **options: Any,
) -> AsyncIterator[TradingRig]:
    """A running trader, its account funded before the first."""
    plan = plan_of(folder, chain, settings={**settings_of(modules), **(settings or {})}, **options)
    assert plan.chain is not None
    source = LiveSource("chain:test", INSTRUMENTS, bar_ms)
    plan = replace(plan, chain=replace(plan.chain, source=source))
    if not plan.db.exists():
        chain.fund(demo_address())
    kept = {number: signal.getsignal(number) for number in _SIGNALS}
    trader = Trader(plan, source, RunLimits(None, None), None)
    made = TradingRig(trader, chain)
    running = asyncio.create_task(trader.run())
    try:
        await made.until(lambda: running.done() or bool(trader.modules and trader.control), "the trader runs")
        if not running.done():
            await made.quoted()
            yield made
        trader.stop("test ended")
        await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        for number, handler in kept.items():
            signal.signal(number, handler)
