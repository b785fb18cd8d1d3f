"""What a chain tells modules, in the engine: to whom it goes, what becomes of what they answer, and of wishes for acts.
The session is on the paper venue, where there are no acts; that they are traded on a chain is tests/evm's."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.reports import intents_sha256
from strategies.acts import Collect
from strategies.chain_messages import Undone, WhaleMove
from strategies.model import Direction, Notice, Signal
from strategies.wishes import CycleWish
from tests.unit.engine.stage import Script, Stage, install, long, on, plugin, stage

UNDONE = Undone("ETH-USDT", 7)
WISH = CycleWish("USDT", 10.0, 1.0, 0.5, ("0xaa", "0xbb"), Decimal("0.01"))


def scripted(monkeypatch: pytest.MonkeyPatch, answer: Any, *, warmup: int = 0) -> Script:
    script = Script(hears=lambda _: answer)
    install(monkeypatch, plugin("listener", script, warmup=warmup, subscriptions=(Undone, WhaleMove)))
    return script


def view(s: Stage) -> Any:
    return next(each for each in s.manager.views() if each.name == "listener")


async def test_an_answer_is_traded_at_once_where_the_module_is_warm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, long())
    async with stage(tmp_path, settings=on("listener")) as s:
        s.trader.bus.publish(UNDONE)
        await s.r.settle()
        assert [row["symbol"] for row in s.r.rows("SELECT symbol FROM trades")] == ["ETH-USDT"]


async def test_an_answer_of_a_cold_or_paused_module_makes_no_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, long(), warmup=5)
    async with stage(tmp_path, settings=on("listener")) as s:
        s.trader.bus.publish(UNDONE)
        assert view(s).counters.skipped == {"not warm": 1}
        await s.manager.pause_all()
        s.trader.bus.publish(UNDONE)
        assert view(s).counters.skipped == {"not warm": 1, "paused": 1}
        assert s.r.rows("SELECT * FROM trades") == []


async def test_what_no_instrument_is_for_is_told_and_may_trade_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = scripted(monkeypatch, Notice("a pool \x1b[31m"))
    async with stage(tmp_path, settings=on("listener")) as s:
        s.trader.bus.publish(Undone("", 7))
        await s.r.settle()
        assert len(script.made) == 1
        (alert,) = s.r.rows("SELECT text, subject FROM alerts WHERE kind = 'module.notice'")
        assert (alert["subject"], "\x1b" in alert["text"]) == ("listener", False)
        script.hears = lambda _: long("")
        s.trader.bus.publish(Undone("", 8))
        assert view(s).state == "failed"


async def test_who_listens_is_known_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = scripted(monkeypatch, None)
    async with stage(tmp_path, settings=on("listener")) as s:
        assert s.trader.bus.listens(Undone)
        assert not s.trader.bus.listens(type(WISH))
        s.trader.bus.publish(UNDONE)
        assert [actor.heard for actor in script.made] == [[UNDONE]]


@pytest.mark.parametrize("act", [WISH, Collect("uniswap-v3:7")], ids=["cycle", "collect"])
async def test_a_venue_without_transactions_takes_no_acts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Any
) -> None:
    scripted(monkeypatch, Signal("ETH-USDT", Direction.LONG, 1.0, 1.0, "wants", act=act))
    async with stage(tmp_path, settings=on("listener")) as s:
        s.trader.bus.publish(UNDONE)
        await s.r.settle()
        assert view(s).counters.skipped == {"acts are of chains alone": 1}
        assert s.r.rows("SELECT * FROM trades") == []


async def test_the_same_news_make_the_same_intents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, long())
    hashes = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        async with stage(tmp_path / folder, settings=on("listener")) as s:
            for block in range(3):
                s.trader.bus.publish(Undone("ETH-USDT", block))
                await s.r.settle()
            hashes.append(intents_sha256(s.r.session.reader))
    assert hashes[0] == hashes[1]
