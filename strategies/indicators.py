"""Streaming indicators: one `update` per bar, constant cost, no history kept beyond the window.

Floats: these are statistics and never become an amount. `value` is meaningful from the update that makes the stated
number of inputs complete; before that it is the documented start value. Nothing here looks ahead: `value` depends on
the updates made so far and on nothing else.
"""

from __future__ import annotations

import math
from collections import deque

__all__ = ["Adx", "Atr", "Ema", "RollingMax", "RollingMin", "RollingStats", "Rsi", "WindowStats"]


class Ema:
    """Exponential moving average: value += alpha * (x - value), alpha = 2 / (n + 1), started at the first input.

    The start value's weight after k further inputs is (1 - alpha)**k: 13 % after n, 0.2 % after 3n.
    Source: NIST/SEMATECH e-Handbook of Statistical Methods, 6.4.3.1, with the trader's usual alpha for a length n.
    """

    __slots__ = ("_alpha", "_started", "value")

    def __init__(self, length: int) -> None:
        self._alpha = 2.0 / (length + 1)
        self._started = False
        self.value = 0.0

    def update(self, x: float) -> float:
        """Take one input, return the new average."""
        if self._started:
            self.value += self._alpha * (x - self.value)
        else:
            self.value = x
            self._started = True
        return self.value


class Atr:
    """Average true range: the mean of the first n true ranges, then value += (range - value) / n. 0 until n are in.

    True range is the largest of high - low, |high - previous close|, |low - previous close|; the first bar's is
    high - low. Source: Wilder, "New Concepts in Technical Trading Systems" (1978).
    """

    __slots__ = ("_close", "_count", "_length", "_sum", "true_range", "value")

    def __init__(self, length: int) -> None:
        self._length = length
        self._count = 0
        self._sum = 0.0
        self._close = math.nan
        self.true_range = 0.0
        self.value = 0.0

    def update(self, high: float, low: float, close: float) -> float:
        """Take one bar, return the new average."""
        before = self._close
        self._close = close
        # The largest of the three differences is the span of the bar stretched to the close before it. A comparison
        # with the first bar's NaN is false, which leaves high and low as they are.
        if before > high:
            high = before
        elif before < low:
            low = before
        self.true_range = span = high - low
        if self._count == self._length:
            self.value += (span - self.value) / self._length
        else:
            self._count += 1
            self._sum += span
            if self._count == self._length:
                self.value = self._sum / self._length
        return self.value


class Adx:
    """Average directional index, 0..100: how one-sided moves are, whichever way. 0 until 2 n bars are in.

    Directional movement is the larger of how far the high rose and the low fell, and counts for that side alone. Each
    side's is smoothed as in `Atr` (the true range that both are divided by cancels out).
    DX = 100 * |up - down| / (up + down), 0 while nothing moves; ADX is the mean of the first n of those, then smoothed
    the same way. Source: Wilder (1978), as `Atr`.
    """

    __slots__ = ("_count", "_down", "_dx_sum", "_high", "_length", "_low", "_up", "value")

    def __init__(self, length: int) -> None:
        self._length = length
        self._count = -1
        self._high = self._low = 0.0
        self._up = self._down = self._dx_sum = 0.0
        self.value = 0.0

    def update(self, high: float, low: float) -> float:
        """Take one bar, return the new index."""
        rise, fall = high - self._high, self._low - low
        self._high, self._low = high, low
        self._count += 1
        if self._count == 0:
            return 0.0
        length = self._length
        up = rise if rise > fall and rise > 0.0 else 0.0
        down = fall if fall > rise and fall > 0.0 else 0.0
        # Sums and not means, as Wilder keeps them: the ratio below is the same.
        keep = 1.0 - 1.0 / length if self._count > length else 1.0
        self._up = self._up * keep + up
        self._down = self._down * keep + down
        if self._count < length:
            return 0.0
        both = self._up + self._down
        dx = 100.0 * abs(self._up - self._down) / both if both > 0.0 else 0.0
        if self._count < 2 * length:
            self._dx_sum += dx
            if self._count == 2 * length - 1:
                self.value = self._dx_sum / length
        else:
            self.value += (dx - self.value) / length
        return self.value


class Rsi:
    """Relative strength index, 0..100: 100 * up / (up + down), the averages of rises and falls smoothed as in `Atr`.

    50 until n changes (n + 1 closes) are in, and while nothing moves at all. Source: Wilder (1978), as `Atr`.
    """

    __slots__ = ("_close", "_count", "_down", "_length", "_up")

    def __init__(self, length: int) -> None:
        self._length = length
        self._count = -1
        self._close = 0.0
        self._up = 0.0
        self._down = 0.0

    def update(self, close: float) -> None:
        """Take one close; `value` is worked out when it is asked for."""
        change = close - self._close
        self._close = close
        length = self._length
        if self._count == length:
            if change > 0.0:
                self._up += (change - self._up) / length
                self._down -= self._down / length
            else:
                self._up -= self._up / length
                self._down -= (change + self._down) / length
            return
        if self._count >= 0:  # the first close has nothing to have changed from
            if change > 0.0:
                self._up += change / length
            else:
                self._down -= change / length
        self._count += 1

    @property
    def value(self) -> float:
        """The index."""
        both = self._up + self._down
        return 100.0 * self._up / both if self._count == self._length and both > 0.0 else 50.0


