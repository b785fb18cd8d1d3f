"""What every venue adapter must do: `app.venues.base` as tests. An adapter's test module subclasses `VenueContract` and
provides the fixture ``arena``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from app.errors import VenueError, VenueRefused, VenueUnknown
from app.money import ZERO, add, mul, neg, sub
from app.venues.base import OrderKind, OrderReport, OrderRequest, OrderState, Venue, VenueInfo
from strategies.model import Instrument, Side

TICK, LOT = Decimal("0.01"), Decimal("0.001")
HOUR = 3_600_000


class Arena(ABC):
    """A venue, its market and its faults, for the suite to play with. `instrument` has tick 0.01 and lot 0.001, the
    account starts with enough of the quote asset for 20 units at 100 and nothing of the base asset."""

    venue: Venue
    info: VenueInfo
    instrument: Instrument

    @abstractmethod
    def now_ms(self) -> int:
        """The venue's time."""

    @abstractmethod
    async def show(self, bid: str, ask: str, size: str = "1000") -> None:
        """The market stands at this touch, a moment later; everything it caused was reported when this returns."""

    @abstractmethod
    async def wait(self, ms: int) -> None:
        """Time passes at the venue; the market does not move."""

    @abstractmethod
    async def lose_replies(self) -> None:
        """From now until the next `connect` the venue does what it is told and its answers do not arrive."""

    @abstractmethod
    async def lose_requests(self) -> None:
        """From now until the next `connect` nothing reaches the venue."""

    @abstractmethod
    async def another(self) -> Venue:
        """A second session on the same account, not yet connected."""


