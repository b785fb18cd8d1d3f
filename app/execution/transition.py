"""One atomic step: state changes in memory now, and the same step as one database transaction.

A `Transition` collects what changes, checks every edge, and ends as a `storage.writer.Commit`: the journal body lists
each change, hashed rows carry the facts, statements bring the projections up to date.
"""

from __future__ import annotations

from typing import Any, Final

from app.execution.act_rows import act_rows, moves_text
from app.execution.purse import Hold
from app.execution.records import Order, Payload, Role, Trade, intent_row, leg_rows, terms_of
from app.execution.states import (
    PAYLOAD_EDGES,
    TRADE_EDGES,
    PayloadState,
    TradeState,
    check_edge,
    order_edges,
    order_path,
)
from app.money import to_text
from app.portfolio.ledger import Posting
from app.portfolio.positions import Holding
from app.venues.base import OrderReport, OrderState, Signed, SignedText, VenueFill
from signers.base import SignerKind
from storage.journal import canonical
from storage.schema import HASHED
from storage.writer import Commit

_TRADE: Final = (
    "INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
    "SET state = excluded.state, reason = excluded.reason, updated_ms = excluded.updated_ms"
)
_PAYLOAD: Final = (
    "INSERT INTO payloads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
    "SET state = excluded.state, updated_ms = excluded.updated_ms"
)
_ORDER: Final = (
    "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (client_id) DO UPDATE "
    "SET state = excluded.state, filled = excluded.filled, revision = excluded.revision, "
    "venue_order_id = excluded.venue_order_id, updated_ms = excluded.updated_ms, gas = excluded.gas, "
    "moves = excluded.moves"
)
_HOLD: Final = (
    "INSERT INTO reservations VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (trade_id) DO UPDATE "
    "SET amount = excluded.amount, remaining = excluded.remaining, state = excluded.state, "
    "updated_ms = excluded.updated_ms"
)
_POSITION: Final = (
    "INSERT INTO module_positions VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (module, symbol) DO UPDATE "
    "SET quantity = excluded.quantity, cost = excluded.cost, realised = excluded.realised, fees = excluded.fees, "
    "opened_ms = excluded.opened_ms, updated_ms = excluded.updated_ms"
)
_LATENCY: Final = "INSERT INTO latencies (trade_id, step, micros) VALUES (?, ?, ?)"
_ORDER_OF_TABLES: Final = {table: index for index, table in enumerate(HASHED)}


