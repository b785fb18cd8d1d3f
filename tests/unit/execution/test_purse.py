"""The purse as a machine: whatever is asked of it in whatever order, no money is promised twice."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, invariant, multiple, rule

from app.execution.purse import Hold, Purse, Shortfall
from app.money import ZERO

ASSETS = st.sampled_from(["BTC", "ETH", "USDT"])
amounts = st.integers(0, 10**20).map(lambda n: Decimal(n).scaleb(-18))


class PurseMachine(RuleBasedStateMachine):
    """Against plain integers of 1e-18."""

    trades: Bundle[str] = Bundle("trades")

    def __init__(self) -> None:
        super().__init__()
        self.purse = Purse()
        self.balances: dict[str, int] = {}
        self.holds: dict[str, tuple[str, int]] = {}
        self.number = 0

    def free(self, asset: str) -> int:
        return self.balances.get(asset, 0) - sum(left for a, left in self.holds.values() if a == asset)

    @rule(asset=ASSETS, amount=amounts)
    def pay_in(self, asset: str, amount: Decimal) -> None:
        self.purse.move(asset, amount)
        self.balances[asset] = self.balances.get(asset, 0) + units(amount)

    @rule(target=trades, asset=ASSETS, amount=amounts, spoken_for=st.sampled_from([ZERO, Decimal(7)]))
    def reserve(self, asset: str, amount: Decimal, spoken_for: Decimal) -> MultipleResults[str] | str:
        self.number += 1
        trade = f"trade {self.number}"
        free = self.free(asset) - units(spoken_for)
        short = self.purse.reserve(trade, asset, amount, spoken_for=spoken_for)
        if units(amount) > free:
            assert short == Shortfall(asset, amount, Decimal(free).scaleb(-18))
            return multiple()
        assert short is None
        self.holds[trade] = (asset, units(amount))
        return trade

    @rule(trade=trades)
    def reserve_again(self, trade: str) -> None:
        with pytest.raises(ValueError, match="holds a reservation already"):
            self.purse.reserve(trade, "BTC", ZERO)

    @rule(trade=trades, share=st.integers(0, 100))
    def shrink(self, trade: str, share: int) -> None:
        asset, left = self.holds[trade]
        new = left * share // 100
        hold = self.purse.shrink(trade, Decimal(new).scaleb(-18))
        assert units(hold.remaining) == new
        self.holds[trade] = (asset, new)

    @rule(trade=trades, more=amounts.filter(bool))
    def never_grow(self, trade: str, more: Decimal) -> None:
        left = self.purse.holds[trade].remaining
        for bad in (left + more, -more):
            with pytest.raises(ValueError, match="can not go from"):
                self.purse.shrink(trade, bad)
        assert self.purse.holds[trade].remaining == left

    @rule(trade=trades, share=st.integers(0, 100))
    def spend(self, trade: str, share: int) -> None:
        """A fill: what was held is paid, and no longer held."""
        asset, left = self.holds[trade]
        paid = left * share // 100
        self.purse.shrink(trade, Decimal(left - paid).scaleb(-18))
        self.purse.move(asset, Decimal(-paid).scaleb(-18))
        self.holds[trade] = (asset, left - paid)
        self.balances[asset] = self.balances.get(asset, 0) - paid

    @rule(trade=consumes(trades))
    def release(self, trade: str) -> None:
        ((name, hold),) = self.purse.release(trade)
        assert name == trade
        assert hold.remaining == 0
        del self.holds[trade]
        assert self.purse.release(trade) == []

    @rule()
    def rebuild(self) -> None:
        """What a restart does: the same balances and holds give the same purse."""
        rebuilt = Purse()
        for asset, balance in self.purse.balances().items():
            rebuilt.move(asset, balance)
        for trade, hold in self.purse.holds.items():
            rebuilt.restore(trade, Hold(hold.asset, hold.amount, hold.remaining))
        assert rebuilt.balances() == self.purse.balances()
        assert rebuilt.holds == self.purse.holds
        assert all(rebuilt.available(a) == self.purse.available(a) for a in ("BTC", "ETH", "USDT"))
        self.purse = rebuilt

    @invariant()
    def nothing_is_promised_twice(self) -> None:
        for asset in ("BTC", "ETH", "USDT"):
            held = sum(left for a, left in self.holds.values() if a == asset)
            assert units(self.purse.held(asset)) == held
            assert units(self.purse.balance(asset)) == self.balances.get(asset, 0)
            assert units(self.purse.available(asset)) == self.free(asset) >= 0
        assert set(self.purse.holds) == set(self.holds)

    def teardown(self) -> None:
        for trade in list(self.holds):
            self.purse.release(trade)
        for asset in ("BTC", "ETH", "USDT"):
            assert self.purse.held(asset) == 0
            assert units(self.purse.available(asset)) == self.balances.get(asset, 0)


def units(amount: Decimal) -> int:
    return int(amount.scaleb(18))


TestPurse = PurseMachine.TestCase
TestPurse.settings = settings(max_examples=40, stateful_step_count=40)
