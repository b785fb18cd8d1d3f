"""Orders as the database has them: pages, filters, one in full, where a position came from."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

from app.reports_orders import Wanted, detail, origin, page
from storage.database import reader
from tests.execution.harness import Rig, rig


async def _some(r: Rig) -> None:
    """Two ended trades, then one that is open: of eight orders two live."""
    await r.trade(quantity="1")
    await r.close_position("1")
    await r.book("99.90", "100.00")
    await r.trade(quantity="2", module="other")


async def test_live_orders_first_then_the_others_newest_first(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await _some(r)
        found = page(r.session.reader, Wanted())
        assert [(each.role, each.live) for each in found.rows] == [
            ("target", True), ("stop", True),
            ("entry", False), ("close", False), ("target", False), ("stop", False), ("entry", False),
        ]  # fmt: skip
        assert (found.total, found.unknown) == (7, 0)
        assert found.rows[2].price == Decimal("100.5")
        assert found.rows[2].filled == Decimal(2)


async def test_pages_are_cut_from_the_same_order_and_do_not_move_while_orders_arrive(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await _some(r)
        everything = page(r.session.reader, Wanted())
        parts = [page(r.session.reader, Wanted(page=number, size=3)) for number in range(3)]
        assert [row for part in parts for row in part.rows] == list(everything.rows)
        await r.trade(quantity="1", module="third")
        again = page(r.session.reader, Wanted(page=1, size=3, newest=everything.newest))
        assert again.rows == parts[1].rows
        assert again.total == 7


async def test_filters_by_state_and_by_text_that_is_no_pattern(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await _some(r)
        look = r.session.reader
        assert {row.live for row in page(look, Wanted("live")).rows} == {True}
        assert {row.live for row in page(look, Wanted("ended")).rows} == {False}
        assert page(look, Wanted("unknown")).rows == ()
        assert {row.module for row in page(look, Wanted(text="OTHER")).rows} == {"other"}
        assert page(look, Wanted(text="%")).total == 0
        first = page(look, Wanted()).rows[0]
        assert [row.client_id for row in page(look, Wanted(text=first.client_id[:9])).rows] == [first.client_id]


async def test_one_order_in_full(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        trade = await r.trade(quantity="2")
        entry = detail(r.session.reader, trade.orders["entry"].request.client_id)
        assert entry is not None
        assert [event.state for event in entry.events] == ["PENDING", "FILLED"]
        assert [(fill.price, fill.quantity, fill.role) for fill in entry.fills] == [
            (Decimal("100.00"), Decimal(2), "entry")
        ]
        signed = entry.trade.signed
        assert signed is not None
        assert trade.payload is not None
        assert signed.text == trade.payload.text
        assert signed.address == r.desk.terms.signer_address
        assert [step for step, _ in entry.trade.steps] == ["decide", "prepare", "confirm", "sign", "send"]
        assert entry.trade.slippage_bps == 0
        assert detail(r.session.reader, "00" * 16) is None


async def test_slippage_is_against_the_touch_that_was_sent_at_and_never_rounded_better(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.book("99.90", "100.00", "1")
        await r.book("99.90", "100.00", "3")
        trade = await r.trade(quantity="2")
        found = detail(r.session.reader, trade.orders["entry"].request.client_id)
        assert found is not None
        assert found.trade.slippage_bps == 0


async def test_a_position_came_from_the_fills_since_nothing_was_held(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade(quantity="1")
        await r.close_position("1")
        trade = await r.trade(quantity="2")  # at the very millisecond at which the first one ended
        holding = r.desk.state.positions.holding("m", "ETH-USDT")
        found = origin(r.session.reader, "m", "ETH-USDT", holding.opened_ms)
        assert [fill.quantity for fill in found.fills] == [Decimal(2)]
        assert [each.id for each in found.trades] == [trade.id]
        assert [order.role for order in found.orders] == ["entry", "stop", "target"]
        assert not found.more


async def test_an_order_in_doubt_is_counted_whatever_is_filtered(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await _some(r)
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("UPDATE orders SET state = 'UNKNOWN' WHERE role = 'stop' AND state = 'OPEN'")
    with reader(tmp_path / "a.db") as data:
        assert page(data, Wanted("ended")).unknown == 1
        (row,) = page(data, Wanted("unknown")).rows
        assert row.unknown
        assert row.live
