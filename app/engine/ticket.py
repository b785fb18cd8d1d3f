"""The manual ticket: what a trader asks for by hand, read from typed text field by field. Pure: no market, no desk.

Amounts are plain decimals (``0.05``, ``12``): digits, at most one point, no sign, no exponent, no separator, no suffix.
Whatever is typed gives an exact ticket or a problem that names its field; nothing here raises for it, and nothing is
ever a float. What the market and the account have to say of a ticket is in `app.engine.manual`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from app.money import DOWN, ZERO, from_text, round_to_step, to_text
from app.text import escape_untrusted
from strategies.base import MANUAL
from strategies.model import Instrument, Side

MOST_SECONDS: Final = 30 * 86_400
LIMIT_SECONDS: Final = 86_400
"""How long a limit stays open when nothing is said: a day order."""
DIGITS: Final = 10
PLACES: Final = 18
"""Digits before and after the point. Price, quantity and rate multiplied then fit the ledger's 100 digits, exactly."""

_AMOUNT: Final = re.compile(rf"[0-9]{{1,{DIGITS}}}(\.[0-9]{{1,{PLACES}}})?", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,7}", re.ASCII)
_MODULE: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_PLAIN: Final = f"a plain decimal such as 0.05: at most {DIGITS} digits before the point and {PLACES} after it"
_SHOWN: Final = 40

E = TypeVar("E", bound=StrEnum)


class Kind(StrEnum):
    """How it trades. MARKET: at once, no worse than `price`. LIMIT: at `price` or better, and waits for it."""

    MARKET = "market"
    LIMIT = "limit"


class Measure(StrEnum):
    """What `quantity` counts: units of the base, or a value (at the ticket's price) in the quote asset or in account
    currency. A value is rounded down to the lot."""

    BASE = "base"
    QUOTE = "quote"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a field can not be accepted. `allowed` says what could, or is empty. `words` may hold what was typed."""

    field: str
    words: str
    allowed: str = ""

    def __str__(self) -> str:
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        return f"{self.field}: {self.words}{allowed}"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A trade by hand. A buy opens a position of module ``manual``; a sale reduces what `module` holds.

    Attributes:
        quantity: by `measure`; None sells all that is held, and is no buy.
        price: worst price (MARKET; None: the touch and the slippage setting) or limit price (LIMIT).
        stop: needed by a buy: exits are decided before entries. A sale has no exits of its own.
        time_in_force_ms: None is the session's own for MARKET and `LIMIT_SECONDS` for LIMIT.

    Raises:
        TypeError, ValueError: an amount is no Decimal, or not within `DIGITS` and `PLACES`. `read` makes none of these.
    """

    symbol: str
    side: Side
    quantity: Decimal | None
    measure: Measure = Measure.BASE
    kind: Kind = Kind.MARKET
    price: Decimal | None = None
    stop: Decimal | None = None
    target: Decimal | None = None
    time_in_force_ms: int | None = None
    module: str = MANUAL

    def __post_init__(self) -> None:
        for amount in (self.quantity, self.price, self.stop, self.target):
            if amount is None:
                continue
            if type(amount) is not Decimal:
                raise TypeError(f"a ticket's amounts must be Decimal, not {type(amount).__name__}")
            if not amount.is_finite() or amount <= ZERO or _AMOUNT.fullmatch(to_text(amount)) is None:
                raise ValueError(f"a ticket's amount must be above 0 and {_PLAIN}, not {amount}")


FIELDS: Final = (
    "symbol", "side", "quantity", "measure", "kind", "price", "stop", "target", "seconds", "module",
)  # fmt: skip
"""Of a typed ticket, by name: as `Ticket`, and ``seconds`` for its time in force."""


