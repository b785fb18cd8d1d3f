"""What the nodes permit is what is traded: NORMAL all, EXITS_ONLY what closes a position, DATA_ONLY nothing."""

from __future__ import annotations

from pathlib import Path

from app.execution.admission import worse_than_confirmed
from app.venues.evm.nodes.health import Mode
from strategies.model import Side
from tests.evm.chain import LocalChain
from tests.evm.rig import ChainRig, chain_rig


def contradicted(rig: ChainRig) -> None:
    """Two nodes said different things a moment ago."""
    nodes = rig.venue.nodes
    nodes._contradictions["eth_getBlockByNumber"] = (nodes._clock.now_ms(), "The nodes disagree about a block.")


async def test_exits_alone_go_where_nodes_contradict_one_another(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        bought = await rig.propose(quantity="0.25")
        await rig.reached(bought, "FILLED")
        contradicted(rig)
        assert rig.venue.nodes.mode()[0] is Mode.EXITS_ONLY
        assert rig.session.pipeline.propose(rig.intent()) is None
        denied = "SELECT reason FROM trades WHERE state = 'DENIED'"
        await rig.until(lambda: bool(rig.rows(denied)), "it is denied, and told so")
        assert "is exits only: The nodes disagree about a block);" in rig.rows(denied)[0]["reason"]
        sale = await rig.propose(Side.SELL, "0.25")
        await rig.reached(sale, "FILLED")
        rig.venue.nodes._contradictions.clear()
        again = await rig.propose()
        await rig.reached(again, "FILLED")
        await rig.assert_agrees()


async def test_what_was_signed_before_ends_unsent(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        bought = await rig.propose(quantity="0.25")
        await rig.reached(bought, "FILLED")
        contradicted(rig)
        assert "exits only" in (worse_than_confirmed(rig.desk, bought) or "")


async def test_nothing_is_sent_where_the_nodes_have_different_chains(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        ready = rig.venue.ready

        async def forked() -> None:
            rig.venue.nodes._lookout.fork = "The nodes disagree about block 7."
            await ready()

        rig.venue.ready = forked  # type: ignore[method-assign]  # a look at the nodes, at this very moment
        trade = await rig.propose(quantity="0.25")
        await rig.reached(trade, "FAILED")
        assert trade.reason.endswith("is data only: The nodes disagree about block 7. Nothing was sent.")
        assert rig.sent() == 0
        rig.venue.nodes._lookout.fork = ""
        await rig.assert_agrees()
