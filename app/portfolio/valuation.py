"""What a unit of an asset is worth in the account currency (US dollars): a dollar coin is 1, the mark of a market
against one is next, a reference rate of the config last. For limits and sizes, never for a posting.

To trade on, a mark must be fresh. A market that has spoken and went quiet gives no rate, and the reference does not
stand in for it: it would put an old number of the config in the place of a newer one. Before such a market has spoken
in this session the reference, if there is one, does stand in: nothing known contradicts it, and the markets of a
recording do not all begin at one instant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final

from app.money import ZERO, add, mul, neg
from app.portfolio.positions import PositionBook
from strategies.model import Instrument

ONE = Decimal(1)
_NOTHING: Final[Mapping[str, Decimal]] = {}
Mark = Callable[[str], tuple[Decimal, int] | None]
"""``symbol -> (price, ts_ms)``, or None before the first price."""
Fresh = Callable[[str, int], bool]
"""``(symbol, ts_ms of its mark) -> whether it is young enough to trade on``"""


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

    def rate(self, asset: str, fresh: Fresh) -> Decimal | None:
        """Account currency per unit of `asset`, to trade on; None when nothing values it, or nothing fresh does."""
        marks = self._marks(asset)
        if not marks:
            return self._reference.get(asset)
        return next((price for symbol, price, ts_ms in marks if fresh(symbol, ts_ms)), None)

    def last_rate(self, asset: str) -> Decimal | None:
        """The same at the newest mark of any age: for what is told, and for a curve that must not have gaps."""
        marks = self._marks(asset)
        if not marks:
            return self._reference.get(asset)
        return max(marks, key=lambda mark: mark[2])[1]

    def _marks(self, asset: str) -> list[tuple[str, Decimal, int]]:
        """Symbol, price and time of each market that has valued `asset` in dollars; a dollar coin needs none."""
        if self._reference.get(asset) == ONE:
            return []
        return [
            (instrument.symbol, *mark)
            for instrument in self._against.get(asset, ())
            if self._reference.get(instrument.quote) == ONE and (mark := self._mark(instrument.symbol))
        ]

    def trading_profit(
        self,
        book: PositionBook,
        instruments: Mapping[str, Instrument],
        gas: Mapping[str, Decimal] = _NOTHING,
        earned: Mapping[str, Decimal] = _NOTHING,
    ) -> Decimal | None:
        """Realised and unrealised profit after fees and gas of everything, in account currency, at the last known
        prices: a market that went quiet must not keep a loss from the drawdown. None when a part has no value at all.

        Args:
            gas: what all transactions have cost, by coin.
            earned: what acts have won, by asset.
        """
        result = ZERO
        for asset, amount in (*((coin, neg(spent)) for coin, spent in gas.items()), *earned.items()):
            if not amount:
                continue
            rate = self.last_rate(asset)
            if rate is None:
                return None
            result = add(result, mul(amount, rate))
        for (_, symbol), holding in book.holdings.items():
            profit = holding.net
            if holding.quantity:
                mark = self._mark(symbol)
                if mark is None:
                    return None
                profit = add(profit, holding.unrealised(mark[0]))
            if profit:
                rate = self.last_rate(instruments[symbol].quote)
                if rate is None:
                    return None
                result = add(result, mul(profit, rate))
        return result
