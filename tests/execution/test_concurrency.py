"""Hundreds of interleaved proposals, fills, cancels, declines, expiries and failed commits against one purse.

Judged at every step by memory, at the end by the venue's own database and by folding the ledger anew.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.errors import VenueError
from app.execution.records import Role, Trade
from app.execution.states import IN_FLIGHT, TradeState
from app.money import ZERO, add, mul, sub
from app.portfolio.ledger import module_account
from app.venues.base import OrderState
from strategies.model import Book, Side
from tests.execution.harness import BTC, ETH, ETH_BTC, Rig, rig

MODULES = ("m1", "m2", "m3", "m4")
SYMBOLS = {"ETH-USDT": Decimal(100), "BTC-USDT": Decimal(2000), "ETH-BTC": Decimal("0.05000")}
CASH = Decimal(1000)
LIMITS = {
    "paper.cash_per_quote": str(CASH),
    "paper.cash.BTC": "0.02",
    "risk.exposure": "600",
    "risk.position": "400",
    "risk.open_positions": "3",
    "risk.rates.BTC": "2000",
    "trade.time_in_force_ms": "8000",
    "trade.proposal_expiry_ms": "1000",
}


class Storm:
    """One seeded run."""

    def __init__(self, r: Rig, seed: int) -> None:
        self.r = r
        self.random = random.Random(seed)
        self.prices = dict(SYMBOLS)
        self.counts: Counter[str] = Counter()
        self.trades: list[Trade] = []

    async def step(self) -> None:
        """A few things at once, not waited for one by one."""
        for _ in range(self.random.randint(1, 6)):
            act = self.random.choices(
                [self.propose, self.close, self.answer, self.cancel, self.yield_],
                weights=[8, 3, 5, 1, 3],
            )[0]
            await act()
        await self.move_market()
        self.check()

    async def propose(self) -> None:
        r, symbol = self.r, self.random.choice(list(SYMBOLS))
        instrument, price = r.desk.instruments[symbol], self.prices[symbol]
        worth = Decimal(self.random.randint(20, 350)) / (1 if instrument.quote == "USDT" else 2000)
        quantity = (worth / price).quantize(instrument.lot)
        if not quantity:
            return
        tick = instrument.tick
        worst = (price * Decimal("1.004")).quantize(tick)
        intent = r.intent(
            quantity=str(quantity),
            worst=str(worst),
            module=self.random.choice(MODULES),
            symbol=symbol,
            stop=str((price * Decimal("0.97")).quantize(tick)),
            target=str((price * Decimal("1.03")).quantize(tick)),
            expires_in_ms=self.random.choice([500, 3000]),
        )
        trade = r.pipeline.propose(intent)
        self.counts["proposed"] += 1
        if trade is not None:
            self.counts["admitted"] += 1
            self.trades.append(trade)

    async def close(self) -> None:
        r = self.r
        holdings = r.desk.state.positions.open_holdings()
        if not holdings:
            return
        holding = self.random.choice(holdings)
        groups = r.desk.state.exit_groups(holding.module, holding.symbol)
        quantity = groups[0][1] if groups else holding.quantity
        price, tick = self.prices[holding.symbol], r.desk.instruments[holding.symbol].tick
        intent = r.intent(
            Side.SELL,
            str(quantity),
            str((price * Decimal("0.995")).quantize(tick)),
            module=holding.module,
            symbol=holding.symbol,
        )
        trade = r.pipeline.propose(intent)
        self.counts["closes"] += trade is not None
        if trade is not None:
            self.trades.append(trade)

    async def answer(self) -> None:
        waiting = self.r.pipeline.proposals.waiting()
        if waiting:
            trade = self.random.choice(waiting)
            if self.random.random() < 0.8:
                self.r.pipeline.proposals.confirm(trade.id)
            else:
                self.r.pipeline.proposals.decline(trade.id)
                self.counts["declined"] += 1

    async def cancel(self) -> None:
        entries = [
            trade.orders[Role.ENTRY]
            for trade in self.r.desk.state.trades.values()
            if Role.ENTRY in trade.orders and trade.orders[Role.ENTRY].state is OrderState.OPEN
        ]
        if entries:
            try:
                await self.r.pipeline.cancel_order(self.random.choice(entries))
                self.counts["cancelled"] += 1
            except VenueError:
                self.counts["cancel refused"] += 1

    async def yield_(self) -> None:
        for _ in range(self.random.randint(1, 12)):
            await asyncio.sleep(0)

    async def move_market(self) -> None:
        symbol = self.random.choice(list(SYMBOLS))
        tick = self.r.desk.instruments[symbol].tick
        factor = Decimal(self.random.randint(9900, 10100)) / 10000
        price = self.prices[symbol] = (self.prices[symbol] * factor).quantize(tick)
        size = Decimal(self.random.randint(0, 40)) * self.r.desk.instruments[symbol].lot * 20
        book = Book(
            symbol, self.r.now + self.random.choice([1, 300, 900]), ((price - tick, size),), ((price + tick, size),)
        )
        await self.r.feed(book)

    def check(self) -> None:
        """What must hold at every instant."""
        state = self.r.desk.state
        for asset in ("USDT", "BTC", "ETH"):
            assert state.purse.available(asset) >= 0, asset
            assert state.purse.balance(asset) >= 0, asset
        for trade_id in state.purse.holds:
            assert state.trades[trade_id].state in IN_FLIGHT
        for trade in state.trades.values():
            assert trade.state not in IN_FLIGHT or trade.id in state.purse.holds
        # what every module believes it holds is there
        for base in ("ETH", "BTC"):
            held = ZERO
            for holding in state.positions.open_holdings():
                if self.r.desk.instruments[holding.symbol].base == base:
                    held = add(held, holding.quantity)
            assert state.purse.balance(base) >= held, base

    async def wind_down(self) -> None:
        self.r.pipeline.proposals.expire_all("The storm ended.")
        await self.r.settle()
        for symbol, price in self.prices.items():  # every order's time in force ends
            await self.r.feed(Book(symbol, self.r.now + 10_000, ((price, ZERO),), ((price, ZERO),)))
        await self.r.settle()


async def calm(r: Rig) -> None:
    for symbol, price in SYMBOLS.items():
        tick = r.desk.instruments[symbol].tick
        await r.feed(Book(symbol, r.now + 1, ((price - tick, Decimal(50)),), ((price + tick, Decimal(50)),)))


def judge(r: Rig, trades: list[Trade]) -> None:
    """By the disk and by the venue, not by what the pipeline remembers."""
    r.assert_sound()
    r.assert_agrees_with_venue()
    assert r.desk.state.purse.holds == {}
    assert r.rows("SELECT * FROM reservations WHERE state <> 'RELEASED' OR remaining <> '0'") == []
    ended = {row["id"]: row["state"] for row in r.rows("SELECT id, state FROM trades")}
    for trade in trades:
        assert ended.get(trade.id, "LOST") not in {state.value for state in IN_FLIGHT}, trade
    fold_the_ledger(r)


def fold_the_ledger(r: Rig) -> None:
    """Replay the venue's own fills: no overdraft on the way, and the same end."""
    balances: dict[str, Decimal] = {"USDT": CASH, "BTC": Decimal("0.02"), "ETH": ZERO}
    held: dict[str, Decimal] = {}
    for symbol, side, price, quantity, fee in r.venue_rows(
        "SELECT symbol, side, price, quantity, fee FROM fills ORDER BY rowid"
    ):
        instrument = r.desk.instruments[symbol]
        amount, cost = Decimal(quantity), mul(Decimal(price), Decimal(quantity))
        sign = Decimal(1 if side == "buy" else -1)
        balances[instrument.base] = add(balances[instrument.base], mul(sign, amount))
        balances[instrument.quote] = sub(sub(balances[instrument.quote], mul(sign, cost)), Decimal(fee))
        held[symbol] = add(held.get(symbol, ZERO), mul(sign, amount))
        assert all(balance >= 0 for balance in balances.values()), balances
        assert held[symbol] >= 0, symbol
    assert {asset: amount for asset, amount in balances.items() if amount} == r.desk.state.purse.balances()
    sums = r.rows("SELECT asset, exact_sum(amount) AS total FROM postings GROUP BY asset")
    assert {row["total"] for row in sums} == {"0"}
    for module in MODULES:
        accounts = r.rows("SELECT asset, amount FROM balances WHERE account = ?", module_account(module))
        mine = {row["asset"]: Decimal(row["amount"]) for row in accounts}
        for base in ("ETH",):
            holding = ZERO
            for symbol, instrument in r.desk.instruments.items():
                if instrument.base == base:
                    holding = add(holding, r.held(symbol, module))
            assert mine.get(base, ZERO) == -holding


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_at_once_no_money_is_used_twice(tmp_path: Path, seed: int) -> None:
    async with rig(tmp_path, market=False, instruments=(ETH, BTC, ETH_BTC), auto_confirm=False, settings=LIMITS) as r:
        await calm(r)
        storm, limits = Storm(r, seed), Limits(r)
        for _ in range(110):
            await storm.step()
            limits.check()
        await storm.wind_down()
        judge(r, storm.trades)
        rules = r.desk.counters.by_rule
        assert storm.counts["proposed"] > 100, storm.counts
        assert storm.counts["admitted"] > 25, storm.counts
        assert min(storm.counts["declined"], storm.counts["closes"]) > 0, storm.counts
        assert {"balance", "position", "exposure"} & set(rules), rules
        assert r.desk.counters.fills > 30
        assert r.desk.halted == ""


