"""Feeding modules the past without holding up the event loop: a screen may be drawing on it.

The bars are made or read in a worker thread; they are fed on the loop thread in slices. Which bars, and in which order,
does not depend on either: the order is that of the market, and each bar goes to the modules in their start order.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Final

from app.engine.lifecycle import ModuleState
from app.engine.modules import Module
from app.market.events import MarketSource
from strategies.model import Bar

FORGETS: Final = 8
"""Times its warm-up after which a module has forgotten where its averages began: then a session that was interrupted
decides to the last bit like one that was not."""
SLICE: Final = 32
"""Bars between two turns of the loop: about a millisecond of our own modules."""


async def past(source: MarketSource, position: int, count: int) -> list[Bar]:
    """The last `count` bars of each symbol among the events before `position`, in the order of the market.

    Raises:
        DataError: from the source.
    """
    if not position or not count:
        return []
    return await _in_thread(lambda: _sorted(source, position, count))


async def _in_thread(work: Callable[[], list[Bar]]) -> list[Bar]:
    """`work` in a thread that does not hold up the end of the program: a market of days takes seconds to make again,
    `asyncio.to_thread` would be waited for, and Ctrl-C must not."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[Bar]] = loop.create_future()

    def tell(bars: list[Bar], error: Exception | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(bars)
        else:
            future.set_exception(error)

    def run() -> None:
        bars: list[Bar] = []
        found: Exception | None = None
        try:
            bars = work()
        except Exception as error:  # noqa: BLE001 -- whatever it is, it belongs to who waits for it
            found = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, bars, found)

    threading.Thread(target=run, name="past", daemon=True).start()
    return await future


def _sorted(source: MarketSource, position: int, count: int) -> list[Bar]:
    bars = [bar for each in source.bars_before(position, count).values() for bar in each]
    return sorted(bars, key=lambda bar: (bar.close_ms, bar.symbol))


async def feed(
    bars: Sequence[Bar], modules: Sequence[Module], *, aloud: bool, failed: Callable[[str, Exception], None]
) -> None:
    """Warm up `modules`, all of them ENABLED; one that raises, or is switched off meanwhile, is fed no more."""
    for number, bar in enumerate(bars):
        if number % SLICE == 0:
            await asyncio.sleep(0)
        for module in modules:
            if module.state is ModuleState.ENABLED:
                try:
                    module.warm(bar, aloud=aloud)
                except Exception as error:  # noqa: BLE001 -- another's code, as in the bus: the others must start
                    failed(module.name, error)
