"""What may be taken from an account, read and taken back. The truth is the tokens' own `allowance` on anvil, and
Permit2's own."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.engine.acts import Acts
from app.venues.evm import allowances
from app.venues.evm.allowances import Allowance, AllowanceReader, Allowances
from app.venues.evm.chain import MAX_UINT256
from app.venues.evm.known_parts import PERMIT2
from app.venues.evm.liquidity.leave import EVERY
from app.venues.evm.pools.state import At
from app.venues.evm.rpc import RpcDown, RpcRefused
from strategies.acts import Provide
from tests.evm.chain import LocalChain
from tests.evm.rig import ChainRig, chain_rig

APPROVE = "approve(address,uint256)"
INNER = "approve(address,address,uint160,uint48)"
STRANGER = bytes.fromhex("00000000000000000000000000000000000a11ce")
OPERATOR, TAKE = "setApprovalForAll(address,bool)", "transferFrom(address,address,uint256)"
LATER = 2**40
EXPIRED, TOO_LITTLE = "0xd81b2f2e", "0xf96fb071"
"""Permit2's `AllowanceExpired(uint256)` and `InsufficientAllowance(uint256)`."""


async def read(rig: ChainRig, rpc: Any = None) -> Allowances:
    nodes = rig.venue.nodes
    block = await nodes.agreed("eth_getBlockByNumber", ["latest", False])
    at = At(int(block["number"], 16), bytes.fromhex(block["hash"][2:]))
    return await AllowanceReader(rig.venue.chain, rpc or nodes).of(rig.me, at, int(block["timestamp"], 16))


async def test_an_account_that_allowed_nothing_has_nothing_and_all_was_looked_at(
    tmp_path: Path, anvil: LocalChain
) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        found = await read(rig)
        assert (found.live, found.since, found.left_out) == ((), 0, 0)


async def test_what_the_settings_name_and_what_events_tell_of_as_the_tokens_have_it_now(
    tmp_path: Path, anvil: LocalChain
) -> None:
    permit2 = PERMIT2
    usdc, weth, router = anvil.token("USDC").address, anvil.token("WETH").address, anvil.chain.dexes[0].router
    other = anvil.deploy_source("Tokens.sol", "Coin", 10**24)
    async with chain_rig(tmp_path, anvil) as rig:
        anvil.impersonate(rig.me)

        def allow(token: bytes, signature: str, *args: Any) -> None:
            anvil.transact(token, signature, *args, sender=rig.me)

        allow(usdc, APPROVE, router, 5_000_000)
        allow(usdc, APPROVE, STRANGER, MAX_UINT256)
        allow(weth, APPROVE, STRANGER, 7)
        allow(weth, APPROVE, STRANGER, 0)
        allow(other, APPROVE, STRANGER, 9)
        allow(weth, APPROVE, permit2, MAX_UINT256)
        allow(permit2, INNER, weth, router, 11, LATER)
        allow(permit2, INNER, usdc, STRANGER, 2**160 - 1, LATER)
        allow(permit2, INNER, weth, STRANGER, 13, 1)
        universal = anvil.contract("UniversalRouter")
        allow(permit2, INNER, usdc, universal, 17, LATER)
        found = await read(rig)
        assert set(found.live) == {
            Allowance(usdc, router, 5_000_000),
            Allowance(usdc, STRANGER, MAX_UINT256, told=True),
            Allowance(other, STRANGER, 9, told=True),
            Allowance(weth, permit2, MAX_UINT256),
            Allowance(weth, router, 11, inner=True, expires=LATER),
            Allowance(usdc, universal, 17, inner=True, expires=LATER),
            Allowance(usdc, STRANGER, 2**160 - 1, inner=True, expires=LATER, told=True),
        }
        assert {each.spender for each in found.live if each.unlimited} == {STRANGER, permit2}
        assert found.since == 0


class Short:
    """The real nodes, but for events: like many a node they tell of so many blocks at once, and no more."""

    def __init__(self, rig: ChainRig, most: int, error: Exception) -> None:
        self._nodes, self._most, self._error = rig.venue.nodes, most, error
        self.asked: list[tuple[int, int]] = []

    async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        if method == "eth_getLogs":
            first, last = (int(params[0][end], 16) for end in ("fromBlock", "toBlock"))
            self.asked.append((first, last))
            if last - first >= self._most:
                raise self._error
        return await self._nodes.call(method, params)


