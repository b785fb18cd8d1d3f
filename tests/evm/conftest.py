"""Chains for tests; skipped by name where the parts are not installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.practice.chain.anvil import Anvil
from app.practice.chain.parts import Parts
from tests.evm.chain import CHAIN_ID, LocalChain, built, installed
from tests.evm.pools.world import World, build

StartChain = Callable[..., LocalChain]


@pytest.fixture(scope="session")
def chain_parts() -> Parts:
    return installed()


@pytest.fixture(scope="session")
def chain_state(chain_parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the deployed chain's state, the same for all workers of a session."""
    base = tmp_path_factory.getbasetemp()
    return built(chain_parts, base.parent if base.name.startswith("popen-") else base)


@pytest.fixture
def start_chain(chain_parts: Parts, chain_state: Path) -> Iterator[StartChain]:
    """Starts further chains: ``start_chain(chain_id=1, deployed=False, options=("--block-time", "1"))``."""
    running: list[LocalChain] = []

    def start(*, chain_id: int = CHAIN_ID, deployed: bool = True, options: tuple[str, ...] = ()) -> LocalChain:
        running.append(LocalChain(chain_parts, chain_state if deployed else None, chain_id, *options))
        return running[-1]

    yield start
    for each in running:
        each.stop()


@pytest.fixture
def anvil(start_chain: StartChain) -> LocalChain:
    """A fresh chain with everything deployed, a block for each transaction."""
    return start_chain()


# A chain full of random pools, built once a session; each test gets a fresh copy of it (0.1 s).


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


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever keeps positions covered asks the chain about its nonces more often: nobody waits for that here."""
    monkeypatch.setattr("app.execution.standing_nonces._CHECK_MS", 300)
