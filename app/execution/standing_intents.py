"""The intents that the session proposes by itself to protect a position on a chain."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from app.execution.desk import Desk
from app.execution.standing_terms import least
from app.money import CEILING, ZERO, apply_bps, mul, round_to_step, sub
from strategies.model import Exits, Intent, Quote, Side

_TWO: Final = Decimal(2)


def standing_exit(desk: Desk, key: tuple[str, str], name: str, held: Decimal, stop: Decimal, why: str) -> Intent | None:
    """A sale of `held` that is kept until the price is at `stop`; None while nothing values its gas, and where the stop
    is too low to bound a sale.

    Args:
        key: module and instrument.
        name: the intent's id.
    """
    worst, gas = least(stop, desk.terms.standing, desk.instruments[key[1]]), desk.max_gas()
    if gas is None:
        return None
    # The cap on gas is for one transaction, and an approval may go before the sale.
    return _sale(desk, key, name, held, worst, Exits(stop), f"standing exit: {why}", mul(gas, _TWO))


def prepared_sale(
    desk: Desk, key: tuple[str, str], name: str, held: Decimal, quote: Quote, replaces: str = ""
) -> Intent | None:
    """A sale of `held` at the market, where the standing exit can not go; None as `standing_exit`.

    Args:
        replaces: the transaction of a standing exit that was sent and comes into no block: one of the two can land.
    """
    below = sub(quote.bid, apply_bps(quote.bid, desk.terms.slippage_bps))
    worst, gas = round_to_step(below, desk.instruments[key[1]].tick, CEILING), desk.max_gas()
    if gas is None:
        return None
    why = "prepared exit: the price is at the stop and no standing exit can go"
    made = _sale(desk, key, name, held, worst, None, why, gas)
    return None if made is None else replace(made, replaces=replaces)


def _sale(
    desk: Desk,
    key: tuple[str, str],
    name: str,
    held: Decimal,
    worst: Decimal,
    exits: Exits | None,
    reason: str,
    gas: Decimal,
) -> Intent | None:
    now = desk.clock.now_ms()
    if worst <= ZERO:
        return None
    return Intent(
        id=name,
        module=key[0],
        symbol=key[1],
        side=Side.SELL,
        quantity=held,
        worst_price=worst,
        max_fee=ZERO,  # a pool's fee is in its price
        exits=exits,
        reason=reason,
        created_ms=now,
        expires_ms=now + desk.terms.proposal_expiry_ms,
        config_version=desk.terms.config_version,
        reduce_only=True,
        max_gas=gas,
    )
