"""A database from before modules could be paused, with what such a one holds, under a session of today."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.engine.stage import Script, install, on, plugin, stage
from tests.unit.storage.test_schema import older


async def test_a_database_from_before_modules_were_kept_goes_on_and_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", Script()))
    with closing(sqlite3.connect(older(tmp_path / "a.db", "m004_modules"))) as data, data:
        rows = [("a", "0.9", "running", "1000", "", 5), ("gone", "3", "failed", "70.5", "ValueError('x')", 6)]
        data.executemany("INSERT INTO modules VALUES (?, ?, ?, ?, ?, ?)", rows)
        data.execute("INSERT INTO module_metrics VALUES (1, 60000, 'gone', 9, 8, 7, 6, 5, 4, 3)")
    async with stage(tmp_path, settings=on("a")) as s:
        assert (s.state("a"), s.view("a").restarts, s.view("a").paused) == ("running", 0, False)
        gone = s.stored("gone")
        assert (gone["state"], gone["allocation"], gone["paused"], gone["health"]) == ("registered", "70.5", 0, "")
        metrics = s.r.rows("SELECT * FROM module_metrics WHERE module = 'gone'")
        assert [(row["bars"], row["fills"], row["errors"], row["committed"]) for row in metrics] == [(9, 3, 0, None)]
        await s.manager.pause("a")
        assert s.stored("a")["paused"] == 1
        s.r.assert_sound()