class Limits:
    """No admitted trade may take exposure past its limit at the prices it was admitted at."""

    def __init__(self, r: Rig) -> None:
        self.r = r
        admitted = r.pipeline.propose

        def watched(intent: Any) -> Trade | None:
            trade: Trade | None = admitted(intent)
            if trade is not None and trade.intent.side is Side.BUY:
                state = r.desk.risk_state(intent.symbol)
                # the reservation holds the fee bound besides the notional that the gate judged
                slack = mul(trade.intent.max_fee, state.rate)
                assert state.exposure <= add(r.desk.limits.exposure, slack)
                assert state.position_value <= add(r.desk.limits.position, slack)
                assert state.open_positions <= r.desk.limits.open_positions
            return trade

        r.pipeline.propose = watched

    def check(self) -> None:
        open_symbols = {holding.symbol for holding in self.r.desk.state.positions.open_holdings()}
        assert len(open_symbols) <= self.r.desk.limits.open_positions


@pytest.mark.parametrize("seed", range(10, 13))
async def test_failed_commits_in_the_middle_of_it_lose_nothing(tmp_path: Path, seed: int) -> None:
    async with rig(tmp_path, market=False, instruments=(ETH, BTC, ETH_BTC), auto_confirm=False, settings=LIMITS) as r:
        await calm(r)
        storm = Storm(r, seed)
        for _ in range(25):
            await storm.step()
        r.watch_commits()
        for number in range(3):
            failures = r.session.writer.stats.failures
            r.fill_disk()
            asyncio.get_running_loop().call_later(0.02 * number, r.free_disk)
            for _ in range(6):
                await storm.step()
            await r.rebuilt()
            r.assert_sound()
            r.assert_agrees_with_venue()
            if r.session.writer.stats.failures > failures:
                storm.counts["failed"] += 1
            assert r.session.fatal is not None
            assert not r.session.fatal.done(), r.session.fatal.result()
        assert storm.counts["failed"] >= 1
        assert r.desk.halted.startswith("the database failed")
        admitted = storm.counts["admitted"]
        for _ in range(15):
            await storm.step()
        assert storm.counts["admitted"] == admitted, "an entry was taken after a failed commit"
        await storm.wind_down()
        lost = [t for t in storm.trades if not r.rows("SELECT 1 FROM trades WHERE id = ?", t.id)]
        judge(r, [trade for trade in storm.trades if trade not in lost])
        # what is not on disk was never sent
        ids = {order for sent in r.sent() for order in sent}
        assert not any(order.request.client_id in ids for trade in lost for order in trade.orders.values())


async def test_a_session_after_a_storm_starts_from_the_same_purse(tmp_path: Path) -> None:
    options: dict[str, Any] = {"instruments": (ETH, BTC, ETH_BTC), "auto_confirm": False, "settings": LIMITS}
    async with rig(tmp_path, market=False, **options) as r:
        await calm(r)
        storm = Storm(r, 99)
        for _ in range(40):
            await storm.step()
        await r.settle()
        before = r.desk.state.purse.balances()
        open_trades = {t.id: t.state for t in r.desk.state.trades.values()}
    async with rig(tmp_path, market=False, **options) as r:
        assert r.desk.state.purse.balances() == before
        for trade_id, state in open_trades.items():
            (row,) = r.rows("SELECT state FROM trades WHERE id = ?", trade_id)
            if state in {TradeState.RESERVED, TradeState.PREPARED, TradeState.CONFIRMED}:
                assert row["state"] == "EXPIRED"
        r.assert_sound()
        r.assert_agrees_with_venue()
