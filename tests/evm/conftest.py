"""Chains for tests; skipped by name where the parts are not installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.practice.chain.parts import Parts
from tests.evm.chain import CHAIN_ID, LocalChain, built, installed

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