class VenueContract:
    """Subclassed by each adapter's tests."""

    # -- look-up and repetition ---------------------------------------------------------------------------------

    async def test_an_unknown_id_is_found_nowhere(self, arena: Arena) -> None:
        assert await arena.venue.order("nobody") is None
        with pytest.raises(VenueRefused):
            await arena.venue.cancel("nobody")

    async def test_an_accepted_order_is_found_while_open_and_in_history(self, arena: Arena) -> None:
        (report,) = await arena.venue.submit((buy(arena, "a", limit="90"),), None)
        assert report.state is OrderState.OPEN
        assert await arena.venue.order("a") == report
        assert await arena.venue.open_orders() == (report,)
        cancelled = await arena.venue.cancel("a")
        assert cancelled.state is OrderState.CANCELLED
        assert await arena.venue.order("a") == cancelled
        assert await arena.venue.open_orders() == ()

    async def test_a_repeated_id_returns_the_original_answer_and_does_nothing(self, arena: Arena) -> None:
        order = buy(arena, "a", quantity="2")
        (first,) = await arena.venue.submit((order,), None)
        held = await arena.venue.balances()
        (second,) = await arena.venue.submit((order,), None)
        assert first.state is OrderState.FILLED
        assert second == first
        assert await arena.venue.balances() == held

    async def test_a_repeat_after_valid_until_is_still_answered(self, arena: Arena) -> None:
        order = replace(buy(arena, "a"), valid_until_ms=arena.now_ms() + 1000)
        (first,) = await arena.venue.submit((order,), None)
        await arena.wait(5000)
        assert await arena.venue.submit((order,), None) == (first,)

    @pytest.mark.parametrize("change", ["quantity", "limit_price", "side", "list"])
    async def test_a_reused_id_with_other_content_is_refused(self, arena: Arena, change: str) -> None:
        order = buy(arena, "a", limit="90")
        (first,) = await arena.venue.submit((order,), None)
        others = {
            "quantity": (replace(order, quantity=Decimal(2)),),
            "limit_price": (replace(order, limit_price=Decimal(91)),),
            "side": (replace(order, side=Side.SELL),),
            "list": (order, buy(arena, "b", limit="90")),
        }
        with pytest.raises(VenueRefused):
            await arena.venue.submit(others[change], None)
        assert await arena.venue.order("a") == first
        assert await arena.venue.order("b") is None

    # -- lost answers -------------------------------------------------------------------------------------------

    async def test_a_lost_answer_is_unknown_and_the_look_up_finds_it(self, arena: Arena) -> None:
        order = buy(arena, "a", quantity="2")
        await arena.lose_replies()
        with pytest.raises(VenueUnknown):
            await arena.venue.submit((order,), None)
        await arena.venue.connect()
        found = await arena.venue.order("a")
        assert found is not None
        assert found.filled == 2
        assert await arena.venue.submit((order,), None) == (found,)
        assert (await arena.venue.balances())[arena.instrument.base] == 2

    async def test_a_lost_request_is_unknown_and_the_look_up_proves_its_absence(self, arena: Arena) -> None:
        order = buy(arena, "a")
        await arena.lose_requests()
        with pytest.raises(VenueUnknown):
            await arena.venue.submit((order,), None)
        await arena.venue.connect()
        assert await arena.venue.order("a") is None
        await arena.show("99.99", "100")
        (report,) = await arena.venue.submit((order,), None)
        assert report.state is OrderState.FILLED

    async def test_a_lost_cancel_is_unknown_and_the_look_up_shows_it_done(self, arena: Arena) -> None:
        await arena.venue.submit((buy(arena, "a", limit="90"),), None)
        await arena.lose_replies()
        with pytest.raises(VenueUnknown):
            await arena.venue.cancel("a")
        await arena.venue.connect()
        found = await arena.venue.order("a")
        assert found is not None
        assert found.state is OrderState.CANCELLED

    async def test_nothing_is_sent_on_a_closed_session_and_orders_outlive_it(self, arena: Arena) -> None:
        (resting,) = await arena.venue.submit((buy(arena, "a", limit="90"),), None)
        await arena.venue.close()
        with pytest.raises(VenueError) as caught:
            await arena.venue.submit((buy(arena, "b"),), None)
        assert caught.value.sent == "no"
        await arena.venue.connect()
        assert await arena.venue.open_orders() == (resting,)
        assert await arena.venue.order("b") is None

    async def test_a_new_session_ends_the_one_before(self, arena: Arena) -> None:
        await arena.venue.submit((buy(arena, "a", limit="90"),), None)
        second = await arena.another()
        await second.connect()
        with pytest.raises(VenueError):
            await arena.venue.submit((buy(arena, "b"),), None)
        assert await second.order("b") is None
        assert [report.client_id for report in await second.open_orders()] == ["a"]
        await second.close()

    # -- refusals -----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "wrong",
        [
            {"quantity": Decimal("0.0015")},
            {"quantity": Decimal(0)},
            {"limit_price": Decimal("100.001")},
            {"limit_price": None},
            {"symbol": "NONE-SUCH"},
            {"quantity": Decimal(1000)},
            {"kind": OrderKind.MARKET},
        ],
        ids=lambda wrong: "-".join(f"{key}={value}" for key, value in wrong.items()),
    )
    async def test_what_can_not_be_is_refused_for_good(self, arena: Arena, wrong: dict[str, object]) -> None:
        held = await arena.venue.balances()
        order = replace(buy(arena, "a"), **wrong)  # type: ignore[arg-type]
        with pytest.raises(VenueRefused) as caught:
            await arena.venue.submit((order,), None)
        assert caught.value.sent == "no"
        assert await arena.venue.order("a") is None
        assert await arena.venue.balances() == held

    async def test_a_list_is_accepted_whole_or_not_at_all(self, arena: Arena) -> None:
        good, bad = buy(arena, "a"), replace(buy(arena, "b"), limit_price=Decimal("100.001"))
        for orders in ((good, bad), (bad, good)):
            with pytest.raises(VenueRefused):
                await arena.venue.submit(orders, None)
        assert await arena.venue.order("a") is None
        assert await arena.venue.open_orders() == ()

    async def test_resting_buys_claim_their_cash(self, arena: Arena) -> None:
        await arena.venue.submit((buy(arena, "a", quantity="15", limit="90"),), None)
        with pytest.raises(VenueRefused):
            await arena.venue.submit((buy(arena, "b", quantity="15", limit="90"),), None)
        await arena.venue.cancel("a")
        (report,) = await arena.venue.submit((buy(arena, "c", quantity="15", limit="90"),), None)
        assert report.state is OrderState.OPEN

    async def test_an_order_past_its_valid_until_is_refused(self, arena: Arena) -> None:
        order = replace(buy(arena, "a"), valid_until_ms=arena.now_ms() + 1000)
        await arena.wait(2000)
        with pytest.raises(VenueRefused):
            await arena.venue.submit((order,), None)
        assert await arena.venue.order("a") is None

    async def test_nothing_is_sold_that_is_not_held(self, arena: Arena) -> None:
        for order in (sell(arena, "a"), replace(sell(arena, "b"), reduce_only=True)):
            with pytest.raises(VenueRefused):
                await arena.venue.submit((order,), None)

    # -- life of an order ---------------------------------------------------------------------------------------

    async def test_what_is_unfilled_expires_and_what_filled_stays(self, arena: Arena) -> None:
        await arena.show("99.99", "100", size="0.5")
        order = replace(buy(arena, "a", limit="100"), expires_ms=arena.now_ms() + 1000)
        (first,) = await arena.venue.submit((order,), None)
        assert (first.state, first.filled) == (OrderState.PARTIALLY_FILLED, Decimal("0.5"))
        await arena.wait(5000)
        after = await arena.venue.order("a")
        assert after is not None
        assert (after.state, after.filled) == (OrderState.EXPIRED, Decimal("0.5"))
        await arena.show("99.99", "100")
        assert await arena.venue.order("a") == after

    async def test_cancelling_a_finished_order_returns_its_report_unchanged(self, arena: Arena) -> None:
        (filled,) = await arena.venue.submit((buy(arena, "a"),), None)
        assert filled.state is OrderState.FILLED
        assert await arena.venue.cancel("a") == filled

    async def test_a_cancelled_order_never_fills(self, arena: Arena) -> None:
        await arena.venue.submit((buy(arena, "a", limit="90"),), None)
        cancelled = await arena.venue.cancel("a")
        await arena.show("79.99", "80")
        assert await arena.venue.order("a") == cancelled

    async def test_reports_are_cumulative_and_each_change_has_its_revision(self, arena: Arena) -> None:
        seen: list[OrderReport] = []
        arena.venue.subscribe(seen.append)
        await arena.show("99.99", "100", size="0.4")
        (first,) = await arena.venue.submit((buy(arena, "a", limit="100"),), None)
        assert seen == [], "a change that submit returned is not reported again"
        await arena.show("99.99", "100", size="0.4")
        await arena.show("99.99", "100", size="0.4")
        history = [first, *seen]
        assert [report.filled for report in history] == [Decimal("0.4"), Decimal("0.8"), Decimal(1)]
        assert history[-1].state is OrderState.FILLED
        for before, after in pairwise(history):
            assert after.fills[: len(before.fills)] == before.fills
            assert after.revision > before.revision
        for report in history:
            assert sum((fill.quantity for fill in report.fills), ZERO) == report.filled
        assert len({fill.fill_id for fill in history[-1].fills}) == len(history[-1].fills)

    async def test_balances_are_the_deposit_and_the_fills_and_the_fees_exactly(self, arena: Arena) -> None:
        base, quote = arena.instrument.base, arena.instrument.quote
        expected = dict(await arena.venue.balances())
        await arena.show("99.97", "100.03", size="0.777")
        (bought,) = await arena.venue.submit((buy(arena, "a", quantity="1.234", limit="101"),), None)
        await arena.show("99.13", "99.17", size="50")
        reports = [await arena.venue.order("a"), *await arena.venue.submit((sell(arena, "b", "0.333", "99.1"),), None)]
        assert bought.filled == Decimal("0.777")
        for report in reports:
            assert report is not None
            assert report.state is OrderState.FILLED
            for fill in report.fills:
                sign = Decimal(1) if fill.side is Side.BUY else Decimal(-1)
                expected[base] = add(expected.get(base, ZERO), mul(sign, fill.quantity))
                expected[quote] = sub(expected[quote], mul(sign, mul(fill.price, fill.quantity)))
                expected[fill.fee_asset] = add(expected[fill.fee_asset], neg(fill.fee))
                assert fill.fee > 0
        assert await arena.venue.balances() == expected

    async def test_no_fill_is_worse_than_the_limit(self, arena: Arena) -> None:
        await arena.show("99.99", "100.01", size="0.5")
        (report,) = await arena.venue.submit((buy(arena, "a", limit="100"),), None)
        assert report.filled == 0
        await arena.show("99.97", "99.98", size="0.5")
        after = await arena.venue.order("a")
        assert after is not None
        assert after.filled == Decimal("0.5")
        assert all(fill.price <= 100 for fill in after.fills)

    # -- exits, where the venue has them ------------------------------------------------------------------------

    async def test_exits_sleep_until_the_entry_fills_and_then_trade_what_it_bought(self, arena: Arena) -> None:
        needs_lists(arena)
        await arena.show("99.99", "100", size="0.5")
        entry, *_ = await arena.venue.submit(bracket(arena, limit="100"), None)
        assert entry.filled == Decimal("0.5")
        await arena.venue.cancel("entry")
        await arena.show("94.9", "94.91")
        stop, target = await arena.venue.order("stop"), await arena.venue.order("target")
        assert stop is not None
        assert target is not None
        assert stop.filled == Decimal("0.5")
        assert target.state is OrderState.CANCELLED
        assert arena.instrument.base not in await arena.venue.balances()

    async def test_exits_of_an_entry_that_bought_nothing_are_cancelled_and_never_trade(self, arena: Arena) -> None:
        needs_lists(arena)
        await arena.venue.submit(bracket(arena, limit="90"), None)
        await arena.show("110.5", "110.51")
        await arena.venue.cancel("entry")
        for name in ("stop", "target"):
            report = await arena.venue.order(name)
            assert report is not None
            assert (report.state, report.filled) == (OrderState.CANCELLED, ZERO)
        assert await arena.venue.open_orders() == ()

    async def test_a_fill_of_one_exit_shrinks_the_other(self, arena: Arena) -> None:
        needs_lists(arena)
        await arena.venue.submit(bracket(arena, limit="100"), None)
        await arena.show("110.5", "110.51", size="0.3")
        await arena.show("94.9", "94.91")
        stop, target = await arena.venue.order("stop"), await arena.venue.order("target")
        assert stop is not None
        assert target is not None
        assert (target.filled, stop.filled) == (Decimal("0.3"), Decimal("0.7"))
        assert await arena.venue.open_orders() == ()
        assert arena.instrument.base not in await arena.venue.balances()

    async def test_a_close_that_joins_the_group_can_not_sell_twice(self, arena: Arena) -> None:
        needs_lists(arena)
        await arena.venue.submit(bracket(arena, limit="100"), None)
        await arena.venue.submit((buy(arena, "other", quantity="3"),), None)
        close = replace(sell(arena, "close"), kind=OrderKind.MARKET, limit_price=None, reduce_only=True, group="g")
        await arena.show("99.5", "99.51", size="0.6")
        (report,) = await arena.venue.submit((close,), None)
        assert report.filled == Decimal("0.6")
        await arena.show("94.9", "94.91", size="50")
        sold = [await arena.venue.order(name) for name in ("stop", "target", "close")]
        assert sum((each.filled for each in sold if each is not None), ZERO) == 1
        assert (await arena.venue.balances())[arena.instrument.base] == 3
        assert await arena.venue.open_orders() == ()

    async def test_a_stop_rests_and_works_while_we_are_away(self, arena: Arena) -> None:
        if not arena.info.capabilities.exits_rest:
            pytest.skip("this venue has no resting stops")
        await arena.venue.submit(bracket(arena, limit="100"), None)
        await arena.venue.close()
        await arena.venue.connect()
        await arena.show("94.9", "94.91")
        stop = await arena.venue.order("stop")
        assert stop is not None
        assert stop.state is OrderState.FILLED


