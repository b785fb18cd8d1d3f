"""Modules that raise, wherever another's code runs: the others go on, and who failed starts again, thrice an hour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.engine.supervision import MOST_RESTARTS, Supervision
from app.market.events import MarketEvent
from strategies.model import Bar, Position, Signal
from tests.unit.engine.stage import MINUTE, Actor, Script, Word, entries, install, long, on, plugin, stage


class Broken(Exception):
    """What a module raises."""


def raising(times: int = 10**9) -> Callable[..., None]:
    """Raises the first `times` times."""
    left = [times]

    def act(*_: object) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise Broken

    return act


def breaks(act: Callable[..., None]) -> Callable[[Bar, Position | None], Signal | None]:
    def opinion(*given: object) -> Signal | None:
        act(*given)
        return None

    return opinion


def buys() -> Script:
    return Script(opinion=lambda _, position: long() if position is None else None)


PLACES: dict[str, Callable[[Callable[..., None]], Script]] = {
    "in its factory": lambda act: Script(factory=act),
    "on a bar": lambda act: Script(opinion=breaks(act)),
    "in its messages": lambda act: Script(words=lambda bar: _word(act, bar)),
    "on a message": lambda act: Script(hears=act),
    "with words nobody knows": lambda act: Script(words=lambda _: _odd(act)),
}


def _word(act: Callable[..., None], bar: Bar) -> tuple[object, ...]:
    act(bar)
    return (Word(bar.symbol, bar.close_ms),)


def _odd(act: Callable[..., None]) -> tuple[object, ...]:
    try:
        act()
    except Broken:
        return ("not a dataclass",)
    return ()


@pytest.mark.parametrize("place", PLACES)
async def test_who_raises_is_started_again_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    talks, good = Script(words=lambda bar: (Word(bar.symbol, bar.close_ms),)), buys()
    install(
        monkeypatch,
        plugin("bad", PLACES[place](raising(1)), subscriptions=(Word,), publishes=(Word,)),
        plugin("good", good),
        plugin("talks", talks, publishes=(Word,)),
    )
    async with stage(tmp_path, settings=on("bad", "good", "talks")) as s:
        await s.bar()
        assert s.state("bad") == "failed"
        assert s.view("bad").reason.startswith(("Broken", "TypeError"))
        assert (s.state("good"), s.state("talks")) == ("running", "running")
        assert entries(s.r, ["good"]) == {"good": 1}
        assert s.view("bad").restart_ms == s.r.now + 1000
        await s.bars(2)
        assert (s.state("bad"), s.view("bad").restarts) == ("running", 1)
        assert s.view("bad").counters.errors == 1
        assert len(talks.made[0].seen) == len(good.made[0].seen) == 3
        assert s.journal("bad") == ["failed", "enabled", "running"]
        assert s.r.alerts() == ["module.failed"]
        s.r.assert_sound()


async def test_who_raises_while_it_warms_up_lets_the_others_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[MarketEvent] = []
    fine, script = buys(), Script()
    install(monkeypatch, plugin("bad", script, warmup=2), plugin("good", fine, warmup=2))
    async with stage(tmp_path, events=events, settings=on("bad", "good")) as s:
        await s.bars(4)
    script.opinion = breaks(raising(1))
    async with stage(tmp_path, events=events, settings=on("bad", "good")) as s:
        assert (s.state("bad"), s.state("good")) == ("failed", "running")
        await s.bar()
        assert s.state("bad") == "running"
        assert len(script.made[-1].seen) == 5, "a fresh strategy: four bars of the past, and this one"


async def test_a_restart_has_fresh_strategies_fed_with_the_past_that_they_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script()
    install(monkeypatch, plugin("a", script, warmup=1))
    async with stage(tmp_path, settings=on("a")) as s:
        bars = [await s.bar() for _ in range(12)]
        script.opinion = breaks(raising(1))
        bars.append(await s.bar())
        assert s.state("a") == "failed"
        bars.append(await s.bar())
        assert [bar.close_ms for bar in script.made[1].seen] == [bar.close_ms for bar in bars[-9:]]
        assert s.past.asked[-1][1] == 8, "times its warm-up"


async def test_restarts_wait_longer_each_time_and_end_after_three_in_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(opinion=breaks(raising()))
    install(monkeypatch, plugin("a", script))
    async with stage(tmp_path, settings=on("a")) as s:
        pauses = []
        for _ in range(3):
            await s.bar()
            due = s.view("a").restart_ms
            assert due is not None
            pauses.append(due - s.r.now)
        assert pauses == [1000, 2000, 4000]
        await s.bar()
        assert (s.state("a"), s.view("a").restart_ms, s.view("a").restarts) == ("failed", None, MOST_RESTARTS)
        assert s.view("a").reason == "Broken(); restarted too often, stays failed"
        await s.bars(70)
        assert (s.state("a"), len(script.made)) == ("failed", 4), "an hour later it still is"
        told = s.r.rows("SELECT text FROM alerts WHERE kind = 'module.failed' ORDER BY id")
        assert len(told) == 4
        assert "It is started again in 4 s." in told[2]["text"]
        assert "It stays failed until it is resumed." in told[3]["text"]
        script.opinion = lambda *_: None
        await s.manager.resume("a")
        await s.bar()
        assert s.state("a") == "running"


def test_an_hour_later_the_restarts_count_from_nothing() -> None:
    one = Supervision()
    for minute in (0, 20, 40):
        assert one.failed(minute * MINUTE, MINUTE)
        one.restarted(minute * MINUTE)
    assert not one.failed(59 * MINUTE, MINUTE)
    assert one.failed(60 * MINUTE, MINUTE), "the first is an hour old"
    assert one.due_ms == 60 * MINUTE + 4000
    one.by_hand(60 * MINUTE)
    assert one.failed(61 * MINUTE, MINUTE)
    assert one.due_ms == 61 * MINUTE + 1000


async def test_a_paused_module_that_fails_is_paused_again_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = buys()
    install(monkeypatch, plugin("a", script))
    async with stage(tmp_path, settings=on("a")) as s:
        await s.manager.pause("a")
        script.opinion = breaks(raising(1))
        await s.bar()
        assert s.state("a") == "failed"
        await s.bar()
        assert s.state("a") == "paused"
        assert s.stored("a")["paused"] == 1


async def test_entries_of_who_failed_are_withdrawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = buys()
    install(monkeypatch, plugin("a", script))
    asks = {"trade.proposal_expiry_ms": "86400000", "trade.authorisation_validity_ms": "86400000"}
    async with stage(tmp_path, settings=on("a") | asks, auto_confirm=False) as s:
        await s.bar()
        (trade,) = s.r.pipeline.proposals.waiting()
        script.opinion = breaks(raising(1))
        await s.bar()
        assert s.r.stored(trade)["state"] == "CANCELLED"


async def test_who_was_switched_off_is_not_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(opinion=breaks(raising(1)))
    install(monkeypatch, plugin("a", script))
    async with stage(tmp_path, settings=on("a")) as s:
        await s.bar()
        await s.manager.disable("a")
        await s.bars(3)
        assert (s.state("a"), len(script.made)) == ("stopped", 1)


# -- messages ---------------------------------------------------------------------------------------------------------


async def test_what_is_said_of_a_bar_is_heard_before_the_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def hears(word: Word) -> None:
        order.append(f"heard {word.close_ms}")

    def sees(bar: Bar, _: Position | None) -> None:
        order.append(f"saw {bar.close_ms}")

    ear, mouth = Script(hears=hears, opinion=sees), Script(words=lambda bar: (Word(bar.symbol, bar.close_ms),))
    install(monkeypatch, plugin("a_ear", ear, subscriptions=(Word,)), plugin("mouth", mouth, publishes=(Word,)))
    async with stage(tmp_path, settings=on("a_ear", "mouth")) as s:
        for _ in range(2):
            bar = await s.bar()
            assert order[-2:] == [f"heard {bar.close_ms}", f"saw {bar.close_ms}"]
        await s.manager.pause("mouth")
        await s.bar()
        assert order[-2].startswith("heard"), "a paused module goes on seeing, and saying"
        await s.manager.disable("mouth")
        await s.bar()
        assert order[-2].startswith("saw"), "a stopped one does not"


async def test_each_strategy_hears_of_its_own_instrument_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ear, mouth = Script(), Script(words=lambda bar: (Word(bar.symbol, bar.close_ms), Word("XRP-USDT", bar.close_ms)))
    install(monkeypatch, plugin("ear", ear, subscriptions=(Word,)), plugin("mouth", mouth, publishes=(Word,)))
    async with stage(tmp_path, settings=on("ear", "mouth")) as s:
        await s.bar()
        assert sorted({word.symbol for actor in ear.made for word in actor.heard}) == ["ETH-USDT", "XRP-USDT"]
        for actor in ear.made:
            assert len({word.symbol for word in actor.heard}) == 1


async def test_the_past_is_told_when_all_are_warmed_and_not_again_when_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[MarketEvent] = []
    ear, mouth = Script(), Script(words=lambda bar: (Word(bar.symbol, bar.close_ms),))
    install(
        monkeypatch,
        plugin("ear", ear, warmup=1, subscriptions=(Word,)),
        plugin("mouth", mouth, warmup=1, publishes=(Word,)),
    )
    async with stage(tmp_path, events=events, settings=on("ear", "mouth")) as s:
        await s.bars(3)
    async with stage(tmp_path, events=events, settings=on("ear", "mouth")) as s:
        listener: Actor = ear.made[-1]
        assert len(listener.heard) == len(listener.seen) == 3
        mouth.opinion = breaks(raising(1))
        await s.bar()
        assert s.state("mouth") == "failed"
        await s.bar()
        assert s.state("mouth") == "running"
        assert len(listener.heard) == 4, "the last bar; the past was known"
