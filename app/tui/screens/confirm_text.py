"""The confirmation as lines: pure, so that it can be read without a screen."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from app import wish_words
from app.execution import basket_preview, chain_preview
from app.execution.states import PayloadState, TradeState
from app.money import mul, to_text
from app.risk.usage import LimitUse, Source, UseState
from app.snapshots.trades import ConfirmView
from app.text import counted, escape_untrusted, lasting
from app.tui import words
from app.tui.screens import chain_text, device_text
from app.tui.widgets.lines import Line, Piece, fit, flowed, line, wrapped
from signers.base import SignerKind
from signers.session import GIVEN_UP
from strategies.acts import Collect, Provide, Withdraw

if TYPE_CHECKING:
    from app.execution.records import Trade
    from app.tui.glyphs import Glyphs
    from strategies.acts import Act
    from strategies.model import Intent

_FINE: Final = Decimal("0.0001")
"""Ticks below it make long prices."""
_BY_ITSELF: Final = "tightened by itself"
_ENDS: Final = {
    TradeState.CONFIRMED: ("Confirmed. The device is asked to sign: 9 shows it.", "warn"),
    TradeState.SIGNED: ("Signed and verified. Checking the market again, then sending.", "warn"),
    TradeState.SUBMITTED: ("Sent. The order is at the venue.", "ok"),
    TradeState.PARTIALLY_FILLED: ("Sent, and partly filled.", "ok"),
    TradeState.REFUSED: ("Refused on the device. Nothing was sent.", "warn"),
    TradeState.DECLINED: ("Declined. Nothing was sent.", "warn"),
}


_SOLD: Final = "At its worst, and you sell at the stop:"
_TARGET: Final = "The same at the target:                     "


def document(seen: ConfirmView, width: int, glyphs: Glyphs) -> list[Line]:
    """Everything to read: the signed text first."""
    hot = seen.device.kind is SignerKind.KEYRING
    lines = device_text.hot(width) if hot else []
    lines.append(line((f"{'The HOT KEY' if hot else 'The signer shows and'} signs exactly this:", "label")))
    for text in seen.text:
        lines += [line("  ", (part, "title"), base="") for part in _hard(text, max(width - 2, 8))]
    if seen.resumed:
        lines += wrapped(
            "These bytes were signed before a restart and never sent. Confirming sends the same bytes.", width, "error"
        )
    on_chain = chain_preview.of_chain(seen.preview)
    preview = chain_text.preview(seen, width, glyphs) if on_chain else _preview(seen, width)
    lines += [line((glyphs.rule * width, "dim")), *preview, *_outcomes(seen, width, glyphs, on_chain=on_chain)]
    lines += [line((glyphs.rule * width, "dim")), *_risk(seen, width)]
    lines += [line((glyphs.rule * width, "dim")), *wrapped(f"Why: {escape_untrusted(seen.why)}", width, "", "  ")]
    if hot:
        return lines
    return [*lines, line((glyphs.rule * width, "dim")), *device_text.expected(seen.device, seen.device_pages, width)]


def _hard(text: str, width: int) -> list[str]:
    """Cut behind a blank, with nothing left out: the signed text is shown character by character."""
    pieces: list[str] = []
    while len(text) > width:
        end = text.rfind(" ", 1, width) + 1 or width  # a number in two pieces would be two numbers
        pieces, text = [*pieces, text[:end]], text[end:]
    return [*pieces, text]


def _preview(seen: ConfirmView, width: int) -> list[Line]:
    shown = seen.preview
    legs = [each for text in basket_preview.lines(shown) for each in wrapped(text, width, "", "  ")]
    stays = f"Once sent, it stays open for {lasting(seen.open_ms)}."
    if not Decimal(str(shown["filled"])):
        return legs or wrapped(f"When it was proposed nothing of it would have been filled. {stays}", width, "error")
    book = "a SYNTHETIC book (made from a bar)" if shown["synthetic_book"] else "the book"
    average = words.price(Decimal(shown["average"]), seen.tick)
    text = (
        f"When proposed, walking {book} of {words.clock(int(shown['book_ms']))}: fills {shown['filled']} at {average}, "
        f"impact {shown['impact_bps']} bps, expected fee {shown['fee']} {seen.quote} (the signed fee is the bound). "
        f"{stays}"
    )
    return [*wrapped(text, width, "", "  "), *legs]


def _outcomes(seen: ConfirmView, width: int, glyphs: Glyphs, *, on_chain: bool) -> list[Line]:
    if seen.intent.act is not None:
        return _act(seen, seen.intent.act, width)
    if seen.at_stop is None:
        sale = "A sale that closes what is held: it needs no exits of its own."
        kept = "A standing exit: it protects what is held, and makes way for any other sale."
        return wrapped(kept if seen.preview.get("standing") else sale, width, "label")
    lines: list[Line] = []
    stop = _SOLD if on_chain else "If it fills at its worst and the stop fires:"
    for label, value in ((stop, seen.at_stop), (_TARGET, seen.at_target)):
        if value is not None:
            amount = (words.signed(value, glyphs, 4, exact=True), (f" {seen.quote}", "dim"))
            lines += flowed([((label, "label"),), amount, *words.worth(value, seen.rate)], width)
    return lines


def _act(seen: ConfirmView, act: Act, width: int) -> list[Line]:
    """What confirming it leads to; what it puts at stake."""
    lines = wrapped(wish_words.meant(act), width, "label")
    if seen.intent.quantity:
        amount = f"{to_text(seen.intent.quantity)} {seen.quote}"
        lines += flowed([(("At stake, as the limits count it: ", "label"), (amount, ""))], width)
    return lines


def _risk(seen: ConfirmView, width: int) -> list[Line]:
    lines = [line(("Limits, with this trade counted in:", "label"))]
    used = [each for each in seen.risk if each.share]
    for each in used:
        lines += limit_lines(each, width)
    idle = len(seen.risk) - len(used)
    return [*lines, line((f"  {counted(idle, 'other limit')} not used at all", "dim"))] if idle else lines


def limit_lines(use: LimitUse, width: int) -> list[Line]:
    """One limit and how much of it is used; amounts rounded for reading."""
    role = {UseState.OK: "", UseState.NEAR: "warn", UseState.REACHED: "error"}[use.state]
    used = "?" if use.used is None else words.money(use.used)
    percent = words.money(mul(use.share, Decimal(100)), 0)
    amounts = f"{used:>12} of {words.money(use.limit)} {use.unit}"
    more = [
        ((f" {text}", "label"),) for text in (use.note, _BY_ITSELF if use.source is Source.ADAPTIVE else "") if text
    ]
    head = fit(f"  {use.title}", 30)
    return flowed([((head, "dim"), (f"{percent:>4} %", role)), ((amounts, role),), *more], width, " " * 6)


def was_sent(trade: Trade) -> bool:
    """The venue has had it, whatever became of it there."""
    sent = {PayloadState.SENT, PayloadState.LANDED, PayloadState.UNKNOWN, PayloadState.DEAD}
    return any(payload.state in sent for payload in trade.payloads)


def now(seen: ConfirmView) -> Line:
    """The market at this moment, and what the order would do to it."""
    act = seen.intent.act
    return _now(seen, seen.intent) if act is None else _now_of_act(seen, act)


def _now(seen: ConfirmView, intent: Intent) -> Line:
    if seen.now is None:
        return line(("no quote now", "error"))
    bid, ask = (words.price(each, seen.tick) for each in seen.now)
    worst = words.price(intent.worst_price, seen.tick)
    market: tuple[Piece, Piece] = ("now ", "dim"), (f"bid {bid}  ask {ask}", "")
    if seen.worse is not None:
        return line(*market, (f"  past the worst, {worst}: S asks anew", "error"))
    on_chain = chain_preview.of_chain(seen.preview)  # there what it comes to was quoted, over all its routes
    if seen.fills_now is None or on_chain:
        return line(*market, (f"  {'worst' if on_chain else 'rests for'} {worst}", "label"))
    filled = seen.fills_now.filled
    if filled < intent.quantity:
        return line(*market, (f"  fills only {to_text(filled)} up to {worst}", "warn"))
    average = words.price(seen.fills_now.average, seen.tick)
    if seen.tick < _FINE:  # the longest line that 80 columns hold
        return line(("now ", "dim"), (f"bid {bid} ask {ask}", ""), (f" fills {average} worst {worst}", "label"))
    return line(*market, (f"  fills at {average}  worst {worst}", "label"))


def _now_of_act(seen: ConfirmView, act: Act) -> Line:
    """An act has no worst price. Those that have to do with the market's show it."""
    if not isinstance(act, Provide | Collect | Withdraw):
        return line((wish_words.terms(seen.intent), "label"))
    bid, ask = ("-", "-") if seen.now is None else (words.price(each, seen.tick) for each in seen.now)
    bounds = f"  {wish_words.terms(seen.intent)}" if isinstance(act, Provide) else ""
    return line(("now ", "dim"), (f"bid {bid}  ask {ask}", ""), (bounds, "label"))


