"""Trades that are paid through Permit2, from proposal to ledger: three transactions, signed and sent one after the
other. The judge is the chain: Uniswap's own contracts, and Permit2 as it is everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.execution.chain_account import Account
from app.execution.chain_preview import lines
from app.execution.records import Payload, Trade
from app.execution.transaction_terms import unlike
from app.venues.evm.acts import Act, Approval, InnerApproval, Nothing, Swap, encode
from app.venues.evm.chain import Approvals
from app.venues.evm.known_parts import PERMIT2
from app.venues.evm.swap import RouterKind
from app.venues.evm.words import act_of
from signers.evm import encode as unsigned_of
from strategies.model import Side
from tests.evm.chain import LocalChain
from tests.evm.rig import ChainRig, chain_rig

OTHER = b"\x77" * 20
OUTER = "allowance(address,address)(uint256)"
INNER = "allowance(address,address,address)(uint160,uint48,uint48)"
BROKEN = "0x5f5ffd"
"""Code that reverts whatever it is asked."""
ORDER = ["approve", "approve", "entry"]


def acts_of(trade: Trade) -> tuple[Approval, InnerApproval, Swap]:
    outer, inner, swap = (act_of(each.body)[1] for each in trade.payloads)
    assert isinstance(outer, Approval)
    assert isinstance(inner, InnerApproval)
    assert isinstance(swap, Swap)
    return outer, inner, swap


def left(chain: LocalChain, owner: bytes, swap: Swap) -> tuple[int, int]:
    return (
        chain.call(swap.token_in, OUTER, owner, PERMIT2),
        chain.call(PERMIT2, INNER, owner, swap.token_in, swap.router)[0],
    )


def waits(rig: ChainRig, trade: Trade, number: int) -> bool:
    """Whether that one of its transactions waits for a block, and the next for it."""
    states = [*["FILLED"] * number, "OPEN", *["PENDING"] * (2 - number)]
    return rig.orders(trade) == list(zip(ORDER, states, strict=True))


async def test_a_purchase_and_its_sale_settle_to_the_last_unit(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, approvals=Approvals.PERMIT2) as rig:
        trade = await rig.propose(quantity="0.01", symbol="WBTC-USDC")
        await rig.reached(trade, "FILLED")
        assert rig.orders(trade) == [(role, "FILLED") for role in ORDER]
        outer, inner, swap = acts_of(trade)
        router = anvil.contract("UniversalRouter")
        assert (swap.kind, swap.router) == (RouterKind.UNIVERSAL, router)
        assert outer == Approval(swap.token_in, PERMIT2, swap.amount_in)
        assert inner == InnerApproval(PERMIT2, swap.token_in, router, swap.amount_in, swap.deadline)
        first, second, third = (each.text for each in trade.payloads)
        assert "Permit2 may take that much, no more" in first
        assert "the universal router of uniswap-v2 and uniswap-v3 may take that much through Permit2" in second
        until = next(line for line in third.splitlines() if line.startswith("before ")).removeprefix("before ")
        assert f"until {until}" in second
        said = [each.text for each in lines(json.loads(trade.payloads[-1].preview)) if "ALLOWANCE" in each.text]
        assert [" until " in each for each in said] == [False, True], "what Permit2 may take, and what it lets take"
        assert f"{until}." in said[1]
        assert "through the universal router of uniswap-v2 and uniswap-v3" in third
        await rig.assert_agrees()
        sale = await rig.propose(Side.SELL, "0.01", symbol="WBTC-USDC")
        await rig.reached(sale, "FILLED")
        said = [each.text for each in lines(json.loads(sale.payloads[-1].preview))]
        assert "No allowance is left afterwards." in said
        assert left(anvil, rig.me, acts_of(sale)[-1]) == (0, 0)
        assert rig.sent() == 6
        await rig.assert_agrees()
    async with chain_rig(tmp_path, anvil, approvals=Approvals.PERMIT2) as again:
        assert not again.desk.halted
        await again.assert_agrees()


async def test_a_sale_of_the_coin_needs_no_leave(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, approvals=Approvals.PERMIT2) as rig:
        trade = await rig.propose(quantity="0.25")
        await rig.reached(trade, "FILLED")
        assert acts_of(trade)[-1].coin_out
        sale = await rig.propose(Side.SELL, "0.25")
        await rig.reached(sale, "FILLED")
        assert rig.sent() == 4
        await rig.assert_agrees()


@pytest.mark.parametrize("landed", [1, 2])
async def test_a_restart_between_approvals_and_swap(tmp_path: Path, anvil: LocalChain, landed: int) -> None:
    async with chain_rig(tmp_path, anvil, approvals=Approvals.PERMIT2) as rig:
        anvil.automine(on=False)
        trade = await rig.propose()
        await rig.reached(trade, "SUBMITTED")
        assert waits(rig, trade, 0)
        if landed == 2:
            anvil.mine()
            await rig.until(lambda: waits(rig, trade, 1), "the inner approval is sent")
    anvil.mine()
    anvil.automine(on=True)
    async with chain_rig(tmp_path, anvil, approvals=Approvals.PERMIT2) as again:
        await again.quoted()
        await again.reached(trade, "FILLED")
        assert again.sent() == 3
        await again.assert_agrees()


async def test_an_inner_approval_that_fails_stops_the_trade(tmp_path: Path, anvil: LocalChain) -> None:
    """Permit2 is broken once its own turn has come: what follows would take nothing, and is not sent."""
    async with chain_rig(tmp_path, anvil, approvals=Approvals.PERMIT2) as rig:
        anvil.automine(on=False)
        trade = await rig.propose()
        await rig.reached(trade, "SUBMITTED")
        anvil.mine()
        await rig.until(lambda: waits(rig, trade, 1), "the inner approval is sent")
        anvil.rpc("anvil_setCode", f"0x{PERMIT2.hex()}", BROKEN)
        anvil.mine()
        await rig.reached(trade, "CANCELLED")
        assert rig.orders(trade) == list(zip(ORDER, ["FILLED", "REJECTED", "CANCELLED"], strict=True))
        assert rig.sent() == 2
        assert not rig.desk.state.purse.holds
        await rig.assert_agrees()


async def test_an_inner_approval_that_would_fail_is_not_sent(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, approvals=Approvals.PERMIT2) as rig:
        anvil.automine(on=False)
        trade = await rig.propose()
        await rig.reached(trade, "SUBMITTED")
        anvil.rpc("anvil_setCode", f"0x{PERMIT2.hex()}", BROKEN)
        anvil.mine()
        await rig.reached(trade, "CANCELLED")
        assert rig.orders(trade) == list(zip(ORDER, ["FILLED", "CANCELLED", "CANCELLED"], strict=True))
        assert rig.sent() == 1
        assert not rig.desk.state.purse.holds


Change = Callable[[Approval, InnerApproval, Swap], tuple[Act, Act, Act]]
CHANGES: dict[str, Change] = {
    "another spender": lambda o, i, s: (o, replace(i, spender=OTHER), s),
    "another token": lambda o, i, s: (o, replace(i, token=OTHER), s),
    "another contract": lambda o, i, s: (o, replace(i, permit2=OTHER), s),
    "more": lambda o, i, s: (o, replace(i, amount=i.amount + 1), s),
    "less": lambda o, i, s: (o, replace(i, amount=i.amount - 1), s),
    "longer": lambda o, i, s: (o, replace(i, expires=i.expires + 1), s),
    "shorter": lambda o, i, s: (o, replace(i, expires=i.expires - 1), s),
    "taken back": lambda o, i, s: (o, replace(i, amount=0, expires=0), s),
    "to the router itself": lambda o, i, s: (o, Approval(i.token, i.spender, i.amount), s),
    "a swap in its place": lambda o, _, s: (o, s, s),
    "nothing in its place": lambda o, _, s: (o, Nothing(OTHER), s),
    "more to Permit2": lambda o, i, s: (replace(o, amount=o.amount + 1), i, s),
    "somebody else than Permit2": lambda o, i, s: (replace(o, spender=OTHER), i, s),
    "a router that nobody named": lambda o, i, s: (o, replace(i, spender=OTHER), replace(s, router=OTHER)),
    "a swap of more": lambda o, i, s: (
        o,
        i,
        replace(s, parts=(replace(s.parts[0], amount_in=s.parts[0].amount_in + 1), *s.parts[1:])),
    ),
    "a swap until later": lambda o, i, s: (o, i, replace(s, deadline=s.deadline + 1)),
    "for somebody else": lambda o, i, s: (o, i, replace(s, recipient=OTHER)),
}


def with_act(payload: Payload, act: Act) -> Payload:
    call = encode(act)
    fields = replace(act_of(payload.body)[0], to=call.to, data=call.data, value=call.value)
    return replace(payload, body=unsigned_of(fields))


def whys(rig: ChainRig, trade: Trade, acts: tuple[Act, ...]) -> list[str]:
    """Why transactions with these acts are not the trade's."""
    made = [with_act(*each) for each in zip(trade.payloads, acts, strict=True)]
    account, instrument = Account(rig.venue.chain, rig.me), rig.desk.instruments[trade.intent.symbol]
    found = (unlike(account, instrument, trade.intent, made, each) for each in made)
    return [why for why in found if why is not None]


async def test_one_difference_from_what_is_authorised_is_refused(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, approvals=Approvals.PERMIT2) as rig:
        trade = await rig.propose()
        await rig.reached(trade, "FILLED")
        acts = acts_of(trade)
        assert whys(rig, trade, acts) == []
        assert {name for name, change in CHANGES.items() if not whys(rig, trade, change(*acts))} == set()
