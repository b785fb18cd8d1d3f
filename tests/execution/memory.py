"""Whether a session's memory is what a restart would load."""

from __future__ import annotations

import threading
from typing import Any

from app.execution.records import Trade
from app.execution.state import load
from app.session import Session


def assert_memory_is_disk(session: Session) -> None:
    """The purse, the positions and the trades in memory are those a restart would load."""
    until_written(session)
    memory, disk = session.desk.state, load(session.setup.name, session.reader)
    balances, stored = memory.purse.balances(), disk.purse.balances()
    assert balances == stored, (balances, stored)
    assert memory.purse.holds == disk.purse.holds, (memory.purse.holds, disk.purse.holds)
    for asset in balances:
        assert memory.purse.held(asset) == disk.purse.held(asset), asset
    mine = {key: holding for key, holding in memory.positions.holdings.items() if holding.quantity or holding.realised}
    theirs = {key: h for key, h in disk.positions.holdings.items() if h.quantity or h.realised}
    assert mine == theirs, (mine, theirs)
    known, loaded = trades_of(memory.trades), trades_of(disk.trades)
    assert known == loaded, (known, loaded)


def until_written(session: Session) -> None:
    """Until all that was queued for the disk is on it. The loop is held meanwhile: nothing can change in memory between
    this and a comparison that awaits nothing."""
    if session.writer.alive:
        written = threading.Event()
        session.writer._queue.put(written.set)
        assert written.wait(30), "the writer does not come to its end"


def trades_of(trades: dict[str, Trade]) -> dict[str, Any]:
    """What a trade is, in comparable form."""
    return {
        trade.id: (
            trade.intent,
            trade.state,
            trade.reason,
            trade.payload,
            {role: (o.request, o.state, o.filled, o.revision, o.fills, o.fees) for role, o in trade.orders.items()},
        )
        for trade in trades.values()
    }
