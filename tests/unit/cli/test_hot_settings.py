"""The hot signer is switched on by a typed word in the settings file alone, and what it signed is marked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.config.load import load
from app.errors import SafetyError
from app.launch import Request, prepare
from tests.devices.keyring_double import HOT, kept_in, with_key
from tests.execution.harness import rig
from tests.unit.cli.conftest import Call


@pytest.fixture(autouse=True)
def _key() -> Iterator[None]:
    with kept_in(with_key()):
        yield


def test_it_is_off_and_switching_it_on_needs_the_word(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.touch()

    def change(key: str, value: str, word: str) -> int:
        return call("config", "set", key, value, "--config", file, stdin=f"{word}\n").code

    assert change("signer.kind", "keyring", "LOOSEN") == 2
    assert change("signer.hot.enabled", "true", "") == 3
    assert file.read_text(encoding="utf-8") == ""
    asked = call("config", "set", "signer.hot.enabled", "true", "--config", file, stdin="LOOSEN\n")
    assert asked.code == 0
    assert "whoever gets into this computer" in asked.err, "before the word is asked for"
    assert asked.err.index("whoever") < asked.err.index("Type LOOSEN")
    assert change("signer.kind", "keyring", "") == 0
    assert change("signer.hot.per_day", "60", "") == 3
    assert change("signer.hot.per_day", "40", "") == 0
    assert change("signer.hot.enabled", "false", "") == 2, "while it signs"
    assert change("signer.kind", "demo", "") == 0
    assert change("signer.hot.enabled", "false", "") == 0


def test_no_flag_and_no_variable_switches_it_on_or_raises_a_cap(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("run", "--headless", "--for", "1", "--signer", "keyring")
    refused = call(*run, "--set", "signer.hot.enabled=true")
    assert refused.code == 3
    assert "signer.hot.enabled comes from the command line" in refused.err
    assert call(*run).code == 2
    file = tmp_path / "on.toml"
    file.write_text("[signer.hot]\nenabled = true\n", encoding="utf-8")
    assert "per_day comes from" in call(*run, "--config", file, "--set", "signer.hot.per_day=1000").err
    monkeypatch.setenv("COUNTERSIGN_SIGNER__HOT__PER_TRADE", "1000")
    assert "signer.hot.per_trade comes from the environment" in call(*run, "--config", file).err


def test_it_never_confirms_by_itself_outside_paper(tmp_path: Path) -> None:
    file = tmp_path / "on.toml"
    file.write_text('[signer]\nkind = "keyring"\n[signer.hot]\nenabled = true\n', encoding="utf-8")
    loaded = load(file, {}, {})
    live = replace(loaded, settings=loaded.settings.model_copy(update={"profile": "live"}))
    with pytest.raises(SafetyError, match="Only the paper profile may confirm by itself"):
        prepare(Request(settings=lambda: live, db=tmp_path / "a.db", auto_confirm=True))
    assert prepare(Request(settings=lambda: loaded, db=tmp_path / "a.db", auto_confirm=True)).plan.auto_confirm


def test_what_it_signed_is_marked_wherever_it_is_told(call: Call, tmp_path: Path) -> None:
    async def trade(settings: dict[str, str]) -> None:
        async with rig(tmp_path, settings=settings) as r:
            await r.trade(quantity="0.05", target=None)
            await r.close_position("0.05")

    asyncio.run(trade({}))
    asyncio.run(trade(HOT))
    orders = json.loads(call("orders", "--json", "--db", "a.db").out)["orders"]
    assert {order["signer"] for order in orders} == {"demo", "keyring"}
    lines = call("orders", "--db", "a.db").out.splitlines()
    assert sum(line.endswith("HOT") for line in lines) == sum(order["signer"] == "keyring" for order in orders) == 3
    rows = json.loads(call("journal", "show", "--json", "--limit", "100", "--db", "a.db").out)["rows"]
    assert [row["kind"] for row in rows if row["hot"]] == ["trade.signed"] * 2
    shown = call("journal", "show", "--limit", "100", "--db", "a.db").out.splitlines()
    assert sum("  HOT  " in line for line in shown) == 2
