"""What the chain's market tells: only what is known to be true now."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app import chain_setup
from app.chain_setup import ChainSetup
from app.errors import VenueError
from tests.evm.chain import LocalChain
from tests.evm.rig import PATIENCE_S, chain_rig


async def test_without_a_new_block_the_last_one_stays_true_and_without_an_answer_nothing_does(
    tmp_path: Path, anvil: LocalChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A book that grew old while a node fails must grow old for who trades on it."""
    monkeypatch.setattr(chain_setup, "_REPEAT_S", 0.05)
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()

        def told_ms() -> int:
            quote = rig.desk.market.quote("ETH-USDC")
            return int(quote.ts_ms)

        first = told_ms()
        await rig.until(lambda: told_ms() > first, "told again, though no block came")
        setup, failed = rig.session.setup, asyncio.Event()
        assert isinstance(setup, ChainSetup)

        async def failing() -> Any:
            failed.set()
            raise VenueError("test.down", "No node answers.")

        monkeypatch.setattr(setup.planner, "pools", failing)
        anvil.mine()
        await failed.wait()
        while rig.source.take() is not None:
            pass
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(3):  # asked again and again, each after a time at which a book would be told again
                failed.clear()
                await failed.wait()
        assert rig.source.take() is None
