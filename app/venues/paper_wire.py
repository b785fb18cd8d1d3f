"""The paper venue's wire: newline-delimited JSON over a Unix socket, amounts as canonical texts. Shared by both sides.

Requests ``{"id": n, "op": name, ...}``; replies ``{"id": n, "ok": value}`` or ``{"id": n, "error": {"code", "what"}}``
(an error means: definitely not done). Pushes ``{"report": [...]}`` are written before the reply of the operation that
caused them. A line longer than `MOST_LINE_BYTES` ends the connection.

==============  ==========================================  =========================================================
op              fields                                      ok
==============  ==========================================  =========================================================
``hello``       ``settings``                                ``{"now_ms", "position"}``; closes the session before it
``submit``      ``orders``, ``authorisation`` (text,        reports, one an order
                signature, address) or null
``cancel``      ``client_id``                               one report
``order``       ``client_id``                               a report, or null: not found in open nor in history
``open_orders``                                             reports
``balances``                                                asset -> total
``market``      ``events``: ``[position, event]``, ...      null
``bye``                                                     null; the process ends
==============  ==========================================  =========================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.market.events import BarOpened, MarketEvent
from app.money import from_text, to_text
from app.venues.base import OrderKind, OrderReport, OrderRequest, OrderState, VenueFill
from strategies.model import Bar, Book, Instrument, InstrumentKind, PublicTrade, Quote, Side

MOST_LINE_BYTES: Final = 1_000_000
FEE_PLACES: Final = 8


def _canonical(places: int) -> re.Pattern[str]:
    return re.compile(rf"(?:0|[1-9][0-9]{{0,19}})(?:\.[0-9]{{0,{places - 1}}}[1-9])?")


# Canonical amounts from 0 to below 10**20, with so few decimals that every product the venue makes of them fits the
# 100 exact digits of `app.money`: what is malformed is refused while it is read, so nothing can fail half-way through a
# fill. (Recorded market data may have more decimals: it is rounded to tick and lot before it is multiplied.)
_BPS: Final = _canonical(8)
_AMOUNT: Final = _canonical(18)
_MARKET: Final = _canonical(30)
_MOST_INT: Final = 2**62


@dataclass(frozen=True, slots=True)
class PaperSettings:
    """What the venue is told at hello. Fees and book are those of this session; cash is paid in once per asset."""

    instruments: tuple[Instrument, ...]
    cash: dict[str, Decimal]
    taker_fee_bps: Decimal
    maker_fee_bps: Decimal
    spread_bps: Decimal
    depth_share: Decimal
    levels: int


def settings_out(settings: PaperSettings) -> dict[str, Any]:
    """Settings as JSON."""
    return {
        "instruments": [instrument_out(each) for each in settings.instruments],
        "cash": {asset: to_text(amount) for asset, amount in sorted(settings.cash.items())},
        "taker_fee_bps": to_text(settings.taker_fee_bps),
        "maker_fee_bps": to_text(settings.maker_fee_bps),
        "spread_bps": to_text(settings.spread_bps),
        "depth_share": to_text(settings.depth_share),
        "levels": settings.levels,
    }


def settings_in(data: dict[str, Any]) -> PaperSettings:
    """Settings from JSON.

    Raises:
        ValueError, KeyError, TypeError: malformed, or out of bounds.
    """
    settings = PaperSettings(
        instruments=tuple(instrument_in(each) for each in data["instruments"]),
        cash={_text(asset): _amount(amount) for asset, amount in data["cash"].items()},
        taker_fee_bps=_amount(data["taker_fee_bps"], _BPS),
        maker_fee_bps=_amount(data["maker_fee_bps"], _BPS),
        spread_bps=_amount(data["spread_bps"], _BPS),
        depth_share=_amount(data["depth_share"], _BPS),
        levels=_int(data["levels"]),
    )
    most = Decimal(10_000)
    if settings.taker_fee_bps > most or settings.maker_fee_bps > most or settings.spread_bps >= most:
        raise ValueError("fees are at most 10000 bps, the spread less")
    if settings.depth_share > 1 or not 1 <= settings.levels <= 100:
        raise ValueError("the depth share is at most 1, levels are 1 to 100")
    return settings


def instrument_out(instrument: Instrument) -> list[Any]:
    """An instrument as JSON: a list in field order."""
    i = instrument
    return [i.symbol, i.base, i.quote, to_text(i.tick), to_text(i.lot), i.kind.value]


def instrument_in(data: list[Any]) -> Instrument:
    """An instrument from JSON.

    Raises:
        ValueError, TypeError: malformed.
    """
    symbol, base, quote, tick, lot, kind = data
    if _text(base) == _text(quote):
        raise ValueError(f"{symbol!r} trades {base!r} against itself")
    steps = _amount(tick), _amount(lot)
    if not all(steps):
        raise ValueError(f"tick and lot of {symbol!r} must be positive")
    return Instrument(_text(symbol), base, quote, *steps, InstrumentKind(kind))


def request_out(request: OrderRequest) -> list[Any]:
    """An order as JSON: a list in field order. The last field is there only for an order of a basket."""
    basket = [] if request.basket is None else [request.basket]
    return [
        request.client_id,
        request.symbol,
        request.side.value,
        request.kind.value,
        to_text(request.quantity),
        request.valid_until_ms,
        _out(request.limit_price),
        _out(request.stop_price),
        request.expires_ms,
        request.parent,
        request.group,
        request.reduce_only,
        *basket,
    ]


def request_in(data: list[Any]) -> OrderRequest:
    """An order from JSON.

    Raises:
        ValueError, TypeError: malformed.
    """
    client_id, symbol, side, kind, quantity, valid_until, limit, stop, expires, parent, group, reduce_only, *rest = data
    if len(rest) > 1:
        raise ValueError(f"an order has at most 13 fields, not {len(data)}")
    return OrderRequest(
        client_id=_text(client_id),
        symbol=_text(symbol),
        side=Side(side),
        kind=OrderKind(kind),
        quantity=_amount(quantity),
        valid_until_ms=_int(valid_until),
        limit_price=None if limit is None else _amount(limit),
        stop_price=None if stop is None else _amount(stop),
        expires_ms=None if expires is None else _int(expires),
        parent=None if parent is None else _text(parent),
        group=None if group is None else _text(group),
        reduce_only=_bool(reduce_only),
        basket=_text(rest[0]) if rest else None,
    )


def fill_out(fill: VenueFill) -> list[Any]:
    """A fill as JSON: a list in field order."""
    return [
        fill.fill_id,
        fill.client_id,
        fill.symbol,
        fill.side.value,
        to_text(fill.price),
        to_text(fill.quantity),
        to_text(fill.fee),
        fill.fee_asset,
        fill.ts_ms,
    ]


def fill_in(data: list[Any]) -> VenueFill:
    """A fill from JSON."""
    fill_id, client_id, symbol, side, price, quantity, fee, fee_asset, ts_ms = data
    return VenueFill(
        fill_id, client_id, symbol, Side(side), from_text(price), from_text(quantity), from_text(fee), fee_asset, ts_ms
    )


def report_out(report: OrderReport) -> list[Any]:
    """A report as JSON: a list in field order."""
    return [
        report.client_id,
        report.venue_order_id,
        report.state.value,
        to_text(report.quantity),
        to_text(report.filled),
        [fill_out(fill) for fill in report.fills],
        report.revision,
        report.ts_ms,
        report.reason,
    ]


def report_in(data: list[Any]) -> OrderReport:
    """A report from JSON."""
    client_id, venue_order_id, state, quantity, filled, fills, revision, ts_ms, reason = data
    return OrderReport(
        client_id,
        venue_order_id,
        OrderState(state),
        from_text(quantity),
        from_text(filled),
        tuple(fill_in(fill) for fill in fills),
        revision,
        ts_ms,
        reason,
    )


def event_out(event: MarketEvent) -> list[Any]:
    """A market event as JSON: its kind, then its fields."""
    match event:
        case Bar():
            prices = [to_text(p) for p in (event.open, event.high, event.low, event.close, event.volume)]
            return ["bar", event.symbol, event.open_ms, event.timeframe_ms, *prices]
        case BarOpened():
            return ["open", event.symbol, event.ts_ms, event.timeframe_ms, to_text(event.price), to_text(event.volume)]
        case Book():
            return ["book", event.symbol, event.ts_ms, _levels_out(event.bids), _levels_out(event.asks)]
        case Quote():
            sides = [to_text(v) for v in (event.bid, event.ask, event.bid_size, event.ask_size)]
            return ["quote", event.symbol, event.ts_ms, *sides]
        case PublicTrade():
            return ["trade", event.symbol, event.ts_ms, to_text(event.price), to_text(event.quantity)]


def events_in(data: list[Any]) -> list[tuple[int, MarketEvent]]:
    """Numbered market events from JSON.

    Raises:
        ValueError, TypeError: malformed.
    """
    return [(_int(position), event_in(event)) for position, event in data]


def event_in(data: list[Any]) -> MarketEvent:
    """A market event from JSON.

    Raises:
        ValueError, TypeError: malformed.
    """
    kind, symbol, ts_ms, *rest = data
    match kind:
        case "bar":
            timeframe, *prices = rest
            first, high, low, last, volume = (_market(price) for price in prices)
            return Bar(_text(symbol), _int(ts_ms), _int(timeframe), first, high, low, last, volume)
        case "open":
            timeframe, price, volume = rest
            return BarOpened(_text(symbol), _int(ts_ms), _int(timeframe), _market(price), _market(volume))
        case "book":
            bids, asks = rest
            return Book(_text(symbol), _int(ts_ms), _levels_in(bids), _levels_in(asks))
        case "quote":
            bid, ask, bid_size, ask_size = (_market(value) for value in rest)
            return Quote(_text(symbol), _int(ts_ms), bid, ask, bid_size, ask_size)
        case "trade":
            price, quantity = rest
            return PublicTrade(_text(symbol), _int(ts_ms), _market(price), _market(quantity))
    raise ValueError(f"unknown market event {kind!r}")


def _levels_out(levels: tuple[tuple[Decimal, Decimal], ...]) -> list[list[str]]:
    return [[to_text(price), to_text(size)] for price, size in levels]


def _levels_in(levels: list[list[str]]) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((_market(price), _market(size)) for price, size in levels)


def _out(amount: Decimal | None) -> str | None:
    return None if amount is None else to_text(amount)


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 100 or not value.isprintable():
        raise TypeError(f"expected a short printable text, not {ascii(value)[:100]}")
    return value


def _int(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _MOST_INT:
        raise TypeError(f"expected a whole number of at most 62 bits, not {ascii(value)[:100]}")
    return value


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected true or false, not {ascii(value)[:100]}")
    return value


def _amount(value: object, form: re.Pattern[str] = _AMOUNT) -> Decimal:
    """The amount of a canonical text of `form`."""
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise ValueError(f"expected a canonical amount of at most 20 digits before the point, not {ascii(value)[:100]}")
    return Decimal(value)


def _market(value: object) -> Decimal:
    return _amount(value, _MARKET)
