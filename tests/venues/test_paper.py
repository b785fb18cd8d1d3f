"""The paper venue: the contract of every adapter, then what only a process of our own can be asked."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from app.errors import VenueError, VenueRefused, VenueUnknown
from app.market.events import BarOpened
from app.venues.base import OrderReport, OrderState, SignedText
from app.venues.paper import PaperSettings, PaperVenue
from app.venues.paper_process import PaperProcess
from strategies.model import Bar, Book, Instrument
from tests.execution.harness import impatient
from tests.venues.contract import LOT, TICK, Arena, VenueContract, buy
from tests.venues.relay import RelayedProcess

ETH = Instrument("ETH-USDT", "ETH", "USDT", TICK, LOT)
START = 1_700_000_000_000
MINUTE = 60_000
SETTINGS = PaperSettings(
    instruments=(ETH,),
    cash={"USDT": Decimal(2500)},
    taker_fee_bps=Decimal("7.5"),
    maker_fee_bps=Decimal(2),
    spread_bps=Decimal(10),
    depth_share=Decimal("0.1"),
    levels=5,
)


class PaperArena(Arena):
    """The paper venue behind a relay, on a market of books."""

    instrument = ETH

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = RelayedProcess(folder / "venue.db", folder / "s")
        self.venue: PaperVenue = PaperVenue(self.process, SETTINGS, deadline_s=2.0)
        self._now, self._position, self._touch = START, 0, (Decimal("99.99"), Decimal(100), Decimal(1000))

    def now_ms(self) -> int:
        return self._now

    async def show(self, bid: str, ask: str, size: str = "1000") -> None:
        self._touch = Decimal(bid), Decimal(ask), Decimal(size)
        await self.wait(1)

    async def wait(self, ms: int) -> None:
        self._now += ms
        bid, ask, size = self._touch
        await self.feed(Book(ETH.symbol, self._now, ((bid, size),), ((ask, size),)))

    async def feed(self, event: Book | Bar | BarOpened) -> None:
        """The next market event."""
        self._position += 1
        await self.venue.market(event, self._position)

    async def lose_replies(self) -> None:
        await self._faulty(replies=True)

    async def lose_requests(self) -> None:
        await self._faulty(replies=False)

    async def _faulty(self, *, replies: bool) -> None:
        await self.venue._flush()  # else what is lost is the market that was kept back, and no order is sent at all
        impatient(self.venue)
        self.process.lose_replies, self.process.lose_requests = replies, not replies

    async def another(self) -> PaperVenue:
        return PaperVenue(self.process, SETTINGS)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """The venue's own record."""
        with sqlite3.connect(self.folder / "venue.db") as db:
            rows = db.execute(sql).fetchall()
        db.close()
        return rows


@pytest.fixture
async def arena(tmp_path: Path) -> AsyncIterator[PaperArena]:
    made = PaperArena(tmp_path)
    made.info = await made.venue.connect()
    await made.wait(0)
    yield made
    await made.venue.close()
    await made.process.shut()


class TestContract(VenueContract):
    """The suite."""


# -- the record -----------------------------------------------------------------------------------------------------


async def test_every_arrival_is_on_record_with_its_authorisation_and_verdict(arena: PaperArena) -> None:
    signed = SignedText("buy 1 ETH", b"\x01" * 65, "0xabc")
    order = buy(arena, "a", limit="90")
    await arena.venue.submit((order,), signed)
    await arena.venue.submit((order,), signed)
    with pytest.raises(VenueRefused):
        await arena.venue.submit((replace(order, quantity=Decimal(2)),), None)
    await arena.venue.cancel("a")
    rows = arena.rows("SELECT op, verdict, body FROM requests ORDER BY id")
    assert [row[:2] for row in rows] == [
        ("hello", "accepted"),
        ("submit", "accepted"),
        ("submit", "repeat"),
        ("submit", "refused: id.reused"),
        ("cancel", "accepted"),
    ]
    assert f'"authorisation": ["buy 1 ETH", "{"01" * 65}", "0xabc"]' in str(rows[1][2])
    assert arena.rows("SELECT client_id, state FROM orders") == [("a", "CANCELLED")]


