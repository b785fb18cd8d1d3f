"""The tasks that carry trades on. Each belongs to a trade; all end together when memory is to be read again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from app.errors import CountersignError
from app.execution.desk import Desk
from storage.faults import TransitionLost

T = TypeVar("T")


class Work:
    """Runs one trade's steps outside of whoever began them; a failure never passes in silence."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tasks: dict[asyncio.Task[Any], str] = {}

    def start(self, trade_id: str, steps: Coroutine[Any, Any, T]) -> asyncio.Task[T | None]:
        """Begin; the task's result is None when the steps failed or were lost with the disk."""
        task = asyncio.get_running_loop().create_task(self._guard(trade_id, steps))
        self._tasks[task] = trade_id
        task.add_done_callback(self._finished)
        task.add_done_callback(lambda _: steps.close())  # cancelled before its first step, it would be left unawaited
        return task

    def owns(self, trade_id: str) -> bool:
        """Whether work on this trade goes on, so that nobody else may conclude anything about it."""
        return trade_id in self._tasks.values()

    def of(self, trade_id: str) -> list[asyncio.Task[Any]]:
        """The tasks of one trade."""
        return [task for task, owner in self._tasks.items() if owner == trade_id]

    async def abandon(self) -> None:
        """Cancel everything: the session ends, or disk is about to be read again."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guard(self, trade_id: str, steps: Coroutine[Any, Any, T]) -> T | None:
        with self._desk.activity.busy():
            try:
                return await steps
            except TransitionLost:
                return None  # the desk has heard it; memory is read again from disk
            except CountersignError as error:
                self._desk.contradicted(error, trade_id)
                return None

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._desk.halt(f"a fault in the pipeline: {error!r}")  # a bug of ours; what it left is settled at restart
