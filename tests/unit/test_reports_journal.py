"""The journal as the database has it: pages backwards, filters, one row, a trade's life, and rows that are none of
ours."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from app.reports_journal import JournalWanted, detail, life, page
from storage.database import reader
from storage.journal import head_of
from tests.execution.harness import rig


async def test_pages_backwards_from_the_head(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
        look = r.session.reader
        head = head_of(look.connection)
        found = page(look, JournalWanted())
        assert (found.head, found.head_hash, found.total) == (head.seq, head.hash.hex(), head.seq)
        assert [row.seq for row in found.rows] == list(range(head.seq, 0, -1))
        second = page(look, JournalWanted(page=1, size=3))
        assert [row.seq for row in second.rows] == [head.seq - 3, head.seq - 4, head.seq - 5]
        await r.close_position("1")
        assert page(look, JournalWanted(page=1, size=3, newest=head.seq)).rows == second.rows


async def test_filters_by_kind_and_by_subject(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
        look = r.session.reader
        assert {row.kind.partition(".")[0] for row in page(look, JournalWanted("config")).rows} == {"config"}
        mine = page(look, JournalWanted(text=trade.id.upper()))
        assert {row.subject for row in mine.rows} == {trade.id}
        assert mine.total == len(mine.rows) == 5
        assert [row.seq for row in page(look, JournalWanted("trade", size=2, page=1)).rows] == [
            mine.rows[2].seq, mine.rows[3].seq,
        ]  # fmt: skip
        assert page(look, JournalWanted(text="%")).rows == ()


async def test_a_trade_s_whole_life_in_order(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade(target="120")
        await r.book("121", "122")
        found = life(r.session.reader, trade.id)
        assert found is not None
        assert [row.kind for row in found.rows] == r.journal(trade)
        assert found.rows[0].kind == "trade.reserved"
        assert "sell 1 at 1" in found.rows[-1].changes or any("target FILLED 1" in row.changes for row in found.rows)
        assert (found.state, found.module, found.more) == ("FILLED", "m", False)
        assert life(r.session.reader, "none of ours") is None


async def test_one_row_with_everything_it_committed(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade()
        (submitted,) = [row for row in page(r.session.reader, JournalWanted()).rows if row.kind == "trade.submitted"]
        assert "entry FILLED 1, stop OPEN, target OPEN" in submitted.changes.replace("entry OPEN, ", "")
        assert "buy 1 at 100" in submitted.changes
        assert "trade FILLED" in submitted.changes
        found = detail(r.session.reader, submitted.seq)
        assert found is not None
        assert ("trade", (trade.id, "FILLED", "")) in found.changes
        assert {table for table, _ in found.facts} == {"order_events", "fills", "postings"}
        assert found.body == ""
        before = detail(r.session.reader, submitted.seq - 1)
        assert before is not None
        assert found.prev_hash == before.row.hash
        assert detail(r.session.reader, 10_000) is None


async def test_a_row_that_somebody_wrote_by_hand_is_shown_as_it_is(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()
    bodies = ["no json", "[]", '{"set": 1}', '{"set": [1]}', '{"set": [[]]}', "[" * 100_000]
    with sqlite3.connect(tmp_path / "a.db") as connection:
        for number, body in enumerate(bodies, 100):
            connection.execute("INSERT INTO journal VALUES (?, 1, 'x.y', 's', ?, x'00', x'01')", (number, body))
        connection.execute(
            "INSERT INTO journal VALUES (200, 1, 'x.y', 's', ?, x'00', x'01')", (json.dumps({"set": [["trade"]]}),)
        )
    with reader(tmp_path / "a.db") as data:
        rows = {row.seq: row for row in page(data, JournalWanted()).rows}
        for number, body in enumerate(bodies, 100):
            assert rows[number].changes == "its body is none of ours"
            found = detail(data, number)
            assert found is not None
            assert found.body == body
        assert rows[200].changes == "trade"
