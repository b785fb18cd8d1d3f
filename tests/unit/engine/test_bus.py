"""Dispatch by exact type, in order of subscription; who raises is named and stops nobody else."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from app.engine.bus import Bus


@dataclass(frozen=True)
class Ping:
    """An event."""

    number: int


class LoudPing(Ping):
    """A subtype is another event."""


def test_handlers_are_called_in_order_of_subscription_for_exactly_their_type() -> None:
    heard: list[tuple[str, int]] = []
    bus = Bus(lambda name, error: pytest.fail(f"{name} {error!r}"))
    for name in ("a", "b", "c"):
        bus.subscribe(Ping, name, lambda event, name=name: heard.append((name, event.number)))  # type: ignore[misc]  # binds now
    bus.publish(Ping(1))
    bus.publish(LoudPing(2))
    bus.publish("nobody listens")
    assert heard == [("a", 1), ("b", 1), ("c", 1)]


def test_a_handler_that_raises_fails_itself_only() -> None:
    heard: list[int] = []
    failed: list[tuple[str, str]] = []
    bus = Bus(lambda name, error: failed.append((name, repr(error))))

    def broken(event: Ping) -> None:
        raise KeyError(event.number)

    bus.subscribe(Ping, "broken", broken)
    bus.subscribe(Ping, "whole", lambda event: heard.append(event.number))
    bus.publish(Ping(1))
    bus.publish(Ping(2))
    assert heard == [1, 2]
    assert failed == [("broken", "KeyError(1)"), ("broken", "KeyError(2)")]


def test_who_unsubscribes_hears_no_more_and_may_do_so_while_being_called() -> None:
    heard: list[str] = []
    bus = Bus(lambda name, error: pytest.fail(f"{name} {error!r}"))

    def once(_: Ping) -> None:
        heard.append("once")
        bus.unsubscribe("once")

    bus.subscribe(Ping, "once", once)
    bus.subscribe(Ping, "always", lambda _: heard.append("always"))
    bus.publish(Ping(1))
    bus.publish(Ping(2))
    assert heard == ["once", "always", "always"]


def test_an_interrupt_is_no_failure_of_a_module() -> None:
    bus = Bus(lambda name, error: pytest.fail(f"{name} {error!r}"))

    def interrupted(_: Ping) -> None:
        raise KeyboardInterrupt

    bus.subscribe(Ping, "m", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bus.publish(Ping(1))
