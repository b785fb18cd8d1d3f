"""The words strategies speak: what they see (Instrument, Bar, Quote, Book, PublicTrade, Fill, Position) and what they
say (Signal). `Intent` is here too because it is the widest type that is still a pure decision; `app` makes it.

Times are int ms UTC; `Decimal` everywhere a price or an amount is meant. Statistics inside a strategy may be float;
they leave it only as a `Signal`, never as an amount.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import Final

from strategies.acts import Act
from strategies.wishes import ActWish

_ZERO: Final = Decimal(0)

MOST_LEGS: Final = 10
"""Of one basket: each is a line of the text that a person reads on a device with three lines a page."""


class Side(StrEnum):
    """Which way an order trades the base asset."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class InstrumentKind(StrEnum):
    """What is traded. A perpetual is traded fully collateralised, long only, until a futures venue says otherwise."""

    SPOT = "spot"
    PERPETUAL = "perpetual"


@dataclass(frozen=True, slots=True)
class Instrument:
    """Something tradable. `symbol` is ``BASE-QUOTE`` or ``BASE-QUOTE-PERP``; prices are multiples of `tick`,
    quantities (of `base`) multiples of `lot`."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    kind: InstrumentKind = InstrumentKind.SPOT


@dataclass(frozen=True, slots=True)
class Bar:
    """One finished candle; known at `close_ms`, never before."""

    symbol: str
    open_ms: int
    timeframe_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    @property
    def close_ms(self) -> int:
        """The instant at which the bar is known."""
        return self.open_ms + self.timeframe_ms


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask with their sizes in base units. `synthetic`: made from a bar, not seen on a market."""

    symbol: str
    ts_ms: int
    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Book:
    """Price levels ``(price, quantity)``, best first on both sides."""

    symbol: str
    ts_ms: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    synthetic: bool = False

    def quote(self) -> Quote | None:
        """The touch, or None while one side is empty."""
        if not self.bids or not self.asks:
            return None
        (bid, bid_size), (ask, ask_size) = self.bids[0], self.asks[0]
        return Quote(self.symbol, self.ts_ms, bid, ask, bid_size, ask_size, self.synthetic)


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """One trade of the market (not ours). `taker` is None where the source does not say."""

    symbol: str
    ts_ms: int
    price: Decimal
    quantity: Decimal
    taker: Side | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """What one module holds of one instrument. `average_entry` is for display and statistics."""

    symbol: str
    quantity: Decimal
    average_entry: Decimal
    opened_ms: int


class Direction(StrEnum):
    """What a signal wants to hold."""

    LONG = "long"
    FLAT = "flat"


@dataclass(frozen=True, slots=True)
class Level:
    """One resting buy of a basket, as a strategy wants it: where it buys and where it sells again."""

    price: float
    target: float


