"""The text is the contract: read back exactly, and one changed thing in text or order permits nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.errors import SafetyError
from app.execution.authorisation import MOST_IN_LINE, Authorisation, parse, permits, refusal, render
from app.execution.orders import orders_of
from app.execution.prepare import permitted_orders
from app.execution.records import Role
from app.ids import client_order_id
from app.money import add, from_text, mul, sub, to_text
from app.venues.base import OrderKind, OrderRequest
from strategies.model import Side

LOT, TICK = Decimal("0.001"), Decimal("0.01")
NOW = 1_600_000_000_000


def steps(step: Decimal, most: int = 10**8) -> st.SearchStrategy[Decimal]:
    return st.integers(1, most).map(lambda n: mul(Decimal(n), step))


names = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=2, max_size=6)
ids = st.text("0123456789abcdef", min_size=32, max_size=32)


@st.composite
def authorisations(draw: st.DrawFn) -> Authorisation:
    side = draw(st.sampled_from(Side))
    buys = side is Side.BUY
    quantity, worst = draw(steps(LOT)), draw(steps(TICK))
    fee = draw(st.integers(0, 10**10).map(lambda n: Decimal(n).scaleb(-8)))
    quote = draw(names.filter(lambda name: name != "PERP"))
    return Authorisation(
        trade_id=draw(ids),
        side=side,
        quantity=quantity,
        symbol=f"{draw(names)}-{quote}{draw(st.sampled_from(['', '-PERP']))}",
        quote=quote,
        venue=draw(st.sampled_from(["paper", "binance", "local_2"])),
        worst_price=worst,
        max_fee=fee,
        stop=draw(steps(TICK)) if buys else None,
        target=draw(st.none() | steps(TICK)) if buys else None,
        reduce_only=not buys,
        group=None if buys else draw(st.none() | ids),
        time_in_force_ms=draw(st.integers(1_000, 86_400_000)),
        valid_until_ms=draw(st.integers(1_500_000_000, 4_000_000_000)) * 1000,
        rests=draw(st.booleans()),
    )


def requests(authorisation: Authorisation, now_ms: int | None = None) -> dict[Role, OrderRequest]:
    now = authorisation.valid_until_ms - 800_000 if now_ms is None else now_ms
    return {order.role: order.request for order in orders_of(authorisation, now)}


ENTRY = Authorisation(
    trade_id="0123456789abcdef" * 2,
    side=Side.BUY,
    quantity=Decimal("1.500"),
    symbol="ETH-BTC",
    quote="BTC",
    venue="paper",
    worst_price=Decimal("0.05"),
    max_fee=Decimal("0.0001"),
    stop=Decimal("0.04"),
    target=Decimal("0.07"),
    reduce_only=False,
    group=None,
    time_in_force_ms=60_000,
    valid_until_ms=NOW + 900_000,
)
CLOSE = replace(
    ENTRY, side=Side.SELL, stop=None, target=None, reduce_only=True, group=client_order_id("f" * 32, "exits")
)
UNCOVERED_CLOSE = replace(CLOSE, group=None)
ALL = [ENTRY, CLOSE, UNCOVERED_CLOSE, replace(ENTRY, target=None)]


def test_the_text_says_everything_in_plain_words() -> None:
    assert render(ENTRY).splitlines() == [
        "countersign trade 1",
        "BUY 1.5 ETH-BTC",
        "on paper",
        "at 0.05 or better",
        "fee up to 0.0001 BTC",
        "pay up to 0.0751 BTC",
        "stop 0.04, sell at market",
        "target 0.07, sell",
        "open for 60000 ms",
        "valid until 2020-09-13 12:41:40 UTC",
        "trade 0123456789abcdef0123456789abcdef",
    ]


@settings(max_examples=120)
@given(authorisations())
def test_what_is_rendered_is_read_back(authorisation: Authorisation) -> None:
    text = render(authorisation)
    assert parse(text) == authorisation
    assert render(parse(text)) == text
    assert text.isascii()
    assert not text.endswith("\n")
    assert all(len(line) <= 60 for line in text.split("\n"))


@settings(max_examples=80)
@given(authorisations())
def test_the_orders_made_from_a_text_are_permitted_by_it(authorisation: Authorisation) -> None:
    text = render(authorisation)
    now = authorisation.valid_until_ms - 1
    orders = permitted_orders(text, now, authorisation.venue)
    assert orders
    for order in orders:
        assert refusal(text, order.request, authorisation.venue) is None


@settings(max_examples=50)
@given(authorisations(), authorisations())
def test_text_and_order_of_different_trades_never_match(one: Authorisation, other: Authorisation) -> None:
    assume(one.trade_id != other.trade_id)
    # everything else alike: only the id keeps them apart
    twin = replace(one, trade_id=other.trade_id)
    for a, b in ((one, other), (one, twin)):
        for request in requests(b).values():
            assert not permits(render(a), request, a.venue)


# -- one thing of the order ---------------------------------------------------------------------------------------


def changed_to(request: OrderRequest, **change: Any) -> OrderRequest:
    return replace(request, **change)


def order_mutations(request: OrderRequest, a: Authorisation) -> dict[str, OrderRequest]:
    """Each with one thing changed, none of them inside what the text allows."""
    elsewhere = client_order_id("e" * 32, "entry")
    changed = {
        "side": replace(request, side=request.side.opposite),
        "one lot more": replace(request, quantity=add(a.quantity, LOT)),
        "no quantity": replace(request, quantity=Decimal(0)),
        "negative quantity": replace(request, quantity=Decimal(-1)),
        "symbol": replace(request, symbol="ETH-USDT"),
        "symbol in small letters": replace(request, symbol=request.symbol.lower()),
        "symbol with a look-alike": replace(request, symbol=request.symbol.replace("E", "\u0415")),
        "valid longer": replace(request, valid_until_ms=request.valid_until_ms + 1),
        "valid shorter": replace(request, valid_until_ms=request.valid_until_ms - 1),
        "client id": replace(request, client_id=elsewhere),
        "client id of another role": replace(request, client_id=client_order_id(a.trade_id, "flatten")),
        "client id in capitals": replace(request, client_id=request.client_id.upper()),
        "reduce only": replace(request, reduce_only=not request.reduce_only),
        "parent": replace(request, parent=elsewhere),
        "own parent": replace(request, parent=request.client_id),
        "group": replace(request, group=elsewhere),
        "market": replace(request, kind=OrderKind.MARKET),
    }
    changed |= {f"kind {kind}": replace(request, kind=kind) for kind in OrderKind if kind is not request.kind}
    if request.parent is not None:
        changed["no parent"] = replace(request, parent=None)
    if request.group is not None:
        changed["no group"] = replace(request, group=None)
    if request.expires_ms is None:
        changed["an exit that expires"] = replace(request, expires_ms=a.valid_until_ms)
    else:
        latest = a.valid_until_ms + a.time_in_force_ms
        changed["open longer"] = replace(request, expires_ms=latest + 1)
        changed["open for ever"] = replace(request, expires_ms=None)
    for name in ("limit_price", "stop_price"):
        price: Decimal | None = getattr(request, name)
        if price is None:
            changed[f"a {name}"] = changed_to(request, **{name: Decimal("0.05")})
            continue
        changed[f"no {name}"] = changed_to(request, **{name: None})
        worse = add(price, TICK) if request.side is Side.BUY else sub(price, TICK)
        changed[f"{name} one tick worse"] = changed_to(request, **{name: worse})
        if request.parent is not None:  # an exit carries exactly the price that was read
            changed[f"{name} one tick better"] = changed_to(request, **{name: add(price, TICK)})
    return changed


@pytest.mark.parametrize("authorisation", ALL)
def test_one_changed_thing_of_the_order_is_refused(authorisation: Authorisation) -> None:
    text = render(authorisation)
    tried = 0
    for role, request in requests(authorisation).items():
        assert permits(text, request, "paper")
        for what, changed in order_mutations(request, authorisation).items():
            if changed == request:
                continue
            assert not permits(text, changed, "paper"), (role, what)
            tried += 1
    assert tried > 15


def test_the_venue_is_part_of_what_was_read() -> None:
    text = render(ENTRY)
    for request in requests(ENTRY).values():
        assert not permits(text, request, "binance")
    with pytest.raises(SafetyError, match="the text is for paper, the order goes to binance"):
        permitted_orders(text, NOW, "binance")


@pytest.mark.parametrize("authorisation", [ENTRY, CLOSE])
def test_less_than_was_read_is_permitted(authorisation: Authorisation) -> None:
    """A bound is a bound: smaller, better, shorter needs no second signature."""
    text = render(authorisation)
    entry = next(iter(requests(authorisation).values()))
    better = sub(Decimal("0.05"), TICK) if entry.side is Side.BUY else add(Decimal("0.05"), TICK)
    assert entry.expires_ms is not None
    for less in (
        replace(entry, quantity=LOT),
        replace(entry, limit_price=better),
        replace(entry, expires_ms=entry.expires_ms - 1),
    ):
        assert permits(text, less, "paper")


# -- one thing of the text ----------------------------------------------------------------------------------------

LOOK_ALIKES = {"a": "\u0430", "e": "\u0435", "o": "\u043e", "0": "\u0660", "1": "\u0661", "-": "\u2011", " ": "\u00a0"}


def text_mutations(text: str) -> dict[str, str]:
    lines = text.split("\n")
    changed = {
        "trailing newline": text + "\n",
        "leading newline": "\n" + text,
        "trailing space": text + " ",
        "windows newlines": text.replace("\n", "\r\n"),
        "capitals": text.upper(),
        "small letters": text.lower(),
        "appended line": text + "\nat any price",
        "appended stop": text + "\nstop 1, sell at market",
        "version": text.replace("trade 1", "trade 2", 1),
        "empty": "",
        "byte order mark": "\ufeff" + text,
        "zero width": text.replace(" ", " \u200b", 1),
    }
    for plain, odd in LOOK_ALIKES.items():
        if plain in text:
            changed[f"look-alike of {plain!r}"] = text.replace(plain, odd, 1)
            changed[f"last look-alike of {plain!r}"] = odd.join(text.rsplit(plain, 1))
    for number, line in enumerate(lines):
        rest = lines[:number] + lines[number + 1 :]
        changed[f"without line {line!r}"] = "\n".join(rest)
        changed[f"double line {line!r}"] = "\n".join([*lines[:number], line, *lines[number:]])
        changed[f"swapped line {line!r}"] = "\n".join([*rest, line]) if number < len(lines) - 1 else ""
        for old, new in ((" ", "  "), (" ", "\t")):
            changed[f"{old!r} -> {new!r} in {line!r}"] = "\n".join(
                [*lines[:number], line.replace(old, new, 1), *lines[number + 1 :]]
            )
        for position, char in enumerate(line):
            if char.isdigit():  # every digit of every number of the text, one up
                other = str((int(char) + 1) % 10)
                line_2 = line[:position] + other + line[position + 1 :]
                changed[f"digit {position} of {line!r}"] = "\n".join([*lines[:number], line_2, *lines[number + 1 :]])
    return {what: each for what, each in changed.items() if each != text}


@pytest.mark.parametrize("authorisation", ALL)
def test_one_changed_thing_of_the_text_permits_nothing(authorisation: Authorisation) -> None:
    text = render(authorisation)
    # signed at the last instant, so that the time in force is used up to its last millisecond
    orders = requests(authorisation, authorisation.valid_until_ms)
    tried = 0
    for what, changed in text_mutations(text).items():
        permitted = [role for role, request in orders.items() if permits(changed, request, "paper")]
        if "open for" in what and _is_longer(changed, text):
            continue  # the text allows more than the order takes: a bound, like the quantity
        if "open for" in what and permitted:
            # what rests until it is done does not use the time in force; the entry or close does
            assert not {Role.ENTRY, Role.CLOSE} & set(permitted), what
            continue
        permitted = [role for role in permitted if not _is_a_smaller_promise(what, role)]
        assert not permitted, (what, permitted)
        tried += 1
    assert tried > 100


def _is_longer(changed: str, text: str) -> bool:
    try:
        return parse(changed).time_in_force_ms > parse(text).time_in_force_ms
    except ValueError:
        return False


def _is_a_smaller_promise(what: str, role: Role) -> bool:
    """The exits do not depend on one another: without the target's line the stop is still what was read."""
    if "target" in what:
        return role is not Role.TARGET
    if "stop" in what:
        return role is not Role.STOP
    return False