class Transition:
    """Builds one commit. Use once."""

    def __init__(self, ts_ms: int) -> None:
        self.ts_ms = ts_ms
        self._set: list[list[Any]] = []
        self._rows: list[tuple[Any, ...]] = []
        self._statements: list[tuple[str, tuple[Any, ...]]] = []

    def new_trade(self, trade: Trade) -> None:
        """A proposal appears, with its intent."""
        self._rows += [intent_row(trade.intent), *leg_rows(trade.intent), *act_rows(trade.intent)]
        self._save_trade(trade)

    def trade(self, trade: Trade, state: TradeState, reason: str = "") -> None:
        """Move a trade.

        Raises:
            IllegalTransition: no such edge.
        """
        check_edge(TRADE_EDGES, trade.id, trade.state, state)
        trade.state = state
        if reason:
            trade.reason = reason
        self._save_trade(trade)

    def new_payload(self, trade: Trade, payload: Payload) -> None:
        """What will be shown and signed is built."""
        trade.payloads.append(payload)
        self._save_payload(trade, payload)

    def payload(self, trade: Trade, payload: Payload, state: PayloadState) -> None:
        """Move one payload of a trade.

        Raises:
            IllegalTransition: no such edge.
        """
        check_edge(PAYLOAD_EDGES, payload.id, payload.state, state)
        payload.state = state
        self._save_payload(trade, payload)

    def authorisation(self, trade: Trade, payload: Payload, signer: str) -> None:
        """The verified signature of a payload."""
        signed = payload.signed
        assert signed is not None
        if signer == SignerKind.KEYRING:
            self.change("hot", trade.id, "" if trade.hot_value is None else to_text(trade.hot_value))
        self._rows.append(
            (
                "authorisations",
                payload.id,
                trade.id,
                signed_text(signed),
                signed.signature.hex(),
                signed.address,
                signer,
                self.ts_ms,
            )
        )

    def new_order(self, trade: Trade, order: Order) -> None:
        """An order exists, unsent, with its client id and its exact terms."""
        trade.keep(order)
        self._event(order, None, canonical({"role": order.role.value, "terms": terms_of(order.request)}))
        self._save_order(order)

    def order(self, order: Order, state: OrderState, detail: str = "") -> None:
        """Move an order without a report (unknown, dropped).

        Raises:
            IllegalTransition: no such edge.
        """
        check_edge(order_edges(order.request.kind), order.request.client_id, order.state, state)
        old, order.state = order.state, state
        self._event(order, old, canonical({"reason": detail}))
        self._save_order(order)

    def report(self, order: Order, report: OrderReport) -> None:
        """Take over what the venue says of an order.

        Raises:
            IllegalTransition: no such edge.
        """
        kind = order.request.kind
        path = order_path(order.request.client_id, order.state, report.state, kind) or (report.state,)
        order.filled, order.revision = report.filled, report.revision
        order.venue_order_id, order.gas, order.moves = report.venue_order_id, report.gas, report.moves
        more = {"gas": to_text(report.gas)} if report.gas else {}
        more |= {"moves": moves_text(report.moves)} if report.moves else {}
        detail = canonical({"reason": report.reason, "venue_order_id": report.venue_order_id, **more})
        for state in path:
            old, order.state = order.state, state
            self._event(order, old, detail)
        self._save_order(order)

    def fill(self, venue: str, trade: Trade, fill: VenueFill, postings: tuple[Posting, ...], holding: Holding) -> None:
        """A fill, its postings, and the position it leads to."""
        self._rows.append(
            (
                "fills",
                venue,
                fill.fill_id,
                fill.client_id,
                trade.id,
                trade.intent.module,
                fill.symbol,
                fill.side.value,
                to_text(fill.price),
                to_text(fill.quantity),
                to_text(fill.fee),
                fill.fee_asset,
                fill.ts_ms,
            )
        )
        if fill.notional is not None:
            self._rows.append(("fill_notionals", venue, fill.fill_id, to_text(fill.notional)))
        self.post(postings)
        self._statements.append((_POSITION, position_row(holding, self.ts_ms)))

    def fill_again(
        self, venue: str, fill: VenueFill, state: str, postings: tuple[Posting, ...], holding: Holding
    ) -> None:
        """A fill that a reorganisation took back (``undone``) or brought back (``restored``)."""
        self._rows.append(("fill_changes", venue, fill.fill_id, state))
        self.post(postings)
        self._statements.append((_POSITION, position_row(holding, self.ts_ms)))

    def post(self, postings: tuple[Posting, ...]) -> None:
        """Postings; the writer keeps the balances projection."""
        self._rows.extend(("postings", p.account, p.asset, to_text(p.amount)) for p in postings)

    def hold(self, hold_id: str, hold: Hold, state: str) -> None:
        """A reservation made (OPEN), shrunk (OPEN) or ended (RELEASED)."""
        amounts = (hold.asset, to_text(hold.amount), to_text(hold.remaining), state)
        self._set.append(["reservation", hold_id, *amounts])
        self._statements.append((_HOLD, (hold_id, *amounts, self.ts_ms)))

    def config_change(self, version: int, key: str, old: str | None, new: str | None, source: str) -> None:
        """One setting that changed."""
        self._rows.append(("config_changes", version, key, old, new, source))

    def sealed(self, row: tuple[Any, ...]) -> None:
        """A seal of the chain up to an earlier row; ``("seals", ...)``."""
        self._rows.append(row)

    def adjusted(self, row: tuple[Any, ...]) -> None:
        """What the trader says of a difference between venue and ledger; ``("adjustments", ...)``."""
        self._rows.append(row)

    def change(self, entity: str, *values: Any) -> None:
        """A journaled fact without a projection of its own here."""
        self._set.append([entity, *values])

    def took(self, trade: Trade, step: str, now_ns: int) -> None:
        """Record how long a step of a trade took; the first since a start begins the count and records nothing."""
        if trade.lap_ns:
            self._statements.append((_LATENCY, (trade.id, step, (now_ns - trade.lap_ns) // 1000)))
        trade.lap_ns = now_ns

    def record(self, sql: str, parameters: tuple[Any, ...]) -> None:
        """A statement that belongs to the same transaction."""
        self._statements.append((sql, parameters))

    def commit(self, kind: str, subject: str, cursor: tuple[str, int, int] | None) -> Commit:
        """The finished transition."""
        rows = tuple(sorted(self._rows, key=lambda row: _ORDER_OF_TABLES[row[0]]))
        return Commit(self.ts_ms, kind, subject, canonical({"set": self._set}), rows, tuple(self._statements), cursor)

    def _save_trade(self, trade: Trade) -> None:
        intent = trade.intent
        self._set.append(["trade", trade.id, trade.state.value, trade.reason])
        self._statements.append(
            (
                _TRADE,
                (
                    trade.id,
                    intent.module,
                    intent.symbol,
                    intent.side.value,
                    trade.state.value,
                    trade.reason,
                    intent.created_ms,
                    self.ts_ms,
                ),
            )
        )

    def _save_payload(self, trade: Trade, payload: Payload) -> None:
        # what is shown and signed is in the journal once, when it is built; later rows carry the state alone
        built: list[Any] = []
        if payload.state is PayloadState.BUILT:
            body = [payload.body.hex(), payload.role] if payload.body else []
            built = [payload.text, payload.valid_until_ms, payload.preview, *body]
        self._set.append(["payload", payload.id, trade.id, payload.state.value, *built])
        self._statements.append(
            (
                _PAYLOAD,
                (
                    payload.id,
                    trade.id,
                    kind_of(payload.role),
                    payload.state.value,
                    payload.text,
                    payload.preview,
                    payload.valid_until_ms,
                    self.ts_ms,
                    payload.body.hex(),
                ),
            )
        )

    def _event(self, order: Order, old: OrderState | None, detail: str) -> None:
        self._rows.append(
            (
                "order_events",
                order.request.client_id,
                None if old is None else old.value,
                order.state.value,
                to_text(order.filled),
                order.revision,
                self.ts_ms,
                detail,
            )
        )

    def _save_order(self, order: Order) -> None:
        self._statements.append(
            (
                _ORDER,
                (
                    order.request.client_id,
                    order.trade_id,
                    Role(order.role).value,
                    canonical(terms_of(order.request)),
                    order.state.value,
                    to_text(order.filled),
                    order.revision,
                    order.venue_order_id,
                    self.ts_ms,
                    to_text(order.gas),
                    moves_text(order.moves),
                ),
            )
        )


def signed_text(signed: Signed) -> str:
    """What was signed, as the table `authorisations` has it: the text, or 0x and the unsigned transaction."""
    return signed.text if isinstance(signed, SignedText) else f"0x{signed.unsigned.hex()}"


def kind_of(role: Role | str | None) -> str:
    """A payload's kind as the table `payloads` has it: ``authorisation``, or ``transaction:`` and its role."""
    return "authorisation" if role is None else f"transaction:{role}"


def position_row(holding: Holding, ts_ms: int) -> tuple[Any, ...]:
    """A holding as its projection row."""
    return (
        holding.module,
        holding.symbol,
        to_text(holding.quantity),
        to_text(holding.cost),
        to_text(holding.realised),
        to_text(holding.fees),
        holding.opened_ms,
        ts_ms,
    )