@dataclass(frozen=True, slots=True)
class Signal:
    """A strategy's opinion. `strength` and `confidence` are in 0..1; `stop` and `target` are prices (statistics, so
    float; rounded to the tick by `app`). A LONG signal without a stop can not become an intent.

    With `levels` it wants a basket: resting buys instead of one at the market, all above the one `stop`, for `rest_ms`
    from their submission. Each level has its own target, so `target` is None.

    With an `act` it wants that instead of a trade: LONG for one that puts something at stake, FLAT for one that only
    takes risk away.
    """

    symbol: str
    direction: Direction
    strength: float
    confidence: float
    reason: str
    stop: float | None = None
    target: float | None = None
    levels: tuple[Level, ...] = ()
    rest_ms: int = 0
    act: ActWish | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a strategy tells the trader and nobody else: it becomes an alert. `text`: plain words."""

    text: str


@dataclass(frozen=True, slots=True)
class Exits:
    """Exits decided before the entry: `stop` triggers a market sale, `target` rests as a limit."""

    stop: Decimal
    target: Decimal | None = None

    def __post_init__(self) -> None:
        _refuse_floats(self, ("stop", "target"))


@dataclass(frozen=True, slots=True)
class Leg:
    """One resting limit buy of a basket: `quantity` base units at `price`, sold by a resting limit at `target`."""

    price: Decimal
    quantity: Decimal
    target: Decimal

    def __post_init__(self) -> None:
        _refuse_floats(self, ("price", "quantity", "target"))
        if self.price <= _ZERO or self.quantity <= _ZERO or self.target <= self.price:
            raise ValueError(f"a leg buys above 0 and sells above its price: {self}")


@dataclass(frozen=True, slots=True)
class Intent:
    """A trade a module wants, with its own bounds. Nothing downstream may exceed them.

    Attributes:
        id: 32 hex digits, blake2b(run id, module, sequence).
        quantity: base units, a multiple of the lot.
        worst_price: no fill may be worse than this.
        max_fee: quote-asset units, for all fills together.
        reduce_only: closes a position and can never open one.
        expires_ms: after this instant the intent is dead unless its trade was confirmed.
        rests: a limit that may wait away from the market. The text that is signed says so, and is where a restart
            reads it again.
        time_in_force_ms: how long its order may stay open; None as the session's terms say. In the text too.
        legs: a basket's resting buys, highest price first, no price twice. `quantity` is their sum, `worst_price` the
            price of the first, and the stop of `exits` is common to all and below them. Empty: one order at the market.
        rest_ms: how long the legs rest, from their submission; whole seconds. 0 without legs.
        max_gas: most that its transactions may cost in gas, in the chain's own coin; 0 where a venue has none. The
            bytes that are signed say so, and are where a restart reads it again.
        act: what it does instead of buying or selling. `quantity` is then what it puts at stake, in the quote asset
            (0 for one that only takes risk away), and `worst_price` 1.
        replaces: hash of a transaction that was sent and waits, whose place this one takes; "" for a new one.
    """

    id: str
    module: str
    symbol: str
    side: Side
    quantity: Decimal
    worst_price: Decimal
    max_fee: Decimal
    exits: Exits | None
    reason: str
    created_ms: int
    expires_ms: int
    config_version: int
    reduce_only: bool = False
    strength: float = field(default=0.0, compare=False)
    confidence: float = field(default=0.0, compare=False)
    rests: bool = field(default=False, compare=False)
    time_in_force_ms: int | None = field(default=None, compare=False)
    legs: tuple[Leg, ...] = ()
    rest_ms: int = 0
    max_gas: Decimal = field(default=_ZERO, compare=False)
    act: Act | None = None
    replaces: str = ""

    def __post_init__(self) -> None:
        quantity, worst_price, max_fee = self.quantity, self.worst_price, self.max_fee
        if not type(quantity) is type(worst_price) is type(max_fee) is Decimal:  # the names cost 1 us to look up
            _refuse_floats(self, ("quantity", "worst_price", "max_fee"))
        if quantity <= _ZERO or worst_price <= _ZERO or max_fee < _ZERO:
            _check_act(self)
        if self.legs or self.rest_ms:
            _check_basket(self)


def _check_act(intent: Intent) -> None:
    """Only what takes risk away puts nothing at stake."""
    nothing = intent.act is not None and intent.reduce_only and not intent.quantity
    if not nothing or intent.worst_price <= _ZERO or intent.max_fee < _ZERO:
        raise ValueError(f"intent bounds must be positive: {intent}")


def _check_basket(intent: Intent) -> None:
    legs, exits = intent.legs, intent.exits
    if not 1 <= len(legs) <= MOST_LEGS:
        raise ValueError(f"a basket has 1 to {MOST_LEGS} legs, not {len(legs)}")
    if intent.side is not Side.BUY or intent.reduce_only or exits is None or exits.target is not None:
        raise ValueError("a basket buys, has one stop, and a target for each leg")
    if any(above.price <= below.price for above, below in pairwise(legs)):
        raise ValueError("the legs of a basket have different prices, the highest first")
    if not _ZERO < exits.stop < legs[-1].price:
        raise ValueError(
            f"the stop {exits.stop} of a basket must be below all its legs, the lowest is {legs[-1].price}"
        )
    total = sum(Fraction(leg.quantity) for leg in legs)  # exact; a sum of decimals would use the thread's precision
    if intent.worst_price != legs[0].price or Fraction(intent.quantity) != total:
        raise ValueError("a basket's quantity is the sum of its legs, its worst price that of the first")
    if intent.rest_ms <= 0 or intent.rest_ms % 1000:
        raise ValueError(f"a basket rests for whole seconds, not {intent.rest_ms} ms")


def _refuse_floats(owner: object, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(owner, name)
        if value is not None and not isinstance(value, Decimal):
            raise TypeError(f"{type(owner).__name__}.{name} must be Decimal, not {type(value).__name__}")