@pytest.mark.parametrize(
    ("change", "role"),
    [
        ({"side": Side.SELL}, Role.ENTRY),
        ({"quantity": Decimal("1.499")}, Role.ENTRY),
        ({"symbol": "ETH-USDT", "quote": "USDT"}, Role.ENTRY),
        ({"symbol": "ETC-BTC"}, Role.STOP),
        ({"worst_price": Decimal("0.04")}, Role.ENTRY),
        ({"stop": Decimal("0.05")}, Role.STOP),
        ({"stop": None}, Role.STOP),
        ({"target": Decimal("0.08")}, Role.TARGET),
        ({"target": None}, Role.TARGET),
        ({"reduce_only": True}, Role.ENTRY),
        ({"valid_until_ms": ENTRY.valid_until_ms + 1000}, Role.ENTRY),
        ({"valid_until_ms": ENTRY.valid_until_ms - 1000}, Role.STOP),
        ({"trade_id": "1" * 32}, Role.TARGET),
        ({"venue": "binance"}, Role.ENTRY),
    ],
)
def test_another_whole_text_permits_not_this_order(change: dict[str, object], role: Role) -> None:
    other = render(replace(ENTRY, **change))  # type: ignore[arg-type]  # one field each
    assert permits(render(ENTRY), requests(ENTRY)[role], "paper")
    assert not permits(other, requests(ENTRY)[role], "paper")


