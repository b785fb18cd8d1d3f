"""Whoever changes, inserts, removes or swaps a row is found by `journal verify`, and so is whoever breaks its form.

The database is one that the product itself made: a short replay with entries, exits and closes.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.__main__ import main
from app.execution.verify import verify
from storage.database import Reader, connect
from storage.journal import Finding, Head, read_mirror, row_hash
from storage.schema import HASHED
from tests.cli.harness import Cli, commands, one_document

PROJECTIONS = {
    "trades": ("id",), "payloads": ("id",), "orders": ("client_id",), "reservations": ("trade_id",),
    "balances": ("account", "asset"), "module_positions": ("module", "symbol"),
}  # fmt: skip
_ELSEWHERE = {"seals", "adjustments", "fill_notionals", "fill_changes", "intent_acts"}
EVIDENCE = ("journal", *(table for table in HASHED if table not in _ELSEWHERE))
"""Seals and adjustments, which no replay has, are tampered with in test_seals and test_adjustments; what only a chain
has (exact quote amounts, fills undone, acts), in tests/evm."""
COLUMNS = {"journal": ("seq", "ts_ms", "kind", "subject", "body", "prev_hash", "hash"), **HASHED}
PROJECTED = {
    "trades": ("id", "module", "symbol", "side", "state", "reason", "created_ms", "updated_ms"),
    "payloads": ("id", "trade_id", "kind", "state", "text", "preview", "valid_until_ms", "updated_ms", "body"),
    "orders": (
        "client_id",
        "trade_id",
        "role",
        "terms",
        "state",
        "filled",
        "revision",
        "venue_order_id",
        "updated_ms",
        "gas",
        "moves",
    ),
    "reservations": ("trade_id", "asset", "amount", "remaining", "state", "updated_ms"),
    "balances": ("account", "asset", "amount"),
    "module_positions": ("module", "symbol", "quantity", "cost", "realised", "fees", "opened_ms", "updated_ms"),
}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A finished session with several trades."""
    with commands(tmp_path_factory.mktemp("tampering") / "home") as cli:
        baskets = ("--set", "modules.probe.params.baskets=true", "--set", "modules.probe.params.hold=2")
        result = cli.replay(*baskets, bars=18)
        assert result.code == 0, result
        yield cli


class Bench:
    """The session's database, open for tampering; every tampering is undone."""

    def __init__(self, path: Path) -> None:
        self.mirror = read_mirror(path)
        self.connection = connect(path, read_only=False)
        self.connection.execute("PRAGMA foreign_keys=OFF")

    def findings(self, mirror: Head | None = None) -> list[Finding]:
        """What `verify` finds now."""
        return list(verify(Reader(self.connection), mirror or self.mirror))

    @contextmanager
    def tampered(self) -> Iterator[Callable[..., Any]]:
        """Change anything inside; it is rolled back."""
        self.connection.execute("BEGIN")
        try:
            yield lambda sql, *values: self.connection.execute(sql, values).fetchall()
        finally:
            self.connection.execute("ROLLBACK")

    def address(self, table: str) -> str:
        """What tells one row of a table from another: its rowid, or the key of a table that has none."""
        ((sql,),) = self.connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchall()
        return " || ' ' || ".join(PROJECTIONS[table]) if "WITHOUT ROWID" in sql else "rowid"

    def rowids(self, table: str) -> list[Any]:
        """First, a middle and the last row: what `address` gives for them."""
        found = [row[0] for row in self.connection.execute(f"SELECT {self.address(table)} FROM {table} ORDER BY 1")]
        return sorted({found[0], found[len(found) // 2], found[-1]})

    def value(self, table: str, column: str, rowid: Any) -> Any:
        """One value."""
        sql = f"SELECT {column} FROM {table} WHERE {self.address(table)} = ?"
        return self.connection.execute(sql, (rowid,)).fetchone()[0]

    def copy(self, table: str, rowid: Any, **changes: Any) -> None:
        """Insert a copy of a row, with changes."""
        cursor = self.connection.execute(f"SELECT * FROM {table} WHERE {self.address(table)} = ?", (rowid,))
        row = dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True)) | changes
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))


