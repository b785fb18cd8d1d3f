"""What the account's standing exits cover at this moment. From memory alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from app.execution.records import Trade
from app.execution.standing_terms import Standing, StandingExit, covers
from app.execution.states import IN_FLIGHT, PayloadState
from app.money import DOWN, ZERO, round_to_step, sub
from signers.evm import decode

if TYPE_CHECKING:
    from app.execution.desk import Desk


@dataclass(frozen=True, slots=True)
class Cover:
    """What stands between a position and a falling price, on a chain.

    Attributes:
        uncovered: the quantity that nothing would sell.
        exit: the standing exit that says most: the one that covers, else one that is held back or asked for.
    """

    held: Decimal
    uncovered: Decimal
    exit: StandingExit | None

    @property
    def covered(self) -> bool:
        """All of it."""
        return not self.uncovered


def on_chain(desk: Desk) -> bool:
    """Whether trades are transactions here, so that nothing rests."""
    return desk.venue_info.capabilities.transactions


def cover(desk: Desk, module: str, symbol: str) -> Cover:
    """Of what a module holds of an instrument."""
    quantity, lot = desk.state.positions.holding(module, symbol).quantity, desk.instruments[symbol].lot
    held, exits = round_to_step(quantity, lot, DOWN), exits_of(desk, module, symbol)
    uncovered = max(ZERO, sub(held, covers(exits, held, desk.clock.now_ms())))
    return Cover(held, uncovered, max(exits, key=lambda each: _RANK[each.standing], default=None))


_RANK = {Standing.SENT: 3, Standing.ARMED: 2, Standing.HELD_BACK: 1, Standing.ASKED: 0}


def exits_of(desk: Desk, module: str, symbol: str) -> list[StandingExit]:
    """The standing exits of a position that have not ended, oldest first."""
    return [described(trade) for trade in standing_trades(desk, module, symbol)]


def standing_trades(desk: Desk, module: str, symbol: str) -> list[Trade]:
    """The trades that they are."""
    return [
        trade
        for trade in desk.state.trades.values()
        if trade.standing
        and trade.state in IN_FLIGHT
        and (trade.intent.module, trade.intent.symbol) == (module, symbol)
    ]


def described(trade: Trade) -> StandingExit:
    """A trade that is a standing exit."""
    intent, payload = trade.intent, trade.payload
    assert intent.exits is not None
    if trade.armed:
        standing = Standing.HELD_BACK if trade.held_back else Standing.ARMED
    else:
        standing = Standing.ASKED if trade.kept else Standing.SENT
    until = payload.valid_until_ms if payload is not None else intent.expires_ms
    return StandingExit(
        trade.id, standing, intent.quantity, intent.exits.stop, intent.worst_price, until, trade.held_back
    )


_SENT = frozenset({PayloadState.SENT, PayloadState.UNKNOWN, PayloadState.LANDED})


def own_nonce(trade: Trade) -> int:
    """Of the sale of a standing exit."""
    assert trade.payload is not None
    return decode(trade.payload.body).nonce


def nonces_sent(desk: Desk, without: Collection[str]) -> set[int]:
    """Nonces of all transactions that were sent and are remembered, but for those of the trades of these ids."""
    trades = [trade for trade in desk.state.trades.values() if trade.id not in without]
    return {nonce for trade in trades for nonce in nonces_of(trade)}


def nonces_of(trade: Trade) -> set[int]:
    """Nonces of its transactions that were sent."""
    return {decode(payload.body).nonce for payload in trade.payloads if payload.body and payload.state in _SENT}


def displaced_by(desk: Desk, trade: Trade) -> list[Trade]:
    """The standing exits that `trade` ends when it is sent, because it has their nonce: they are to be signed again."""
    sent = trade.payloads[:-1] if trade.standing else trade.payloads
    nonces = {decode(payload.body).nonce for payload in sent if payload.body}
    trades = desk.state.trades.values()
    return [each for each in trades if each is not trade and each.armed and own_nonce(each) in nonces]
