"""Numbers, times and lines."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DataError
from app.market import rows
from app.market.rows import BadValue, Findings, number, read_rows, time_ms


@given(st.decimals(min_value=-(10**20), max_value=10**20, places=12))
def test_a_number_is_read_to_its_last_digit(value: Decimal) -> None:
    assert number(format(value, "f")) == value


@pytest.mark.parametrize(("text", "value"), [("2e-05", "0.00002"), ("1E+3", "1000"), ("5.", "5"), (".5", "0.5")])
def test_forms_other_tools_write(text: str, value: str) -> None:
    assert number(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "nan", "NaN", "inf", "-Infinity", "null", " "])
def test_what_is_no_number_is_none(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    "text", ["1_000", "\uff11", "1,5", "0x10", "1e999999999", "1e-25", "1e24", "9" * 25, "abc", '"1"', "--1"]
)
def test_junk_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        number(text)


@given(st.text(max_size=30))
def test_any_text_is_a_bounded_number_or_refused(text: str) -> None:
    try:
        value = number(text)
    except BadValue:
        return
    assert value is None or (value.is_finite() and abs(value) < 10**24 and len(format(value, "f")) <= 51)


@pytest.mark.parametrize(
    "text", ["1516423980", "1516423980000000", "1200000000000", "4102444800000", "x", "-516423980000"]
)
def test_seconds_and_other_wrong_times_are_refused(text: str) -> None:
    with pytest.raises(BadValue, match="ms since 1970"):
        time_ms(text)


def test_decimals_do_not_count_trailing_zeros_and_do_count_exponents() -> None:
    findings = Findings()
    for text in ("16713.080000", "2e-05", "100"):
        findings.price(text)
    findings.amount("0.00000000")
    assert (findings.price_places, findings.amount_places) == (5, 0)


def test_lines_keep_their_numbers_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_CHUNK", 7)
    path = tmp_path / "a.csv"
    lines = [f"line {n} äöü" for n in range(50)]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    found = list(read_rows(path, "a.csv"))
    assert [row.text for row in found] == lines
    assert [row.number for row in found] == list(range(1, 51))
    assert [row.ended for row in found] == [True] * 49 + [False]


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LINE_LIMIT", 1000)
    monkeypatch.setattr(rows, "_CHUNK", 512)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"0" * 100_000))
    with pytest.raises(DataError, match="longer than"):
        list(read_rows(path, "a.csv.gz"))


def test_a_truncated_gzip_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(bytes(range(256)).hex().encode() * 50)[:-30])
    with pytest.raises(DataError, match=r"cut\.csv\.gz can not be read"):
        list(read_rows(path, "cut.csv.gz"))
