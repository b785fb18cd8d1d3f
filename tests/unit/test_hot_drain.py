"""The life of a hot key as a machine: whatever happens in whatever order, it takes no step that it does not have, and
no key goes while something stands on it."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from app.errors import SafetyError
from app.hot_drain import Held, KeyState, Obligation, may_retire, may_rotate, state_of

SOMETHING = [Obligation(Path("a.db"), "stop order 1234 of ETH-USDT is OPEN", "Close it.")]

EDGES = {
    KeyState.ABSENT: {KeyState.ACTIVE},
    KeyState.ACTIVE: {KeyState.DRAINING},
    KeyState.DRAINING: {KeyState.DRAINED},
    KeyState.DRAINED: {KeyState.DRAINING, KeyState.RETIRED},  # a late fill may bring an order back to life
    KeyState.RETIRED: set[KeyState](),
}
"""What may follow what."""


class Walk:
    """A keyring and what stands on each key, changed at random."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.held, self.made = Held(), 0
        self.needs: set[str] = set()
        self.known: dict[str, KeyState] = {}

    def step(self) -> None:
        act = self.chance.choice([self.generate, self.rotate, self.cut_off, self.trade, self.end, self.retire])
        act()
        for address, before in list(self.known.items()):
            now = state_of(address, self.held, SOMETHING if address in self.needs else [])
            drained = before is KeyState.ACTIVE and now is KeyState.DRAINED  # both steps in one
            path = (before, KeyState.DRAINING, now) if drained else (before, now)
            for one, other in pairwise(path):
                assert one is other or other in EDGES[one], (before, now)
            self.known[address] = now

    def generate(self) -> None:
        if self.held.active is None:
            self.held = Held(self.new())

    def new(self) -> str:
        self.made += 1
        address = f"key {self.made}"
        assert KeyState.ACTIVE in EDGES[KeyState.ABSENT]
        self.known[address] = KeyState.ACTIVE
        return address

    def rotate(self) -> None:
        try:
            before = may_rotate(self.held)
        except SafetyError:
            return
        self.held = Held(self.new(), before)

    def cut_off(self) -> None:
        try:
            self.held = replace(self.held, old=may_rotate(self.held))
        except SafetyError:
            return

    def trade(self) -> None:
        if self.held.active is not None:
            self.needs.add(self.held.active)

    def end(self) -> None:
        self.needs.discard(self.chance.choice([*self.known, ""]))

    def retire(self) -> None:
        try:
            gone = may_retire(self.held, SOMETHING if self.held.old in self.needs else [])
        except SafetyError:
            return
        assert gone not in self.needs or gone == self.held.active
        self.held = replace(self.held, old=None)


@pytest.mark.parametrize("seed", range(40))
def test_no_sequence_takes_a_step_that_there_is_not(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(60):
        walk.step()
    assert len(walk.known) > 1


def test_what_keeps_a_key_is_named_with_the_way_to_end_it() -> None:
    with pytest.raises(SafetyError, match=r"stop order 1234 of ETH-USDT is OPEN .*a\.db.* Close it"):
        may_retire(Held("new", "old"), SOMETHING)
    assert may_retire(Held("new", "old"), []) == "old"
    with pytest.raises(SafetyError, match="No old key"):
        may_retire(Held("new"), [])
    with pytest.raises(SafetyError, match="not retired yet"):
        may_rotate(Held("new", "old"))