def outcome(trade: Trade, answered: str) -> tuple[str, str]:
    """What became of it, in words, and their role. An order in doubt comes first: its trade counts as sent."""
    if any(order.state == "UNKNOWN" for order in trade.orders.values()):
        head = "Filled, and an exit is in doubt: maybe sent." if trade.state is TradeState.FILLED else "Maybe sent."
        return f"{head} It is being looked up. Do not repeat.", "error"
    if (told := chain_text.outcome(trade)) is not None:
        return told
    return _outcome(trade, answered)


def _outcome(trade: Trade, answered: str) -> tuple[str, str]:
    if trade.state is TradeState.FILLED:
        closed = "Filled. What it sold needs no exits any more: they were cancelled."
        return (closed if trade.intent.reduce_only else "Filled. Its exits rest at the venue."), "ok"
    if trade.state is TradeState.REFUSED and GIVEN_UP in trade.reason:
        return f"{GIVEN_UP} Nothing was sent. Refuse on the device what it still shows.", "warn"
    if trade.state in _ENDS:
        return _ENDS[trade.state]
    if trade.state is TradeState.PREPARED:
        return ("Declined." if answered == "declined" else "Confirmed; being written to disk."), "warn"
    return _ended(trade), "error"


def _ended(trade: Trade) -> str:
    """Why nothing came of it, and whether anything was sent."""
    why = escape_untrusted(trade.reason).rstrip(".")
    why += "" if why.endswith((".)", "?", "!")) else "."
    sent = " It had been sent." if was_sent(trade) else "" if "othing was sent" in why else " Nothing was sent."
    sent = f" {approved}" if (approved := chain_text.before(trade)) else sent
    return f"{wish_words.state_of(trade.intent.act, trade.state.value).capitalize()}: {why}{sent}"
