"""Trades, payloads and orders as they stand in memory: one record each, changed only by `transition.Transition`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from app.execution.act_rows import act_of
from app.execution.standing_terms import is_standing
from app.execution.states import PayloadState, TradeState
from app.money import ZERO, from_text, to_text
from app.venues.base import (
    TERMINAL,
    Move,
    OrderKind,
    OrderRequest,
    OrderState,
    Signed,
    SignedTransaction,
    VenueFill,
)
from signers.base import Clarity
from signers.evm import assemble, keccak
from signers.payloads import EvmTransaction, PersonalMessage
from strategies.acts import Cancel
from strategies.model import Exits, Intent, Leg, Side


class Role(StrEnum):
    """What an order is for."""

    ENTRY = "entry"
    STOP = "stop"
    TARGET = "target"
    CLOSE = "close"
    FLATTEN = "flatten"
    ACT = "act"
    """What neither buys nor sells: `Intent.act`."""
    APPROVE = "approve"
    """A transaction that lets a router take a token; the one that trades waits for it."""


_DECIDES: Final = frozenset({Role.ENTRY, Role.CLOSE, Role.ACT})


@dataclass(slots=True)
class Order:
    """One order. `request` never changes; `fills` are the venue's fill ids already booked, `fees` what those cost."""

    request: OrderRequest
    trade_id: str
    role: Role
    state: OrderState = OrderState.PENDING
    filled: Decimal = ZERO
    revision: int = 0
    venue_order_id: str = ""
    fills: set[str] = field(default_factory=set)
    fees: Decimal = ZERO
    gas: Decimal = ZERO
    """What it has cost in gas, in its chain's coin."""
    moves: tuple[Move, ...] = ()
    """What an act moved, as booked."""
    undone: dict[str, VenueFill] = field(default_factory=dict)
    """Fills that a reorganisation took back."""
    booked: dict[str, VenueFill] = field(default_factory=dict)
    """Fills of a transaction, by id: what a reorganisation would take back."""

    @property
    def live(self) -> bool:
        """Not ended, or not known to have ended."""
        return self.state not in TERMINAL

    @property
    def decides(self) -> bool:
        """Whether its trade's state follows from it."""
        return self.role in _DECIDES


def signed_transaction(unsigned: bytes, signature: bytes, address: str) -> SignedTransaction:
    """A transaction with its signature.

    Raises:
        ValueError: either has a wrong form.
    """
    raw = assemble(unsigned, signature)
    return SignedTransaction(unsigned, signature, address, raw, f"0x{keccak(raw).hex()}")


@dataclass(slots=True)
class Payload:
    """One thing to sign: `text` is exactly what the screen shows.

    Attributes:
        body: an unsigned transaction, of which `text` is the decoding; empty: the text itself is signed.
        role: of the order that a transaction is.
    """

    id: str
    text: str
    preview: str
    valid_until_ms: int
    state: PayloadState = PayloadState.BUILT
    signed: Signed | None = None
    signed_ms: int = 0
    body: bytes = b""
    role: Role | None = None

    @property
    def to_sign(self) -> PersonalMessage | EvmTransaction:
        """What the device gets."""
        return EvmTransaction(self.body) if self.body else PersonalMessage(self.text)


_BEFORE_SENT: Final = frozenset({PayloadState.BUILT, PayloadState.CONFIRMED, PayloadState.SIGNED})


