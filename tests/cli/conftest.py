"""Fixtures: the command, and a session that already ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.harness import Cli, commands


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """The command in a fresh home."""
    with commands(tmp_path / "home") as command:
        yield command


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """The command beside a session that traded and ended; tests only look at it."""
    with commands(tmp_path_factory.mktemp("finished") / "home") as command:
        result = command.replay()
        assert result.code == 0, result
        yield command
