"""The trader's own hand on the command line: buy, sell, close, cancel. Each proposes; nothing is sent before the text
was read and confirmed. A cancel only reduces, and is done at once."""

from __future__ import annotations

import argparse
import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from app.cli import context
from app.errors import CountersignError, SafetyError, UsageError
from app.execution.states import TradeState
from app.outcomes import Outcome, became
from storage.database import reader
from storage.faults import StorageFault

_PATIENCE_S: Final = 3.0
_PAUSE_S: Final = 0.02
_NOT_PREPARED: Final = frozenset({TradeState.PROPOSED, TradeState.RESERVED})
_OPTIONS: Final = {
    "quantity": "QUANTITY", "price": "--limit or --worst", "stop": "--stop", "target": "--target",
    "seconds": "--for", "symbol": "SYMBOL", "module": "POSITION", "measure": "--value",
}  # fmt: skip


def buy(options: argparse.Namespace) -> int:
    """Propose a purchase."""
    ticket = {**_common(options), "stop": options.stop, "target": options.target}
    return _one(options, {"op": "buy", "ticket": _given(ticket)})


def sell(options: argparse.Namespace) -> int:
    """Propose a sale of what was bought by hand."""
    return _one(options, {"op": "sell", "ticket": _given(_common(options))})


def close(options: argparse.Namespace) -> int:
    """Propose the sale of a position, or of every one."""
    if options.all == (options.position is not None):
        raise UsageError("close.position", "Which position? Give SYMBOL or SYMBOL:MODULE, or --all.", next_step=_HELD)
    if options.all and (options.quantity or options.limit or options.worst):
        raise UsageError("close.all", "--all closes whole positions at the market; it takes no quantity and no price.")
    ticket = _given({**_terms(options), "quantity": options.quantity})
    if not options.all:
        return _one(options, {"op": "close", "position": options.position, "ticket": ticket})
    db = context.database(options)
    closes = context.ask_trader(db, {"op": "close", "all": True, "ticket": ticket})["closes"]
    for each in closes:
        if each.get("id"):
            each["state"] = prepared(db, each["id"]).state.value
    lines = [line for each in closes for line in _close_words(each)]
    context.emit(options, "closes", {"closes": closes}, lines or ["No open positions."])
    return 0 if all(each.get("id") for each in closes) else 3


def cover(options: argparse.Namespace) -> int:
    """Propose the standing exit of a position on a chain."""
    db = context.database(options)
    answer, outcome = proposed(db, {"op": "cover", "position": options.position}, {})
    name, trade = f"{answer['symbol']}:{answer['module']}", answer["id"][:8]
    what = (
        f"Proposed {trade}: a standing exit of {answer['quantity']} {name}, sent when the price falls to "
        f"{answer['stop']}, for {answer['worst_price']} or more each."
    )
    context.emit(options, "cover", {**answer, "state": outcome.state.value}, [what, what_now(answer["id"], outcome)])
    return 0


def cancel(options: argparse.Namespace) -> int:
    """Take an order back. On a chain that is a transaction in its place, which is proposed."""
    answer = context.ask_trader(context.database(options), {"op": "cancel", "id": options.id})
    replaced_by = answer.get("id")
    name = answer["client_id"] or answer["trade_id"]
    lines = [f"{answer['role'].capitalize()} of {answer['symbol']} ({name[:8]}): {answer['words']}"]
    lines += [f"  leg {leg['client_id'][:8]}: {leg['words']}" for leg in answer["legs"]]
    if replaced_by is not None:
        lines.append(what_now(replaced_by, prepared(context.database(options), replaced_by)))
    context.emit(options, "cancelled", answer, lines)
    return 0


_HELD: Final = "See what is held: countersign positions"


def _common(options: argparse.Namespace) -> dict[str, str | None]:
    measure = "account" if options.value else None
    return {**_terms(options), "symbol": options.symbol, "quantity": options.quantity, "measure": measure}


def _terms(options: argparse.Namespace) -> dict[str, str | None]:
    limit = options.limit is not None
    return {
        "kind": "limit" if limit else None,
        "price": options.limit if limit else options.worst,
        "seconds": options.seconds,
    }


