"""The venue contract. Every adapter inherits the contract suite in ``tests/venues``.

All calls have a deadline inside the adapter. A call that may have reached the venue and was not answered raises
`VenueUnknown`; one that certainly changed nothing raises `VenueRefused` (the venue's no) or `VenueError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from app.money import ZERO, mul
from strategies.model import Instrument, Side


class OrderKind(StrEnum):
    """How an order trades.

    LIMIT: at `limit_price` or better, rests until `expires_ms`. An entry is a marketable LIMIT at the worst price the
    trader confirmed, so no fill can break the bound. STOP: once the market trades at or beyond `stop_price`, sells (or
    buys) at market. MARKET: at whatever the book gives; only for reduce-only closes. TRANSACTION: what the bytes of a
    chain's transaction say; its client id is the hash of the signed bytes.
    """

    LIMIT = "limit"
    STOP = "stop"
    MARKET = "market"
    TRANSACTION = "transaction"


class OrderState(StrEnum):
    """The Order machine's states (DESIGN section 4). A venue never reports PENDING or UNKNOWN: those are ours."""

    PENDING = "PENDING"
    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


TERMINAL: frozenset[OrderState] = frozenset(
    {OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED}
)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One order as the venue gets it.

    Attributes:
        client_id: ours, unique for ever; repeating it returns the original answer and does nothing.
        expires_ms: the venue cancels what is unfilled at this instant (state EXPIRED); None rests until cancelled.
        valid_until_ms: the venue refuses to accept the order after this instant.
        parent: client id of the entry this exit belongs to. The exit is accepted with the list but sleeps (OPEN,
            not matchable) until the parent fills, and then trades exactly the parent's filled quantity.
        group: orders of one group share one quantity: a fill of one shrinks the others, completion cancels them.
        reduce_only: never trades more than the account holds of the base asset.
        basket: name shared by all orders of a list with several entries. Once a stop of it is triggered, the venue
            cancels what is unfilled of its entries: what was stopped out does not buy again.
    """

    client_id: str
    symbol: str
    side: Side
    kind: OrderKind
    quantity: Decimal
    valid_until_ms: int
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    expires_ms: int | None = None
    parent: str | None = None
    group: str | None = None
    reduce_only: bool = False
    basket: str | None = None


@dataclass(frozen=True, slots=True)
class VenueFill:
    """One execution. `fill_id` is the venue's, unique per venue; `fee` is in `fee_asset`.

    Attributes:
        notional: exact quote amount, where the venue says it and price times quantity does not give it: on a chain both
            amounts are whole base units, and `price` is their quotient rounded to 24 places.
    """

    fill_id: str
    client_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    ts_ms: int
    notional: Decimal | None = None

    @property
    def quote_amount(self) -> Decimal:
        """What was paid or received for it, without the fee, exactly."""
        return mul(self.price, self.quantity) if self.notional is None else self.notional


class MoveKind(StrEnum):
    """Why an act moved an asset.

    GAIN: won (or lost) by it. STAKE: put into a position of liquidity, or taken out. CHANGE: a position ended with more
    of the asset than was put in (negative: less); nothing moves to or from the account.
    """

    GAIN = "gain"
    STAKE = "stake"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Move:
    """What the account has more of an asset (negative: less) after an act, its gas aside.

    Attributes:
        position: number of the position of liquidity it belongs to; "" for none.
    """

    asset: str
    amount: Decimal
    kind: MoveKind
    position: str = ""


@dataclass(frozen=True, slots=True)
class OrderReport:
    """Everything the venue knows about one order. Reports are cumulative: `fills` are all fills so far, so a lost or
    repeated report does no harm. `revision` grows by one with every change of the order at the venue.

    Attributes:
        gas: what a transaction has cost so far beside its fills, in `gas_asset`; also where it traded nothing.
        moves: what a transaction moved that neither bought nor sold.
    """

    client_id: str
    venue_order_id: str
    state: OrderState
    quantity: Decimal
    filled: Decimal
    fills: tuple[VenueFill, ...]
    revision: int
    ts_ms: int
    reason: str = ""
    gas: Decimal = ZERO
    gas_asset: str = ""
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedText:
    """The trade authorisation that covers an order list: EIP-191 text, 65-byte signature, address.
    None of it is needed for a cancel, nor for a reduce-only close after an emergency stop."""

    text: str
    signature: bytes
    address: str


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A chain's transaction as it was confirmed and signed: unsigned bytes, ``r || s || y_parity``, address.

    Attributes:
        raw: what is sent.
        hash: Keccak-256 of it, 0x text: the transaction's name on its chain.
    """

    unsigned: bytes
    signature: bytes
    address: str
    raw: bytes
    hash: str