@pytest.mark.parametrize(
    "error", [RpcRefused("eth_getLogs", -32005, "too many blocks"), RpcDown("chain.down", "It took too long.")]
)
async def test_a_node_that_tells_of_few_blocks_is_asked_span_by_span_and_how_far_back_is_told(
    tmp_path: Path, anvil: LocalChain, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(allowances, "SPAN", 4)
    monkeypatch.setattr(allowances, "SPANS", 2)
    usdc = anvil.token("USDC").address
    async with chain_rig(tmp_path, anvil) as rig:
        anvil.impersonate(rig.me)
        anvil.transact(usdc, APPROVE, bytes(19) + b"\x77", 3, sender=rig.me)
        anvil.mine(6)
        anvil.transact(usdc, APPROVE, STRANGER, 5, sender=rig.me)
        rpc = Short(rig, 4, error)
        found = await read(rig, rpc)
        head = anvil.number()
        assert rpc.asked == [(0, head), (head - 3, head), (head - 7, head - 4)]
        assert found.since == head - 7
        assert {each.spender for each in found.live} == {STRANGER, bytes(19) + b"\x77"}
        monkeypatch.setattr(allowances, "SPANS", 1)
        found = await read(rig, Short(rig, 4, error))
        assert (found.since, [each.spender for each in found.live]) == (head - 3, [STRANGER])
        found = await read(rig, Short(rig, 0, error))
        assert (found.since, found.live) == (None, ())


async def test_events_of_more_pairs_than_are_looked_at_are_counted_the_newest_first(
    tmp_path: Path, anvil: LocalChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowances, "MOST", 2)
    usdc = anvil.token("USDC").address
    async with chain_rig(tmp_path, anvil) as rig:
        anvil.impersonate(rig.me)
        for number in (1, 2, 3):
            anvil.transact(usdc, APPROVE, bytes(19) + bytes([number]), number, sender=rig.me)
        found = await read(rig)
        assert ([each.amount for each in found.live], found.left_out) == ([3, 2], 1)


async def test_leave_given_at_permit2_is_taken_back_there(tmp_path: Path, anvil: LocalChain) -> None:
    permit2, usdc = PERMIT2, anvil.token("USDC").address
    spender = anvil.accounts[2]
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()
        anvil.impersonate(rig.me)
        anvil.transact(usdc, APPROVE, permit2, MAX_UINT256, sender=rig.me)
        anvil.transact(permit2, INNER, usdc, spender, 10**12, LATER, sender=rig.me)
        take = "transferFrom(address,address,uint160,address)"
        with anvil.undone():
            anvil.transact(permit2, take, rig.me, spender, 10**6, usdc, sender=spender)
        trade = Acts(rig.desk, rig.session.pipeline, rig.session.run).revoke("USDC", f"0x{spender.hex()}", inner=True)
        await rig.reached(trade, "FILLED")
        assert "may take nothing through Permit2" in trade.text
        signature = "allowance(address,address,address)(uint160,uint48,uint48)"
        assert anvil.call(permit2, signature, rig.me, usdc, spender)[0] == 0
        with pytest.raises(Exception, match=f"custom error ({EXPIRED}|{TOO_LITTLE})"):
            anvil.transact(permit2, take, rig.me, spender, 10**6, usdc, sender=spender)
        assert [each.spender for each in (await read(rig)).live] == [permit2], "the outer one stays"
        assert rig.on_chain("USDC") == rig.booked("USDC")


async def test_leave_for_a_token_that_the_settings_do_not_name_is_taken_back_too(
    tmp_path: Path, anvil: LocalChain
) -> None:
    other = anvil.deploy_source("Tokens.sol", "Coin", 10**24)
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()
        anvil.impersonate(rig.me)
        anvil.transact(other, APPROVE, STRANGER, 9, sender=rig.me)
        acts = Acts(rig.desk, rig.session.pipeline, rig.session.run)
        trade = acts.revoke(f"0x{other.hex()}", f"0x{STRANGER.hex()}")
        await rig.reached(trade, "FILLED")
        assert (await read(rig)).live == ()


async def test_leave_over_positions_of_liquidity_is_found_and_taken_back(tmp_path: Path, anvil: LocalChain) -> None:
    """Over all of them, and over one; as whoever has it could take them, and could not after."""
    manager = anvil.dex("uniswap-v3").positions
    assert manager is not None
    thief, market = anvil.accounts[3], anvil.accounts[4]
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()
        acts = Acts(rig.desk, rig.session.pipeline, rig.session.run)
        opened = acts.provide("ETH-USDC", Provide(Decimal(1), Decimal(2500), 3000, Decimal(2000), Decimal(3000)))
        await rig.reached(opened, "FILLED")
        (stake,) = rig.desk.state.stakes.open.values()
        number = int(stake.position.rpartition(":")[2])
        assert (await read(rig)).live == ()
        anvil.impersonate(rig.me)
        anvil.transact(manager, OPERATOR, thief, True, sender=rig.me)
        anvil.transact(manager, APPROVE, market, number, sender=rig.me)
        everything = Allowance(manager, thief, 1, told=True, position=EVERY)
        one = Allowance(manager, market, 1, told=True, position=number)
        found = (await read(rig)).live
        assert set(found) == {everything, one}
        assert [each for each in found if each.unlimited] == [everything]
        for each in (thief, market):
            with anvil.undone():
                anvil.transact(manager, TAKE, rig.me, each, number, sender=each)
        for name, who in (("uniswap-v3:all", thief), (stake.position, market)):
            await rig.reached(acts.revoke(name, f"0x{who.hex()}"), "FILLED")
            with pytest.raises(Exception, match="not owner nor approved"):
                anvil.transact(manager, TAKE, rig.me, who, number, sender=who)
        assert (await read(rig)).live == ()
        anvil.transact(manager, TAKE, rig.me, thief, number, sender=rig.me)
        anvil.transact(manager, APPROVE, market, number, sender=thief)
        assert (await read(rig)).live == (), "what the next owner allows is not of this account"
