"""What `pnl` says of slippage."""

from __future__ import annotations

import json
from pathlib import Path

from app import reports_execution
from storage.database import open_for_trading, reader
from tests.unit.cli.conftest import Call


def recorded(path: Path, *fills: tuple[str, str]) -> Path:
    """One trade each: bought at a price when the ask at submit was the other, after an earlier quote."""
    database = open_for_trading(path, "default")
    with database.connection as db:
        db.execute("PRAGMA foreign_keys=OFF")
        for number, (price, ask) in enumerate(fills):
            trade = f"t{number}"
            db.execute("INSERT INTO trades VALUES (?, 'm', 'ETH-USDT', 'buy', 'FILLED', '', 1, 1)", (trade,))
            db.execute(
                "INSERT INTO orders VALUES (?, ?, 'entry', '{}', 'FILLED', '1', 1, 'v', 1, '0', '')", (trade, trade)
            )
            for stage, at in (("prepare", "1"), ("submit", "2"), ("submit", ask)):
                values = (trade, stage, at, at)
                db.execute("INSERT INTO quotes VALUES (NULL, ?, ?, 'ETH-USDT', 1, ?, ?, 0)", values)
            db.execute(
                "INSERT INTO fills VALUES (1, 'paper', ?, ?, ?, 'm', 'ETH-USDT', 'buy', ?, '1', '0', 'USDT', 1)",
                (trade, trade, trade, price),
            )
    database.close()
    return path


def test_slippage_is_never_shown_better_than_it_was(tmp_path: Path) -> None:
    db = recorded(tmp_path / "a.db", ("99.99999", "100"))
    with reader(db) as data:
        (found,) = reports_execution.slippage(data)
    assert (found["average_bps"], found["worst_bps"]) == ("0", "0"), "0.001 bps better than the touch, rounded up"
    db = recorded(tmp_path / "b.db", ("100.00001", "100"))
    with reader(db) as data:
        (found,) = reports_execution.slippage(data)
    assert (found["average_bps"], found["worst_bps"]) == ("0.01", "0.01")


def test_the_newest_quote_of_each_trade_is_found_without_a_scan_for_each_fill(tmp_path: Path) -> None:
    db = recorded(tmp_path / "a.db", ("101", "100"), ("100", "100"))
    with reader(db) as data:
        (found,) = reports_execution.slippage(data)
        plan = [row["detail"] for row in data.rows(f"EXPLAIN QUERY PLAN {reports_execution._FILLS}")]
    assert (found["trades"], found["average_bps"], found["worst_bps"]) == (2, "50", "100")
    assert [line for line in plan if line.startswith(("SCAN", "CORRELATED"))] == ["SCAN quotes", "SCAN f"], plan


def test_one_trade_is_one_trade(tmp_path: Path, call: Call) -> None:
    one, two = recorded(tmp_path / "1.db", ("101", "100")), recorded(tmp_path / "2.db", ("1", "1"), ("1", "1"))
    assert "bps over 1 trade, worst" in call("pnl", "--db", one).out
    assert "bps over 2 trades, worst" in call("pnl", "--db", two).out
    assert json.loads(call("pnl", "--db", one, "--json").out)["slippage"][0]["trades"] == 1
