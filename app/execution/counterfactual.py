"""What declined and expired entries would have made: HYPOTHETICAL, kept apart from every real number.

Rules, all against the hypothetical trade where the data leaves a choice:

- it is bought at its worst price, whatever the quote was; where the touch was beyond that price, or there was none,
  when the answer fell, it would not have been filled (NOT_FILLED, makes 0)
- every fee, also a resting target's, is at the venue's higher rate and rounded up
- the stop is looked at before the target: of a bar that holds both, the stop is taken; a price that is beyond the stop
  at once is the price of the sale
- a bar or a trade must go through the target: at exactly its price others may have been served first, as at the venue
- a bar that was open when the answer fell is not looked at: nobody can say which of its prices came later
- what neither ends within `HORIZON_MS` of market time is sold at the first price known then, or at the target if that
  is less; a target that a bar may have touched after that does not count

At most `MOST` are followed at once; one more is recorded as NOT_FOLLOWED, and counted. Closes are not followed: what a
close would have saved depends on exits that rest at the venue and are real. A basket is not followed, nor a limit that
would have rested below the touch: nobody knows whether, when and how much they had bought. What ended with its session
unseen (a restart, a kill) was nobody's refusal and is not followed either: the module judges anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from app.execution.preview import fee_at
from app.execution.records import Trade
from app.market.events import MarketEvent, event_time
from app.money import add, from_text, mul, sub, to_text
from storage.database import Reader
from strategies.model import Bar, Book, Quote

HORIZON_MS: Final = 86_400_000
MOST: Final = 100

Statement = tuple[str, tuple[Any, ...]]

_INSERT: Final = "INSERT OR IGNORE INTO hypotheticals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_END: Final = (
    "UPDATE hypotheticals SET state = ?, exit_price = ?, exit_ms = ?, result = ?, value = ? "
    "WHERE trade_id = ? AND state = 'OPEN'"
)


class Ending(StrEnum):
    """How a hypothetical trade stands."""

    OPEN = "OPEN"
    TARGET = "TARGET"
    STOP = "STOP"
    HORIZON = "HORIZON"
    NOT_FILLED = "NOT_FILLED"
    NOT_FOLLOWED = "NOT_FOLLOWED"


@dataclass(frozen=True, slots=True)
class Hypothetical:
    """A long position that was never opened. Prices in `asset` per unit; `answer` is ``declined`` or ``expired``."""

    trade_id: str
    answer: str
    module: str
    symbol: str
    asset: str
    quantity: Decimal
    entry: Decimal
    stop: Decimal
    target: Decimal | None
    fee_bps: Decimal
    begun_ms: int
    ends_ms: int

    def result(self, price: Decimal) -> Decimal:
        """Profit after fees when it is sold at `price`, in `asset`."""
        fees = add(fee_at(self.quantity, self.entry, self.fee_bps), fee_at(self.quantity, price, self.fee_bps))
        return sub(mul(self.quantity, sub(price, self.entry)), fees)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What ended it, at which price and when."""

    ending: Ending
    price: Decimal
    ts_ms: int


def touched(trade: Hypothetical, event: MarketEvent) -> Outcome | None:
    """What `event` makes of `trade`; None: it stays open."""
    at = event_time(event)
    prices = _prices(event)
    start = event.open_ms if isinstance(event, Bar) else at
    if prices is None or start < trade.begun_ms:
        return None
    first, low, high, last = prices
    if first <= trade.stop or (start < trade.ends_ms and low <= trade.stop):
        return Outcome(Ending.STOP, min(first, trade.stop), at)
    if trade.target is not None and at <= trade.ends_ms and _reached(trade.target, high, event):
        return Outcome(Ending.TARGET, trade.target, at)
    if at >= trade.ends_ms:
        return Outcome(Ending.HORIZON, _capped(trade, first if start >= trade.ends_ms else last), at)
    return None


def _reached(target: Decimal, high: Decimal, event: MarketEvent) -> bool:
    """A bid at the target buys what rests there; of what has traded at it nobody knows whose turn it was."""
    return high >= target if isinstance(event, Book | Quote) else high > target


def _capped(trade: Hypothetical, price: Decimal) -> Decimal:
    return price if trade.target is None else min(price, trade.target)


