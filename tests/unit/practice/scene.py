"""A venue in memory with its record on disk, and short words for orders and bars."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.market.events import BarOpened, MarketEvent
from app.practice.checks import Refused
from app.practice.record import Record
from app.practice.venue import Venue
from app.venues.base import OrderKind, OrderReport, OrderRequest, OrderState
from app.venues.paper_wire import PaperSettings, event_out, report_in, request_out, settings_out
from strategies.model import Bar, Book, Instrument, PublicTrade, Side

D = Decimal
ETH = Instrument("ETH-USDT", "ETH", "USDT", D("0.01"), D("0.001"))
MINUTE = 60_000
SETTINGS = PaperSettings((ETH,), {"USDT": D(10_000)}, D(10), D(5), D(10), D("0.1"), 5)
"""Spread 10 bps: half of it at 100 is 0.05, so a synthetic book around 100 stands at 99.95 and 100.05."""

FOREVER = 2**50


class Scene:
    """Talks to a venue as the wire does, without the wire."""

    def __init__(self, db: Path, settings: PaperSettings = SETTINGS) -> None:
        self.db, self.settings = db, settings
        self.position, self.bars = 0, 0
        self.pushed: list[OrderReport] = []
        self._reader: sqlite3.Connection | None = None
        self.start()

    def start(self) -> None:
        """A process starts on the database."""
        self.venue = Venue(Record(self.db))
        self.venue.hello({"settings": settings_out(self.settings)}, "hello")

    def restart(self) -> None:
        """It ends and another starts."""
        self.venue.close()
        self.start()

    def operate(self, op: str, **fields: Any) -> Any:
        """One operation through JSON, as it would arrive."""
        request = json.loads(json.dumps({"op": op, **fields}))
        answer = self.venue.operate(op, request, json.dumps(request))
        self.pushed += [report_in(report) for report in self.venue.take_pushes()]
        return answer

    def submit(self, *orders: OrderRequest) -> list[OrderReport]:
        """Place a list."""
        answer = self.operate("submit", orders=[request_out(order) for order in orders], authorisation=None)
        return [report_in(report) for report in answer]

    def refused(self, *orders: OrderRequest) -> str:
        """The code with which a list is refused."""
        try:
            self.submit(*orders)
        except Refused as no:
            return no.code
        return "accepted"

    def cancel(self, client_id: str) -> OrderReport:
        """Cancel an order."""
        (report,) = self.operate("cancel", client_id=client_id)
        return report_in(report)

    def show(self, *events: MarketEvent) -> None:
        """The next market events."""
        for event in events:
            self.position += 1
            self.operate("market", events=[[self.position, event_out(event)]])

    def open(self, price: str, volume: str = "1000") -> None:
        """The next bar opens."""
        self.show(BarOpened(ETH.symbol, self.bars * MINUTE, MINUTE, D(price), D(volume)))

    def close(self, first: str, high: str, low: str, last: str, volume: str = "1000") -> None:
        """It closes."""
        self.show(Bar(ETH.symbol, self.bars * MINUTE, MINUTE, D(first), D(high), D(low), D(last), D(volume)))
        self.bars += 1

    def flat(self, price: str = "100", volume: str = "1000") -> None:
        """A whole bar without a movement."""
        self.open(price, volume)
        self.close(price, price, price, price, volume)

    def book(self, bid: str, ask: str, size: str = "1000", ts_ms: int = 0) -> None:
        """A book of one level."""
        self.show(Book(ETH.symbol, ts_ms, ((D(bid), D(size)),), ((D(ask), D(size)),)))

    def trade(self, price: str, quantity: str = "1000", ts_ms: int = 0) -> None:
        """Somebody's trade."""
        self.show(PublicTrade(ETH.symbol, ts_ms, D(price), D(quantity)))

    def order(self, client_id: str) -> OrderReport:
        """An order that exists."""
        report = self.operate("order", client_id=client_id)
        assert report is not None, client_id
        return report_in(report)

    def state(self, client_id: str) -> tuple[OrderState, Decimal | int]:
        """State and filled quantity of an order that exists."""
        report = self.order(client_id)
        return report.state, report.filled

    def fills(self, client_id: str) -> list[tuple[Decimal, Decimal]]:
        """Prices and quantities."""
        return [(fill.price, fill.quantity) for fill in self.order(client_id).fills]

    def balances(self) -> dict[str, Decimal]:
        """Total per asset."""
        return {asset: D(amount) for asset, amount in self.operate("balances").items()}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The record, as somebody else reads it."""
        if self._reader is None:
            self._reader = sqlite3.connect(self.db)
        return self._reader.execute(sql).fetchall()

    def end(self) -> None:
        """Close everything."""
        if self._reader is not None:
            self._reader.close()
        self.venue.close()


def buy(client_id: str, limit: str, quantity: str = "1") -> OrderRequest:
    """A limit buy."""
    return OrderRequest(client_id, ETH.symbol, Side.BUY, OrderKind.LIMIT, D(quantity), FOREVER, D(limit))


def sell(client_id: str, limit: str, quantity: str = "1") -> OrderRequest:
    """A limit sale."""
    return replace(buy(client_id, limit, quantity), side=Side.SELL)


def market(client_id: str, quantity: str = "1") -> OrderRequest:
    """A reduce-only sale at market."""
    return replace(sell(client_id, "1", quantity), kind=OrderKind.MARKET, limit_price=None, reduce_only=True)


def stop(client_id: str, price: str, quantity: str = "1") -> OrderRequest:
    """A protective stop."""
    return replace(market(client_id, quantity), kind=OrderKind.STOP, stop_price=D(price))


def bracket(
    limit: str = "101", quantity: str = "1", stop_at: str = "95", target: str = "110"
) -> tuple[OrderRequest, OrderRequest, OrderRequest]:
    """``entry`` with ``stop`` and ``target`` in one group."""
    exits = replace(stop("stop", stop_at, quantity), parent="entry", group="g")
    goal = replace(sell("target", target, quantity), parent="entry", group="g", reduce_only=True)
    return buy("entry", limit, quantity), exits, goal
