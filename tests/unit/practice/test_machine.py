"""Random orders on random markets: what must hold whatever happens, and that the same inputs give the same record."""

from __future__ import annotations

import shutil
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.market.events import BarOpened
from app.practice.checks import Refused
from app.venues.base import TERMINAL, OrderReport, OrderState
from app.venues.paper_wire import event_out, request_in, request_out
from strategies.model import Bar, Book, PublicTrade, Quote, Side
from tests.unit.practice.scene import ETH, MINUTE, D, Scene, buy, market, sell, stop

MOVES = st.integers(-300, 300).map(lambda cents: Decimal(cents).scaleb(-2))
"""Distances from the last price: far enough to miss, near enough to trade."""
SIZES = st.integers(0, 4000).map(lambda n: Decimal(n).scaleb(-3))
QUANTITIES = st.integers(1, 5000).map(lambda n: Decimal(n).scaleb(-3))
TABLES = ("deposits", "balances", "orders", "fills", "order_history", "requests", "markets", "meta")


class VenueMachine(RuleBasedStateMachine):
    """Every step goes through the wire's JSON; every invariant is read from the venue's own tables."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.scene = _quick(Scene(self.folder / "v.db"))
        self.script: list[tuple[str, dict[str, Any]]] = []
        self.count, self.now = 0, 0
        self.ids: list[str] = []
        self.price = D(100)
        self.bars([(D(0), D(0), D(0), 10)])

    def teardown(self) -> None:
        again = _quick(Scene(self.folder / "again.db"))
        for op, fields in self.script:
            _do(again, op, fields)
        for table in TABLES:
            sql = f"SELECT * FROM {table} ORDER BY rowid"
            assert self.scene.rows(sql) == again.rows(sql), f"the same inputs gave another {table}"
        self.scene.end()
        again.end()
        shutil.rmtree(self.folder)

    def do(self, op: str, **fields: Any) -> Any:
        self.script.append((op, fields))
        return _do(self.scene, op, fields)

    def name(self) -> str:
        self.count += 1
        self.ids.append(f"o{self.count}")
        return self.ids[-1]

    def show(self, event: Bar | Book | Quote | PublicTrade | Any) -> None:
        self.scene.position += 1
        self.do("market", events=[[self.scene.position, event_out(event)]])

    def place(self, *orders: Any) -> None:
        self.do("submit", orders=[request_out(order) for order in orders], authorisation=None)

    # -- the market ---------------------------------------------------------------------------------------------

    def moved(self, by: Decimal) -> Decimal:
        """The next price, kept where nothing is at zero."""
        self.price = min(max(self.price + by, D(50)), D(200))
        return self.price

    @rule(bars=st.lists(st.tuples(MOVES, SIZES, SIZES, st.integers(0, 60)), min_size=1, max_size=5))
    def bars(self, bars: list[tuple[Decimal, Decimal, Decimal, int]]) -> None:
        for move, up, down, volume in bars:
            at, first = self.now, self.moved(move)
            high, low = first + up.quantize(D("0.01")), first - down.quantize(D("0.01"))
            self.show(BarOpened(ETH.symbol, at, MINUTE, first, D(volume)))
            self.now += MINUTE
            self.show(Bar(ETH.symbol, at, MINUTE, first, high, low, low, D(volume)))

    @rule(books=st.lists(st.tuples(MOVES, st.integers(1, 50), st.lists(SIZES, min_size=1, max_size=4)), max_size=5))
    def books(self, books: list[tuple[Decimal, int, list[Decimal]]]) -> None:
        for move, spread, sizes in books:
            bid, step = self.moved(move), Decimal(spread).scaleb(-2)
            bids = tuple((bid - step * n, size) for n, size in enumerate(sizes))
            asks = tuple((bid + step * (n + 1), size) for n, size in enumerate(sizes))
            self.now += 1000
            self.show(Book(ETH.symbol, self.now, bids, asks))

    @rule(move=MOVES, quantity=SIZES)
    def trade(self, move: Decimal, quantity: Decimal) -> None:
        self.now += 10
        self.show(PublicTrade(ETH.symbol, self.now, self.moved(move), quantity))

    # -- orders -------------------------------------------------------------------------------------------------

    @rule(away=MOVES, quantity=QUANTITIES, lives=st.sampled_from([None, 0, 1500, 2 * MINUTE]))
    def buys(self, away: Decimal, quantity: Decimal, lives: int | None) -> None:
        order = request_out(buy(self.name(), str(self.price + away), str(quantity)))
        order[8] = None if lives is None else self.now + lives
        self.place(request_in(order))

    @rule(away=MOVES, quantity=QUANTITIES)
    def sells(self, away: Decimal, quantity: Decimal) -> None:
        self.place(sell(self.name(), str(self.price + away), str(quantity)))

    @rule(away=MOVES, quantity=QUANTITIES, grouped=st.booleans(), exits_first=st.booleans())
    def brackets(self, away: Decimal, quantity: Decimal, grouped: bool, exits_first: bool) -> None:
        entry = buy(self.name(), str(self.price + away), str(quantity))
        group, exits = f"g{self.count}" if grouped else None, []
        for order in (
            stop(self.name(), str(self.price - 2), str(quantity)),
            sell(self.name(), str(self.price + 2), str(quantity)),
        ):
            fields = request_out(order)
            fields[9:] = entry.client_id, group, True
            exits.append(request_in(fields))
        self.place(*([*exits, entry] if exits_first else [entry, *exits]))

    @rule(quantity=QUANTITIES, joins=st.integers(0, 30))
    def closes(self, quantity: Decimal, joins: int) -> None:
        fields = request_out(market(self.name(), str(quantity)))
        groups = sorted({order[10] for order in self.requests() if order[10]})
        fields[10] = groups[joins % len(groups)] if groups and joins else None
        self.place(request_in(fields))

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, 1000))
    def cancels(self, which: int) -> None:
        self.do("cancel", client_id=self.ids[which % len(self.ids)])

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, 1000))
    def repeats(self, which: int) -> None:
        """An accepted list again: the original answer, and nothing moves."""
        bodies = [fields for op, fields in self.script if op == "submit" and self.accepted(fields)]
        before, balances = self.reports(), self.scene.balances()
        if bodies:
            self.do("submit", **bodies[which % len(bodies)])
        assert self.reports() == before
        assert self.scene.balances() == balances

    @rule()
    def restarts(self) -> None:
        before = self.reports()
        self.do("restart")
        assert self.reports() == before
        self.scene.position -= 1
        self.trade(D(0), D(0))  # one that was processed before shows that there is a market
        assert self.reports() == before

    # -- what must hold -----------------------------------------------------------------------------------------

    def accepted(self, fields: dict[str, Any]) -> bool:
        return all(order[0] in self.reports() for order in fields["orders"])

    def requests(self) -> list[list[Any]]:
        return [order for op, fields in self.script if op == "submit" for order in fields["orders"]]

    def reports(self) -> dict[str, OrderReport]:
        return {row[0]: self.scene.order(row[0]) for row in self.scene.rows("SELECT client_id FROM orders")}

    @invariant()
    def every_unit_is_accounted_for(self) -> None:
        expected = {"ETH": D(0), "USDT": D(10_000)}
        for side, price, quantity, fee in self.scene.rows("SELECT side, price, quantity, fee FROM fills"):
            sign = 1 if side == "buy" else -1
            expected["ETH"] += sign * D(quantity)
            expected["USDT"] -= sign * D(quantity) * D(price) + D(fee)
        held = {asset: D(amount) for asset, amount in self.scene.rows("SELECT * FROM balances")}
        assert {"ETH": D(0), **held} == expected
        assert all(amount >= 0 for amount in held.values())
        assert self.scene.balances() == {asset: amount for asset, amount in held.items() if amount}

    @invariant()
    def orders_keep_their_word(self) -> None:
        reports = self.reports()
        terms = {order[0]: request_in(order) for order in self.requests() if order[0] in reports}
        for client_id, report in reports.items():
            order = terms[client_id]
            assert report.filled <= report.quantity
            assert report.filled == sum((fill.quantity for fill in report.fills), D(0))
            assert (report.state is OrderState.FILLED) <= (report.filled > 0)
            for fill in report.fills:
                assert fill.price % ETH.tick == 0
                assert fill.quantity % ETH.lot == 0
                assert fill.quantity > 0
                if order.limit_price is not None:
                    worse = fill.price > order.limit_price if order.side is Side.BUY else fill.price < order.limit_price
                    assert not worse
        self.exits_never_sell_more_than_their_entry_bought(reports, terms)

    def exits_never_sell_more_than_their_entry_bought(
        self, reports: dict[str, OrderReport], terms: dict[str, Any]
    ) -> None:
        for entry in {order.parent for order in terms.values() if order.parent is not None}:
            exits = [c for c, order in terms.items() if order.parent == entry]
            group = terms[exits[0]].group
            members = exits if group is None else [c for c, order in terms.items() if order.group == group]
            sold = sum((reports[client_id].filled for client_id in members), D(0))
            assert sold <= reports[entry].filled
            if reports[entry].state in TERMINAL and sold == reports[entry].filled:
                assert all(reports[client_id].state in TERMINAL for client_id in members), "an exit is left over"

    @invariant()
    def history_and_reports_agree(self) -> None:
        newest = "SELECT max(id) FROM order_history GROUP BY client_id"
        sql = f"SELECT client_id, state, filled FROM order_history WHERE id IN ({newest})"
        history = {client_id: (state, D(filled)) for client_id, state, filled in self.scene.rows(sql)}
        assert history == {name: (report.state.value, report.filled) for name, report in self.reports().items()}


def _quick(scene: Scene) -> Scene:
    """Without waiting for the disk: durability is judged elsewhere, and takes most of the time here."""
    scene.venue._record._db.execute("PRAGMA synchronous=OFF")
    return scene


def _do(scene: Scene, op: str, fields: dict[str, Any]) -> Any:
    if op == "restart":
        scene.restart()
        return _quick(scene)
    try:
        return scene.operate(op, **fields)
    except Refused as no:
        return no.code


TestVenueMachine = VenueMachine.TestCase
TestVenueMachine.settings = settings(
    max_examples=30, stateful_step_count=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