def test_a_close_shares_only_the_exits_it_names() -> None:
    covered, bare = requests(CLOSE)[Role.CLOSE], requests(UNCOVERED_CLOSE)[Role.CLOSE]
    assert not permits(render(CLOSE), bare)
    assert not permits(render(UNCOVERED_CLOSE), covered)


@settings(max_examples=120)
@given(st.text(max_size=300))
def test_other_text_is_no_authorisation(text: str) -> None:
    with pytest.raises(ValueError, match="authorisation"):
        parse(text)


@settings(max_examples=120)
@given(authorisations(), st.data())
def test_any_one_character_changed_is_another_meaning_or_none(
    authorisation: Authorisation, data: st.DataObject
) -> None:
    text = render(authorisation)
    at = data.draw(st.integers(0, len(text) - 1))
    char = data.draw(st.characters(min_codepoint=1, max_codepoint=0x2100).filter(lambda c: c != text[at]))
    changed = text[:at] + char + text[at + 1 :]
    try:
        assert parse(changed) != authorisation
    except ValueError:
        pass


def test_a_line_too_long_for_a_device_is_never_shown_cut() -> None:
    long = replace(
        ENTRY, quantity=from_text("1234567890123456789012345678.123456789"), max_fee=Decimal("0.123456789012345678901")
    )
    with pytest.raises(ValueError, match="short lines"):
        render(long)
    assert MOST_IN_LINE == 60


@pytest.mark.parametrize(
    "change",
    [{"venue": "Paper"}, {"symbol": "eth-BTC"}, {"trade_id": "xyz"}, {"quote": "USDT\nx"}, {"time_in_force_ms": 0}],
)
def test_what_could_not_be_read_back_is_never_shown(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="short lines"):
        render(replace(ENTRY, **change))  # type: ignore[arg-type]  # one field each


def test_a_fee_in_another_asset_than_the_symbols_is_refused() -> None:
    text = render(ENTRY).replace("0.0001 BTC", "0.0001 USDT").replace("0.0751 BTC", "0.0751 USDT")
    with pytest.raises(ValueError, match="contradict"):
        parse(text)


def test_the_bound_is_what_the_ledger_can_lose() -> None:
    assert to_text(ENTRY.bound) == "0.0751"
    assert to_text(CLOSE.bound) == "0.0749"