def _given(ticket: dict[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in ticket.items() if text is not None}


def _one(options: argparse.Namespace, request: dict[str, Any]) -> int:
    db = context.database(options)
    answer, outcome = proposed(db, request, _OPTIONS)
    document = {**answer, "state": outcome.state.value}
    context.emit(options, "proposed", document, _words(answer["id"], answer["preview"], outcome))
    return 0


def proposed(
    db: Path, request: dict[str, Any], names: Mapping[str, str], patience_s: float = 10.0
) -> tuple[dict[str, Any], Outcome]:
    """What the running trader answers to a wish of the trader's own, and what became of the trade until it waits.

    Args:
        names: of the options, by the fields that they fill.

    Raises:
        UsageError: what was typed can not be proposed.
        SafetyError: it ended before anybody could read it.
    """
    answer = context.ask_trader(db, request, timeout_s=patience_s)
    if answer["id"] is None:
        lines = [_problem(each, names) for each in answer["problems"]]
        raise UsageError(f"{request['op']}.problems", "\n".join(lines), next_step="Nothing was proposed.")
    outcome = prepared(db, answer["id"])
    if not outcome.on_its_way and not outcome.traded:
        raise SafetyError(f"{request['op']}.ended", outcome.words())
    return answer, outcome


def _problem(problem: dict[str, str], names: Mapping[str, str]) -> str:
    name = names.get(problem["field"], problem["field"])
    allowed = f"; allowed: {problem['allowed']}" if problem["allowed"] else ""
    return f"{name}: {problem['words']}{allowed}."


def _close_words(each: dict[str, Any]) -> Iterator[str]:
    name = f"{each['symbol']}:{each['module']}"
    if each.get("id"):
        yield f"Proposed {each['id'][:8]}: close {name}. Read and confirm it: countersign confirm {each['id'][:8]}"
    else:
        why = each.get("error") or " ".join(_problem(problem, _OPTIONS) for problem in each["problems"])
        yield f"Not proposed: close {name}: {why}"


def _words(trade: str, preview: dict[str, Any], outcome: Outcome) -> Iterator[str]:
    """What was proposed, what it can cost and bring, and what to do now."""
    symbol, buys = preview["symbol"], preview["side"] == "buy"
    quote = symbol.split("-")[1]
    rests = " (a limit: it may rest)" if preview["rests"] else ""
    yield (
        f"Proposed {trade[:8]}: {preview['side']} {preview['quantity']} {symbol} at {preview['price']} or better"
        f"{rests}, open for {preview['time_in_force_ms'] // 1000} s.  [{preview['module']}]"
    )
    yield f"{'Pay up to' if buys else 'Get at least'} {preview['bound']} {quote}, fee included."
    if preview["loss"] is not None:
        yield f"Stop {preview['stop']}: lose {preview['loss']} {quote} if all of it sells there, fees included."
    if preview["gain"] is not None:
        ratio = "" if preview["reward_risk"] is None else f" ({preview['reward_risk']} to 1)"
        yield f"Target {preview['target']}: gain {preview['gain']} {quote}{ratio}."
    if preview["left"] != "0":
        yield f"{preview['left']} more is covered by another exit: close that after this."
    yield what_now(trade, outcome)


def what_now(trade: str, outcome: Outcome) -> str:
    """What to do with a trade that was proposed, or what became of it."""
    if outcome.state in _NOT_PREPARED | {TradeState.PREPARED}:
        return f"Read and confirm it: countersign confirm {trade[:8]}"
    return outcome.words()


def prepared(db: Path, trade: str) -> Outcome:
    """The trade once it waits for an answer, or has gone on. Ctrl-C ends the waiting and takes nothing back."""
    end, pause = time.monotonic() + _PATIENCE_S, threading.Event()
    outcome = Outcome(trade, TradeState.RESERVED, "", "no")
    with contextlib.suppress(KeyboardInterrupt):
        while outcome.state in _NOT_PREPARED and time.monotonic() < end:
            with contextlib.suppress(StorageFault, CountersignError), reader(db) as data:
                outcome = became(data, trade) or outcome
            if outcome.state in _NOT_PREPARED:
                pause.wait(_PAUSE_S)
    return outcome
