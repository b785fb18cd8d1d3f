"""One chain full of random pools for all tests of this folder; each test undoes what it did."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.practice.chain.anvil import Anvil
from app.practice.chain.parts import Parts
from tests.evm.pools.world import World, build


@pytest.fixture(scope="session")
def built_world(chain_parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    anvil = Anvil(chain_parts, tmp_path_factory.mktemp("pools"), chain_id=31337)
    try:
        yield build(anvil.node, chain_parts)
    finally:
        anvil.stop()


@pytest.fixture
def world(built_world: World) -> Iterator[World]:
    snapshot = built_world.node.rpc("evm_snapshot")
    yield built_world
    assert built_world.node.rpc("evm_revert", snapshot) is True
