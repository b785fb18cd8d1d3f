"""A slower world, for `make slow`: each commit waits for its disk, each answer of a node for its network, and what a
thread tells the loop for its turn, by chance.

Tests that rely on being quick fail in it, and so does what the program believes in a wrong order: a block that is told
before the answer to a send. Only what runs in the tests' own processes is slowed down.
"""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any, Final

from app.venues.evm.nodes.node import Node
from storage.writer import Writer

_CHANCE: Final = random.Random(7)
_DISK_S: Final = 0.02
_NETWORK_S: Final = 0.05
"""At most. Nodes of main networks take that long and longer; with more, tests of many steps outlast their patience."""
_THREAD_S: Final = 0.02


def pytest_configure() -> None:
    """Before any test is imported."""
    writer: Any = Writer
    node: Any = Node
    loop: Any = asyncio.BaseEventLoop
    write, exchange, tell, disk = writer._write, node._exchange, loop.call_soon_threadsafe, threading.Event()

    def late(self: Writer, group: Any) -> None:
        disk.wait(_CHANCE.random() * _DISK_S)
        write(self, group)

    async def far(self: Node, *args: Any) -> Any:
        await asyncio.sleep(_CHANCE.random() * _NETWORK_S / 2)
        try:
            return await exchange(self, *args)
        finally:
            await asyncio.sleep(_CHANCE.random() * _NETWORK_S / 2)

    def in_turn(self: Any, *args: Any, **options: Any) -> Any:
        if self._thread_id != threading.get_ident():  # what one thread tells stays in its order
            disk.wait(_CHANCE.random() * _THREAD_S)
        return tell(self, *args, **options)

    writer._write, node._exchange, loop.call_soon_threadsafe = late, far, in_turn