def _prices(event: MarketEvent) -> tuple[Decimal, Decimal, Decimal, Decimal] | None:
    """First, lowest, highest and last price that a seller meets; None for a book without a touch."""
    if isinstance(event, Bar):
        return event.open, event.low, event.high, event.close
    if isinstance(event, Book):
        quote = event.quote()
        return None if quote is None else (quote.bid,) * 4
    return (event.bid if isinstance(event, Quote) else event.price,) * 4


class Missed:
    """The open ones, by instrument. Every change is also a statement, so that a restart finds them again."""

    def __init__(self) -> None:
        self.open: dict[str, dict[str, Hypothetical]] = {}

    def load(self, reader: Reader) -> None:
        """Take over what is open on disk."""
        for row in reader.rows("SELECT * FROM hypotheticals WHERE state = 'OPEN' ORDER BY begun_ms, trade_id"):
            self._keep(_of(row))

    def begin(
        self,
        trade: Trade,
        answer: str,
        asset: str,
        quote: Quote | None,
        fee_bps: Decimal,
        now_ms: int,
        *,
        rests: bool = False,
    ) -> Statement | None:
        """Follow an entry that was declined or has expired; None for a trade that is not followed by rule. `rests`: it
        would have waited where it could not be bought at once."""
        intent = trade.intent
        if intent.reduce_only or intent.exits is None or intent.legs:
            return None
        made = Hypothetical(
            trade.id,
            answer,
            intent.module,
            intent.symbol,
            asset,
            intent.quantity,
            intent.worst_price,
            intent.exits.stop,
            intent.exits.target,
            fee_bps,
            now_ms,
            now_ms + HORIZON_MS,
        )
        if quote is None or quote.ask > intent.worst_price:
            return None if rests else _row(made, Ending.NOT_FILLED)
        if sum(len(each) for each in self.open.values()) >= MOST:
            return _row(made, Ending.NOT_FOLLOWED)
        self._keep(made)
        return _row(made, Ending.OPEN)

    def follow(self, event: MarketEvent) -> list[tuple[Hypothetical, Outcome]]:
        """Those that `event` ends. For an instrument without any it costs one look into a dict."""
        mine = self.open.get(event.symbol)
        prices = _prices(event) if mine else None
        if not mine or prices is None:
            return []
        _, low, high, _ = prices
        at, over = event_time(event), []
        for each in mine.values():
            # most events end none of a hundred: three comparisons, not a walk
            near = low <= each.stop or at >= each.ends_ms or (each.target is not None and high >= each.target)
            if near and (outcome := touched(each, event)) is not None:
                over.append((each, outcome))
        for each, _ in over:
            del mine[each.trade_id]
        return over

    def _keep(self, made: Hypothetical) -> None:
        self.open.setdefault(made.symbol, {})[made.trade_id] = made


def ended(trade: Hypothetical, outcome: Outcome, rate: Decimal | None) -> Statement:
    """The record of an end. `rate`: account currency per unit of the quote asset, if anything values it."""
    result = trade.result(outcome.price)
    value = None if rate is None else to_text(mul(result, rate))
    return _END, (outcome.ending.value, to_text(outcome.price), outcome.ts_ms, to_text(result), value, trade.trade_id)


def _row(made: Hypothetical, state: Ending) -> Statement:
    amounts = (
        to_text(made.quantity),
        to_text(made.entry),
        to_text(made.stop),
        None if made.target is None else to_text(made.target),
        to_text(made.fee_bps),
    )
    names = (made.trade_id, made.answer, made.module, made.symbol, made.asset)
    return _INSERT, (*names, *amounts, made.begun_ms, made.ends_ms, state.value, *(None,) * 4)


def _of(row: dict[str, Any]) -> Hypothetical:
    return Hypothetical(
        trade_id=row["trade_id"],
        answer=row["answer"],
        module=row["module"],
        symbol=row["symbol"],
        asset=row["asset"],
        quantity=from_text(row["quantity"]),
        entry=from_text(row["entry"]),
        stop=from_text(row["stop"]),
        target=None if row["target"] is None else from_text(row["target"]),
        fee_bps=from_text(row["fee_bps"]),
        begun_ms=row["begun_ms"],
        ends_ms=row["ends_ms"],
    )