@pytest.fixture(scope="module")
def bench(session: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A copy to tamper with."""
    path = tmp_path_factory.mktemp("bench") / "a.db"
    shutil.copy(session.db, path)
    shutil.copy(session.db.with_name("a.db.head"), path.with_name("a.db.head"))
    found = Bench(path)
    yield found
    found.connection.close()


def other(value: Any) -> Any:
    """Another value of the same kind: the smallest change there is."""
    match value:
        case None:
            return "1"
        case int():
            return value + 1
        case bytes():
            return value[:-1] + bytes([value[-1] ^ 1])
        case str() if value.replace(".", "", 1).removeprefix("-").isdigit():
            return value[:-1] + ("1" if value[-1] != "1" else "2")
        case _:
            return f"{value}x"


def test_an_untouched_session_verifies_and_has_everything(session: Cli, bench: Bench) -> None:
    assert bench.findings() == []
    for table in (*EVIDENCE, *PROJECTIONS):
        (count,) = bench.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert count >= (1 if table == "module_positions" else 2), table
    result = session("journal", "verify", "--db", session.db)
    assert result.code == 0
    assert "Verified" in result.out


def test_every_column_is_in_the_campaign(bench: Bench) -> None:
    for table, columns in {**COLUMNS, **PROJECTED}.items():
        found = [row[1] for row in bench.connection.execute(f"PRAGMA table_info({table})")]
        assert sorted(set(found) - {"seq"}) == sorted(set(columns) - {"seq"}), table


# -- the evidence -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "column"), [(t, c) for t in EVIDENCE for c in ("seq", *COLUMNS[t]) if (t, c) != ("journal", "seq")]
)
def test_a_changed_value_is_found_at_its_row(bench: Bench, table: str, column: str) -> None:
    for rowid in bench.rowids(table):
        seq, value = bench.value(table, "seq", rowid), bench.value(table, column, rowid)
        new = -value if column == "number" else other(value)  # one more is the next leg's
        with bench.tampered() as run:
            run(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", new, rowid)
            found = bench.findings()
        assert any(f.seq == seq and f.table in {"journal", table} for f in found), (rowid, found)
        if table != "journal":
            assert any(table in f"{f.table} {f.what}" or f.table == "journal" for f in found)


@pytest.mark.parametrize(
    ("table", "column"), [("intents", "stop"), ("intents", "target"), ("order_events", "from_state")]
)
def test_a_value_turned_into_nothing_is_found(bench: Bench, table: str, column: str) -> None:
    rows = bench.connection.execute(f"SELECT rowid, seq FROM {table} WHERE {column} IS NOT NULL LIMIT 3").fetchall()
    assert rows
    for rowid, seq in rows:
        with bench.tampered() as run:
            run(f"UPDATE {table} SET {column} = NULL WHERE rowid = ?", rowid)
            assert any(f.seq == seq for f in bench.findings())


def test_a_renumbered_journal_row_is_found(bench: Bench) -> None:
    last = bench.rowids("journal")[-1]
    for seq, new in ((1, 0), (1, -5), (2, last + 1), (last, last + 7), (5, 10**15)):
        with bench.tampered() as run:
            run("UPDATE journal SET seq = ? WHERE seq = ?", new, seq)
            found = bench.findings()
        assert any(f.table == "journal" for f in found)
        assert any(str(seq) in f.what or str(new) in f.what or f.table == "head" for f in found)


@pytest.mark.parametrize("table", EVIDENCE)
def test_a_deleted_row_is_found(bench: Bench, table: str) -> None:
    for rowid in bench.rowids(table):
        seq = bench.value(table, "seq", rowid)
        with bench.tampered() as run:
            run(f"DELETE FROM {table} WHERE rowid = ?", rowid)
            found = bench.findings()
        where = [f for f in found if f.seq in {seq, seq + 1} or f.table == "head"]
        assert where, (rowid, found)


_KEYS = {"intents": ("id",), "intent_legs": ("intent_id",), "authorisations": ("payload_id",), "fills": ("fill_id",)}


@pytest.mark.parametrize("table", EVIDENCE[1:])
@pytest.mark.parametrize("place", ["same row", "later row", "no row", "before the first"])
def test_an_inserted_copy_is_found(bench: Bench, table: str, place: str) -> None:
    for rowid in bench.rowids(table):
        seq = bench.value(table, "seq", rowid)
        new = {"same row": seq, "later row": bench.rowids("journal")[-1] - 1, "no row": 10**6}.get(place, 0)
        with bench.tampered():
            bench.copy(table, rowid, seq=new, **dict.fromkeys(_KEYS.get(table, ()), f"{rowid:032x}"))
            found = bench.findings()
        assert any(f.seq == new for f in found), found


@pytest.mark.parametrize("onwards", [False, True])
def test_a_change_with_its_own_hash_mended_is_found(bench: Bench, onwards: bool) -> None:
    """Whoever knows the rule can mend one hash: then the next row does not continue it. Mending them all up to the end
    leaves the mirrored head (and to others, the device seal)."""
    last = bench.rowids("journal")[-1]
    for seq in (1, last // 2, last - 1):
        with bench.tampered() as run:
            run("UPDATE journal SET kind = kind || 'x' WHERE seq = ?", seq)
            mend(run, seq, last if onwards else seq)
            found = bench.findings()
        if onwards:
            assert [f.table for f in found] == ["head"]
        else:
            assert [(f.table, f.seq) for f in found] == [("journal", seq + 1)]
            assert "does not continue" in found[0].what


def mend(run: Callable[..., Any], first: int, last: int) -> None:
    """Recompute the hashes of rows `first` to `last` from what the tables hold now."""
    for seq in range(first, last + 1):
        ((ts_ms, kind, subject, body, prev),) = run(
            "SELECT ts_ms, kind, subject, body, prev_hash FROM journal WHERE seq = ?", seq
        )
        if seq > first:
            ((prev,),) = run("SELECT hash FROM journal WHERE seq = ?", seq - 1)
        rows = [
            [table, *row]
            for table, columns in HASHED.items()
            for row in run(f"SELECT {', '.join(columns)} FROM {table} WHERE seq = ? ORDER BY rowid", seq)
        ]
        digest = row_hash(prev, seq, ts_ms, kind, subject, body, rows)
        run("UPDATE journal SET prev_hash = ?, hash = ? WHERE seq = ?", prev, digest, seq)


def test_an_appended_journal_row_is_found(bench: Bench) -> None:
    last = bench.rowids("journal")[-1]
    with bench.tampered():
        bench.copy("journal", last, seq=last + 1)
        assert any(f.seq == last + 1 for f in bench.findings())


@pytest.mark.parametrize("table", EVIDENCE)
def test_two_swapped_rows_are_found(bench: Bench, table: str) -> None:
    names = [c for c in COLUMNS[table] if c != "seq"]
    columns = ", ".join(names)
    rows = bench.connection.execute(f"SELECT rowid, seq, {columns} FROM {table} ORDER BY seq, rowid").fetchall()
    pairs = [(a, b) for a, b in zip(rows, rows[1:] + rows[:1], strict=True) if a[2:] != b[2:]]
    assert pairs
    for one, two in (pairs[0], pairs[len(pairs) // 2], pairs[-1]):
        with bench.tampered() as run:
            run(f"DELETE FROM {table} WHERE rowid IN (?, ?)", one[0], two[0])
            names_in = "seq, " if table == "journal" else "rowid, seq, "
            for place, content in ((one, two), (two, one)):
                head = (place[1],) if table == "journal" else place[:2]
                marks = ", ".join("?" * (len(head) + len(names)))
                run(f"INSERT INTO {table} ({names_in}{columns}) VALUES ({marks})", *head, *content[2:])
            found = bench.findings()
        assert any(f.seq in {one[1], two[1]} for f in found), (one, two, found)


@pytest.mark.parametrize("rows", [1, 3, 10])
def test_a_cut_tail_is_found_by_the_mirror(bench: Bench, rows: int) -> None:
    last = bench.rowids("journal")[-1]
    with bench.tampered() as run:
        for table in EVIDENCE:
            run(f"DELETE FROM {table} WHERE seq > ?", last - rows)
        found = bench.findings()
    assert any(f.table == "head" and f.seq == last for f in found)


@pytest.mark.parametrize("rows", [1, 3, 10, 40])
def test_a_cut_tail_with_a_mended_mirror_is_found_by_what_followed_from_it(bench: Bench, rows: int) -> None:
    """Every row of this session moves something, so its projections outlive it. A row that moves nothing, cut with the
    mirror mended, is not seen: against that there is the device seal."""
    last = bench.rowids("journal")[-1]
    with bench.tampered() as run:
        for table in EVIDENCE:
            run(f"DELETE FROM {table} WHERE seq > ?", last - rows)
        ((digest,),) = run("SELECT hash FROM journal WHERE seq = ?", last - rows)
        found = bench.findings(Head(last - rows, digest))
    assert found
    assert {f.table for f in found} <= {*PROJECTIONS, "meta"}


def test_a_whole_journal_that_is_gone_is_found(bench: Bench) -> None:
    with bench.tampered() as run:
        for table in EVIDENCE:
            run(f"DELETE FROM {table}")
        assert any(f.table == "head" for f in bench.findings())


# -- what follows from it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "column"), [(t, c) for t in PROJECTED for c in PROJECTED[t]])
def test_a_changed_projection_is_found_and_named(bench: Bench, table: str, column: str) -> None:
    for rowid in bench.rowids(table):
        value = bench.value(table, column, rowid)
        keys = [str(bench.value(table, key, rowid)) for key in PROJECTIONS[table]]
        with bench.tampered() as run:
            run(f"UPDATE {table} SET {column} = ? WHERE {bench.address(table)} = ?", other(value), rowid)
            found = bench.findings()
        assert any(f.table == table and all(key in f.what for key in keys) for f in found), (keys, found)
        if column not in PROJECTIONS[table]:
            assert any(column in f.what for f in found if f.table == table), found


@pytest.mark.parametrize("table", PROJECTIONS)
def test_a_deleted_or_inserted_projection_is_found(bench: Bench, table: str) -> None:
    for rowid in bench.rowids(table):
        keys = {key: bench.value(table, key, rowid) for key in PROJECTIONS[table]}
        with bench.tampered() as run:
            run(f"DELETE FROM {table} WHERE {bench.address(table)} = ?", rowid)
            assert any(f.table == table and all(k in f.what for k in keys.values()) for f in bench.findings())
        with bench.tampered():
            bench.copy(table, rowid, **{key: f"{value}x" for key, value in keys.items()})
            assert any(f.table == table and all(f"{k}x" in f.what for k in keys.values()) for f in bench.findings())


@pytest.mark.parametrize("key", ["config", "config_version"])
def test_changed_settings_are_found(bench: Bench, key: str) -> None:
    for value in ("{}", "not json", "7", ""):
        with bench.tampered() as run:
            run("UPDATE meta SET value = ? WHERE key = ?", value, key)
            assert any(f.table == "meta" and key in f.what for f in bench.findings())
    with bench.tampered() as run:
        run("DELETE FROM meta WHERE key = ?", key)
        assert any(f.table == "meta" and key in f.what for f in bench.findings())


def test_one_setting_loosened_is_found(bench: Bench) -> None:
    with bench.tampered() as run:
        run("UPDATE meta SET value = json_set(value, '$.\"risk.daily_loss\"', '1000000') WHERE key = 'config'")
        assert [f.table for f in bench.findings()] == ["meta"]


# -- the tables themselves --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER quiet AFTER INSERT ON fills BEGIN DELETE FROM alerts; END",
        "CREATE VIEW more AS SELECT 1",
        "CREATE TABLE more (a)",
        "DROP INDEX orders_state",
        "ALTER TABLE trades ADD COLUMN more TEXT",
    ],
)
def test_a_changed_schema_is_found(bench: Bench, statement: str) -> None:
    with bench.tampered() as run:
        run(statement)
        assert any(f.table == "schema" for f in bench.findings())


@pytest.mark.parametrize("table", [*EVIDENCE, *PROJECTIONS])
def test_a_missing_table_or_column_is_found(bench: Bench, table: str) -> None:
    column = COLUMNS.get(table, PROJECTED.get(table, ()))[-1]
    with bench.tampered() as run:
        run(f"ALTER TABLE {table} RENAME TO elsewhere")
        assert any(f.table == table and "nothing can be verified" in f.what for f in bench.findings())
    with bench.tampered() as run:
        run(f"ALTER TABLE {table} RENAME COLUMN {column} TO elsewhere")
        assert any(f.table == table and column in f.what for f in bench.findings())


def loosen(run: Callable[..., Any], table: str) -> None:
    """Replace a table by one that takes any value anywhere, same rows in the same order."""
    columns = [row[1] for row in run(f"PRAGMA table_info({table})")]
    kinds = [f"{c} INTEGER PRIMARY KEY" if (table, c) == ("journal", "seq") else c for c in columns]
    run(f"ALTER TABLE {table} RENAME TO old_{table}")
    run(f"CREATE TABLE {table} ({', '.join(kinds)})")
    order = "" if table in {"balances", "module_positions", "reservations"} else "ORDER BY rowid"
    run(f"INSERT INTO {table} SELECT * FROM old_{table} {order}")
    run(f"DROP TABLE old_{table}")


NASTY: list[Any] = [
    None, "", "x", "1.0", "1e5", "NaN", "-0", "٣", "1" * 200, -1, 2**63 - 1, 1.5, b"", b"\xff\xfe", "[]", "{}",
    '{"set":5}', '{"set":[5]}', '{"set":[[]]}', '{"set":[["trade"]]}', '{"set":[["payload","a","b","SENT"]]}',
    '{"set":[["payload",["a"],"b","SENT","t",1,"p"]]}', '{"set":[["reservation",{},1,2,3,4]]}', '{"terms":[]}',
    '{"role":"entry","terms":{"client_id":1}}', '{"set":[["trade",[],[],[]]]}', "[" * 50_000, '{"set"', "null", "NaN",
]  # fmt: skip
"""Values that no column of ours ever has; a JSON column gets all of them, any other the same three each time."""


@pytest.mark.parametrize("table", [*EVIDENCE, *PROJECTIONS, "meta"])
def test_malformed_rows_are_findings_and_never_a_traceback(bench: Bench, table: str) -> None:
    with bench.tampered() as run:
        loosen(run, table)
        columns = [row[1] for row in run(f"PRAGMA table_info({table})") if (table, row[1]) != ("journal", "seq")]
        (rowid,) = bench.rowids(table)[-1:]
        for column in columns:
            before = bench.value(table, column, rowid)
            structured = isinstance(before, str) and before.startswith("{")
            for value in NASTY if structured else random.Random(f"{table}.{column}").sample(NASTY, 3):
                run(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", value, rowid)
                found = bench.findings()
                assert any(f.table == "schema" and table in f.what for f in found)
                same = type(before) is type(value) and before == value
                if not same and table != "meta":
                    assert any(f.table != "schema" for f in found), (column, value)
            run(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", before, rowid)


def test_text_that_is_not_utf8_is_a_finding(bench: Bench) -> None:
    for table, column in (("journal", "subject"), ("fills", "module"), ("trades", "reason"), ("payloads", "text")):
        rowid = bench.rowids(table)[-1]
        with bench.tampered() as run:
            run(f"UPDATE {table} SET {column} = CAST(x'fffe41' AS TEXT) WHERE rowid = ?", rowid)
            found = bench.findings()
        assert any(f.table in {table, "journal"} for f in found)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_byte_of_any_evidence_counts(bench: Bench, data: st.DataObject) -> None:
    table = data.draw(st.sampled_from(EVIDENCE))
    column = data.draw(st.sampled_from([c for c in COLUMNS[table] if (table, c) != ("journal", "seq")]))
    rowids = [row[0] for row in bench.connection.execute(f"SELECT rowid FROM {table}")]
    rowid = data.draw(st.sampled_from(rowids))
    value = bench.value(table, column, rowid)
    if isinstance(value, int):
        new: Any = value ^ (1 << data.draw(st.integers(0, 40)))
    elif value:
        index = data.draw(st.integers(0, len(value) - 1))
        flip = data.draw(st.integers(1, 127))
        if isinstance(value, bytes):
            new = value[:index] + bytes([value[index] ^ flip]) + value[index + 1 :]
        else:
            new = value[:index] + chr(ord(value[index]) ^ flip) + value[index + 1 :]
    else:
        new = "y"
    with bench.tampered() as run:
        try:
            run(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", new, rowid)
        except (sqlite3.IntegrityError, UnicodeEncodeError):
            return
        assert bench.findings()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    signature=st.one_of(
        st.binary(min_size=64, max_size=66), st.binary(max_size=4), st.just(bytes(65)), st.just(bytes(64) + b"\x1b")
    )
)
def test_any_signature_is_judged_without_a_traceback(bench: Bench, signature: bytes) -> None:
    with bench.tampered() as run:
        run("UPDATE authorisations SET signature = ?", signature.hex())
        assert any(f.table == "authorisations" for f in bench.findings())


# -- the command ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "statement", "says"),
    [
        ("fill", "UPDATE fills SET price = '1' WHERE rowid = 1", "fills"),
        ("posting", "DELETE FROM postings WHERE rowid = 3", "row "),
        ("event", "UPDATE order_events SET filled = 'x' WHERE rowid = 2", "order_events"),
        ("body", "UPDATE journal SET body = '{' WHERE seq = 4", "journal (row 4)"),
        ("time", "UPDATE journal SET ts_ms = 9000000000000000000 WHERE seq = 4", "journal (row 4)"),
        ("kind", "UPDATE journal SET kind = char(27) || '[2J' WHERE seq = 4", "journal (row 4)"),
        ("trade", "UPDATE trades SET state = 'FILLED?'", "trades"),
        ("balance", "UPDATE balances SET amount = '1000000' WHERE asset = 'USDT'", "balances"),
        ("hash", "UPDATE journal SET hash = x'' WHERE seq = (SELECT max(seq) FROM journal)", "head"),
        ("table", "DROP TABLE fills", "fills"),
    ],
)
def test_the_command_finds_it_and_names_it(
    session: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, statement: str, says: str
) -> None:
    path = tmp_path / f"{name}.db"
    shutil.copy(session.db, path)
    shutil.copy(session.db.with_name("a.db.head"), path.with_name(f"{name}.db.head"))
    tamper = sqlite3.connect(path)
    tamper.execute(statement)
    tamper.commit()
    tamper.close()
    assert main(["journal", "verify", "--db", str(path)]) == 1
    out = capsys.readouterr().out
    assert says in out
    assert "\x1b" not in out
    assert main(["journal", "verify", "--db", str(path), "--json"]) == 1
    document = one_document(capsys.readouterr().out)
    assert not document["ok"]
    assert any(says.split(" ", maxsplit=1)[0] in f"{f['table']} {f['what']}" for f in document["findings"])
    assert main(["journal", "show", "--db", str(path), "--limit", "1000"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_the_command_ends_with_1_and_no_traceback(session: Cli, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    shutil.copy(session.db, path)
    tamper = sqlite3.connect(path)
    tamper.execute("UPDATE journal SET body = '[' WHERE seq = 3")
    tamper.commit()
    tamper.close()
    result = session("journal", "verify", "--db", path)
    assert result.code == 1
    assert "journal (row 3)" in result.out


def test_the_command_says_when_there_is_no_mirror(
    session: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "alone.db"
    shutil.copy(session.db, path)
    assert main(["journal", "verify", "--db", str(path)]) == 0
    assert "alone.db.head" in capsys.readouterr().out
