"""A basket beside the trader's hand and another module in the same instrument, while everything goes wrong at once:
emergency stops with and without a sale, answers that are lost, a venue that dies, restarts, cancels with the market
moving between two of them. `test_basket_walks` has the basket alone; here what is held must still be somebody's.

At each settled instant: every reservation is what the journal said last, the purse is the first cash and what all fills
moved, each module holds the sum of its fills, memory is disk and both are the venue. When all is over nothing is held,
by anybody, in any form."""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import SafetyError, UsageError, VenueError, VenueUnknown
from app.execution.withdrawal import withdraw
from app.money import ZERO, add, from_text, mul, sub
from strategies.model import Side
from tests.execution.basket_acts import assert_covered, assert_within, basket_intent
from tests.execution.harness import Rig
from tests.execution.test_basket_walks import CENTS, Legs, market, shapes, touches
from tests.execution.test_ticket import BUY, SELL, Hand, book_now, hand

CASH = Decimal(10_000)
LONGEST_MS = 700_000
"""No order of these lives longer."""

_amounts = st.sampled_from(["0.4", "1", "2.5"])
_prices = st.integers(9_000, 10_400)
acts = st.one_of(
    st.tuples(st.just("time"), st.sampled_from([1_000, 61_000])),
    st.tuples(st.just("take back"), st.integers(0, 99)),
    st.tuples(st.just("take all back"), st.none() | st.tuples(_prices, st.integers(1, 500))),
    st.tuples(
        st.just("sell"), st.sampled_from(["m", "n", "manual"]), st.none() | _prices, st.sampled_from(["", "0.3"])
    ),
    st.tuples(st.just("buy"), _amounts, st.none() | _prices),
    st.tuples(st.just("other"), _amounts),
    st.tuples(st.just("again")),
    st.tuples(st.just("stop"), st.booleans()),
    st.tuples(st.just("stop while it is sent"), st.booleans()),
    st.tuples(st.just("lift")),
    st.tuples(st.just("lose an answer"), st.sampled_from(["submit", "cancel"]), st.booleans()),
    st.tuples(st.just("die")),
    st.tuples(st.just("restart")),
)
storms = st.lists(st.one_of(market, touches, acts, acts), min_size=2, max_size=12)


class Storm:
    """One account through one storm."""

    def __init__(self, folder: Path, shape: tuple[Legs, str], rest_ms: int) -> None:
        self._folder = folder
        self._shape = shape
        self._rest_ms = rest_ms
        self._numbers = itertools.count(1)
        self._holds: dict[str, Decimal] = {}

    async def run(self, moves: Sequence[tuple[Any, ...]]) -> None:
        async with AsyncExitStack() as stack:
            r, me = await stack.enter_async_context(hand(self._folder))
            await self._again(r)
            for move in moves:
                if move[0] == "restart":
                    await stack.aclose()
                    r, me = await stack.enter_async_context(hand(self._folder, market=False))
                    await r.settle()
                else:
                    await self._do(r, me, move)
                self._check(r)
            await self._calm(r)

    async def _calm(self, r: Rig) -> None:
        """Everything ends: by its stop, or in time."""
        r.desk.stop.lift()
        for _ in range(2):
            await r.book("50.00", "200.00", "1000")
        await r.advance(LONGEST_MS)
        await r.book("50.00", "200.00", "1000")
        self._check(r)
        assert r.desk.state.positions.open_holdings() == []
        assert r.desk.state.purse.holds == {}
        assert set(r.desk.state.purse.balances()) == {"USDT"}
        assert r.rows("SELECT * FROM reservations WHERE state != 'RELEASED' OR remaining != '0'") == []
        assert r.desk.halted == ""

    async def _again(self, r: Rig) -> None:
        r._numbers = self._numbers
        legs, stop = self._shape
        r.pipeline.propose(basket_intent(r, legs, stop=stop, rest_ms=self._rest_ms))
        await r.settle()

    async def _do(self, r: Rig, me: Hand, move: tuple[Any, ...]) -> None:
        r._numbers = self._numbers
        name, *terms = move
        acts: dict[str, Callable[..., Awaitable[None]]] = {
            "book": _book, "touch": self._touch, "time": Rig.advance, "again": self._again, "lift": _lift, "die": _die,
            "stop": _stop, "lose an answer": _lose, "stop while it is sent": self._stop_while_sending, "other": _other,
            "take back": _take_back, "take all back": _take_all_back,
        }  # fmt: skip
        do = acts.get(name)
        if do is not None:
            await do(r, *terms)
        else:
            await (_sell if name == "sell" else _buy)(me, *terms)
        await r.settle()

    async def _touch(self, r: Rig, number: int, size: int) -> None:
        price = Decimal(self._shape[0][number % len(self._shape[0])][0])
        await r.book(str(price - CENTS), str(price), str(Decimal(size) / 1000))

    async def _stop_while_sending(self, r: Rig, flatten: bool) -> None:
        submit = r.desk.venue.submit

        async def stopped(*arguments: Any) -> Any:
            r.desk.venue.submit = submit
            r.desk.stop.create("a storm")
            return await submit(*arguments)

        r.desk.venue.submit = stopped
        await self._again(r)
        r.desk.venue.submit = submit
        if r.desk.stop.raised():
            await r.session.emergency.act(flatten=flatten)

    def _check(self, r: Rig) -> None:
        r.assert_sound()
        r.assert_agrees_with_venue()
        assert_covered(r)
        for trade in r.desk.state.trades.values():
            if trade.intent.legs:
                assert_within(r, trade)
        self._holds_are_the_journal_s(r)
        _positions_and_purse_are_the_fills(r)

    def _holds_are_the_journal_s(self, r: Rig) -> None:
        last: dict[str, tuple[Decimal, str]] = {}
        for row in r.rows("SELECT body FROM journal ORDER BY seq"):
            for entity, *values in json.loads(row["body"] or "{}").get("set", ()):
                if entity == "reservation":
                    trade_id, _, _, remaining, state = values
                    assert from_text(remaining) <= last.get(trade_id, (from_text(values[2]), ""))[0], "it only shrinks"
                    last[trade_id] = (from_text(remaining), state)
        journaled = {trade_id: remaining for trade_id, (remaining, state) in last.items() if state == "OPEN"}
        assert journaled == {trade_id: hold.remaining for trade_id, hold in r.desk.state.purse.holds.items()}


