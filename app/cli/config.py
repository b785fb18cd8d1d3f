"""``countersign config``: show each value with its source, set one, or check everything."""

from __future__ import annotations

import argparse

from app.cli import context, streams
from app.errors import ConfigError, CountersignError, SafetyError, UsageError
from app.settings_change import WORD, consider, judge, write
from storage.database import trader_pid
from storage.faults import StorageFault


def config(options: argparse.Namespace) -> int:
    """One of show, set, check."""
    if options.action == "set":
        return _set(options)
    if options.value is not None or (options.action == "check" and options.key is not None):
        raise UsageError(
            "config.words", f"config {options.action} has a word too many: {options.value or options.key}."
        )
    if options.action == "check":
        return _check(options)
    loaded = context.settings(options)
    from app.config.tree import flatten  # noqa: PLC0415 -- after the settings loaded it anyway

    flat = {k: v for k, v in flatten(loaded.settings).items() if options.key is None or k.startswith(options.key)}
    if not flat:
        raise UsageError(
            "config.key", f"There is no setting {options.key}.", next_step="See all: countersign config show"
        )
    lines = [f"{key} = {value}    ({loaded.sources[key]})" for key, value in flat.items()]
    values = {key: {"value": value, "source": loaded.sources[key]} for key, value in flat.items()}
    context.emit(options, "config", {"path": str(loaded.path), "settings": values}, lines)
    return 0


def _check(options: argparse.Namespace) -> int:
    try:
        loaded = context.settings(options)
        doubts = judge(loaded)
    except ConfigError as error:  # whose next step is this very command
        raise ConfigError(error.code, error.what, next_step="Correct this and check again.") from error
    for doubt in doubts:
        context.note(doubt)
    lines = [f"The settings are valid. File: {loaded.path}{'' if loaded.path.exists() else ' (not there; defaults)'}"]
    context.emit(options, "config-check", {"valid": True, "path": str(loaded.path)}, lines)
    return 0


def _set(options: argparse.Namespace) -> int:
    if options.key is None or options.value is None:
        raise UsageError(
            "config.set", "Which setting, and which value? For example: countersign config set risk.position 20"
        )
    loaded = context.settings(options)
    change = consider(loaded.path, options.key, options.value)
    for doubt in change.doubts:  # before the word is asked for
        context.note(doubt)
    prompt = f"{options.key}: {change.old} -> {change.new} loosens a limit. Type {WORD} and Enter: "
    if change.loosens and streams.typed_line(prompt) != WORD:
        raise SafetyError("config.kept", "Nothing was changed.")
    old, value = write(change)
    now = _in_force(options)
    holds = "It holds now" if options.key in now else "It holds from the next start"
    lines = [f"{options.key}: {old} -> {value} in {loaded.path}. {holds} and is journaled then."]
    document = {"key": options.key, "old": old, "new": value, "path": str(loaded.path), "in_force": options.key in now}
    context.emit(options, "config-set", document, lines)
    return 0


def _in_force(options: argparse.Namespace) -> list[str]:
    """A running trader takes over limits that became tighter at once; the keys it took over."""
    try:
        db = context.database(options)
        if trader_pid(db) is None:
            return []
        taken: list[str] = context.ask_trader(db, {"op": "tighten"})["keys"]
    except (CountersignError, StorageFault) as error:
        context.note(f"the running trader did not take it over: {error}")  # the file is written all the same
        return []
    return taken
