"""``countersign modules``: what is installed and how it fares; pause, resume, switch on and off, give capital.

With a running trader the trader does it, at once. Without one, a pause is put into the database and the rest into the
settings file, and the next start obeys.
"""

from __future__ import annotations

import argparse
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from app.cli import context, streams
from app.errors import CountersignError, SafetyError, UsageError
from app.money import ZERO, from_text, to_text
from app.settings_change import WORD, gives_more, judge
from storage.database import reader, trader_pid

_KEPT: Final = ("failed", "paused")
"""States that mean something without a trader: a failure until the next start, a pause until it is lifted."""
_FULL_RIGHTS: Final = "it is a third party's code and runs with your full rights"


def modules(options: argparse.Namespace) -> int:
    """List, or one change."""
    _check_words(options)
    db = context.database(options)
    if options.action == "list":
        return _list(options, db)
    if options.action in {"pause", "resume"}:
        return _pause(options, db)
    return _set(options, db)


def _check_words(options: argparse.Namespace) -> None:
    action, name, amount, every = options.action, options.name, options.amount, options.all
    example = f"countersign modules {action} momentum{' 500' if action == 'allocate' else ''}"
    if action == "list":
        wrong = name is not None or every
    elif every:
        wrong = action not in {"pause", "resume"} or name is not None
    else:
        wrong = name is None or (amount is None) == (action == "allocate")
    if wrong:
        more = " (pause and resume take --all too)" if action in {"pause", "resume"} else ""
        raise UsageError(
            "modules.words", f"modules {action}: a word too many or too few{more}.", next_step=f"For example: {example}"
        )


# -- list -----------------------------------------------------------------------------------------------------------


def _list(options: argparse.Namespace, db: Path) -> int:
    rows = _rows(options, db)
    lines = []
    for r in rows:
        lines.append(
            f"{r['name']:<16} {r['version'] or '-':<8} {'enabled' if r['enabled'] else 'off':<8} "
            f"allocation {r['allocation']}  {_words(r)}"
        )
        lines += [f"{'':<16} says: {note}" for note in r.get("notes", ())]
    context.emit(options, "modules", {"modules": rows}, lines or ["No modules installed."])
    return 0


def _rows(options: argparse.Namespace, db: Path) -> list[dict[str, Any]]:
    if trader_pid(db) is not None:
        try:
            live: list[dict[str, Any]] = context.ask_trader(db, {"op": "modules"})["modules"]
        except CountersignError as error:
            context.note(str(error))
        else:
            return live
    from app.engine.registry import resolve  # noqa: PLC0415 -- imports the strategies

    loaded = context.settings(options)
    stored, resolved = _stored(db), resolve(loaded)
    rows = []
    for name in sorted(resolved.installed.keys() | resolved.unavailable.keys()):
        found, mine = resolved.installed.get(name), loaded.settings.modules.get(name)
        row = stored.get(name, {})
        kept = row.get("state") in _KEPT or bool(row.get("paused"))
        rows.append(
            {
                "name": name,
                "version": found.spec.version if found and found.spec else None,
                "summary": found.spec.summary if found and found.spec else "",
                "unavailable": resolved.unavailable.get(name, found.unavailable if found else ""),
                "enabled": mine is not None and mine.enabled,
                "allocation": to_text(mine.allocation) if mine else "0",
                "state": _state(row) if kept else "",
                "reason": row["reason"] if kept else "",
                "paused": bool(row.get("paused")),
                "third_party": found is not None and found.third_party,
            }
        )
    return rows


def _state(row: dict[str, Any]) -> str:
    return "failed" if row["state"] == "failed" else "paused"


def _stored(db: Path) -> dict[str, dict[str, Any]]:
    if not db.exists():
        return {}
    with reader(db) as data:
        return {row["name"]: row for row in data.rows("SELECT * FROM modules")}


def _words(row: dict[str, Any]) -> str:
    if row["unavailable"]:
        return f"unavailable: {row['unavailable']}"
    health = row.get("health", "")
    state = f"{row['state']}, {health}" if health and health != row["state"] else row["state"]
    more = row["reason"] or row.get("health_words", "")
    words = f"{state}: {more}" if more and state else state or row["summary"]
    return f"{words} (third party)" if row["third_party"] else words


# -- pause, resume --------------------------------------------------------------------------------------------------


def _pause(options: argparse.Namespace, db: Path) -> int:
    action, pauses = options.action, options.action == "pause"
    if trader_pid(db) is not None:
        request = {"op": f"module_{action}", "name": options.name, "all": options.all}
        rows = context.ask_trader(db, request)["modules"]
        lines = [f"{row['name']} is {row['state']}. Exits: {row['exits_managed_by']}." for row in rows]
        document = {"action": action, "modules": [row["name"] for row in rows], "at_next_start": False}
    else:
        names = _names(options)
        _pause_on_record(db, names, pauses=pauses)
        lines = [f"{name}: {'paused' if pauses else 'resumed'} from the next start; no trader runs." for name in names]
        document = {"action": action, "modules": names, "at_next_start": True}
    context.emit(options, f"modules-{action}", document, lines or [f"There was nothing to {action}."])
    return 0


