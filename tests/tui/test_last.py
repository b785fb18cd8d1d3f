"""The picture of the market that the next start shows: a file that anybody may have written, cut or copied."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import paths
from app.tui.last import keep, last, picture
from app.tui.widgets.table import Table
from strategies.model import Bar
from tests.tui.harness import terminal

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["NaN", "1e9", "-0.5", "60000"]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def written(folder: Path, **changes: object) -> Path:
    """A database, and beside it a sound picture of it with `changes`."""
    db = folder / "a.db"
    db.touch()
    bar = Bar("BTC-USDT", 1_700_000_000_000, 60_000, Decimal(5), Decimal(7), Decimal(4), Decimal(6), Decimal(1))
    sound = {
        "version": 2,
        "watch": [["BTC-USDT", "6", "20", True, "0.01"]],
        "bars": {"BTC-USDT": (bar,)},
        "start_ms": 900,
    }
    keep(db, sound)
    target = paths.screen_file(db)
    target.write_text(json.dumps({**json.loads(target.read_text()), **changes}))
    return db


def test_a_picture_comes_back_as_it_was_taken(tmp_path: Path) -> None:
    found = last(written(tmp_path))
    assert found is not None
    (row,), (bar,) = found.watch, found.bars["BTC-USDT"]
    assert (row.symbol, row.held, row.tick) == ("BTC-USDT", True, Decimal("0.01"))
    assert (row.last, row.change_pct) == (Decimal(6), Decimal(20))
    assert (row.bid, row.ask, row.age_ms) == (None, None, None), "how old it is can not be known"
    assert (bar.open, bar.high, bar.low, bar.close) == (Decimal(5), Decimal(7), Decimal(4), Decimal(6))
    assert bar.close_ms == 1_700_000_060_000
    assert found.start_ms == 900


def test_a_picture_of_another_database_is_not_shown(tmp_path: Path) -> None:
    db = written(tmp_path)
    (tmp_path / "restored.db").touch()
    (tmp_path / "restored.db").replace(db)
    assert last(db) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 1},
        {"start_ms": "soon"},
        {"watch": [["BTC-USDT", "NaN", "20", True, "0.01"]]},
        {"watch": [["BTC-USDT", "6"]]},
        {"bars": {"BTC-USDT": [[1 << 60, 60_000, "5", "7", "4", "6"]]}},
        {"bars": {"BTC-USDT": [[0, 0, "5", "7", "4", "6"]]}},
        {"bars": {"BTC-USDT": [[0, 60_000, "5", "1e999", "4", "6"]]}},
        {"bars": []},
    ],
)
def test_what_somebody_else_wrote_is_not_shown(tmp_path: Path, changes: dict[str, object]) -> None:
    assert last(written(tmp_path, **changes)) is None


def test_no_file_half_a_file_and_a_huge_one(tmp_path: Path) -> None:
    db = written(tmp_path)
    target = paths.screen_file(db)
    target.write_text(target.read_text()[:50])
    assert last(db) is None
    target.write_bytes(b" " * 5_000_000)
    assert last(db) is None
    target.unlink()
    assert last(db) is None


@given(watch=_JSON, bars=_JSON)
def test_anything_gives_a_picture_or_none(
    tmp_path_factory: pytest.TempPathFactory, watch: object, bars: object
) -> None:
    found = last(written(tmp_path_factory.mktemp("any"), watch=watch, bars=bars))
    assert found is None or all(row.tick.is_finite() for row in found.watch)


async def test_before_the_first_price_of_a_session_the_last_bar_stands_for_it(tmp_path: Path) -> None:
    async with terminal(tmp_path) as seat:
        await seat.market(2000)
        desk, history = seat.host.desk, seat.host.history
        assert desk is not None
        assert history is not None
        taken = picture(desk, history, 900)
        shown = {row.key: row.cells[1][0] for row in seat.app.screen.query_one("#watch", Table)._rows}
        assert {row[0] for row in taken["watch"]} == shown.keys()
        assert all(row[1] is not None and Decimal(row[1]) > 0 for row in taken["watch"])