def buy(arena: Arena, client_id: str, quantity: str = "1", limit: str = "100.5") -> OrderRequest:
    """A limit buy."""
    return OrderRequest(
        client_id=client_id,
        symbol=arena.instrument.symbol,
        side=Side.BUY,
        kind=OrderKind.LIMIT,
        quantity=Decimal(quantity),
        valid_until_ms=arena.now_ms() + HOUR,
        limit_price=Decimal(limit),
    )


def sell(arena: Arena, client_id: str, quantity: str = "1", limit: str = "99") -> OrderRequest:
    """A limit sale."""
    return replace(buy(arena, client_id, quantity, limit), side=Side.SELL)


def bracket(arena: Arena, limit: str) -> tuple[OrderRequest, ...]:
    """Entry for 1 unit with a stop at 95 and a target at 110 that share its quantity."""
    tie = replace(sell(arena, "target", limit="110"), parent="entry", group="g", reduce_only=True)
    stop = replace(tie, client_id="stop", kind=OrderKind.STOP, limit_price=None, stop_price=Decimal(95))
    return buy(arena, "entry", limit=limit), stop, tie


def needs_lists(arena: Arena) -> None:
    """Skip where the venue says that it has no order lists."""
    if not arena.info.capabilities.order_list:
        pytest.skip("this venue takes no order lists")
