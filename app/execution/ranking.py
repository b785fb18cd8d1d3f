"""Which waiting trade deserves the trader's eyes first. Pure; exact decimals.

The edge of an entry, per unit of base, is what its own exits promise at the touch of now, after costs:

    p      the module's confidence; 1/2 where it stated none (0); more than 1 counts as 1
    T, S   target and stop; without a target the reward is taken as equal to the risk: T = 2 * worst price - S
    e      the ask, which is what an entry pays now; s = ask - bid, which a stop that sells at market pays again
    win    T - e - taker fee on e - maker fee on T
    loss   (S - s) - e - taker fee on e - taker fee on (S - s)
    edge   p * win + (1 - p) * loss

What may rest (a limit, each leg of a basket) pays its own price where the ask is above it: there e is that price, and
the fee on it the maker's. The edge of a basket is that of all its legs together, each with its own target and all with
the common stop, per unit of what all of them pay. So it is the edge once they are bought, which may never happen: the
chance of that nobody knows, and it is not in the number.

It decays as the quote moves away (e and s are those of now), and with time: a positive edge is multiplied by the share
of the proposal's life that is left, so it is worth nothing at its expiry; a negative one is not, because waiting makes
no bad trade better. A confidence is an opinion and no measured frequency: the number orders trades, it predicts none.

The edge of a close is how much better than its worst price the touch is, after the taker fee: how far it may still
fall before the close can not be filled. It does not decay with time: a position does not become safer by waiting. One
that rests above the bid is worth what its price is: nothing but the maker's fee less.

An entry whose ask has left its worst price behind can not be filled as it stands (`reachable` is False); it is shown
after all others, and so is one without a quote. What may rest can always be placed, and is never out of reach.

The order (`order`): closes, entries, entries that can not be filled now. Within these, trades of one device app, one
instrument and one side stand together, and a group counts as much as its best. Edges are compared in steps of
`SIMILAR_BPS`; groups within one step are similar, and of similar groups those of the device app that is open (then of
the app that the step before ended with) come first, then the other apps by name: whoever works from the top changes
the app as seldom as the edges allow. Then the larger edge, the earlier expiry, the id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.execution.fatigue import Requirement
from app.execution.records import Trade
from app.money import CEILING, DOWN, FLOOR, ZERO, add, apply_bps, div, from_float, mul, neg, quantise, sub, to_text
from app.text import counted, lasting
from app.venues.base import VenueInfo
from strategies.model import Intent, Quote, Side

SIMILAR_BPS: Final = Decimal(10)
"""Half of what one trade pays in fees on most venues: a difference below it is not worth another device app."""

ETHEREUM: Final = "Ethereum"

_ONE: Final = Decimal(1)
_HALF: Final = Decimal("0.5")
_BPS: Final = Decimal(10_000)
_PLACES: Final = 8
_NO_EDGE: Final = Decimal(-1_000_000_000)
"""Below every edge."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What a trade is expected to make after costs. `bps` of what it pays (a close: of what it gets) before fees,
    `amount` in the quote asset for the whole quantity, both rounded down. `reachable`: the touch is within its worst
    price, or it may rest. `waits_bps`: how far from the touch its best price rests, rounded up; 0: it takes at once."""

    bps: Decimal
    amount: Decimal
    reachable: bool
    waits_bps: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Waiting:
    """One trade that waits for the trader, as a screen lists it.

    Attributes:
        closes: it can only reduce a position.
        value: account currency at its worst price; None while nothing values the quote asset.
        edge_bps: now; None without a quote.
        edge_then_bps: when it was proposed.
        edge_value: the edge in account currency.
        expires_ms, left_ms, age_ms: market time.
        app: what must be open on the hardware wallet to sign it.
        resumed: signed before a restart and never sent.
        asked_again: newer intents of the same module, instrument and side, dropped because this one waits.
        newer_worst_price: what the newest of them would have allowed.
        opposed: it closes, and its module has asked for the other side since.
        beside: waiting trades of other modules in the same instrument and side. Together they are one larger position.
        requirement: what a confirmation needs.
        why: why it stands where it stands, in words.
    """

    trade_id: str
    module: str
    symbol: str
    side: Side
    quantity: Decimal
    worst_price: Decimal
    closes: bool
    value: Decimal | None
    edge_bps: Decimal | None
    edge_then_bps: Decimal | None
    edge_value: Decimal | None
    reachable: bool
    expires_ms: int
    left_ms: int
    age_ms: int
    app: str
    resumed: bool
    asked_again: int
    newer_worst_price: Decimal | None
    opposed: bool
    beside: tuple[str, ...]
    requirement: Requirement
    reason: str
    why: str


def device_app(trade: Trade) -> str:
    """The app that must be open on the hardware wallet to sign `trade`. Every payload there is today is a trade
    authorisation, an EIP-191 text, whatever the venue and the instrument."""
    assert trade.payload is not None
    return ETHEREUM


def edge(intent: Intent, quote: Quote, venue: VenueInfo, now_ms: int, *, rests: bool = False) -> Edge:
    """The edge of `intent` at `quote` and `now_ms`; the module's docstring has the formula. `rests`: its orders may
    wait away from the touch."""
    buys = intent.side is Side.BUY
    touch = quote.ask if buys else quote.bid
    room = sub(intent.worst_price, touch) if buys else sub(touch, intent.worst_price)
    traded = made = ZERO
    for quantity, worst, target in _parts(intent):
        price = (min(touch, worst) if buys else max(touch, worst)) if rests else touch
        fee = apply_bps(price, venue.taker_fee_bps if price == touch else venue.maker_fee_bps)
        if intent.reduce_only:
            unit = sub(sub(price, worst), fee)
        else:
            unit = sub(_worth(intent, target, quote, venue), add(price, fee))
        traded, made = add(traded, mul(quantity, price)), add(made, mul(quantity, unit))
    left, life = _ONE, _ONE
    if made > ZERO and not intent.reduce_only:
        life = Decimal(max(1, intent.expires_ms - intent.created_ms))
        left = min(life, Decimal(max(0, intent.expires_ms - now_ms)))
    made = mul(made, left)
    return Edge(
        bps=div(mul(made, _BPS), mul(traded, life), 2, FLOOR),
        amount=div(made, life, _PLACES, FLOOR),
        reachable=rests or room >= ZERO,
        waits_bps=div(mul(neg(room), _BPS), touch, 2, CEILING) if rests and room < ZERO else ZERO,
    )


def _parts(intent: Intent) -> list[tuple[Decimal, Decimal, Decimal | None]]:
    """Quantity, worst price and target of each of its orders."""
    if intent.legs:
        return [(leg.quantity, leg.price, leg.target) for leg in intent.legs]
    return [(intent.quantity, intent.worst_price, intent.exits.target if intent.exits else None)]


def _worth(intent: Intent, target: Decimal | None, quote: Quote, venue: VenueInfo) -> Decimal:
    """What a unit is expected to bring when its exits end it, after their fee; without exits what it brings now."""
    exits, spread = intent.exits, sub(quote.ask, quote.bid)
    if exits is None:
        return sub(quote.bid, apply_bps(quote.bid, venue.taker_fee_bps))
    if target is None:
        target = sub(add(intent.worst_price, intent.worst_price), exits.stop)
    stopped = max(ZERO, sub(exits.stop, spread))
    win = sub(target, apply_bps(target, venue.maker_fee_bps))
    loss = sub(stopped, apply_bps(stopped, venue.taker_fee_bps))
    stated = intent.confidence > 0
    chance = quantise(from_float(min(1, intent.confidence)), _PLACES, DOWN) if stated else _HALF
    return add(mul(chance, win), mul(sub(_ONE, chance), loss))


def order(waiting: Iterable[Waiting], open_app: str = "") -> tuple[Waiting, ...]:
    """Most deserving first: a total order, independent of the order given. The module's docstring has the rule."""
    groups: dict[tuple[bool, str, str, Side], list[Waiting]] = {}
    for each in waiting:
        groups.setdefault((each.closes, each.app, each.symbol, each.side), []).append(each)
    steps: dict[tuple[int, Decimal], list[list[Waiting]]] = {}
    for group in groups.values():
        group.sort(key=_place)
        tier, edge_bps = _score(group[0])
        step = div(edge_bps, SIMILAR_BPS, 0, FLOOR)
        steps.setdefault((tier, neg(step)), []).append(group)
    result: list[Waiting] = []
    for key in sorted(steps):
        for group in _by_app(steps[key], open_app):
            result += group
        open_app = result[-1].app
    return tuple(result)