Signed = SignedText | SignedTransaction


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a venue can do; what it can not is greyed out, never emulated in silence."""

    order_list: bool = False
    """Entry and exits accepted as one list, all or none; exits sleep until the entry fills."""
    baskets: bool = False
    """Several entries with their exits in one such list, tied by `OrderRequest.basket`."""
    exits_rest: bool = False
    """A stop rests at the venue and works while we are down."""
    transactions: bool = False
    """An order is a transaction of its own: the trader reads and signs its very bytes, and it costs gas."""
    landing_horizon_ms: int = 0
    """After this long an order unknown to a clean look-up can no longer appear."""


@dataclass(frozen=True, slots=True)
class VenueInfo:
    """What `connect` learned."""

    name: str
    capabilities: Capabilities
    instruments: tuple[Instrument, ...]
    taker_fee_bps: Decimal
    maker_fee_bps: Decimal
    time_in_force_ms: int = field(default=60_000)
    gas_asset: str = ""
    """The coin that transactions are paid with; empty where there are none."""
    gas_cap: Decimal = ZERO
    """Account currency: the most that one transaction may cost in gas."""

    @property
    def highest_fee_bps(self) -> Decimal:
        """For bounds: an order that rests pays the maker's rate, which some venues set above the taker's."""
        return max(self.taker_fee_bps, self.maker_fee_bps)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a venue says of the account at one instant.

    Attributes:
        balances: total per asset, resting orders included; what is not there is left out.
        block: on a chain, the block that all of it is true of, as ``number/0xhash``; else empty.
        transactions: on a chain, how many the account has sent up to that block: the first nonce that is free there.
        more: what else was read in that block, by name.
    """

    balances: Mapping[str, Decimal]
    block: str = ""
    transactions: int | None = None
    more: Mapping[str, tuple[bytes | None, ...]] = field(default_factory=dict)


class Venue(Protocol):
    """One trading venue."""

    async def connect(self) -> VenueInfo:
        """Open the session. Bytes of an earlier session that were not yet processed are dropped by the venue before
        this returns, so a look-up afterwards is conclusive (paper venue) or conclusive after the landing horizon.

        Raises:
            VenueError: unreachable, or not the venue this database traded on.
        """
        ...

    async def ready(self) -> None:
        """Whatever must go first. After this, `submit` puts its bytes on the wire before it waits for anything.

        Raises:
            VenueError: the venue is not there, or did not answer; no order was sent.
        """
        ...

    async def submit(self, orders: tuple[OrderRequest, ...], authorisation: Signed | None) -> tuple[OrderReport, ...]:
        """Place a list, all or none; on a chain one transaction. Idempotent by client id. Reports include fills that
        happened at once.

        Raises:
            VenueRefused: none was accepted (past valid-until, unknown instrument, balance, bad precision ...).
            VenueUnknown: no answer; look up each client id.
        """
        ...

    async def cancel(self, client_id: str) -> OrderReport:
        """Cancel what is unfilled; cancelling a finished order returns its report unchanged.

        Raises:
            VenueRefused: no such order.
            VenueUnknown: no answer.
        """
        ...

    async def order(self, client_id: str) -> OrderReport | None:
        """Look up in open orders and in history; None means: not found in either."""
        ...

    async def open_orders(self) -> tuple[OrderReport, ...]:
        """Everything that still rests or sleeps, ours or not."""
        ...

    async def balances(self) -> dict[str, Decimal]:
        """Total per asset, resting orders included."""
        ...

    async def reading(self, *, sure: bool = False) -> Reading:
        """The same at one instant, to compare a ledger with. Fills that are in it were told to the subscriber before,
        or, on a chain, are those of the transactions that it counts.

        Args:
            sure: of a venue that is asked through several nodes, as many must agree as it takes to trade.

        Raises:
            VenueError: not answered.
        """
        ...

    def subscribe(self, handler: Callable[[OrderReport], None]) -> None:
        """Called on the loop thread for each change of an order that `submit` or `cancel` did not already return."""
        ...

    async def close(self) -> None:
        """Close the session. Resting orders stay."""
        ...