@dataclass(slots=True)
class Trade:
    """One intent's life."""

    intent: Intent
    state: TradeState = TradeState.PROPOSED
    reason: str = ""
    payloads: list[Payload] = field(default_factory=list)
    """In the order in which they are sent: one authorisation, or the transactions of a chain."""
    orders: dict[str, Order] = field(default_factory=dict)
    """By `slot`: its role, and from the second of that role on (legs of a basket, a flatten that is tried again) its
    role and number."""
    resumed: bool = False
    """Signed before a restart and proven unsent: it is sent only when the trader says so again."""
    clarity: Clarity = Clarity.CLEAR
    """How much of it the device was to show when the trader read it: it signs nothing that it shows less of."""
    hot_value: Decimal | None = None
    """What the hot signer's caps counted it as when they let it through, account currency."""
    at_device: Payload | None = None
    """What the device was last asked for."""
    triggered: bool = False
    """A standing exit whose price was reached: it is being sent, and what stops it this time does not end it."""
    held_back: str = ""
    """Why a standing exit that is armed could not be sent when that was last tried or looked at."""
    sending: Payload | None = None
    """What the venue was given and has not answered yet."""
    lap_ns: int = 0
    """When its last step was done, on the monotonic clock; 0 before the first of this process."""

    @property
    def id(self) -> str:
        """The intent's id."""
        return self.intent.id

    @property
    def payload(self) -> Payload | None:
        """The one that trades: the last."""
        return self.payloads[-1] if self.payloads else None

    @property
    def text(self) -> str:
        """Everything that is shown and signed."""
        return "\n\n".join(payload.text for payload in self.payloads)

    @property
    def unsent(self) -> Payload | None:
        """What is signed and goes next."""
        return next((payload for payload in self.payloads if payload.state is PayloadState.SIGNED), None)

    @contextmanager
    def gives(self, payload: Payload) -> Iterator[None]:
        """While the venue is given `payload`: until it answers it may be anywhere, a block included."""
        self.sending = payload
        try:
            yield
        finally:
            self.sending = None

    @property
    def waits_for_itself(self) -> bool:
        """An earlier transaction of its own has not landed yet."""
        ended = {PayloadState.LANDED, PayloadState.DEAD, PayloadState.DROPPED}
        first = next((payload for payload in self.payloads if payload.state not in ended), None)
        return first is not None and first.state is not PayloadState.SIGNED

    @property
    def revisions(self) -> tuple[int, ...]:
        """How far its orders were told of."""
        return tuple(order.revision for order in self.orders.values())

    def told_since(self, revisions: tuple[int, ...]) -> bool:
        """What was found out of its next transaction since then may not be so: the one before it was told of again, or
        its block was undone and it waits."""
        return self.revisions != revisions or (self.state is TradeState.SUBMITTED and self.waits_for_itself)

    @property
    def goes_on(self) -> bool:
        """It was sent in part, and its next transaction waits for nothing but to be sent."""
        return self.unsent is not None and not self.waits_for_itself and self.state is TradeState.SUBMITTED

    @property
    def done_so_far(self) -> bool:
        """Every transaction before the next one has done what it should."""
        sent = self.payloads[: self.payloads.index(self.unsent)] if self.unsent is not None else self.payloads
        return all(order.state is OrderState.FILLED for payload in sent for order in self.orders_of(payload))

    @property
    def standing(self) -> bool:
        """It is signed to be kept, and sent when its price is reached."""
        return is_standing(self.intent)

    @property
    def kept(self) -> bool:
        """A standing exit whose sale has not been sent: it makes way for whatever else sells."""
        sale = self.payload
        return self.standing and (sale is None or sale.state in _BEFORE_SENT)

    @property
    def armed(self) -> bool:
        """A standing exit that is signed, and waits for nothing but its price."""
        sale = self.unsent
        if not self.standing or sale is None or sale is not self.payload:
            return False
        return not self.waits_for_itself and self.done_so_far

    @property
    def under_stop(self) -> bool:
        """An emergency stop does not hold it back: an exit that is being sent, or what only takes the place of a
        transaction that waits, as a chain knows no other way to cancel."""
        return self.triggered or isinstance(self.intent.act, Cancel)

    def orders_of(self, payload: Payload) -> list[Order]:
        """What a payload sends: of a transaction the one order it is, of an authorisation all."""
        if isinstance(payload.signed, SignedTransaction):
            name = payload.signed.hash
            return [order for order in self.orders.values() if order.request.client_id == name]
        return list(self.orders.values())

    def payload_of(self, order: Order) -> Payload | None:
        """What was signed for an order."""
        return next((payload for payload in self.payloads if order in self.orders_of(payload)), None)

    def keep(self, order: Order) -> None:
        """Add an order."""
        self.orders[self.slot(order.role)] = order

    def slot(self, role: Role) -> str:
        """Where the next order of `role` is kept, and what its client id derives from."""
        return slot(role, sum(1 for order in self.orders.values() if order.role is role) + 1)

    @property
    def entries(self) -> list[Order]:
        """The orders that decide the trade's state: an entry for each leg, or one close. None before the signature."""
        return [order for order in self.orders.values() if order.decides]

    def resting_entries(self) -> list[Order]:
        """Entries that the venue has, or may have, and that have not ended: what can be cancelled; and acts that put
        something at stake."""
        there = [each for each in self.entries if each.live and each.state is not OrderState.PENDING]
        adds = {Role.ENTRY} if self.intent.reduce_only else {Role.ENTRY, Role.ACT}
        return [each for each in there if each.role in adds]

    def entry_of(self, exit_order: Order) -> Order | None:
        """The entry that an exit of this trade hangs on."""
        parent = exit_order.request.parent
        return next((order for order in self.orders.values() if order.request.client_id == parent), None)


