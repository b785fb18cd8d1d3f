"""Which settings are in force, journaled: what changed since the last start, and what was tightened while running."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Final

from app.config.load import Loaded
from app.config.tree import flatten, is_tightening
from app.execution.desk import Desk
from app.risk.model import Limits

_IN_MINUTES: Final = {"cool_down_ms": "cool_down_min", "error_window_ms": "error_window_min"}
LIMITS: Final = {f"risk.{_IN_MINUTES.get(field.name, field.name)}": field.name for field in fields(Limits)}
"""Settings key and field of each limit of the gate."""

_Change = tuple[str, str | None, str | None, str]


class ConfigJournal:
    """Compares the settings of this start with those the database remembers.

    Attributes:
        version: number of the settings in force; every trade pins it.
    """

    def __init__(self, loaded: Loaded, reload: Callable[[], Loaded] | None, connection: sqlite3.Connection) -> None:
        self._reload = reload
        self._turn = asyncio.Lock()
        """Two changes at once would write one version number twice, and the later without the earlier's keys."""
        self._in_force = flatten(loaded.settings)
        remembered = dict(connection.execute("SELECT key, value FROM meta WHERE key IN ('config', 'config_version')"))
        before: dict[str, str] = json.loads(remembered.get("config", "{}"))
        self._changes: list[_Change] = [
            (key, before.get(key), self._in_force.get(key), loaded.sources.get(key, "default"))
            for key in sorted(before.keys() | self._in_force.keys())
            if before.get(key) != self._in_force.get(key)
        ]
        self.version = int(remembered.get("config_version", 0)) + bool(self._changes)

    @property
    def in_force(self) -> Mapping[str, str]:
        """Canonical text of every setting that this session trades by."""
        return self._in_force

    async def record(self, desk: Desk, facts: Mapping[str, str]) -> None:
        """Journal what changed since the last start; `facts` are remembered beside it."""
        if self._changes:
            await self._write(desk, self.version, self._in_force, self._changes, facts)

    async def tighten(self, desk: Desk) -> list[str]:
        """Take over limits that are tighter in the settings now than in force. Everything else waits for the next
        start. Returns the keys taken over.

        Raises:
            ConfigError: the settings are not valid any more; nothing changed.
        """
        if self._reload is None:
            return []
        async with self._turn:
            return await self._tighten(desk, self._reload())

    async def _tighten(self, desk: Desk, new: Loaded) -> list[str]:
        wanted, old = flatten(new.settings), dict(self._in_force)
        keys = [key for key in sorted(LIMITS) if is_tightening(old[key], wanted[key], key)]
        if not keys:
            return []
        limits = new.settings.risk.limits()
        desk.configure(replace(desk.configured, **{LIMITS[key]: getattr(limits, LIMITS[key]) for key in keys}))
        version, in_force = self.version + 1, self._in_force | {key: wanted[key] for key in keys}
        changes: list[_Change] = [(key, old[key], wanted[key], new.sources[key]) for key in keys]
        await self._write(desk, version, in_force, changes, {})
        # Only now: a tightening whose commit was lost holds all the same, and is journaled when it is asked for again.
        self.version, self._in_force = version, in_force
        desk.terms = replace(desk.terms, config_version=version)
        return keys

    async def take(self, desk: Desk, values: Mapping[str, str], source: str) -> None:
        """Settings that a command changed while running, and that hold from now on. Journaled before this returns.

        Raises:
            StorageFault: the commit was lost; they do not hold.
        """
        async with self._turn:
            changes: list[_Change] = [
                (key, self._in_force.get(key), value, source)
                for key, value in sorted(values.items())
                if self._in_force.get(key) != value
            ]
            if changes:
                version, in_force = self.version + 1, self._in_force | dict(values)
                await self._write(desk, version, in_force, changes, {})
                self.version, self._in_force = version, in_force
                desk.terms = replace(desk.terms, config_version=version)

    async def _write(
        self, desk: Desk, version: int, in_force: dict[str, str], changes: list[_Change], facts: Mapping[str, str]
    ) -> None:
        transition = desk.transition()
        for key, old, new, source in changes:
            transition.config_change(version, key, old, new, source)
        config = {"config": json.dumps(in_force), "config_version": str(version)}
        for key, value in {**config, **facts}.items():
            transition.record("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
        await desk.commit(transition, "config.changed", str(version))
