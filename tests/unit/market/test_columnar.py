"""Parquet and Feather, which need a library that is no dependency."""

from __future__ import annotations

import importlib
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from app.errors import DataError
from app.market.replay import ReplaySource
from strategies.model import Bar
from tests.unit.market.recordings import MINUTE, T0

NAME = "bittrex_ETH-BTC_1m_20200913"


@pytest.mark.parametrize("content", [b"PAR1junk", b"ARROW1junk"])
def test_without_the_library_it_says_what_to_install(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / f"{NAME}.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match="pip install pyarrow"):
        ReplaySource(path)


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_candles_of_a_table(tmp_path: Path, kind: str) -> None:
    arrow = pytest.importorskip("pyarrow")
    writer = importlib.import_module(f"pyarrow.{kind}")
    columns = {
        "timestamp_ms": [T0, T0 + MINUTE, T0 + 2 * MINUTE],
        **{name: [0.1, 0.00002, None] for name in ("open", "high", "low", "close")},
        "volume": [Decimal("1.10"), Decimal("2.25"), Decimal("3.00")],
    }
    path = tmp_path / f"{NAME}.{kind}"
    (writer.write_table if kind == "parquet" else writer.write_feather)(arrow.table(columns), path)
    source = ReplaySource(path)
    bars = [event for event in source.events() if isinstance(event, Bar)]
    assert [(str(each.close), str(each.volume)) for each in bars] == [("0.1", "1.10"), ("0.00002", "2.25")]
    assert source.warnings.counts[path.name] == {"not_a_number": 1}
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="can not be read"):
        ReplaySource(path)
