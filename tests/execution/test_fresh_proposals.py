"""A price that ran away while the person read: a fresh proposal says what changed, at most three times."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.engine.intents import IntentMaker
from app.engine.lifecycle import ModuleState
from app.engine.modules import Module
from app.execution.records import Trade
from signers.demo import DemoSigner
from strategies.base import API_VERSION, ModuleSpec
from strategies.model import Bar, Book, Direction, Intent, Position, Signal
from tests.execution.harness import Rig, rig

HAPPY = ["RESERVED", "PREPARED", "CONFIRMED", "SIGNED", "FILLED"]


@dataclass(frozen=True)
class Params:
    """None."""


class Once:
    """Buys on the first bar."""

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:
        if position is not None:
            return None
        return Signal(bar.symbol, Direction.LONG, 0.5, 0.5, "breakout", 80.0, 200.0)


def module_of(r: Rig, proposed: list[Intent]) -> Module:
    spec = ModuleSpec("m", "1", API_VERSION, Params, lambda _: Once(), lambda _: 0)
    sizing = replace(r.session.settings.sizing.sizing(), fixed=Decimal(100))

    def propose(intent: Intent) -> Trade | None:
        proposed.append(intent)
        trade: Trade | None = r.pipeline.propose(intent)
        return trade

    module = Module(
        spec=spec,
        params=Params(),
        sizing=sizing,
        maker=IntentMaker(r.desk, "m", sizing, Decimal(1_000_000)),
        run=r.session.run,
        trades=lambda _: True,
        propose=propose,
    )
    module.move(ModuleState.RUNNING)
    return module


async def test_a_price_that_runs_away_is_proposed_afresh_three_times_and_says_why(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        proposed: list[Intent] = []
        module = module_of(r, proposed)
        r.pipeline._on_worse = module.propose_again
        asks = (Decimal(100 + 2 * n) for n in itertools.count(1))
        _signing(r, lambda: _jump(r, next(asks)))
        module.on_bar(_bar(r))
        await r.settle()
        assert [intent.worst_price for intent in proposed] == [Decimal(101), Decimal("103.02"), Decimal("105.04"),
                                                              Decimal("107.06")]  # fmt: skip
        assert {intent.quantity for intent in proposed} == {proposed[0].quantity}
        assert proposed[1].reason == "breakout [The ask rose to 102; the trade allows 101 or better.]"
        states = r.rows("SELECT state FROM trades ORDER BY rowid")
        assert [row["state"] for row in states] == ["DENIED"] * 4
        assert r.sent() == []
        r.assert_sound()


async def test_a_fresh_proposal_that_holds_is_traded(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        proposed: list[Intent] = []
        module = module_of(r, proposed)
        r.pipeline._on_worse = module.propose_again
        _signing(r, lambda: _jump(r, Decimal(102)))
        module.on_bar(_bar(r))
        await r.settle()
        assert len(proposed) == 2
        assert r.rows("SELECT state FROM trades ORDER BY rowid LIMIT 1") == [{"state": "DENIED"}]
        assert len(r.sent()) == 1


def _signing(r: Rig, act: Callable[[], None]) -> None:
    class Slow(DemoSigner):
        def sign(self, request: Any, person: Any) -> bytes:
            act()
            return super().sign(request, person)

    r.session.device._signer = Slow()


def _jump(r: Rig, ask: Decimal) -> None:
    # in lockstep the loop waits for the device, so this thread is alone with the market
    r.desk.market.apply(Book("ETH-USDT", r.now, ((ask - 1, Decimal(9)),), ((ask, Decimal(9)),)), r.session.synthetic)


def _bar(r: Rig) -> Bar:
    one = Decimal(100)
    return Bar("ETH-USDT", r.now - 60_000, 60_000, one, one, one, one, Decimal(1000))
