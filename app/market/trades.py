"""Reader of public trades, and the bars made of them. The rules for bad rows are in `app.market.files`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from app.market.events import MarketEvent, event_time
from app.market.files import Recording
from app.market.rows import BadRow, BadValue, Findings, Overlaps, time_ms
from app.market.tables import parsed, without_outliers
from app.money import ZERO, add
from strategies.model import Bar, PublicTrade, Side

_TAKER: Final[dict[str, Side | None]] = {"buy": Side.BUY, "sell": Side.SELL, "": None}

_Trade = tuple[int, str, Decimal, Decimal, Side | None]


class TradeReader:
    """Trades of one instrument, file after file. A venue has no quote of its own in such a recording: it gets a
    synthetic book around the last trade."""

    timeframe_doubtful: Final = False
    overlaps: Final = Overlaps(0, 0)

    def __init__(self, symbol: str, findings: Findings) -> None:
        self._symbol = symbol
        self._findings = findings
        self._last_ms = 0
        self._ids: dict[str, _Trade] = {}
        self.backward = self.backward_run = 0

    @property
    def reached_ms(self) -> int:
        """Time of the newest trade released; 0 before the first."""
        return self._last_ms

    def read(self, recording: Recording) -> Iterator[MarketEvent]:
        """The trades of one file. Rows without an id are never duplicates: two equal trades in one second happen.

        Raises:
            DataError: the file is not what it claims to be.
        """
        label, warnings = recording.label, self._findings.warnings
        rows = parsed(recording, self._findings, self._parse)
        for row, trade in without_outliers(rows, label, self._findings):
            ts_ms, trade_id, price, amount, taker = trade
            if ts_ms < self._last_ms:
                self.backward += 1
                self.backward_run += 1
                warnings.add(label, "backward", f"row {row}: {self._last_ms - ts_ms} ms before the row before it")
                continue
            self.backward_run = 0
            if ts_ms > self._last_ms:
                # Ids repeat only within one instant: an older instant would run backwards anyway.
                self._ids.clear()
                self._last_ms = ts_ms
            if trade_id:
                known = self._ids.setdefault(trade_id, trade)
                if known is not trade:
                    rule = "duplicate" if known == trade else "conflicting_duplicate"
                    warnings.add(label, rule, f"row {row}: id {trade_id[:40]!r}")
                    continue
            yield PublicTrade(self._symbol, ts_ms, price, amount, taker)

    def _parse(self, fields: Sequence[str]) -> _Trade:
        time, trade_id, price_text, amount_text, side = fields
        if side not in _TAKER:
            raise BadValue(f"side {side[:20]!r} is not buy, sell or empty")
        ts_ms, price, amount = time_ms(time), self._findings.price(price_text), self._findings.amount(amount_text)
        if price is None or amount is None:
            raise BadRow("not_a_number", f"price {price_text!r}, amount {amount_text!r}")
        if price <= ZERO or amount <= ZERO:
            raise BadRow("not_positive", f"price {price_text}, amount {amount_text}")
        return ts_ms, trade_id, price, amount, _TAKER[side]


class BarBuilder:
    """One bar at a time from the trades of one instrument."""

    def __init__(self, symbol: str, timeframe_ms: int) -> None:
        self._symbol = symbol
        self._frame = timeframe_ms
        self._open_ms = 0
        self._bar: list[Decimal] | None = None
        self.close_ms: int | None = None

    def finish(self) -> Bar:
        """The bar that was being built. Call it only while `close_ms` is not None."""
        assert self._bar is not None
        first, high, low, close, volume = self._bar
        self._bar = self.close_ms = None
        return Bar(self._symbol, self._open_ms, self._frame, first, high, low, close, volume)

    def add(self, trade: PublicTrade) -> None:
        """Take a trade into the bar of its time."""
        price, bar = trade.price, self._bar
        if bar is None:
            self._open_ms = trade.ts_ms - trade.ts_ms % self._frame
            self.close_ms = self._open_ms + self._frame
            self._bar = [price, price, price, price, trade.quantity]
            return
        if price > bar[1]:
            bar[1] = price
        elif price < bar[2]:
            bar[2] = price
        bar[3] = price
        bar[4] = add(bar[4], trade.quantity)


def with_bars(
    events: Iterable[MarketEvent], symbol: str, timeframe_ms: int, findings: Findings, last_file: str
) -> Iterator[MarketEvent]:
    """`events` of one instrument with the bars of their trades between them.

    A bar comes before any event at or after its close. A bar without trades does not exist. The bar the recording
    ends in is not released: nobody has seen its close.
    """
    builder = BarBuilder(symbol, timeframe_ms)
    for event in events:
        if builder.close_ms is not None and event_time(event) >= builder.close_ms:
            yield builder.finish()
        if type(event) is PublicTrade:
            builder.add(event)
        yield event
    if builder.close_ms is not None:
        findings.warnings.add(last_file, "unfinished_bar", f"would have closed at {builder.close_ms}")
