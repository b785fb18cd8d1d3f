"""Before a token is bought for the first time it is looked at; and what nobody could simulate is confirmed by a typed
word or not at all. The judge is the chain, through the whole pipeline.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import SafetyError
from app.execution.fatigue import UNSEEN, Requirement, unsimulated, with_word
from app.execution.records import Trade
from app.venues.evm.chain import Chain
from strategies.model import Side
from tests.evm.chain import LocalChain
from tests.evm.faults import Refused
from tests.evm.proxy import ALWAYS, FaultProxy
from tests.evm.rig import ChainRig, chain_rig
from tests.evm.test_nasty import listed

GONE = Refused(-32601, "Method not found")


class Swapped(LocalChain):
    """A chain whose WBTC is another contract; nobody vouches for any of its tokens unless `vouched`."""

    odd: bytes | None = None
    vouched = False

    @property
    def chain(self) -> Chain:
        found = super().chain
        tokens = tuple(
            replace(each, address=self.odd, decimals=18) if each.symbol == "WBTC" and self.odd is not None else each
            for each in found.tokens
        )
        trusted = frozenset(each.address for each in tokens) if self.vouched else frozenset[bytes]()
        return replace(found, tokens=tokens, trusted=trusted)


@pytest.fixture
def swapped(chain_parts: Any, chain_state: Path) -> Iterator[Swapped]:
    made = Swapped(chain_parts, chain_state)
    yield made
    made.stop()


def preview(trade: Trade) -> dict[str, Any]:
    assert trade.payload is not None
    found: dict[str, Any] = json.loads(trade.payload.preview)
    return found


@pytest.mark.parametrize("vouched", [False, True])
async def test_a_honeypot_is_never_bought(tmp_path: Path, swapped: Swapped, vouched: bool) -> None:
    swapped.vouched = vouched
    swapped.odd, pool = listed(swapped, "Honeypot")
    swapped.transact(swapped.odd, "trap(address)", pool)
    async with chain_rig(tmp_path, swapped) as rig:
        trade = await rig.propose(symbol="WBTC-USDC", quantity="1")
        await rig.reached(trade, "DENIED")
        assert "HONEYPOT: what was bought in a simulation could not be sold" in trade.reason
        assert rig.sent() == 0
        await rig.assert_agrees()


async def test_a_token_that_scores_too_little_is_denied_with_its_reasons(tmp_path: Path, swapped: Swapped) -> None:
    swapped.odd, _ = listed(swapped, "MintableCoin")
    async with chain_rig(tmp_path, swapped) as rig:
        trade = await rig.propose(symbol="WBTC-USDC", quantity="1")
        await rig.reached(trade, "DENIED")
        assert "the least is 50: " in trade.reason
        assert "more of it can be made" in trade.reason


async def test_a_trusted_token_is_looked_at_once_and_others_each_time(tmp_path: Path, swapped: Swapped) -> None:
    for vouched, again in ((True, False), (False, True)):
        swapped.vouched = vouched
        swapped.odd, _ = listed(swapped, "Coin")
        folder = tmp_path / str(vouched)
        folder.mkdir()
        async with chain_rig(folder, swapped) as rig:
            first = await rig.propose(symbol="WBTC-USDC", quantity="1")
            await rig.reached(first, "FILLED")
            shown = preview(first)["safety"]
            assert (shown["score"], shown["sell_tax_bps"]) == (60, 0)
            assert {each["rule"] for each in shown["findings"]} == {"concentrated", "removable"}
            second = await rig.propose(symbol="WBTC-USDC", quantity="1")
            await rig.reached(second, "FILLED")
            assert (preview(second)["safety"] is not None) is again
            sale = await rig.propose(Side.SELL, "2", symbol="WBTC-USDC")
            await rig.reached(sale, "FILLED")
            assert preview(sale)["safety"] is None


async def test_the_coin_itself_is_not_looked_at(tmp_path: Path, swapped: Swapped) -> None:
    async with chain_rig(tmp_path, swapped) as rig:
        trade = await rig.propose()
        await rig.reached(trade, "FILLED")
        assert preview(trade)["safety"] is None
        assert (preview(trade)["simulated"], preview(trade)["method"]) == (True, "eth_simulateV1")


# -- what was not simulated ---------------------------------------------------------------------------------------


@pytest.fixture
def poor(anvil: LocalChain) -> Iterator[FaultProxy]:
    """A node that can only say whether a call goes through."""
    with FaultProxy(anvil.url, anvil.ws_url) as proxy:
        for method in ("eth_simulateV1", "debug_traceCall"):
            proxy.script(method, GONE, times=ALWAYS)
        yield proxy


async def prepared(rig: ChainRig) -> Trade:
    trade = await rig.propose()
    await rig.reached(trade, "PREPARED")
    await rig.until(lambda: trade in rig.session.pipeline.proposals.waiting(), "it waits")
    return trade


async def test_what_was_not_simulated_needs_its_word_and_is_traded_then(
    tmp_path: Path, anvil: LocalChain, poor: FaultProxy
) -> None:
    async with chain_rig(tmp_path, anvil, urls=((poor.url, poor.ws_url),), auto_confirm=False) as rig:
        trade, proposals = await prepared(rig), rig.session.pipeline.proposals
        shown = preview(trade)
        assert (shown["simulated"], shown["changes"]) == (False, [])
        assert "nobody knows what it would do" in shown["not_simulated"]
        need = proposals.requirement(trade)
        assert need.readback is not None
        assert need.readback.split()[0] == UNSEEN
        assert "NOT SIMULATED: the node can not run the swap" in need.words
        proposals.shown(trade.id)
        wall = rig.desk.wall
        begun = wall.monotonic_ns()
        await rig.until(lambda: wall.monotonic_ns() - begun > 600 * 10**6, "it was read")
        for wrong in (None, "", need.readback.removeprefix(UNSEEN).strip(), UNSEEN.lower()):
            with pytest.raises(SafetyError) as refused:
                proposals.confirm(trade.id, wrong)
            assert refused.value.code == "confirm.readback"
        proposals.confirm(trade.id, need.readback)
        await rig.reached(trade, "FILLED")
        await rig.assert_agrees()


async def test_a_machine_confirms_nothing_that_was_not_simulated(
    tmp_path: Path, anvil: LocalChain, poor: FaultProxy
) -> None:
    async with chain_rig(tmp_path, anvil, urls=((poor.url, poor.ws_url),)) as rig:
        trade = await rig.propose()
        await rig.reached(trade, "DECLINED")
        assert "Nobody is there to confirm what was not simulated" in trade.reason
        assert rig.sent() == 0


async def test_what_was_simulated_when_it_was_confirmed_is_simulated_before_it_is_sent(
    tmp_path: Path, anvil: LocalChain
) -> None:
    """The node loses the methods while the trader reads."""
    with FaultProxy(anvil.url, anvil.ws_url) as proxy:
        async with chain_rig(tmp_path, anvil, urls=((proxy.url, proxy.ws_url),), auto_confirm=False) as rig:
            trade, proposals = await prepared(rig), rig.session.pipeline.proposals
            for method in ("eth_simulateV1", "debug_traceCall"):
                proxy.script(method, GONE, times=ALWAYS)
            proposals.shown(trade.id)
            wall = rig.desk.wall
            begun = wall.monotonic_ns()
            await rig.until(lambda: wall.monotonic_ns() - begun > 600 * 10**6, "it was read")
            proposals.confirm(trade.id, proposals.requirement(trade).readback)
            await rig.reached(trade, "DENIED")
            assert "It was simulated when it was confirmed; now" in trade.reason
            assert rig.sent() == 0


def test_the_word_stands_before_what_else_is_typed() -> None:
    assert with_word(Requirement("1.5", 0, "A large trade."), "") == Requirement("1.5", 0, "A large trade.")
    need = with_word(Requirement("BLIND 1.5", 7, "A large trade."), "no node could")
    assert (need.readback, need.cool_down_ms) == (f"{UNSEEN} BLIND 1.5", 7)
    assert need.words == f"A large trade. NOT SIMULATED: no node could. Type {UNSEEN} BLIND 1.5."
    assert unsimulated("") == unsimulated('{"filled":"1"}') == unsimulated('{"simulated":true}') == ""
    assert unsimulated('{"simulated":false}')
