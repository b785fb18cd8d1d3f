"""What may rest in the queue: a limit away from the market and a basket wait at their own prices, so a touch that is
elsewhere is no fault of theirs, and nobody knows what they would have bought."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.execution.acts import confirm_until
from tests.execution.basket_acts import basket_intent
from tests.execution.test_queue import row
from tests.execution.test_ticket import BUY, SELL, hand

LIMIT = {**BUY, "kind": "limit", "price": "95"}
LEGS = (("99", "1", "104"), ("98", "1", "103"), ("97", "1", "102"))


async def test_what_rests_is_not_called_out_of_reach_nor_put_behind_what_loses(tmp_path: Path) -> None:
    async with hand(tmp_path, auto_confirm=False) as (r, me):
        poor = await r.trade(module="n", worst="100.01", target="100.1", stop="99")
        limit = await me.propose(LIMIT)
        basket = r.pipeline.propose(basket_intent(r, LEGS, stop="96"))
        assert basket is not None
        await r.settle()
        listed = r.pipeline.proposals.ranked()
        assert [each.trade_id for each in listed] == [limit.id, basket.id, poor.id]
        assert all(each.reachable for each in listed)
        assert row(r, limit).why.startswith("rests 500 bps below the ask, ")
        assert "bps after costs if it is bought" in row(r, limit).why
        assert row(r, basket).why.startswith("rests 100 bps below the ask, ")
        assert "bps after costs if all 3 legs are bought" in row(r, basket).why
        assert row(r, basket).why.endswith("2 other modules ask for the same")
        edge, fee, stopped = Decimal(0), Decimal("0.001"), Decimal("95.9")  # the stop less the spread; 10 bps each way
        for price, _, target in LEGS:
            edge += (Decimal(target) * (1 - fee) + stopped * (1 - fee)) / 2 - Decimal(price) * (1 + fee)
        assert row(r, basket).edge_value == edge.quantize(Decimal("0.00000001"))


async def test_a_resting_sale_is_said_to_rest(tmp_path: Path) -> None:
    async with hand(tmp_path, auto_confirm=False) as (r, me):
        bought = await me.propose(BUY, target="")
        r.pipeline.proposals.confirm(bought.id)
        await r.finished(bought)
        sale = await me.propose(SELL, kind="limit", price="110")
        found = row(r, sale)
        assert found.reachable
        assert found.why == "closes a position, rests 1011.02 bps above the bid, 10 min 0 s left"
        assert found.edge_bps == -10, "its price, less a fee"


async def test_a_limit_that_a_restart_found_signed_still_rests(tmp_path: Path) -> None:
    async with hand(tmp_path, auto_confirm=False) as (r, me):
        trade = await me.propose(LIMIT)
        await confirm_until(r, trade, "trade.signed")
    async with hand(tmp_path, auto_confirm=False) as (r, me):
        (found,) = r.pipeline.proposals.ranked()
        assert (found.resumed, found.reachable) == (True, True)
        assert found.why.startswith("rests 500 bps below the ask, ")


@pytest.mark.parametrize("kind", ["limit", "basket"])
async def test_nobody_knows_what_a_declined_order_that_rests_would_have_made(tmp_path: Path, kind: str) -> None:
    async with hand(tmp_path, auto_confirm=False) as (r, me):
        trade = await me.propose(LIMIT) if kind == "limit" else r.pipeline.propose(basket_intent(r))
        await r.settle()
        r.pipeline.proposals.decline(trade.id)
        await r.settle()
        assert r.stored(trade)["state"] == "DECLINED"
        assert r.rows("SELECT * FROM hypotheticals") == []


async def test_a_declined_limit_that_would_have_been_bought_at_once_is_followed(tmp_path: Path) -> None:
    async with hand(tmp_path, auto_confirm=False) as (r, me):
        trade = await me.propose(LIMIT, price="100")
        r.pipeline.proposals.decline(trade.id)
        await r.settle()
        (found,) = r.rows("SELECT state, entry FROM hypotheticals")
        assert found == {"state": "OPEN", "entry": "100"}


@pytest.mark.parametrize("kind", ["market", "limit"])
@pytest.mark.parametrize("price", ["96", "60", "0.01"])
async def test_a_sale_at_a_price_low_enough_to_be_filled_for_sure_is_not_refused_for_its_fee(
    tmp_path: Path, price: str, kind: str
) -> None:
    """The fee follows from what the sale brings in, not from the least that the trader would take."""
    async with hand(tmp_path) as (r, me):
        await me.propose(BUY)
        sale = await me.propose(SELL, price=price, kind=kind)
        assert r.stored(sale)["state"] == "FILLED", r.stored(sale)["reason"]
        assert r.held(module="manual") == 0
        assert "order.fee" not in r.alerts(), "and what it cost is what was signed"
        r.assert_sound()
        r.assert_agrees_with_venue()
