"""What the hot signer may sign: each entry and each day's entries together, by their worst prices, in account currency.
Closes are always signed.

It is asked right before the signature, once for each entry, on the loop thread and without an await: what it lets
through counts from that moment, so that two entries at once can not both take the rest of a day. What was let through
and not signed in the end is given back as soon as its trade has ended.

What was signed is on disk with its value, in the journal row that holds the signature, so a restart forgets nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from app.errors import SafetyError
from app.execution.records import Trade
from app.execution.states import TradeState
from app.money import ZERO, add, from_text, mul, total
from app.portfolio.equity import DAY_MS
from app.risk.basket import notional
from app.risk.hot import HotLimits, over
from signers.base import SignerKind
from storage.database import Reader

if TYPE_CHECKING:
    from app.execution.desk import Desk

ENTITY: Final = "hot"
"""What a journal body calls it: ``["hot", trade id, value in account currency; "" for a close]``."""
_TODAY: Final = (
    "SELECT a.trade_id, j.body FROM authorisations a JOIN journal j ON j.seq = a.seq "
    "WHERE a.signer = ? AND a.signed_ms >= ? ORDER BY a.seq"
)
_MALFORMED: Final = (ValueError, TypeError, KeyError, IndexError, ArithmeticError, RecursionError)


class HotDenied(SafetyError):
    """A cap of the hot signer. The trade is DENIED."""


@dataclass(frozen=True, slots=True)
class _Passed:
    trade: Trade
    value: Decimal

    def counts(self, since_ms: int) -> bool:
        """Signed since then, or about to be. What ended unsigned moved nothing."""
        payload = self.trade.payload
        if payload is not None and payload.signed is not None:
            return payload.signed_ms >= since_ms
        return self.trade.state is TradeState.CONFIRMED


class HotCaps:
    """One per session.

    Args:
        limits: what the settings allow.
        reader: for what earlier sessions signed.
    """

    def __init__(self, limits: HotLimits, reader: Reader) -> None:
        self.limits = limits
        self._reader = reader
        self._passed: list[_Passed] = []

    def check(self, desk: Desk, trade: Trade) -> None:
        """Let `trade` through to the hot signer, or not. With any other signer there is nothing to ask.

        Raises:
            HotDenied: with the number and the limit.
        """
        if desk.terms.signer != SignerKind.KEYRING or trade.intent.reduce_only:
            return
        rate, now = desk.rate(desk.instruments[trade.intent.symbol].quote), desk.clock.now_ms()
        value = None if rate is None else mul(notional(trade.intent), rate)
        why = over(self.limits, value, self._today(now - now % DAY_MS))
        if value is None or why is not None:
            raise HotDenied("signer.hot", f"HOT: {why}.")
        trade.hot_value = value
        self._passed.append(_Passed(trade, value))

    def _today(self, since_ms: int) -> Decimal | None:
        """What counts since `since_ms`; None where the record is not one of ours."""
        self._passed = [each for each in self._passed if each.counts(since_ms)]
        here = {each.trade.id for each in self._passed}
        signed = [ZERO]
        for row in self._reader.rows(_TODAY, (SignerKind.KEYRING.value, since_ms)):
            if row["trade_id"] not in here:
                value = _value(row["trade_id"], row["body"])
                if value is None:
                    return None
                signed.append(value)
        return add(total(signed), total([each.value for each in self._passed]))


def _value(trade_id: str, body: str) -> Decimal | None:
    try:
        found = next(change for change in json.loads(body)["set"] if change[:2] == [ENTITY, trade_id])
        value = from_text(found[2]) if found[2] else ZERO
    except (StopIteration, *_MALFORMED):
        return None
    return value if value >= 0 else None