async def test_files_are_the_traders_alone(arena: PaperArena) -> None:
    for path in (arena.folder / "venue.db", arena.folder / "venue.sock"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


# -- sending the market only when it matters ------------------------------------------------------------------------


async def test_events_are_kept_back_while_no_order_is_live_and_none_after_a_refusal(arena: PaperArena) -> None:
    for _ in range(5):
        await arena.wait(1000)
    assert arena.venue.position == 0
    with pytest.raises(VenueRefused):
        await arena.venue.submit((buy(arena, "a", quantity="900"),), None)
    assert arena.venue.position == 6
    await arena.wait(1000)
    assert arena.venue.position == 6, "a refused order is not live"
    await arena.venue.submit((buy(arena, "b", limit="90"),), None)
    await arena.wait(1000)
    assert arena.venue.position == 8
    await arena.venue.cancel("b")
    await arena.wait(1000)
    assert arena.venue.position == 8


async def test_an_order_after_a_bars_close_does_not_match_at_the_open_that_was_kept_back(tmp_path: Path) -> None:
    arena = PaperArena(tmp_path)
    arena.info = await arena.venue.connect()
    low, high = Decimal(100), Decimal(120)
    for number, price in enumerate((low, low, high)):
        at = START + number * MINUTE
        await arena.feed(BarOpened(ETH.symbol, at, MINUTE, price, Decimal(1000)))
        await arena.feed(Bar(ETH.symbol, at, MINUTE, price, price, price, price, Decimal(1000)))
    arena._now = START + 3 * MINUTE
    (report,) = await arena.venue.submit((buy(arena, "a", limit="125"),), None)
    assert report.state is OrderState.OPEN
    seen: list[OrderReport] = []
    arena.venue.subscribe(seen.append)
    await arena.feed(BarOpened(ETH.symbol, arena._now, MINUTE, Decimal(124), Decimal(1000)))
    assert [fill.price for report in seen for fill in report.fills] == [Decimal("124.07")]
    await arena.venue.close()
    await arena.process.shut()


async def test_deep_books_of_many_markets_are_sent_in_lines_the_venue_reads(tmp_path: Path) -> None:
    many = tuple(replace(ETH, symbol=f"A{n}-USDT", base=f"A{n}") for n in range(40))
    process = PaperProcess(tmp_path / "v.db", tmp_path / "s")
    venue = PaperVenue(process, replace(SETTINGS, instruments=many))
    await venue.connect()
    levels = [(Decimal(100 + n), Decimal("1.123456789012345")) for n in range(1000)]
    for number, instrument in enumerate(many, 1):
        bids = tuple((price - 50, size) for price, size in reversed(levels[:49]))
        await venue.market(Book(instrument.symbol, START, bids, tuple(levels)), number)
    order = replace(buy(_At(), "a", quantity="10", limit="200"), symbol="A39-USDT")
    (report,) = await venue.submit((order,), None)
    assert len(report.fills) == 9
    assert venue.position == 40
    await venue.close()
    await process.stop()


class _At(PaperArena):
    """Only a clock, for making orders."""

    def __init__(self) -> None:
        self._now = START


# -- the process ----------------------------------------------------------------------------------------------------


async def test_a_venue_killed_after_its_commit_answers_the_repeat_once(arena: PaperArena) -> None:
    """SIGKILL between commit and answer: the order is there, once."""
    order = buy(arena, "a", quantity="2")
    await arena.venue.submit((buy(arena, "live", limit="90"),), None)
    await arena.lose_replies()
    sending = asyncio.ensure_future(arena.venue.submit((order,), None))
    await arena.process.replied.wait()
    _kill(arena.process)
    with pytest.raises(VenueUnknown):
        await sending
    await arena.venue.connect()
    found = await arena.venue.order("a")
    assert found is not None
    assert found.filled == 2
    assert await arena.venue.submit((order,), None) == (found,)
    assert arena.rows("SELECT client_id FROM orders ORDER BY venue_order_id") == [("live",), ("a",)]
    assert (await arena.venue.balances())["ETH"] == 2


async def test_a_venue_killed_before_it_read_the_order_never_has_it(arena: PaperArena) -> None:
    await arena.venue.submit((buy(arena, "live", limit="90"),), None)
    assert arena.process.pid is not None
    os.kill(arena.process.pid, signal.SIGSTOP)
    sending = asyncio.ensure_future(arena.venue.submit((buy(arena, "a"),), None))
    await asyncio.sleep(0)
    _kill(arena.process)
    with pytest.raises(VenueUnknown):
        await sending
    await arena.venue.connect()
    assert await arena.venue.order("a") is None
    assert [report.client_id for report in await arena.venue.open_orders()] == ["live"]


async def test_after_a_restart_the_old_book_gives_nothing_twice(arena: PaperArena) -> None:
    await arena.show("99.99", "100", size="0.5")
    (first,) = await arena.venue.submit((buy(arena, "a", limit="100"),), None)
    _kill(arena.process)
    await arena.venue.connect()
    (second,) = await arena.venue.submit((buy(arena, "b", limit="100"),), None)
    assert (first.filled, second.filled) == (Decimal("0.5"), Decimal(0))
    await arena.show("99.99", "100", size="5")
    found = [await arena.venue.order(client_id) for client_id in ("a", "b")]
    assert [report.state for report in found if report is not None] == [OrderState.FILLED, OrderState.FILLED]


async def test_a_reconnect_does_not_refill_the_book(arena: PaperArena) -> None:
    await arena.show("99.99", "100", size="0.5")
    await arena.venue.submit((buy(arena, "a", limit="100"),), None)
    await arena.venue.connect()
    (second,) = await arena.venue.submit((buy(arena, "b", limit="100"),), None)
    assert second.filled == 0


async def test_a_hanging_venue_is_ended_and_started_again(arena: PaperArena) -> None:
    before = arena.process.pid
    assert before is not None
    os.kill(before, signal.SIGSTOP)
    impatient(arena.venue)
    with pytest.raises(VenueUnknown):
        await arena.venue.balances()
    arena.process.stop_patience_s = 0.1
    await arena.venue.connect()
    assert arena.process.pid not in {None, before}
    assert await arena.venue.balances() == {"USDT": 2500}


async def test_it_stops_within_three_seconds_and_leaves_no_process(tmp_path: Path) -> None:
    process = PaperProcess(tmp_path / "v.db", tmp_path / "s")
    await process.start()
    pid = process.pid
    assert pid is not None
    os.kill(pid, signal.SIGINT)  # Ctrl-C is not for it
    async with asyncio.timeout(3):
        await process.stop()
    assert process.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (tmp_path / "s").exists()


_TRADER = """
import asyncio, sys
from pathlib import Path
from app.venues.paper_process import PaperProcess

async def main():
    process = PaperProcess(Path(sys.argv[1]), Path(sys.argv[2]))
    await process.start()
    print(process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_killed_trader_leaves_no_venue_behind_and_the_next_one_starts(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _TRADER, str(tmp_path / "v.db"), str(tmp_path / "s")]
    venues = []
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as trader:
            assert trader.stdout is not None
            venues.append(int(trader.stdout.readline()))
            trader.kill()
    assert len(set(venues)) == 2  # the second could only start once the first had let go of the database
    done = subprocess.run(["flock", "-w", "20", str(tmp_path / "v.db.lock"), "true"], check=False)
    assert done.returncode == 0, "the second venue outlived its trader"


async def test_a_database_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "v.db").write_bytes(b"not a database" * 1000)
    process = PaperProcess(tmp_path / "v.db", tmp_path / "s")
    with pytest.raises(VenueError, match="file is not a database"):
        await process.start()
    assert process.pid is None


def _kill(process: PaperProcess) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)


async def test_a_venue_that_died_is_noticed_by_the_market_even_while_no_order_is_live(arena: PaperArena) -> None:
    """Or the next confirmed trade would be the one to find out."""
    _kill(arena.process)
    link = arena.venue._link
    async with asyncio.timeout(5):
        while link is not None and link.writable:  # noqa: ASYNC110 -- the kernel tells the loop when, nobody else does
            await asyncio.sleep(0)
    with pytest.raises(VenueError, match="Nothing was sent"):
        await arena.show("99", "101")
    await arena.venue.connect()
    await arena.show("99", "101")
