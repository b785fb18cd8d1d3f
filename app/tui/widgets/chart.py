"""Candles, two rows of price to a character cell, drawn from finished bars and the price of this moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType

from app.tui import words
from app.tui.widgets.lines import Line, Lines, Piece, fit, line

if TYPE_CHECKING:
    from app.tui.app import Terminal
    from app.tui.glyphs import Glyphs
    from app.tui.last import PastBar
    from strategies.model import Bar

_AXIS: Final = 11
"""Cells of the price axis."""
_NOTHING, _WICK, _BODY = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle. Floats: this is a picture, no amount is taken from it."""

    open: float
    high: float
    low: float
    close: float

    @property
    def rose(self) -> bool:
        """Closed no lower than it opened."""
        return self.close >= self.open


@dataclass(frozen=True, slots=True)
class Level:
    """A price worth a mark on the axis: an entry, a stop, a target, the last price."""

    price: float
    text: str
    role: str


def candle(bar: Bar) -> Candle:
    """A bar as a picture."""
    return Candle(float(bar.open), float(bar.high), float(bar.low), float(bar.close))


def draw(
    candles: Sequence[Candle], levels: Sequence[Level], width: int, height: int, glyphs: Glyphs, tick: Decimal
) -> list[Line]:
    """The newest candles that fit, one to a column, and the price axis on the right."""
    columns = max(1, width - _AXIS)
    shown = list(candles)[-columns:]
    if not shown or height < 2:
        return []
    prices = [each.high for each in shown] + [each.low for each in shown]
    low, high = min(prices), max(prices)
    near = [level.price for level in levels if low - (high - low) <= level.price <= high + (high - low)]
    low, high = min([low, *near]), max([high, *near])
    scale = (height * 2 - 1) / (high - low) if high > low else 0.0
    rows = _rows(shown, height, low, scale, glyphs)
    marks = {
        height - 1 - int((level.price - low) * scale) // 2: level for level in levels if low <= level.price <= high
    }
    result = []
    for number, pieces in enumerate(rows):
        padding = " " * (columns - len(shown))
        result.append(line((padding, ""), *pieces, _axis(number, height, low, high, marks, tick)))
    return result


def _rows(shown: Sequence[Candle], height: int, low: float, scale: float, glyphs: Glyphs) -> list[list[Piece]]:
    """The text rows, top first: runs of one role, so that a row is a few pieces. A candle touches few of them."""
    rows: list[list[Piece]] = [[] for _ in range(height)]
    written = [0] * height
    for column, each in enumerate(shown):
        role = "up" if each.rose else "down"
        wick = range(int((each.low - low) * scale), int((each.high - low) * scale) + 1)
        ends = int((each.open - low) * scale), int((each.close - low) * scale)
        body = range(min(ends), max(ends) + 1)
        for half in range(wick.start // 2, (wick.stop - 1) // 2 + 1):
            number = height - 1 - half
            upper, lower = _part(half * 2 + 1, body, wick), _part(half * 2, body, wick)
            row, gap = rows[number], column - written[number]
            drawn = glyphs.candle[upper][lower]
            if gap:
                row.append((" " * gap, ""))
            if row and row[-1][1] == role:
                drawn = row.pop()[0] + drawn
            row.append((drawn, role))
            written[number] = column + 1
    return [[*row, (" " * (len(shown) - written[number]), "")] for number, row in enumerate(rows)]


def _part(half: int, body: range, wick: range) -> int:
    """What a candle shows in the half cell number `half` from the bottom."""
    return _BODY if half in body else _WICK if half in wick else _NOTHING


def _axis(number: int, height: int, low: float, high: float, marks: dict[int, Level], tick: Decimal) -> Piece:
    mark = marks.get(number)
    if mark is not None:
        return fit(f" {mark.text}", _AXIS), mark.role
    if number % 4 and number != height - 1:
        return " " * _AXIS, ""
    at = high - (high - low) * number / max(1, height - 1)
    return fit(f" {_price(Decimal(repr(at)), tick)}", _AXIS), "dim"


def _price(amount: Decimal, tick: Decimal) -> str:
    """With as many of the tick's decimals as the axis is wide; a pool's prices have more than it can hold."""
    text = words.price(amount, tick)
    while len(text) >= _AXIS and tick < 1:
        tick = tick.scaleb(1)
        text = words.price(amount, tick)
    return text


class Chart(Lines, can_focus=True):
    """The chart of one instrument."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket", "zoom(1)", "more bars to a candle", show=False),
        Binding("right_square_bracket", "zoom(-1)", "fewer bars to a candle", show=False),
    ]
    app: Terminal

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- Textual's name
        super().__init__(id=id, classes="pane")
        self._symbol = ""
        self._bars: Sequence[Bar | PastBar] = ()
        self._last: Decimal | None = None
        self._levels: tuple[Level, ...] = ()
        self._tick = Decimal(1)
        self._each = 1
        self._made: list[Candle] = []
        self._made_for = ("", 0, 0, 0)

    def set_market(
        self, symbol: str, bars: Sequence[Bar | PastBar], last: Decimal | None, levels: tuple[Level, ...], tick: Decimal
    ) -> None:
        """What to draw."""
        self._symbol, self._bars, self._last, self._levels, self._tick = symbol, bars, last, levels, tick
        frame = bars[-1].timeframe_ms // 60_000 * self._each if bars else 0
        self.entitle(f"{symbol}  {frame}m candles" if frame else symbol)
        self.show()

    def action_zoom(self, by: int) -> None:
        """Put more or fewer bars into one candle."""
        choices = (1, 5, 15, 60)
        place = max(0, min(len(choices) - 1, choices.index(self._each) + by))
        self._each = choices[place]
        self.show()

    def content(self, width: int, height: int) -> list[Line]:
        """Candles above, the time of the first and the last below."""
        if not self._bars:
            return [line((" no bars yet: the market has just begun", "dim"))]
        made = self._candles(max(1, width - _AXIS))
        levels = self._levels
        if self._last is not None:
            levels = (*levels, Level(float(self._last), _price(self._last, self._tick), "title"))
        body = draw(made, levels, width, height - 1, self.app.glyphs, self._tick)
        shown = min(len(made), max(1, width - _AXIS))
        first = self._bars[-min(len(self._bars), shown * self._each)].open_ms
        left, right = _time(first), _time(self._bars[-1].close_ms)
        gap = max(1, width - _AXIS - len(left) - len(right))
        return [*body, line((f"{left}{' ' * gap}{right}", "dim"))]

    def _candles(self, columns: int) -> list[Candle]:
        """The newest, at most `columns` finished ones. They are made once a bar, not with each price."""
        each, bars = self._each, self._bars
        count = min(len(bars) // each, columns)
        made_for = (self._symbol, each, count, bars[-1].open_ms)
        if made_for != self._made_for:
            first = len(bars) - count * each
            groups = [bars[start : start + each] for start in range(first, len(bars), each)]
            self._made_for = made_for
            self._made = [
                Candle(
                    float(group[0].open),
                    max(float(bar.high) for bar in group),
                    min(float(bar.low) for bar in group),
                    float(group[-1].close),
                )
                for group in groups
            ]
        made = list(self._made)
        if self._last is not None:
            opened, last = float(bars[-1].close), float(self._last)
            made.append(Candle(opened, max(opened, last), min(opened, last), last))
        return made


def _time(ts_ms: int) -> str:
    return f"{datetime.fromtimestamp(ts_ms / 1000, UTC):%m-%d %H:%M}"