def _by_app(similar: list[list[Waiting]], open_app: str) -> list[list[Waiting]]:
    return sorted(similar, key=lambda group: (group[0].app != open_app, group[0].app, *_place(group[0])))


def _score(each: Waiting) -> tuple[int, Decimal]:
    """Tier and edge."""
    known = each.edge_bps is not None and each.reachable
    tier = 0 if each.closes else 1 if known else 2
    return tier, _NO_EDGE if each.edge_bps is None else each.edge_bps


def _place(each: Waiting) -> tuple[int, Decimal, int, str]:
    tier, edge_bps = _score(each)
    return tier, neg(edge_bps), each.expires_ms, each.trade_id


def why(intent: Intent, now: Edge | None, then_bps: Decimal | None, left_ms: int, beside: int) -> str:
    """What decides its place, in words."""
    words = ["closes a position"] if intent.reduce_only and intent.act is None else []
    buys = intent.side is Side.BUY
    if intent.act is not None:
        words.append("takes no risk" if intent.reduce_only else "puts capital at stake")
    elif now is None:
        words.append("no quote")
    elif not now.reachable:
        words.append(f"the {'ask' if buys else 'bid'} has left its worst price behind")
    else:
        was = f" (was {to_text(then_bps)})" if then_bps is not None and then_bps != now.bps else ""
        if now.waits_bps:
            words.append(f"rests {to_text(now.waits_bps)} bps {'below the ask' if buys else 'above the bid'}")
        if not (intent.reduce_only and now.waits_bps):
            words.append(f"{to_text(now.bps)} {_of_edge(intent, now)}{was}")
    words.append(f"{lasting(left_ms)} left")
    if beside:
        words.append(f"{counted(beside, 'other module')} {'asks' if beside == 1 else 'ask'} for the same")
    return ", ".join(words)


def _of_edge(intent: Intent, now: Edge) -> str:
    if intent.reduce_only:
        return "bps before its worst price, after the fee"
    if intent.legs:
        return f"bps after costs if all {len(intent.legs)} legs are bought"
    return "bps after costs if it is bought" if now.waits_bps else "bps after costs"
