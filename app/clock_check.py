"""Whether this computer's clock is right, by what others say the time is: a venue where there is one, else the ``Date``
of several https answers. A ``Date`` is whole seconds, and an answer takes its time: what comes out is a range."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import combinations
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from app.engine.clock import Clock

if TYPE_CHECKING:
    import aiohttp

MOST_SKEW_MS: Final = 2_000
LEAST_SOURCES: Final = 2
_SECOND_MS: Final = 999
_PATIENCE_S: Final = 6.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One source's time, ms UTC.

    Attributes:
        said_ms: what it said; the truth is up to `coarse_ms` later.
        sent_ms: our clock when it was asked; `got_ms`: when it had answered.
    """

    source: str
    said_ms: int
    sent_ms: int
    got_ms: int
    coarse_ms: int = _SECOND_MS

    @property
    def range_ms(self) -> tuple[int, int]:
        """Least and largest that our clock can be ahead of it."""
        return self.sent_ms - self.said_ms - self.coarse_ms, self.got_ms - self.said_ms


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the samples come to.

    Attributes:
        checked: the clock is right, to `MOST_SKEW_MS`.
        words: that it is, that it is not, or why nobody knows.
        worst_ms: it is off by at most this; None where that is not known.
        sources: those that agree.
    """

    checked: bool
    words: str
    worst_ms: int | None = None
    sources: tuple[str, ...] = ()


def judge(samples: Sequence[Sample], asked: int, *, least: int = LEAST_SOURCES) -> Verdict:
    """Believe what most of the sources agree on.

    Args:
        asked: how many were asked.
        least: how many must agree; a venue alone is enough, for its time is the one that counts there.
    """
    if not asked:
        return Verdict(checked=False, words="not checked: the settings name no source (clock.sources)")
    if not samples:
        return Verdict(checked=False, words=f"not checked: none of {asked} sources answered (offline?)")
    agreeing = _agreeing(samples)
    if len(agreeing) < least or 2 * len(agreeing) <= len(samples):
        what = f"{len(samples)} of {asked} sources answered and {len(agreeing)} agree"
        return Verdict(checked=False, words=f"not checked: {what}; {least} and most of them must")
    low, high = _common(agreeing)
    hosts = tuple(each.source for each in agreeing)
    if low > MOST_SKEW_MS or high < -MOST_SKEW_MS:
        way = f"at least {low} ms ahead" if low > 0 else f"at least {-high} ms behind"
        return Verdict(checked=False, words=f"this computer's clock is {way}: set it", sources=hosts)
    worst = max(abs(low), abs(high))
    if worst > MOST_SKEW_MS:
        what = f"the answers took too long to tell ({low} to {high} ms ahead)"
        return Verdict(checked=False, words=f"not checked: {what}", worst_ms=worst, sources=hosts)
    return Verdict(checked=True, words=f"off by at most {worst} ms", worst_ms=worst, sources=hosts)


def _agreeing(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """The most samples whose ranges have something in common."""
    for count in range(len(samples), 0, -1):
        for some in combinations(samples, count):
            low, high = _common(some)
            if low <= high:
                return some
    return ()


def _common(samples: Sequence[Sample]) -> tuple[int, int]:
    ranges = [each.range_ms for each in samples]
    return max(low for low, _ in ranges), min(high for _, high in ranges)


async def ask(sources: Sequence[str], clock: Clock) -> tuple[Sample, ...]:
    """Ask every source at the same time; who does not answer in time is left out. Certificates are verified, so that
    neither a hotel's log-in page nor anybody on the way tells the time."""
    if not sources:
        return ()
    import aiohttp  # noqa: PLC0415 -- 0.2 s, and only where a clock is checked

    async def one(session: aiohttp.ClientSession, url: str) -> Sample | None:
        found = [await _sample(session, url, clock) for _ in range(2)]  # the second without a handshake
        good = [each for each in found if each is not None]
        return min(good, key=lambda each: each.got_ms - each.sent_ms, default=None)

    limit = aiohttp.ClientTimeout(total=_PATIENCE_S)
    async with aiohttp.ClientSession(timeout=limit, trust_env=True) as session:
        found = await asyncio.gather(*(one(session, url) for url in sources))
    return tuple(each for each in found if each is not None)


async def _sample(session: aiohttp.ClientSession, url: str, clock: Clock) -> Sample | None:
    import aiohttp  # noqa: PLC0415 -- as above

    with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError, TypeError, KeyError):
        sent = clock.now_ms()
        async with session.head(url, allow_redirects=False) as answer:
            got = clock.now_ms()
            said = parsedate_to_datetime(answer.headers["Date"])
            if said.tzinfo is not None and answer.headers.get("Age", "0").strip() == "0":
                return Sample(urlsplit(url).netloc, round(said.timestamp() * 1000), sent, got)
    return None  # no answer, no date, or what a cache says the time was
