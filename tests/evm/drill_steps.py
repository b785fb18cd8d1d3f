"""What a drill does (`tests.evm.drill`). Each first concludes what an earlier run on the same books left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from app.execution.standing_view import cover
from app.money import mul
from strategies.model import Exits, Side
from tests.evm.rig import ChainRig

QUANTITY: Final = "0.25"
COVERED: Final = "WBTC-USDC"
"""What is covered by a standing exit: a token, so that its exit needs an approval."""
_COVERED_QUANTITY: Final = "0.01"
_STOP: Final = Decimal("0.9")
_DONE: Final = {"FILLED", "REJECTED", "CANCELLED", "EXPIRED", "DENIED", "FAILED", "DECLINED", "REFUSED"}


async def trade(rig: ChainRig) -> None:
    """Buy if nothing was bought, sell what is held."""
    await rig.until(lambda: all(state in _DONE for state in _states(rig)), f"{_states(rig)}: all trades ended")
    if not rig.rows("SELECT 1 FROM fills WHERE side = 'buy'"):
        bought = await rig.propose(quantity=QUANTITY)
        await rig.until(lambda: rig.state(bought) in _DONE, "bought")
    if rig.desk.state.positions.holding("m", "ETH-USDC").quantity:
        sale = await rig.propose(Side.SELL, QUANTITY)
        await rig.until(lambda: rig.state(sale) in _DONE, "sold")


async def covered(rig: ChainRig) -> None:
    """Buy if nothing was bought, and have its standing exit signed."""
    rig.standing = True
    await rig.quoted(COVERED)
    if not rig.rows("SELECT 1 FROM trades WHERE side = 'buy' AND state NOT IN ('EXPIRED', 'DENIED', 'CANCELLED')"):
        made = rig.intent(quantity=_COVERED_QUANTITY, symbol=COVERED)
        bid, tick = rig.desk.market.quote(COVERED).bid, rig.desk.instruments[COVERED].tick
        rig.session.pipeline.propose(replace(made, exits=Exits(mul(bid, _STOP).quantize(tick))))
    held = rig.desk.state.positions.holding
    await rig.until(lambda: held("m", COVERED).quantity > 0 and cover(rig.desk, "m", COVERED).covered, "it is covered")
    await rig.until(lambda: all(trade.armed for trade in rig.desk.state.in_flight()), "and nothing else goes on")


async def sold(rig: ChainRig) -> None:
    """The price fell meanwhile: until the standing exit has sold, and nothing goes on."""
    rig.standing = True
    await rig.until(lambda: all(state in _DONE for state in _states(rig)), "it is sold, and all is over")


STEPS: Final[Mapping[str, Callable[[ChainRig], Awaitable[None]]]] = {"trade": trade, "cover": covered, "sell": sold}


def _states(rig: ChainRig) -> list[str]:
    return [row["state"] for row in rig.rows("SELECT state FROM trades")]
