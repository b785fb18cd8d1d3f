"""Whole sessions on recorded data, by the product's own command: the same decisions every time, and a record that
agrees with the venue's to the last digit."""

from __future__ import annotations

import gzip
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.money import from_text, total
from tests.replay.command import ROOT, countersign, document
from tests.shared import shared_data

pytestmark = pytest.mark.shared

ETH_BTC = "market/candles/1m/bittrex_ETH-BTC_1m_20180120.csv.gz"
RUN = ("run", "--headless", "--auto-confirm", "--speed", "max")


def head_of_recording(folder: Path, rows: int) -> Path:
    """The first rows of the recording as a file of its own, so that a session is short."""
    path = folder / "bittrex_ETH-BTC_1m_head.csv"
    with gzip.open(shared_data(ETH_BTC), "rt", encoding="utf-8") as source:
        path.write_text("".join(line for _, line in zip(range(rows + 1), source, strict=False)), encoding="utf-8")
    return path


def end_of(folder: Path, relative: str) -> Path:
    """The last lines of a recording under its own name and folder: so many that those are traded on which the whole of
    it is traded on."""
    whole, path = shared_data(relative), folder / relative
    path.parent.mkdir(parents=True)
    with gzip.open(whole, "rb") as source, gzip.open(path, "wb", compresslevel=1) as end:
        titles = [] if relative.endswith(".jsonl.gz") else [next(source)]
        end.writelines([*titles, *deque(source, 4_000)])
    return path


def venue_of(db: Path) -> sqlite3.Connection:
    return sqlite3.connect(db.with_name(f"{db.stem}.venue.db"))


def assert_agrees_with_venue(home: Path, db: Path) -> dict[str, Any]:
    """`pnl --json` against the venue's own record, to the last digit."""
    pnl = document(home, "pnl", "--db", str(db))
    venue = venue_of(db)
    balances = {asset: amount for asset, amount in venue.execute("SELECT * FROM balances") if amount != "0"}
    assert pnl["balances"] == balances
    fees: dict[str, list[Decimal]] = {}
    flow: dict[str, list[Decimal]] = {}
    fills = venue.execute("SELECT symbol, side, price, quantity, fee, fee_asset FROM fills").fetchall()
    assert pnl["fills"] == len(fills)
    for symbol, side, price, quantity, fee, fee_asset in fills:
        fees.setdefault(fee_asset, []).append(from_text(fee))
        notional = from_text(price) * from_text(quantity)
        flow.setdefault(symbol.split("-")[1], []).append(notional if side == "sell" else -notional)
    for asset, totals in pnl["by_asset"].items():
        assert from_text(totals["fees"]) == total(fees.get(asset, []))
        held = [from_text(p["cost"]) for p in document(home, "positions", "--db", str(db))["positions"]]
        # what was realised is what the fills brought in, plus what the open lots still cost
        assert from_text(totals["realised"]) == total(flow.get(asset, [])) + total(held)
    return pnl


def test_recorded_days_trade_settle_and_verify(tmp_path: Path) -> None:
    recording, db = head_of_recording(tmp_path, 15_000), tmp_path / "a.db"
    done = document(tmp_path, *RUN, "--db", str(db), "--replay", str(recording))
    assert done["trades"]["FILLED"] >= 10
    assert done["fills"] >= 20
    assert done["data_warnings"]["counts"] == {recording.name: {"gaps": 1, "missing_bars": 1}}
    assert document(tmp_path, "journal", "verify", "--db", str(db))["ok"] is True
    assert_agrees_with_venue(tmp_path, db)


def test_the_same_data_gives_the_same_intents_whatever_the_hash_seed(tmp_path: Path) -> None:
    recording = head_of_recording(tmp_path, 2500)
    hashes = {
        document(tmp_path, *RUN, "--db", str(tmp_path / f"{seed}.db"), "--replay", str(recording), hash_seed=seed)[
            "intents_sha256"
        ]
        for seed in ("0", "1", "4242")
    }
    assert len(hashes) == 1


def test_another_seed_or_setting_gives_other_intents(tmp_path: Path) -> None:
    recording = head_of_recording(tmp_path, 2500)
    one = document(tmp_path, *RUN, "--db", str(tmp_path / "1.db"), "--replay", str(recording))
    two = document(
        tmp_path, *RUN, "--db", str(tmp_path / "2.db"), "--replay", str(recording), "--set", "sizing.fixed=5"
    )
    assert one["intents_sha256"] != two["intents_sha256"]


def test_a_session_stopped_half_way_goes_on_where_it_was(tmp_path: Path) -> None:
    recording, db = head_of_recording(tmp_path, 4000), tmp_path / "a.db"
    slow = [sys.executable, "-m", "app", *RUN[:-1], "20000", "--db", str(db), "--replay", str(recording), "--json"]
    process = subprocess.Popen(
        slow, cwd=ROOT, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE, text=True
    )
    _wait_for_fills(db, process)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert '"stopped by SIGTERM"' in out
    first = document(tmp_path, "status", "--db", str(db))
    done = document(tmp_path, *RUN, "--db", str(db), "--replay", str(recording))
    assert done["position"] == 2 * 4000
    assert done["journal_head"]["seq"] > first["journal_head"]
    assert document(tmp_path, "journal", "verify", "--db", str(db))["ok"] is True
    assert_agrees_with_venue(tmp_path, db)