def _positions_and_purse_are_the_fills(r: Rig) -> None:
    """By the venue's own record of what was executed."""
    owner = {row["client_id"]: row["module"] for row in r.rows(
        "SELECT o.client_id, t.module FROM orders o JOIN trades t ON t.id = o.trade_id"
    )}  # fmt: skip
    held: dict[str, Decimal] = {}
    cash = CASH
    for client_id, side, price, quantity, fee in r.venue_rows(
        "SELECT client_id, side, price, quantity, fee FROM fills"
    ):
        amount, paid = from_text(quantity), mul(from_text(price), from_text(quantity))
        buys = side == Side.BUY
        held[owner[client_id]] = add(held.get(owner[client_id], ZERO), amount if buys else -amount)
        cash = sub(sub(cash, paid) if buys else add(cash, paid), from_text(fee))
    assert all(quantity >= 0 for quantity in held.values()), held
    ours = {each.module: each.quantity for each in r.desk.state.positions.open_holdings()}
    assert ours == {module: quantity for module, quantity in held.items() if quantity}
    assert r.desk.state.purse.balance("USDT") == cash


async def _book(r: Rig, bid: int, spread: int, size: int, after_ms: int) -> None:
    amount = str(Decimal(size) / 1000)
    await r.book(str(bid * CENTS), str((bid + spread) * CENTS), amount, after_ms=after_ms)


async def _lift(r: Rig) -> None:
    r.desk.stop.lift()


async def _die(r: Rig) -> None:
    """And everybody has noticed: what comes next does not depend on how fast the system is."""
    process = r.process._process
    if process is not None and r.process.pid is not None:
        r.kill_venue()
        await process.wait()
    while r.venue.connected:  # noqa: ASYNC110 -- the end of a socket
        await asyncio.sleep(0)


async def _stop(r: Rig, flatten: bool) -> None:
    r.desk.stop.create("a storm")
    await r.session.emergency.act(flatten=flatten)


async def _lose(r: Rig, call: str, arrives: bool) -> None:
    """The next answer to `call` is lost; it had arrived, or not."""
    venue, do = r.desk.venue, getattr(r.desk.venue, call)

    async def lost(*arguments: Any) -> Any:
        setattr(venue, call, do)
        if arrives:
            await do(*arguments)
        raise VenueUnknown("paper.lost", "The answer was lost.")

    setattr(venue, call, lost)


async def _other(r: Rig, quantity: str) -> None:
    quote = r.desk.market.quote("ETH-USDT")
    worst = str((quote.ask * Decimal("1.005")).quantize(CENTS)) if quote else "100"
    r.pipeline.propose(r.intent(module="n", quantity=quantity, worst=worst, stop="80", target="130"))


async def _sell(me: Hand, module: str, price: int | None, quantity: str) -> None:
    await _proposed(me, {**SELL, "module": module, "quantity": quantity, **_limit(price)})


async def _buy(me: Hand, quantity: str, price: int | None) -> None:
    await _proposed(me, {**BUY, "quantity": quantity, "stop": "85", **_limit(price)})


def _limit(price: int | None) -> dict[str, str]:
    return {} if price is None else {"kind": "limit", "price": str(price * CENTS), "seconds": "300"}


async def _take_back(r: Rig, which: int) -> None:
    live = r.rows("SELECT client_id FROM orders WHERE state IN ('OPEN', 'PARTIALLY_FILLED') ORDER BY rowid")
    if live:
        await _taken(r, live[which % len(live)]["client_id"])


async def _take_all_back(r: Rig, meanwhile: tuple[int, int] | None) -> None:
    baskets = [trade for trade in r.desk.state.trades.values() if trade.intent.legs]
    if not baskets:
        return
    cancel, calls = r.desk.venue.cancel, itertools.count(1)

    async def moved(client_id: str) -> Any:
        if meanwhile is not None and next(calls) == 2:
            bid, size = meanwhile
            event = book_now(r, str(bid * CENTS), str((bid + 10) * CENTS), str(Decimal(size) / 100))
            with suppress(VenueError):
                await r.venue.market(event, r.position + 1)
                r.position += 1
        return await cancel(client_id)

    r.desk.venue.cancel = moved
    await _taken(r, baskets[-1].id)
    r.desk.venue.cancel = cancel


async def _taken(r: Rig, name: str) -> None:
    with suppress(SafetyError, UsageError, VenueError):
        await withdraw(r.desk, r.pipeline, name)


async def _proposed(me: Hand, typed: dict[str, str]) -> None:
    if me.look(typed).preview is not None:
        with suppress(SafetyError):
            await me.propose(typed)


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow], print_blob=False)
@given(shapes(), storms, st.sampled_from([5_000, 60_000, 600_000]))
def test_whatever_goes_wrong_at_once_everything_is_somebody_s_and_in_the_end_nobody_holds_anything(
    shape: tuple[Legs, str], moves: list[tuple[Any, ...]], rest_ms: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(Storm(Path(folder), shape, rest_ms).run(moves))
