"""The breaker against what it promises, in every order of events that hypothesis finds."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.engine.clock import MarketClock
from app.venues.resilience.breaker import Breaker, BreakerRules, BreakerState, Ticket

RULES = BreakerRules(failures=3, pause_ms=1_000, longest_pause_ms=4_000)


def opened(clock: MarketClock) -> Breaker:
    breaker = Breaker(clock, RULES)
    for _ in range(3):
        ticket = breaker.begin()
        assert ticket is not None
        breaker.failed(ticket, "no answer")
    return breaker


def probe(breaker: Breaker) -> Ticket:
    ticket = breaker.begin()
    assert ticket is not None
    return ticket


def test_failures_in_a_row_open_it_and_a_success_between_them_does_not() -> None:
    clock = MarketClock(0)
    breaker = Breaker(clock, RULES)
    for well in (False, False, True, False, False):
        ticket = probe(breaker)
        if well:
            breaker.succeeded(ticket)
        else:
            breaker.failed(ticket, "no answer")
    assert breaker.view().state is BreakerState.CLOSED
    breaker.failed(probe(breaker), "no answer")
    view = breaker.view()
    assert (view.state, view.failures, view.retry_in_ms, view.reason) == (BreakerState.OPEN, 3, 1_000, "no answer")
    assert breaker.begin() is None


def test_after_the_pause_one_probe_decides() -> None:
    clock = MarketClock(0)
    breaker = opened(clock)
    clock.advance(999)
    assert breaker.begin() is None
    clock.advance(1_000)
    ticket = probe(breaker)
    assert breaker.view().state is BreakerState.HALF_OPEN
    assert breaker.begin() is None, "one at a time"
    breaker.succeeded(ticket)
    assert breaker.view().state is BreakerState.CLOSED
    assert breaker.view().reason == ""


def test_the_pause_doubles_to_its_bound_and_a_success_makes_it_short_again() -> None:
    clock = MarketClock(0)
    breaker = opened(clock)
    pauses = []
    for _ in range(4):
        pauses.append(breaker.view().retry_in_ms)
        clock.advance(clock.now_ms() + pauses[-1])
        breaker.failed(probe(breaker), "still")
    assert pauses == [1_000, 2_000, 4_000, 4_000]
    clock.advance(clock.now_ms() + 4_000)
    breaker.succeeded(probe(breaker))
    for _ in range(3):
        breaker.failed(probe(breaker), "again")
    assert breaker.view().retry_in_ms == 1_000


def test_a_probe_that_did_not_take_place_gives_its_turn_back() -> None:
    clock = MarketClock(0)
    breaker = opened(clock)
    clock.advance(1_000)
    breaker.withdrawn(probe(breaker))
    assert breaker.begin() is not None


def test_an_answer_that_comes_late_decides_nothing() -> None:
    clock = MarketClock(0)
    breaker = Breaker(clock, RULES)
    late = probe(breaker)
    for _ in range(3):
        breaker.failed(probe(breaker), "no answer")
    breaker.succeeded(late)
    assert breaker.view().state is BreakerState.OPEN
    clock.advance(1_000)
    breaker.succeeded(probe(breaker))
    for _ in range(3):
        breaker.failed(late, "long ago")
    assert breaker.view().state is BreakerState.CLOSED


def test_reset_by_hand_closes_it_at_once() -> None:
    clock = MarketClock(0)
    breaker = opened(clock)
    breaker.reset()
    assert breaker.view().state is BreakerState.CLOSED
    assert breaker.view().failures == 0
    assert breaker.begin() is not None


class SetBack:
    """A wall clock that somebody sets."""

    def __init__(self) -> None:
        self.now = 10_000_000

    def now_ms(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return 0

    async def sleep_until(self, ts_ms: int) -> None:
        raise AssertionError(ts_ms)


def test_a_clock_that_was_set_back_lengthens_no_pause() -> None:
    clock = SetBack()
    breaker = Breaker(clock, RULES)
    for _ in range(3):
        breaker.failed(probe(breaker), "no answer")
    clock.now = 0
    assert breaker.view().retry_in_ms == 1_000
    clock.now = 1_000
    assert breaker.begin() is not None


class Model(RuleBasedStateMachine):
    """Whatever happens: an open breaker lets nobody through before its pause is over, a half-open one lets one, and a
    closed one everybody."""

    @initialize()
    def start(self) -> None:
        self.clock = MarketClock(0)
        self.breaker = Breaker(self.clock, RULES)
        self.tickets: list[Ticket] = []
        self.row = 0
        self.epoch: dict[int, int] = {}
        self.epochs = 0

    @rule()
    def call(self) -> None:
        state = self.breaker.state
        ticket = self.breaker.begin()
        if state is BreakerState.OPEN:
            assert ticket is None
        if state is BreakerState.CLOSED:
            assert ticket is not None
        if ticket is not None:
            self.tickets.append(ticket)
        if state is BreakerState.HALF_OPEN:
            assert self.breaker.begin() is None

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), how=st.sampled_from(["well", "badly", "not"]))
    def end(self, data: st.DataObject, how: str) -> None:
        ticket = self.tickets.pop(data.draw(st.integers(0, len(self.tickets) - 1)))
        before = self.breaker.view()
        if how == "well":
            self.breaker.succeeded(ticket)
        elif how == "badly":
            self.breaker.failed(ticket, "bad")
        else:
            self.breaker.withdrawn(ticket)
        after = self.breaker.view()
        if before.state is BreakerState.OPEN:
            assert after == before, "only time ends a pause"
        if how != "badly":
            assert after.state is not BreakerState.OPEN or before.state is BreakerState.OPEN
        if before.state is BreakerState.HALF_OPEN and after.state is BreakerState.CLOSED:
            assert how == "well"

    @rule(ms=st.integers(0, 5_000))
    def wait(self, ms: int) -> None:
        before = self.breaker.view()
        self.clock.advance(self.clock.now_ms() + ms)
        after = self.breaker.view()
        if before.state is BreakerState.OPEN:
            assert (after.state is BreakerState.HALF_OPEN) == (ms >= before.retry_in_ms)
        else:
            assert after == before

    @rule()
    def by_hand(self) -> None:
        self.breaker.reset()
        assert self.breaker.view().state is BreakerState.CLOSED

    @invariant()
    def bounded(self) -> None:
        view = self.breaker.view()
        assert 0 <= view.retry_in_ms <= RULES.longest_pause_ms
        assert (view.retry_in_ms > 0) == (view.state is BreakerState.OPEN)
        if view.state is BreakerState.CLOSED:
            assert view.failures < RULES.failures


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=200, stateful_step_count=40)