def test_a_session_interrupted_at_full_speed_decides_like_one_that_was_not(tmp_path: Path) -> None:
    recording, db = head_of_recording(tmp_path, 4500), tmp_path / "a.db"
    run = [sys.executable, "-m", "app", *RUN, "--db", str(db), "--replay", str(recording), "--json"]
    for _ in range(2):
        process = subprocess.Popen(
            run, cwd=ROOT, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE, text=True
        )
        _wait_for_fills(db, process, more=2)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
        assert '"stopped by SIGTERM"' in out
    done = document(tmp_path, *RUN, "--db", str(db), "--replay", str(recording))
    whole = document(tmp_path, *RUN, "--db", str(tmp_path / "b.db"), "--replay", str(recording))
    assert done["trades"] == whole["trades"]
    assert done["intents_sha256"] == whole["intents_sha256"]
    assert done["pnl"] == whole["pnl"]


def test_a_session_killed_again_and_again_makes_every_decision(tmp_path: Path) -> None:
    """What was reserved and not signed ends with the process; the bar that caused it is judged again."""
    recording, db = head_of_recording(tmp_path, 4500), tmp_path / "a.db"
    run = [sys.executable, "-m", "app", *RUN, "--db", str(db), "--replay", str(recording), "--json"]
    for _ in range(4):
        process = subprocess.Popen(
            run, cwd=ROOT, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE, text=True
        )
        _wait_for_fills(db, process, more=1)
        process.kill()
        process.communicate(timeout=30)
    done = document(tmp_path, *RUN, "--db", str(db), "--replay", str(recording))
    whole = document(tmp_path, *RUN, "--db", str(tmp_path / "b.db"), "--replay", str(recording))
    assert done["trades"]["FILLED"] == whole["trades"]["FILLED"]
    assert done["pnl"] == whole["pnl"]
    assert document(tmp_path, "journal", "verify", "--db", str(db))["ok"] is True
    assert_agrees_with_venue(tmp_path, db)


def _wait_for_fills(db: Path, process: subprocess.Popen[str], more: int = 2) -> None:
    """Until this session has `more` fills than there were."""
    before, pause = None, threading.Event()
    while process.poll() is None:
        pause.wait(0.005)  # the session needs the processor, and it is watched on its own disk
        try:
            with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as reader:
                count = reader.execute("SELECT count(*) FROM fills").fetchone()[0]
                before = count if before is None else before
                if count >= before + more:
                    return
        except sqlite3.Error:
            continue
    pytest.fail("the session ended before it traded")


def test_a_finished_replay_run_again_reports_the_same_and_sends_nothing(tmp_path: Path) -> None:
    recording, db = head_of_recording(tmp_path, 2500), tmp_path / "a.db"
    first = document(tmp_path, *RUN, "--db", str(db), "--replay", str(recording))
    sent = venue_of(db).execute("SELECT count(*) FROM requests WHERE op <> 'hello'").fetchone()
    again = document(tmp_path, *RUN, "--db", str(db), "--replay", str(recording))
    assert again["intents_sha256"] == first["intents_sha256"]
    assert again["trades"] == first["trades"]
    assert venue_of(db).execute("SELECT count(*) FROM requests WHERE op <> 'hello'").fetchone() == sent


def test_another_recording_on_the_same_database_is_refused(tmp_path: Path) -> None:
    recording, db = head_of_recording(tmp_path, 300), tmp_path / "a.db"
    document(tmp_path, *RUN, "--db", str(db), "--replay", str(recording))
    other = tmp_path / "bittrex_LTC-BTC_1m_other.csv"
    other.write_text(recording.read_text(encoding="utf-8"), encoding="utf-8")
    done = countersign(tmp_path, *RUN, "--db", str(db), "--replay", str(other))
    assert done.returncode == 3
    assert "another market source" in done.stderr


@pytest.mark.parametrize(
    ("relative", "options"),
    [
        ("market/trades/binance_XRP-ETH_20191011.csv.gz", ()),
        ("market/candles/1h/binance_BTC-USDT_1h_20201117.csv.gz", ()),
        ("market/candles/1h/coinbase_BTC-USD_1h_20170701.csv.gz", ()),
        ("market/candles/1m/bybit_BTC-USDT-PERP_1m_20221213.csv.gz", ()),
        ("market/candles/1m/ftx_BTC-PERP_1m_20211231.csv.gz", ("--instrument", "BTC-USD-PERP")),
        ("market/candles/quotes_1m/bybit_BTC-USDT_20221213.csv.gz", ()),
        ("market/candles/quotes_1m/coinbase_BTC-USD_20180404.csv.gz", ()),
        ("market/book/binance_spot_BTCUSDT_20240808.jsonl.gz", ("--instrument", "BTC-USDT")),
    ],
)
def test_every_kind_of_recording_can_be_traded_on(tmp_path: Path, relative: str, options: tuple[str, ...]) -> None:
    db, recording = tmp_path / "a.db", end_of(tmp_path, relative)
    document(tmp_path, *RUN, "--db", str(db), "--replay", str(recording), *options)
    assert document(tmp_path, "journal", "verify", "--db", str(db))["ok"] is True
    assert_agrees_with_venue(tmp_path, db)
