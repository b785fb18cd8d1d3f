"""What an act takes from the account and what it must bring, from its values: what a simulation is held against, and
what has to be allowed before it."""

from __future__ import annotations

from collections.abc import Mapping

from app.venues.evm.acts import Act, Approval, InnerApproval, Open, Swap
from app.venues.evm.simulate import COIN, Simulation
from app.venues.evm.swap import RouterKind


def paid(act: Act, permit2: bytes | None) -> tuple[Approval | InnerApproval, ...]:
    """What others must be allowed to take for it, in that order: of each token exactly what it pays at most, and
    through Permit2 until the deadline of the swap.

    Raises:
        ValueError: it is paid through Permit2, and `permit2` is None, or Permit2 does not count so far.
    """
    match act:
        case Swap() if act.kind is RouterKind.UNIVERSAL:
            if permit2 is None:
                raise ValueError("it is paid through Permit2, which the settings do not name")
            token, most = act.token_in, act.amount_in
            inner = InnerApproval(permit2, token, act.router, most, act.deadline)
            return Approval(token, permit2, most), inner
        case Swap():
            return () if act.coin_in else (Approval(act.token_in, act.router, act.amount_in),)
        case Open():
            # The coin that goes along is taken for the wrapped one, the whole of it or none.
            both = ((act.token0, act.most0), (act.token1, act.most1))
            coin = coin_of(act)
            return tuple(Approval(token, act.manager, most) for token, most in both if most and token != coin)
        case _:
            return ()


def coin_of(act: Open) -> bytes | None:
    """Which of its tokens is paid in the coin: that of which the value is the most, as `Open` sees to."""
    if not act.value:
        return None
    return act.token0 if act.value == act.most0 else act.token1


def least(act: Act) -> dict[bytes, int]:
    """By how much the account's balance of each asset changes at worst, gas not counted; what is not named may not
    become less."""
    match act:
        case Swap():
            pays = COIN if act.coin_in else act.token_in
            gets = COIN if act.coin_out else act.token_out
            if pays == gets:
                return {pays: act.amount_out - act.amount_in}
            return {pays: -act.amount_in, gets: act.amount_out}
        case Open():
            coin = coin_of(act)
            both = ((act.token0, act.most0), (act.token1, act.most1))
            return {COIN if token == coin else token: -most for token, most in both}
        case _:
            return {}


def tokens(act: Act) -> tuple[bytes, ...]:
    """Tokens that its bytes name as paid or received."""
    match act:
        case Swap():
            return tuple(dict.fromkeys((act.token_in, act.token_out)))
        case Open():
            return act.token0, act.token1
        case Approval() | InnerApproval():
            return (act.token,)
        case _:
            return ()


def contradiction(bounds: Mapping[bytes, int], simulation: Simulation) -> str | None:
    """Why a simulation is not what was meant, or None. One that does not tell what moves contradicts nothing, and is
    shown as what it is.

    Args:
        bounds: as `least`, of everything that is simulated together.
    """
    if simulation.fails or not simulation.complete:
        return f"it would fail: {simulation.why}." if simulation.fails else None
    if simulation.others:
        return "it would move tokens that the trade does not name."
    for asset, change in simulation.changes.items():
        bound = bounds.get(asset, 0)
        if change >= bound:
            continue
        if bound < 0:
            return f"it would take {-change} units where at most {-bound} were meant."
        return f"it would bring {change} units where at least {bound} were meant."
    return None