def _names(options: argparse.Namespace) -> list[str]:
    enabled = sorted(name for name, mine in context.settings(options).settings.modules.items() if mine.enabled)
    if options.all:
        return enabled
    if options.name not in enabled:
        raise UsageError(
            "modules.off",
            f"{options.name} is not switched on; these are: {', '.join(enabled) or 'none'}.",
            next_step="See: countersign modules",
        )
    return [options.name]


def _pause_on_record(db: Path, names: list[str], *, pauses: bool) -> None:
    """As the trader would write it: the journal says who and why, the table what the next start obeys."""
    from app.cli.alone import change  # noqa: PLC0415 -- asyncio and the writer, only to change something
    from storage.journal import canonical  # noqa: PLC0415 -- with it

    state, reason = ("paused", "paused by the trader") if pauses else ("registered", "")
    sql = (
        "INSERT INTO modules (name, version, state, allocation, reason, paused, updated_ms) VALUES (?, '', ?, '0', ?, "
        "?, ?) ON CONFLICT (name) DO UPDATE SET state = excluded.state, reason = excluded.reason, "
        "paused = excluded.paused, updated_ms = excluded.updated_ms"
    )
    before = {name: row.get("state", "registered") for name, row in _stored(db).items()}
    for name in names:
        body = canonical({"set": [["module", name, before.get(name, "registered"), state, "trader", reason]]})
        row = (name, state, reason, int(pauses))
        change(db, f"module.{state}", name, body, lambda now, row=row: [(sql, (*row, now))])  # type: ignore[misc]  # binds now


# -- on, off, capital -----------------------------------------------------------------------------------------------


def _set(options: argparse.Namespace, db: Path) -> int:
    action, name = options.action, options.name
    key = f"modules.{name}.{'allocation' if action == 'allocate' else 'enabled'}"
    value = {"enable": "true", "disable": "false"}.get(action, options.amount)
    runs = trader_pid(db) is not None
    if action == "allocate":
        _ask_for_more(options, db, runs=runs)
    covered = ""
    if runs:
        answer = context.ask_trader(db, {"op": f"module_{action}", "name": name, "amount": options.amount})
        covered, third = answer["covered_by"], answer["modules"][0]["third_party"]
    else:
        third = _write(options, db, key, value)
    if third and action == "enable":
        context.note(f"{name}: {_FULL_RIGHTS}")
    if covered:
        context.note(f"{key} was given to this session by the {covered}, and counts again when it is given again")
    when = "It holds now" if runs else "It holds from the next start; no trader runs"
    document = {"action": action, "modules": [name], "key": key, "value": value, "at_next_start": not runs}
    context.emit(options, f"modules-{action}", document, [f"{key} = {value}. {when}."])
    return 0


def _ask_for_more(options: argparse.Namespace, db: Path, *, runs: bool) -> None:
    """More capital loosens a limit, which needs the typed word as with `config set`."""
    try:
        new = from_text(options.amount)
    except ValueError:
        raise UsageError(
            "modules.amount", f"{options.amount[:40]!r} is no amount.", next_step="For example: 500"
        ) from None
    rows: list[dict[str, Any]] = context.ask_trader(db, {"op": "modules"})["modules"] if runs else _rows(options, db)
    old: Decimal = next((from_text(row["allocation"]) for row in rows if row["name"] == options.name), ZERO)
    prompt = f"{options.name}: {to_text(old)} -> {to_text(new)} gives it more capital. Type {WORD} and Enter: "
    path = context.settings(options).path
    if gives_more(path, options.name, old, new) and streams.typed_line(prompt) != WORD:
        raise SafetyError("config.kept", "Nothing was changed.")


def _write(options: argparse.Namespace, db: Path, key: str, value: str) -> bool:
    """Into the settings file; True when the module is a third party's."""
    from app.cli.alone import record  # noqa: PLC0415 -- as above
    from app.config.edit import set_value  # noqa: PLC0415 -- as above
    from app.engine.registry import available, file_hash  # noqa: PLC0415 -- imports the strategies

    name = options.name
    found = {each.name: each for each in available()}
    if name not in found and options.action != "disable":
        raise UsageError("modules.unknown", f"{name} is not installed; installed are: {', '.join(found) or 'none'}.")
    set_value(context.settings(options).path, key, value, judge)
    third = name in found and found[name].third_party
    if third and options.action == "enable" and name in _stored(db):
        files = file_hash(found[name].package)
        record(db, lambda _: [("UPDATE modules SET file_hash = ? WHERE name = ?", (files, name))])
    return third
