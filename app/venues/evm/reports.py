"""What a chain says of transactions of ours, as reports of orders: what was traded is what a receipt says was moved."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from app.engine.clock import Clock
from app.errors import VenueError
from app.money import DOWN, div
from app.venues.base import Move, OrderReport, OrderRequest, OrderState, VenueFill
from app.venues.evm.acts import Swap
from app.venues.evm.chain import Chain, Token
from app.venues.evm.moves import moves_of, returns
from app.venues.evm.receipts import Mined, swapped
from app.venues.evm.words import act_of
from strategies.model import Instrument, Side

_PRICE_PLACES: Final = 24


class Reports:
    """Of one account on one chain."""

    def __init__(self, chain: Chain, instruments: tuple[Instrument, ...], account: bytes, clock: Clock) -> None:
        self._chain, self._account, self._clock = chain, account, clock
        self._by_symbol = {instrument.symbol: instrument for instrument in instruments}
        self._revision = 0

    def token(self, symbol: str) -> Token:
        """A token of an instrument."""
        found = self._chain.token(symbol)
        assert found is not None, symbol
        return found

    def waiting(self, request: OrderRequest, reason: str = "") -> OrderReport:
        """It is in no block, and may come into one."""
        return self._made(request, OrderState.OPEN, reason=reason)

    def dead(self, request: OrderRequest, reason: str) -> OrderReport:
        """It can not come into one any more."""
        return self._made(request, OrderState.CANCELLED, reason=reason)

    def mined(self, request: OrderRequest, unsigned: bytes, mined: Mined) -> OrderReport:
        """A block has it.

        Raises:
            VenueError: its receipt does not say what it moved.
        """
        _, act = act_of(unsigned)
        gas = self._chain.native.amount(mined.gas)
        if not mined.ok:
            reason = "The chain took it into a block and reverted it: nothing was traded, its gas was paid."
            return self._made(request, OrderState.REJECTED, mined, gas=gas, reason=reason)
        trades = isinstance(act, Swap) and not returns(act)
        fills = (self._fill(request, act, mined),) if isinstance(act, Swap) and trades else ()
        moves = () if trades else moves_of(self._chain, mined, act, self._account)
        return self._made(request, OrderState.FILLED, mined, fills=fills, gas=gas, moves=moves)

    def _fill(self, request: OrderRequest, act: Swap, mined: Mined) -> VenueFill:
        paid, received = swapped(mined, act, self._account)
        instrument = self._by_symbol[request.symbol]
        base, quote = self.token(instrument.base), self.token(instrument.quote)
        buys = request.side is Side.BUY
        quantity = base.amount(received if buys else paid)
        notional = quote.amount(paid if buys else received)
        if quantity <= 0 or notional <= 0:
            what = f"The receipt of {mined.hash[:10]} says that it went through, and not what it moved."
            raise VenueError("chain.amounts", what, next_step="Compare with the chain; nothing was booked.")
        return VenueFill(
            fill_id=f"{mined.hash}@{mined.block_hash[2:18]}",
            client_id=request.client_id,
            symbol=request.symbol,
            side=request.side,
            price=div(notional, quantity, _PRICE_PLACES, DOWN),
            quantity=quantity,
            fee=Decimal(0),
            fee_asset=instrument.quote,
            ts_ms=self._clock.now_ms(),
            notional=notional,
        )

    def _made(
        self,
        request: OrderRequest,
        state: OrderState,
        mined: Mined | None = None,
        *,
        fills: tuple[VenueFill, ...] = (),
        gas: Decimal = Decimal(0),
        moves: tuple[Move, ...] = (),
        reason: str = "",
    ) -> OrderReport:
        now = self._clock.now_ms()
        self._revision = max(now, self._revision + 1)
        return OrderReport(
            client_id=request.client_id,
            venue_order_id="" if mined is None else f"{mined.block}/{mined.block_hash}",
            state=state,
            quantity=request.quantity,
            filled=fills[0].quantity if fills else Decimal(0),
            fills=fills,
            revision=self._revision,  # a chain has no numbers for what it says; what it says now is newer
            ts_ms=now,
            reason=reason,
            gas=gas,
            gas_asset=self._chain.native.symbol,
            moves=moves,
        )
