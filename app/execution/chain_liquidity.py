"""The account's positions of liquidity on one chain: what they are, what they hold now, and what the ledger's stakes
are worth by that."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from app.money import add
from app.portfolio.stakes import Stakes
from app.venues.evm.chain import Chain
from app.venues.evm.liquidity.position import Held, Position
from app.venues.evm.liquidity.reader import PositionReader
from app.venues.evm.moves import position_name
from app.venues.evm.pools.state import At
from app.venues.evm.rpc import Rpc
from strategies.model import Instrument


class ChainLiquidity:
    """Of one account. On the loop thread."""

    def __init__(self, chain: Chain, rpc: Rpc, account: bytes) -> None:
        self._chain, self._account = chain, account
        self._reader = PositionReader(chain, rpc)
        self.positions: dict[tuple[bytes, int], Position] = {}
        """All that were ever seen, by manager and number: what a position is of never changes."""
        self.held: dict[str, Held] = {}
        """Those that are there, by name, as they were at the last look."""

    async def read(self, at: At) -> Mapping[str, Held]:
        """Look at all of them.

        Raises:
            RpcDown, RpcRefused: no node told.
        """
        found = await self._reader.of(self._account, at)
        self.held = {}
        for each in found.held:
            self.positions[each.position.manager, each.position.number] = each.position
            self.held[position_name(self._chain, each.position.manager, each.position.number)] = each
        return self.held

    def mark(self, stakes: Stakes, instruments: Mapping[str, Instrument]) -> None:
        """Say of each stake what would come out of its position at the last look; None where that did not see it."""
        for stake in stakes.open.values():
            held = self.held.get(stake.position)
            stake.worth = None if held is None else self._worth(held, instruments[stake.symbol])

    def _worth(self, held: Held, instrument: Instrument) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        fees = (held.fees0, held.fees1)
        sides = zip((held.position.token0, held.position.token1), held.amounts, fees, strict=True)
        for address, amount, fee in sides:
            for symbol in (instrument.base, instrument.quote):
                token = self._chain.token(symbol)
                if token is not None and token.address == address and symbol not in found:
                    found[symbol] = add(token.amount(amount), token.amount(fee))
        return found
