"""Every terminal test: private folders, no colour switches from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evm.conftest import anvil, chain_parts, chain_state, start_chain  # noqa: F401 -- chains to trade on


@pytest.fixture(autouse=True)
def _private(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home: Path = tmp_path_factory.mktemp("home")
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home / name))
    for name in ("NO_COLOR", "COLORTERM", "TEXTUAL_ANIMATIONS"):
        monkeypatch.delenv(name, raising=False)
    return home
