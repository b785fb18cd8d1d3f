"""Synchronous dispatch by type on the loop thread. No queue: a hop costs ten times the whole decision; no replay.

A handler that raises is reported to `on_failure` with its name; the others still get the event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

E = TypeVar("E")
OnFailure = Callable[[str, Exception], None]


class Bus:
    """One per trader."""

    def __init__(self, on_failure: OnFailure) -> None:
        self._handlers: dict[type, tuple[tuple[str, Callable[[Any], None]], ...]] = {}
        self._on_failure = on_failure

    def subscribe(self, event: type[E], name: str, handler: Callable[[E], None]) -> None:
        """Call `handler` for every published `event`, after those subscribed before it."""
        self._handlers[event] = (*self._handlers.get(event, ()), (name, handler))

    def unsubscribe(self, name: str) -> None:
        """Remove every handler of `name`."""
        for event, handlers in self._handlers.items():
            self._handlers[event] = tuple(each for each in handlers if each[0] != name)

    def listens(self, event: type) -> bool:
        """Whether anybody wants to hear events of this type."""
        return bool(self._handlers.get(event))

    def publish(self, event: object) -> None:
        """Call the handlers of exactly this type."""
        for name, handler in self._handlers.get(type(event), ()):
            try:
                handler(event)
            except Exception as error:  # noqa: BLE001 -- the engine's top loop: a broken module must not stop the others
                self._on_failure(name, error)
