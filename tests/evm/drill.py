"""Steps of a trader on a local chain (`tests.evm.drill_steps`), in a process that can be killed at any boundary: before
and after each record reaches the disk, each transaction is given to a node, and each receipt is heard of.

``python -m tests.evm.drill DESCRIPTION``: DESCRIPTION is the chain's. Each line of its input is one run, as JSON: a
folder, the name of a step, the name of a boundary ("" for none), how often that is crossed until the run is killed
there. It answers with the run's wait status. A run is a process of its own, forked where everything is imported and
nothing else has happened yet: importing takes longer than the trade. Every boundary is written to ``boundaries-STEP``
in the folder before it is crossed. A second run on the same folder concludes what the first left.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.session import Session
from app.session_plan import ChainPlan, SessionPlan
from app.venues.evm.described import chain_of
from app.venues.evm.nodes.settings import NodesSettings
from tests.evm.chain import endpoint
from tests.evm.drill_steps import STEPS
from tests.evm.rig import ChainRig, session_plan


class Boundaries:
    """Counts what is crossed, and ends the process at the one that was asked for."""

    def __init__(self, record: Path, kill: str, nth: int) -> None:
        self._record, self._kill, self._left = record.open("a"), kill, nth

    def cross(self, name: str) -> None:
        self._left -= name == self._kill
        self._record.write(f"{name}\n")
        self._record.flush()
        if self._kill and self._left == 0:
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


def plan(folder: Path, description: str) -> SessionPlan:
    chain = replace(chain_of(description), confirmations=2)
    ws_url = json.loads(description)["ws_url"]
    node = endpoint(chain.rpcs[0], ws_url)
    nodes = NodesSettings(chain.chain_id, (node,), chain.block_ms, chain.confirmations, stale_blocks=10**5)
    return session_plan(folder, lambda source: ChainPlan(chain.name, source, chain=chain, nodes=nodes))


async def main(folder: Path, description: str, step: str, kill: str, nth: int) -> None:
    wanted = plan(folder, description)
    session = Session(wanted, lambda _: None, lambda _: None)
    await session.open()
    assert wanted.chain is not None
    rig = ChainRig(session, None, wanted.chain.source)  # type: ignore[arg-type]  # the judge is in another process
    watch(session, Boundaries(folder / f"boundaries-{step}", kill, nth))
    try:
        await STEPS[step](rig)
    finally:
        await session.close("the drill ended")


def forked(description: str, folder: str, step: str, kill: str, nth: int) -> int:
    """One run, in a child; its wait status. It says which modules it came to import, for the runs after it."""
    asks, says = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(asks)
        asyncio.run(main(Path(folder), description, step, kill, nth))
        os.write(says, "\n".join(sys.modules).encode())
        os._exit(0)
    os.close(says)
    with open(asks, encoding="utf-8") as told:
        late = [name for name in told.read().split() if name not in sys.modules and not name.startswith("_")]
    _, status = os.waitpid(child, 0)
    for name in late:
        with suppress(ImportError):  # a module made under a name that is none
            importlib.import_module(name)
    return status


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    for line in sys.stdin:
        print(forked(text, *json.loads(line)), flush=True)
