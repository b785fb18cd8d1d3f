"""The terminal on the live profile: how loud it is, its caps, and the word that raises them. The session is that of
`tests.evm.live`."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.live_rules import LiveRules
from app.live_watch import look
from app.risk.pilot import WEEK_MS
from app.tui.app import Terminal
from app.tui.host import Host, Stage
from app.tui.ramp import ramp
from tests.evm.chain import LocalChain
from tests.evm.conftest import StartChain
from tests.evm.live import LEDGER, RECORDS, Home, Person, made_home, mainnet
from tests.tui.harness import SIZES, WIDE_SCREEN, Hand
from tests.tui.idle import judged_by_the_loop
from tests.tui.on_chain import ChainSeat


@pytest.fixture
def main(start_chain: StartChain) -> LocalChain:
    return start_chain(chain_id=1)


@pytest.fixture
def home(tmp_path: Path, main: LocalChain, monkeypatch: pytest.MonkeyPatch) -> Home:
    made = made_home(tmp_path, monkeypatch, mainnet(main))
    made.on_record(*RECORDS)
    main.fund(LEDGER)
    return made


@asynccontextmanager
async def live_terminal(home: Home, chain: LocalChain, size: tuple[int, int]) -> AsyncIterator[ChainSeat]:
    host = Host(home.request(attended=True))
    app = Terminal(host)
    try:
        with judged_by_the_loop(app, host):
            async with app.run_test(size=size, notifications=False) as pilot:
                seat = ChainSeat(pilot, app, host, Hand(), [])
                seat.chain = chain
                yield seat
    finally:
        await host.end("test ended")
        gc.unfreeze()


@pytest.mark.parametrize("size", SIZES)
async def test_the_top_line_and_the_risk_screen_say_live_and_the_caps(
    home: Home, main: LocalChain, size: tuple[int, int]
) -> None:
    async with live_terminal(home, main, size) as seat:
        assert seat.text().splitlines()[0].startswith(" LIVE  mainnet"), "before anything is loaded"
        await seat.running()
        assert seat.text().splitlines()[0].startswith(" LIVE  mainnet  PILOT $10 a position, $100 in all")
        seat.app.do.show("risk")
        await seat.look()
        assert "PILOT $10 a position, $100 in all, $50 loss a day" in seat.text()
        flat = " ".join(seat.text().replace("│", " ").split())
        assert "the first live week begins with the first live trade" in flat
        if size == WIDE_SCREEN:
            assert "pilot" in seat.line("held and proposed"), "who set it"


async def test_the_word_raises_them_a_week_after_the_first_trade(home: Home, main: LocalChain) -> None:
    async with live_terminal(home, main, SIZES[0]) as seat:
        await seat.running()
        rules = seat.session.rules
        assert isinstance(rules, LiveRules)
        ramp(seat.app)
        await seat.look()
        assert seat.dialog == "", "the first live trade begins the week"
        trade = await seat.ticket("buy", symbol="ETH-USDC", quantity="0.003", stop="2000")
        proposals = seat.session.pipeline.proposals
        proposals.shown(trade.id)
        seat.person.waits(1)
        proposals.confirm(trade.id, proposals.requirement(trade).readback)
        await seat.until(lambda: trade.state.value == "FILLED")
        person = Person()
        person.wall_ms = person.now_ms() + WEEK_MS
        seat.desk.wall, rules.now_ms = person, person.now_ms
        await look(seat.session)
        ramp(seat.app)
        await seat.look()
        assert seat.dialog == "WordDialog"
        await seat.press("R", "A", "M", "P", "enter")
        await seat.until(lambda: seat.desk.limits.position == 20)
        await seat.look()
        assert "PILOT $20 a position, $200 in all" in seat.text().splitlines()[0]


async def test_what_lapses_is_said_on_every_screen(home: Home, main: LocalChain) -> None:
    async with live_terminal(home, main, SIZES[0]) as seat:
        await seat.running()
        rules = seat.session.rules
        assert isinstance(rules, LiveRules)
        later = rules.now_ms() + 2 * 86_400_000
        rules.now_ms = lambda: later
        await look(seat.session)
        for number in "1237":
            await seat.press(number)
            assert "HALTED: no new trades: Live is refused: 1 condition" in seat.text().splitlines()[1]
        assert seat.host.stage is Stage.RUNNING
        assert (await seat.host.commands["status"]({}))["halted"].startswith("Live is refused")