class RollingMax:
    """Highest of the last n inputs (upper Donchian channel when fed highs); -inf before the first.

    A queue of the candidates that can still become the maximum, falling from its head: each input enters and leaves
    once, so an update costs O(1) on average. Source: Lemire, "Streaming Maximum-Minimum Filter Using No More than
    Three Comparisons per Element" (2006); Donchian's channel rule as in Kaufman, "Trading Systems and Methods".
    """

    __slots__ = ("_candidates", "_index", "_length", "value")

    def __init__(self, length: int) -> None:
        self._length = length
        self._index = 0
        self._candidates: deque[tuple[float, int]] = deque()
        self.value = -math.inf

    def update(self, x: float) -> float:
        """Take one input, return the new maximum."""
        candidates, index = self._candidates, self._index
        while candidates and candidates[-1][0] <= x:
            candidates.pop()
        candidates.append((x, index + self._length))  # the input counts until that index
        if candidates[0][1] == index:
            candidates.popleft()
        self._index = index + 1
        self.value = candidates[0][0]
        return self.value


class RollingMin:
    """Lowest of the last n inputs (lower Donchian channel when fed lows); inf before the first. See `RollingMax`."""

    __slots__ = ("_candidates", "_index", "_length", "value")

    def __init__(self, length: int) -> None:
        self._length = length
        self._index = 0
        self._candidates: deque[tuple[float, int]] = deque()
        self.value = math.inf

    def update(self, x: float) -> float:
        """Take one input, return the new minimum."""
        # Written out, not a mirrored RollingMax: the second call would cost a quarter more.
        candidates, index = self._candidates, self._index
        while candidates and candidates[-1][0] >= x:
            candidates.pop()
        candidates.append((x, index + self._length))
        if candidates[0][1] == index:
            candidates.popleft()
        self._index = index + 1
        self.value = candidates[0][0]
        return self.value


class RollingStats:
    """Mean and population standard deviation of the last n inputs (of those so far until n are in; 0 before any).

    Sums of x and x*x around a recent mean, which keeps them small; they are summed afresh once per n updates, so
    rounding can not pile up and the cost stays O(1) on average. Source: Chan, Golub and LeVeque, "Algorithms for
    Computing the Sample Variance", The American Statistician 37 (1983), shifted data.
    """

    __slots__ = ("_length", "_next", "_shift", "_squares", "_sum", "_window")

    def __init__(self, length: int) -> None:
        self._length = length
        self._window: list[float] = []
        self._next = 0
        self._shift = 0.0
        self._sum = 0.0
        self._squares = 0.0

    def update(self, x: float) -> None:
        """Take one input; `mean` and `deviation` are worked out when they are asked for."""
        window, slot = self._window, self._next
        if len(window) < self._length:
            window.append(x)
            if slot == 0:
                self._shift = x
            shifted = x - self._shift
            self._sum += shifted
            self._squares += shifted * shifted
        else:
            old = window[slot]
            window[slot] = x
            change = x - old
            self._sum += change
            self._squares += change * (x + old - 2.0 * self._shift)
        if slot + 1 == self._length:
            self._next = 0
            self._refresh()
        else:
            self._next = slot + 1

    def _refresh(self) -> None:
        window = self._window
        self._shift = shift = math.fsum(window) / len(window)
        self._sum = math.fsum([x - shift for x in window])
        self._squares = math.fsum([(x - shift) ** 2 for x in window])

    @property
    def mean(self) -> float:
        """Mean of the window."""
        return self._shift + self._sum / len(self._window) if self._window else 0.0

    @property
    def deviation(self) -> float:
        """Population standard deviation of the window."""
        count = len(self._window)
        if count < 2:
            return 0.0
        mean = self._sum / count
        return math.sqrt(max(0.0, self._squares / count - mean * mean))


class WindowStats:
    """Mean and population standard deviation of exactly the last n inputs (of those so far until n are in).

    Both follow from the inputs in the window alone, to the last bit, wherever the series began: `fsum` is exact and
    knows no order. `RollingStats` is ten times cheaper and keeps a rounding of its past, so what becomes a price (a
    target at the mean) comes from here. Source: Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust
    Geometric Predicates" (1997), as in Python's `math.fsum`.
    """

    __slots__ = ("_window",)

    def __init__(self, length: int) -> None:
        self._window: deque[float] = deque(maxlen=length)

    def update(self, x: float) -> None:
        """Take one input; the statistics are worked out when they are asked for."""
        self._window.append(x)

    def both(self) -> tuple[float, float]:
        """Mean and deviation; 0 and 0 before any input."""
        window = self._window
        count = len(window)
        if not count:
            return 0.0, 0.0
        mean = math.fsum(window) / count
        return mean, math.sqrt(math.fsum([(x - mean) ** 2 for x in window]) / count)
