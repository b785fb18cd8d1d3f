"""Steps that the tests of standing exits share."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from app.execution.records import Trade
from app.execution.standing_view import cover
from app.money import mul
from strategies.model import Exits, Intent
from tests.evm.rig import ChainRig
from tests.execution.person import PersonClock, read_first

ETH = "ETH-USDC"
WBTC = "WBTC-USDC"


def entry(rig: ChainRig, symbol: str = ETH, quantity: str = "0.25", stop: str = "0.9") -> Intent:
    """A purchase whose stop is that part of the price."""
    made = rig.intent(quantity=quantity, symbol=symbol)
    tick = rig.desk.instruments[symbol].tick
    return replace(made, exits=Exits(mul(rig.desk.market.quote(symbol).bid, Decimal(stop)).quantize(tick)))


async def bought(rig: ChainRig, symbol: str = ETH, quantity: str = "0.25", stop: str = "0.9") -> Trade:
    """Bought, and in a block."""
    await rig.quoted()
    await rig.quoted(symbol)
    trade = rig.session.pipeline.propose(entry(rig, symbol, quantity, stop))
    assert trade is not None, rig.desk.counters.by_rule
    await rig.reached(trade, "FILLED")
    return trade


def exits(rig: ChainRig) -> list[Trade]:
    """Those that have not ended, oldest first."""
    return [trade for trade in rig.desk.state.in_flight() if trade.standing]


async def armed(rig: ChainRig, symbol: str = ETH) -> Trade:
    """The position is covered by a standing exit; which it is."""
    await rig.until(lambda: cover(rig.desk, "m", symbol).covered, lambda: f"covered: {facts(rig)}")
    (trade,) = [each for each in exits(rig) if each.armed and each.intent.symbol == symbol]
    return trade


async def settled(rig: ChainRig, *symbols: str, but: Trade | None = None) -> list[Trade]:
    """All of these are covered at one moment, and nothing is being done about any `but` one; their standing exits."""

    def still() -> bool:
        each, work = [trade for trade in exits(rig) if trade is not but], rig.session.pipeline.work
        done = all(trade.armed and not work.owns(trade.id) for trade in each)
        return done and all(cover(rig.desk, "m", symbol).covered for symbol in symbols)

    await rig.until(still, lambda: f"all covered: {facts(rig)}")
    found = {trade.intent.symbol: trade for trade in exits(rig)}
    return [found[symbol] for symbol in symbols]


def facts(rig: ChainRig) -> list[Any]:
    """What helps to understand why something is not so."""
    trades = [(t.intent.symbol, t.intent.reason, t.state.value, t.armed, t.held_back) for t in exits(rig)]
    ended = rig.rows("SELECT symbol, side, state, reason FROM trades")
    return [trades, ended, [row["text"] for row in rig.rows("SELECT text FROM alerts")], rig.desk.halted]


def held(rig: ChainRig, symbol: str = ETH) -> Decimal:
    """What the position has."""
    quantity: Decimal = rig.desk.state.positions.holding("m", symbol).quantity
    return quantity


def alerts(rig: ChainRig, kind: str) -> list[str]:
    return [row["text"] for row in rig.rows("SELECT text FROM alerts WHERE kind = ?", kind)]


def fills(rig: ChainRig, side: str) -> int:
    return len(rig.rows("SELECT 1 FROM fills WHERE side = ?", side))


def attend(rig: ChainRig) -> None:
    """From now on nothing is confirmed by itself: a person reads, and answers."""
    rig.desk.terms = replace(rig.desk.terms, auto_confirm=False)
    rig.desk.wall = person = PersonClock()
    read_first(rig.session, person)


async def waiting(rig: ChainRig, reason: str) -> Trade:
    """What is proposed for a reason that begins so."""
    found: list[Trade] = []

    def there() -> bool:
        proposals = rig.session.pipeline.proposals.waiting()
        found[:] = [each for each in proposals if each.intent.reason.startswith(reason)]
        return bool(found)

    await rig.until(there, lambda: f"{reason} waits: {facts(rig)}")
    return found[0]


def confirm(rig: ChainRig, trade: Trade) -> None:
    rig.session.pipeline.proposals.confirm(trade.id)
