"""A purchase and its sale on a local chain, in a process that can be killed at any boundary: before and after each
record reaches the disk, each transaction is given to a node, and each receipt is heard of.

``python -m tests.evm.drill FOLDER DESCRIPTION KILL``: DESCRIPTION is the chain's; KILL is the number of the boundary, 0
for none. Every boundary is written to FOLDER/boundaries before it is crossed. A second run on the same folder concludes
what the first left, and only then trades again, if it has not sold yet.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.session import Session
from app.session_plan import ChainPlan, SessionPlan
from app.venues.evm.described import chain_of
from app.venues.evm.nodes.settings import NodeSettings, NodesSettings
from strategies.model import Side
from tests.evm.rig import ChainRig, session_plan

QUANTITY = "0.25"
DONE = {"FILLED", "REJECTED", "CANCELLED", "EXPIRED", "DENIED", "FAILED", "DECLINED", "REFUSED"}


class Boundaries:
    """Counts what is crossed, and ends the process at the one that was asked for."""

    def __init__(self, record: Path, kill: int) -> None:
        self._record, self._kill, self._count = record.open("a"), kill, 0

    def cross(self, name: str) -> None:
        self._count += 1
        self._record.write(f"{name}\n")
        self._record.flush()
        if self._count == self._kill:
            os.kill(os.getpid(), signal.SIGKILL)


def watch(session: Session, boundaries: Boundaries) -> None:
    """Cross a boundary at each of them."""
    commit, nodes = session.desk.commit, session.venue.nodes  # type: ignore[attr-defined]  # it is a chain
    send, agreed = nodes.send_raw, nodes.agreed

    def committing(transition: Any, kind: str, subject: str) -> asyncio.Future[int]:
        boundaries.cross(f"before {kind}")
        future = commit(transition, kind, subject)
        future.add_done_callback(lambda _: boundaries.cross(f"after {kind}"))
        return future

    async def sending(raw: bytes) -> None:
        boundaries.cross("before a send")
        await send(raw)
        boundaries.cross("after a send")

    async def asking(method: str, params: Any = ()) -> Any:
        found = await agreed(method, params)
        if method == "eth_getTransactionReceipt" and found is not None:
            boundaries.cross("a receipt")
        return found

    session.desk.commit = committing  # type: ignore[method-assign]  # the boundaries of the campaign
    nodes.send_raw, nodes.agreed = sending, asking


async def trade(rig: ChainRig) -> None:
    """Conclude what is there; buy if nothing was bought, sell what is held."""
    await rig.until(lambda: all(state in DONE for state in states(rig)), f"{states(rig)}: all trades ended")
    if not rig.rows("SELECT 1 FROM fills WHERE side = 'buy'"):
        bought = await rig.propose(quantity=QUANTITY)
        await rig.until(lambda: rig.state(bought) in DONE, "bought")
    if rig.desk.state.positions.holding("m", "ETH-USDC").quantity:
        sold = await rig.propose(Side.SELL, QUANTITY)
        await rig.until(lambda: rig.state(sold) in DONE, "sold")


def states(rig: ChainRig) -> list[str]:
    return [row["state"] for row in rig.rows("SELECT state FROM trades")]


def plan(folder: Path, description: str) -> SessionPlan:
    chain = replace(chain_of(description), confirmations=2)
    ws_url = json.loads(description)["ws_url"]
    nodes = NodesSettings(
        chain.chain_id, (NodeSettings(chain.rpcs[0], ws_url),), chain.block_ms, chain.confirmations, stale_blocks=10**5
    )
    return session_plan(folder, lambda source: ChainPlan(chain.name, source, chain=chain, nodes=nodes))


async def main(folder: Path, description: str, kill: int) -> None:
    wanted = plan(folder, description)
    session = Session(wanted, lambda _: None, lambda _: None)
    await session.open()
    assert wanted.chain is not None
    rig = ChainRig(session, None, wanted.chain.source)  # type: ignore[arg-type]  # the judge is in another process
    watch(session, Boundaries(folder / "boundaries", kill))
    try:
        await trade(rig)
    finally:
        await session.close("the drill ended")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]).read_text(encoding="utf-8"), int(sys.argv[3])))
