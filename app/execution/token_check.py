"""Whether a token is looked at before it is bought, and what comes of it."""

from __future__ import annotations

from decimal import Decimal

from app.execution.desk import Desk
from app.venues.evm.chain import Chain, Token
from app.venues.evm.pools.state import At
from app.venues.evm.rpc import Rpc
from app.venues.evm.safety.findings import Safety, SafetyRules, refusal
from app.venues.evm.safety.inspection import inspect
from strategies.model import Intent, Side


class TokenCheck:
    """For one account on one chain.

    A trusted token is looked at before it is bought for the first time; any other each time, as its owner may have
    changed it since. The coin and its wrapped form are what everything is paid in, and are not looked at.
    """

    def __init__(self, desk: Desk, chain: Chain, rpc: Rpc, rules: SafetyRules) -> None:
        self._desk, self._chain, self._rpc, self._rules = desk, chain, rpc, rules

    async def of(self, intent: Intent, at: At) -> Safety | None:
        """What speaks against what `intent` buys; None where it is not looked at.

        Raises:
            VenueError: a node did not answer.
        """
        token = self._bought(intent)
        if token is None or (token.address in self._chain.trusted and self._had(token)):
            return None
        return await inspect(self._rpc, self._chain, token.address, at, self._rates(), self._rules)

    def refusal(self, safety: Safety) -> str | None:
        """Why it is not bought, or None."""
        return refusal(safety, self._rules, trusted=safety.token in self._chain.trusted)

    def _bought(self, intent: Intent) -> Token | None:
        if intent.side is not Side.BUY:
            return None
        token = self._chain.token(self._desk.instruments[intent.symbol].base)
        return None if token is None or token.address == self._chain.native.address else token

    def _had(self, token: Token) -> bool:
        """It was bought before, for whatever."""
        symbols = sorted(name for name, each in self._desk.instruments.items() if each.base == token.symbol)
        marks = ", ".join("?" * len(symbols))
        sql = f"SELECT 1 FROM fills WHERE side = ? AND symbol IN ({marks}) LIMIT 1"  # noqa: S608 -- question marks alone
        return self._desk.state.reader.one(sql, (Side.BUY.value, *symbols)) is not None

    def _rates(self) -> dict[bytes, Decimal]:
        """Account currency for one of each of the chain's tokens, where something values it."""
        found: dict[bytes, Decimal] = {}
        for token in (*self._chain.tokens, self._chain.native):
            rate = self._desk.valuation.last_rate(token.symbol)
            if rate is not None:
                found[token.address] = rate
        return found
