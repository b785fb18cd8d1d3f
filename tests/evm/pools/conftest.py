"""One chain full of random pools, built once a session; each test of this folder gets a fresh copy of it (0.1 s)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.practice.chain.anvil import Anvil
from app.practice.chain.parts import Parts
from tests.evm.pools.world import World, build


@pytest.fixture(scope="session")
def built_world(chain_parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    """What was built, and the file with its state."""
    folder = tmp_path_factory.mktemp("pools")
    anvil = Anvil(chain_parts, chain_id=31337)
    try:
        world = build(anvil.node, chain_parts)
        folder.joinpath("state.json").write_bytes(anvil.dump())
    finally:
        anvil.stop()
    return world, folder / "state.json"


@pytest.fixture
def world(built_world: tuple[World, Path], chain_parts: Parts) -> Iterator[World]:
    anvil = Anvil(chain_parts, chain_id=31337, state=built_world[1])
    try:
        yield replace(built_world[0], node=anvil.node)
    finally:
        anvil.stop()
