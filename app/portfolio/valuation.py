"""What a unit of an asset is worth in the account currency (US dollars): a dollar coin is 1, a fresh mark against
something that has a value is next, a reference rate of the config last. For limits and sizes, never for a posting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from app.money import ZERO, add, mul
from app.portfolio.positions import PositionBook
from strategies.model import Instrument

ONE = Decimal(1)
Mark = Callable[[str], tuple[Decimal, int] | None]
"""``symbol -> (price, ts_ms)``, or None before the first price."""


class Valuation:
    """Rates by asset.

    Args:
        reference: account currency per unit, from the config; dollar coins stand there at 1.
        mark: newest price of an instrument.
    """

    def __init__(self, instruments: Iterable[Instrument], reference: Mapping[str, Decimal], mark: Mark) -> None:
        self._reference = dict(reference)
        self._mark = mark
        self._against: dict[str, list[Instrument]] = {}
        for instrument in instruments:
            self._against.setdefault(instrument.base, []).append(instrument)

    def rate(self, asset: str) -> Decimal | None:
        """Account currency per unit of `asset`, or None when nothing values it."""
        reference = self._reference.get(asset)
        if reference == ONE:
            return reference
        for instrument in self._against.get(asset, ()):
            if self._reference.get(instrument.quote) == ONE and (mark := self._mark(instrument.symbol)):
                return mark[0]
        return reference

    def trading_profit(self, book: PositionBook, instruments: Mapping[str, Instrument]) -> Decimal | None:
        """Realised and unrealised profit after fees of everything, in account currency; None when a part of it has no
        value (no mark, no rate)."""
        result = ZERO
        for (_, symbol), holding in book.holdings.items():
            profit = holding.net
            if holding.quantity:
                mark = self._mark(symbol)
                if mark is None:
                    return None
                profit = add(profit, holding.unrealised(mark[0]))
            if profit:
                rate = self.rate(instruments[symbol].quote)
                if rate is None:
                    return None
                result = add(result, mul(profit, rate))
        return result
