"""Acts on the command line: bump a transaction, see and take back allowances, positions of liquidity. Each proposes;
nothing is sent before the text was read and confirmed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Final

from app.allowance_words import allowed, looked, spender
from app.cli import context
from app.cli.stakes import amounts
from app.cli.ticket import proposed, what_now
from app.cli.watch import when
from app.errors import UsageError

_PATIENCE_S: Final = 60.0
"""A node searches its blocks for events."""
_OPTIONS: Final = {"symbol": "SYMBOL", **{name: f"--{name}" for name in ("fee", "lower", "upper", "base", "quote")}}
_NAMES: Final = "See their names: countersign liquidity"


def bump(options: argparse.Namespace) -> int:
    """Propose the same trade with higher fees in the place of a transaction that waits."""
    return _propose(options, {"op": "bump", "id": options.id})


def revoke(options: argparse.Namespace) -> int:
    """Propose to take an allowance back."""
    request = {"op": "revoke", "token": options.token, "spender": options.spender, "inner": options.permit2}
    return _propose(options, request)


def allowances(options: argparse.Namespace) -> int:
    """What may be taken from the account, and by whom."""
    answer = context.ask_trader(context.database(options), {"op": "allowances"}, timeout_s=_PATIENCE_S)
    context.emit(options, "allowances", answer, list(_allowances(answer)))
    return 0


def _allowances(answer: dict[str, Any]) -> Iterator[str]:
    for each in answer["allowances"]:
        until = "" if each["expires_ms"] is None else f" until {when(each['expires_ms'])} UTC"
        origin = "" if each["from"] == "settings" else "  told by an event"
        yield f"{allowed(each)}  {spender(each)} {each['spender']}{until}{origin}"
    if not answer["allowances"]:
        yield f"Nothing may be taken from {answer['account']} on {answer['chain']}."
    yield f"As of block {answer['block']}. {looked(answer)}"


def liquidity(options: argparse.Namespace) -> int:
    """Positions of liquidity: list them, open one, collect its fees, withdraw it."""
    if options.action == "list":
        if options.name is not None:
            raise UsageError("liquidity.name", "list takes no name.", next_step=_NAMES)
        return _list(options)
    if options.name is None:
        what = "Which instrument? countersign liquidity open SYMBOL" if options.action == "open" else "Which position?"
        raise UsageError("liquidity.name", what, next_step="" if options.action == "open" else _NAMES)
    if options.action == "open":
        given = {name: getattr(options, name) for name in ("fee", "lower", "upper", "base", "quote")}
        position = {"symbol": options.name, **{name: text for name, text in given.items() if text is not None}}
        return _propose(options, {"op": "liquidity_open", "position": position})
    return _propose(options, {"op": f"liquidity_{options.action}", "position": options.name})


def _list(options: argparse.Namespace) -> int:
    answer = context.ask_trader(context.database(options), {"op": "liquidity"}, timeout_s=_PATIENCE_S)
    lines = [line for each in answer["positions"] for line in _position(each)]
    context.emit(options, "liquidity", answer, lines or ["No positions of liquidity."])
    return 0


def _position(each: dict[str, Any]) -> Iterator[str]:
    whose = f"[{each['module']}]" if each["module"] else "[in no book of ours]"
    if each["in_range"] is None:
        yield f"{each['position']}  {each['pair']}: the chain does not tell of it  {whose}"
        yield f"  put in {amounts(each['put_in'])}"
        return
    state = "in range, earns" if each["in_range"] else "OUT OF RANGE, earns nothing"
    yield f"{each['position']}  {each['pair']}, fee {each['fee']}: {state}  {whose}"
    if each["lower"] is None:
        yield "  of tokens that the settings do not name"
        return
    yield f"  from {each['lower']} to {each['upper']}, now {each['price']} {each['quote']}"
    yield f"  holds {amounts(each['holds'])}; earned {amounts(each['fees'])}; worth {each['value']} {each['quote']}"
    if each["net"] is not None:
        loss = each["loss"]
        yield (
            f"  put in {amounts(each['put_in'])}; impermanent loss {loss} {each['quote']}, fees less that "
            f"{'' if each['net'].startswith('-') else '+'}{each['net']} {each['quote']}"
        )


def _propose(options: argparse.Namespace, request: dict[str, Any]) -> int:
    db = context.database(options)
    answer, outcome = proposed(db, request, _OPTIONS, _PATIENCE_S)
    lines = [f"Proposed {answer['id'][:8]}: {answer['title']}.", what_now(answer["id"], outcome)]
    context.emit(options, "proposed", {**answer, "state": outcome.state.value}, lines)
    return 0
