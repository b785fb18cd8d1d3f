"""What screens read: the log's tail, and the settings with their sources."""

from __future__ import annotations

import json
from pathlib import Path

from app.config.load import load
from app.health import size
from app.reports_settings import settings
from app.snapshots import log
from app.tui.screens.settings_rows import matching


def _write(file: Path, *records: object) -> Path:
    file.write_text("".join(json.dumps(each) + "\n" for each in records), "utf-8")
    return file


def test_the_tail_has_the_newest_records_of_a_level(tmp_path: Path) -> None:
    levels = ("debug", "info", "warning", "error", "critical")
    file = _write(
        tmp_path / "l.jsonl", *({"ts_ms": n, "level": level, "event": level} for n, level in enumerate(levels))
    )
    assert [each.event for each in log.tail(file, "debug", 10)] == list(levels)
    assert [each.event for each in log.tail(file, "warning", 10)] == ["warning", "error", "critical"]
    assert [each.event for each in log.tail(file, "debug", 2)] == ["error", "critical"]
    assert len({each.offset for each in log.tail(file, "debug", 10)}) == 5


def test_what_is_no_record_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "l.jsonl"
    file.write_bytes(
        b'[1]\nnull\n\xff\xfe\n{"level": "info", "event": "one", "x": {"a": 1}, "t": "b\\nc"}\n{"level": "in'
    )
    (line,) = log.tail(file, "debug", 10)
    assert (line.ts_ms, line.event, line.fields) == (None, "one", 'x={"a": 1} t=b c')
    assert log.tail(tmp_path / "none", "debug", 10) == ()


def test_a_long_file_is_read_from_its_end(tmp_path: Path) -> None:
    file = _write(tmp_path / "l.jsonl", *({"level": "info", "event": f"e{n}", "pad": "x" * 1000} for n in range(500)))
    found = log.tail(file, "info", 1000)
    assert found[-1].event == "e499"
    assert 100 < len(found) < 140, "whole records of the last 128 KiB"


def test_each_setting_says_where_it_is_from_and_when_it_counts(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[risk]\nposition = "20"\n', "utf-8")
    loaded = load(file, {"COUNTERSIGN_RISK__EXPOSURE": "60"}, {"market.seed": "9"})
    seen = {each.key: each for each in settings(loaded, None)}
    assert (seen["risk.position"].value, seen["risk.position"].source) == ("20", str(file))
    assert seen["risk.exposure"].source == "environment COUNTERSIGN_RISK__EXPOSURE"
    assert seen["market.seed"].source == "command line"
    assert seen["risk.position"].default == "10"
    assert seen["risk.position"].limit
    assert seen["risk.position"].tightens_at_once
    assert not seen["risk.rates.BTC"].tightens_at_once
    assert seen["trade.quote_age_ms"].takes_effect == "at the next start"
    assert seen["terminal.theme"].takes_effect == "at once"
    assert seen["profile"].section == ""
    assert seen["modules.momentum.allocation"].section == "modules"
    assert not any(each.waits for each in seen.values()), "nothing runs"
    running = {key: each.value for key, each in seen.items()} | {"risk.position": "15"}
    assert [each.key for each in settings(loaded, running) if each.waits] == ["risk.position"]


def test_finding_needs_every_word_anywhere(tmp_path: Path) -> None:
    (tmp_path / "c.toml").touch()
    seen = settings(load(tmp_path / "c.toml", {}, {}), None)
    assert [each.key for each in matching(seen, "LOSSES trades")] == ["risk.losses_in_row"]
    assert len(matching(seen, "")) == len(seen)
    assert matching(seen, "no such thing") == []


def test_bytes_for_reading() -> None:
    assert [size(n) for n in (0, 812_345, 1_500_000, 1_590_000_000)] == ["0 kB", "812 kB", "1.5 MB", "1.5 GB"]