@dataclass(slots=True)
class _Reading:
    """Typed fields on their way to a ticket."""

    typed: Mapping[str, object]
    problems: list[Problem] = field(default_factory=list)

    def text(self, name: str) -> str:
        """What was typed; empty for nothing, and for what is no text, which is a problem."""
        value = self.typed.get(name)
        if value is None or isinstance(value, str):
            return value or ""
        self.wrong(name, "is not text", "text")
        return ""

    def wrong(self, name: str, words: str, allowed: str) -> None:
        self.problems.append(Problem(name, words, allowed))

    def choice(self, name: str, kinds: type[E], usual: E | None) -> E | None:
        text = self.text(name)
        if not text and usual is not None:
            return usual
        for each in kinds:
            if each.value == text:
                return each
        self.wrong(name, "is needed" if not text else f"{_shown(text)} is not one of the choices", ", ".join(kinds))
        return None

    def amount(self, name: str) -> Decimal | None:
        text = self.text(name)
        if not text:
            return None
        if _AMOUNT.fullmatch(text) is None:
            self.wrong(name, f"{_shown(text)} is not an amount", _PLAIN)
            return None
        amount = from_text(to_text(Decimal(text)))
        if amount <= ZERO:
            self.wrong(name, f"{_shown(text)} is nothing", "above 0")
            return None
        return amount

    def milliseconds(self) -> int | None:
        text = self.text("seconds")
        if not text:
            return None
        if _SECONDS.fullmatch(text) is None or not 1 <= int(text) <= MOST_SECONDS:
            self.wrong("seconds", f"{_shown(text)} is no time in force", f"whole seconds from 1 to {MOST_SECONDS}")
            return None
        return int(text) * 1000

    def module(self) -> str:
        text = self.text("module")
        if text and _MODULE.fullmatch(text) is None:
            self.wrong("module", f"{_shown(text)} is no module's name", "a module that holds a position, or manual")
        return text or MANUAL


def read(typed: Mapping[str, object]) -> tuple[Ticket | None, tuple[Problem, ...]]:
    """The ticket of typed fields (`FIELDS`; empty or missing: not given), or None and what is wrong with which field.

    A ticket that is read is exact and complete, not yet good: ask `app.engine.manual.Tickets.problems`.
    """
    reading = _Reading(typed)
    for name in typed:
        if name not in FIELDS:
            reading.wrong(_shown(name), "is no field of a ticket", ", ".join(FIELDS))
    side = reading.choice("side", Side, None)
    kind = reading.choice("kind", Kind, Kind.MARKET)
    measure = reading.choice("measure", Measure, Measure.BASE)
    amounts = {name: reading.amount(name) for name in ("quantity", "price", "stop", "target")}
    time_in_force_ms, module, symbol = reading.milliseconds(), reading.module(), reading.text("symbol")
    told = {problem.field for problem in reading.problems}
    given = {name for name, value in typed.items() if value}
    needed = [each for each in missing(side, kind, given, has_symbol=bool(symbol)) if each.field not in told]
    if reading.problems or needed or side is None or kind is None or measure is None:
        return None, (*reading.problems, *needed)
    return Ticket(
        symbol=symbol,
        side=side,
        measure=measure,
        kind=kind,
        time_in_force_ms=time_in_force_ms,
        module=module,
        **amounts,
    ), ()


def missing(side: Side | None, kind: Kind | None, given: set[str], *, has_symbol: bool) -> list[Problem]:
    """What a ticket of this side and kind needs and was not given, and what it can not have."""
    found = [] if has_symbol else [Problem("symbol", "is needed", "an instrument such as ETH-USDT")]
    if kind is Kind.LIMIT and "price" not in given:
        found.append(Problem("price", "is needed: a limit waits at a price", "above 0"))
    if side is Side.BUY:
        if "quantity" not in given:
            found.append(Problem("quantity", "is needed", "above 0"))
        if "stop" not in given:
            found.append(Problem("stop", "is needed: exits are decided before entries", "above 0 and below the price"))
    elif side is Side.SELL:
        found += [
            Problem(name, "a sale closes a position and has no exits of its own", "nothing")
            for name in ("stop", "target")
            if name in given
        ]
    return found


def given_fields(ticket: Ticket) -> set[str]:
    """Names of the optional amounts a ticket has."""
    return {name for name in ("quantity", "price", "stop", "target") if getattr(ticket, name) is not None}


def off_step(ticket: Ticket, instrument: Instrument) -> list[Problem]:
    """Prices that are no multiple of the tick, a quantity that is none of the lot. A price is never moved in silence:
    it is what will be signed."""
    prices = [(name, getattr(ticket, name), instrument.tick, "tick") for name in ("price", "stop", "target")]
    if ticket.measure is Measure.BASE:
        prices.append(("quantity", ticket.quantity, instrument.lot, "lot"))
    return [
        Problem(name, f"{to_text(amount)} is no multiple of the {word}", f"multiples of {to_text(step)}")
        for name, amount, step, word in prices
        if amount is not None and round_to_step(amount, step, DOWN) != amount
    ]


def _shown(text: str) -> str:
    return f'"{escape_untrusted(text, _SHOWN)}"'