def slot(role: str, number: int) -> str:
    """The `number`-th order of a role in a trade: ``entry``, then ``entry:2``; a leg's exits have its number."""
    return str(role) if number == 1 else f"{role}:{number}"


def terms_of(request: OrderRequest) -> dict[str, Any]:
    """An order's terms as JSON-ready values with a fixed key order; stored in the order's first event and row. An order
    of no basket does not mention one, as before there were any."""
    basket = {} if request.basket is None else {"basket": request.basket}
    return {
        "client_id": request.client_id,
        "symbol": request.symbol,
        "side": request.side.value,
        "kind": request.kind.value,
        "quantity": to_text(request.quantity),
        "valid_until_ms": request.valid_until_ms,
        "limit_price": _text(request.limit_price),
        "stop_price": _text(request.stop_price),
        "expires_ms": request.expires_ms,
        "parent": request.parent,
        "group": request.group,
        "reduce_only": request.reduce_only,
        **basket,
    }


def request_of(terms: dict[str, Any]) -> OrderRequest:
    """The inverse of `terms_of`."""
    return OrderRequest(
        client_id=terms["client_id"],
        symbol=terms["symbol"],
        side=Side(terms["side"]),
        kind=OrderKind(terms["kind"]),
        quantity=from_text(terms["quantity"]),
        valid_until_ms=terms["valid_until_ms"],
        limit_price=_amount(terms["limit_price"]),
        stop_price=_amount(terms["stop_price"]),
        expires_ms=terms["expires_ms"],
        parent=terms["parent"],
        group=terms["group"],
        reduce_only=terms["reduce_only"],
        basket=terms.get("basket"),
    )


def intent_row(intent: Intent) -> tuple[Any, ...]:
    """An intent as a hashed row: ``("intents", ...)`` in `storage.schema.HASHED` order."""
    exits = intent.exits
    return (
        "intents",
        intent.id,
        intent.module,
        intent.symbol,
        intent.side.value,
        to_text(intent.quantity),
        to_text(intent.worst_price),
        to_text(intent.max_fee),
        to_text(exits.stop) if exits else None,
        to_text(exits.target) if exits and exits.target is not None else None,
        int(intent.reduce_only),
        intent.reason,
        repr(intent.strength),
        repr(intent.confidence),
        intent.created_ms,
        intent.expires_ms,
        intent.config_version,
    )


def leg_rows(intent: Intent) -> list[tuple[Any, ...]]:
    """A basket's legs as hashed rows; none for a plain intent."""
    return [
        (
            "intent_legs",
            intent.id,
            number,
            to_text(leg.price),
            to_text(leg.quantity),
            to_text(leg.target),
            intent.rest_ms,
        )
        for number, leg in enumerate(intent.legs, 1)
    ]


def intent_of(row: dict[str, Any], legs: list[dict[str, Any]], act: dict[str, Any] | None = None) -> Intent:
    """The inverse of `intent_row`, `leg_rows` and `act_rows`, from database rows; `legs` in order of their numbers."""
    exits = None
    if row["stop"] is not None:
        exits = Exits(from_text(row["stop"]), _amount(row["target"]))
    return Intent(
        id=row["id"],
        module=row["module"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        quantity=from_text(row["quantity"]),
        worst_price=from_text(row["worst_price"]),
        max_fee=from_text(row["max_fee"]),
        exits=exits,
        reason=row["reason"],
        created_ms=row["created_ms"],
        expires_ms=row["expires_ms"],
        config_version=row["config_version"],
        reduce_only=bool(row["reduce_only"]),
        strength=float(row["strength"]),
        confidence=float(row["confidence"]),
        legs=tuple(Leg(from_text(leg["price"]), from_text(leg["quantity"]), from_text(leg["target"])) for leg in legs),
        rest_ms=legs[0]["rest_ms"] if legs else 0,
        act=None if act is None else act_of(act["kind"], act["terms"]),
        replaces="" if act is None else act["replaces"],
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else to_text(amount)


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else from_text(text)
