"""Positions of liquidity for commands that only look: what the database says was put in, and what the running trader
says would come out now."""

from __future__ import annotations

import argparse
from typing import Any, Final

from app import reports_acts
from app.cli import context
from app.errors import CountersignError
from storage.database import Reader, trader_pid

_PATIENCE_S: Final = 2.0


def of(options: argparse.Namespace, data: Reader) -> list[dict[str, Any]]:
    """All that are open; ``worth`` and ``change`` are null where no trader runs that could say."""
    found = reports_acts.liquidity(data)
    if not found:
        return []
    db, told = context.database(options), {}
    if trader_pid(db) is not None:
        try:
            answer = context.ask_trader(db, {"op": "stakes"}, timeout_s=_PATIENCE_S)
            told = {(each["module"], each["position"]): each for each in answer["stakes"]}
        except CountersignError as error:
            context.note(str(error))
    for each in found:
        live = told.get((each["module"], each["position"]), {})
        each |= {name: live.get(name) for name in ("symbol", "worth", "change")}
    return found


def lines(each: dict[str, Any]) -> list[str]:
    """One position in words."""
    head = f"{each['position']:<18} put in {amounts(each['put_in'])}"
    if each["worth"] is None:
        return [f"{head}, worth unknown: only a running trader on its chain knows  [{each['module']}]"]
    change = ", ".join(f"{'' if each.startswith('-') else '+'}{each}" for each in _each(each["change"]))
    return [f"{head}, worth {amounts(each['worth'])} with its fees  [{each['module']}]", f"  changed by {change}"]


def amounts(of: dict[str, str]) -> str:
    """``1 ETH and 2500 USDC``."""
    return " and ".join(_each(of)) or "nothing"


def _each(of: dict[str, str]) -> list[str]:
    return [f"{amount} {asset}" for asset, amount in of.items()]
