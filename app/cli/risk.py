"""``countersign risk``: every limit with how much of it is used; the terminal's Risk panel without the terminal."""

from __future__ import annotations

import argparse
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app import reports
from app.cli import context
from app.cli.watch import when
from app.engine.clock import WallClock
from app.errors import CountersignError
from app.money import ZERO, add, from_text
from storage.database import reader

if TYPE_CHECKING:
    from app.config.load import Loaded
    from app.execution.profile_rules import ProfileRules

_BAR: Final = 10
_HUNDRED: Final = Decimal(100)


def risk(options: argparse.Namespace) -> int:
    """Through the running trader, else from the settings and the record."""
    db = context.database(options)
    try:
        document = context.ask_trader(db, {"op": "risk"})
    except CountersignError as error:
        if error.code != "control.none":
            raise
        document = _recorded(options, db)
    context.emit(options, "risk", {"database": str(db), **document}, _lines(document))
    return 0


def _recorded(options: argparse.Namespace, db: Path) -> dict[str, Any]:
    from app.execution.risk_view import recorded_view  # noqa: PLC0415 -- asyncio behind it, only without a trader
    from app.execution.state import load  # noqa: PLC0415 -- same
    from app.execution.stop_flag import StopFlag  # noqa: PLC0415 -- same
    from app.session_plan import instruments_from_text  # noqa: PLC0415 -- same

    loaded = context.settings(options)
    with reader(db) as data:
        settings = loaded.settings
        capital = ZERO
        for module in settings.modules.values():
            capital = add(capital, module.allocation if module.enabled else ZERO)
        text = data.value("SELECT value FROM meta WHERE key = 'instruments'")
        view = recorded_view(
            data,
            load(data.value("SELECT value FROM meta WHERE key = 'venue'") or "paper", data),
            instruments_from_text(text) if text else (),
            settings.risk.limits(),
            settings.risk.rates,
            capital,
            reports.denied_by_rule(data),
            _rules(loaded, db, str(data.value("SELECT value FROM meta WHERE key = 'profile'"))),
        )
    return {**view.document(), "halted": "the emergency stop is in force" if StopFlag(db).raised() else ""}


def _rules(loaded: Loaded, db: Path, profile: str) -> ProfileRules:
    """What the database's own profile adds, whatever the settings name."""
    from app.execution.profile_rules import ProfileRules  # noqa: PLC0415 -- as above
    from app.live_rules import LiveRules  # noqa: PLC0415 -- as above

    if profile != "live":
        return ProfileRules()
    rules = LiveRules(loaded, db, WallClock().now_ms)
    rules.take(rules.read())
    return rules


def _lines(document: dict[str, Any]) -> list[str]:
    recorded = "" if document["running"] else ", as recorded: no trader runs"
    peak, start = document["equity_peak"], document["day_start_equity"]
    lines = [
        f"market      {when(document['market_ms'])} UTC{recorded}",
        f"equity      {document['equity']} USD; peak {peak}, at 00:00 UTC {start}",
        f"profile     {_profile(document)}",
    ]
    lines += [f"pilot       {each}" for each in document["pilot"]]
    if document["halted"]:
        lines.append(f"HALTED      {document['halted']}")
    lines += ["", *(_line(use) for use in document["limits"])]
    for each in document["instruments"]:
        lines += ["", f"{each['symbol']}  {each['value']} USD", *(_line(use) for use in each["limits"])]
    if document["correlations"]:
        lines += ["", "correlation of what is held"]
        lines += [
            f"  {c['one']} {c['other']}  {c['value'] or 'not known: counts as 1'}" for c in document["correlations"]
        ]
    denied = ", ".join(f"{count} {rule}" for rule, count in document["denied_by_rule"].items())
    span = "since the trader started" if document["running"] else "over the whole record"
    return [*lines, "", f"denied      {denied or 'nothing'} {span}"]


def _profile(document: dict[str, Any]) -> str:
    if not document["adaptive"] and document["level"] == "normal":
        return "the settings' limits; risk.adaptive is off"
    why = f" since {when(document['level_since_ms'])}: {document['level_reason']}" if document["level_reason"] else ""
    return f"{document['level']}{why}"


def _line(use: dict[str, Any]) -> str:
    share = from_text(use["share"])
    full = min(_BAR, int(share * _BAR))
    used = "-" if use["used"] is None else use["used"]
    words = {"ok": "", "near": "  NEAR", "reached": "  REACHED"}[use["state"]]
    who = {"adaptive": "  tightened", "pilot": "  pilot cap"}.get(use["source"], "")
    note = f"  ({use['note']})" if use["note"] else ""
    amounts = f"{used} of {use['limit']} {use['unit']}".rstrip()
    return f"  {use['title']:<26} [{'#' * full:<{_BAR}}] {share * _HUNDRED:>6.0f} %  {amounts}{words}{who}{note}"
