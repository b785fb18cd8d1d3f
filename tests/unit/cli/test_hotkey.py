"""Keys of the hot signer by command: what is asked, what is refused, what is never said again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair

from app import hot_keys
from app.cli import context
from signers import hot_key
from signers.payloads import Chain
from storage.database import lock
from tests.devices.keyring_double import EVM_ADDRESS, EVM_KEY, HOT, SOLANA_KEY, kept_in, with_key
from tests.execution.harness import Rig, rig
from tests.unit.cli.conftest import Call

PHRASE = "glory promote mansion idle axis finger extra february uncover one trip resource"


@pytest.fixture(autouse=True)
def entries() -> Iterator[dict[str, str]]:
    with kept_in({}) as kept:
        yield kept


def session(folder: Path, act: Callable[[Rig], Awaitable[None]], **options: Any) -> None:
    """What `act` does in a session on ``a.db``."""

    async def run() -> None:
        async with rig(folder, settings=HOT, **options) as r:
            await act(r)
            await r.settle()

    asyncio.run(run())


async def enter(r: Rig) -> None:
    """A position of 0.05, with a stop that rests."""
    trade = await r.trade(quantity="0.05", target=None)
    assert r.states(trade)[-1] == "FILLED"


async def nothing(_: Rig) -> None: ...


def states(call: Call, db: str = "a.db") -> dict[str, str]:
    found = json.loads(call("hotkey", "list", "--json", "--db", db).out)["keys"]
    return {each["address"]: each["state"] for each in found}


def test_a_key_is_made_only_with_the_word_and_only_once(call: Call, entries: dict[str, str]) -> None:
    refused = call("hotkey", "generate", stdin="hot\n")
    assert (refused.code, entries) == (3, {})
    made = call("hotkey", "generate", "--json", stdin="HOT\n")
    assert made.code == 0, made
    key = hot_key.from_stored(Chain.EVM, entries["signer.evm"])
    assert json.loads(made.out)["address"] == hot_key.address(Chain.EVM, key)
    again = call("hotkey", "generate", stdin="HOT\n")
    assert (again.code, "hotkey rotate" in again.err) == (3, True)
    assert entries["signer.evm"] == hot_key.stored(key)
    assert states(call) == {hot_key.address(Chain.EVM, key): "ACTIVE"}
    assert key.hex() not in refused.err + made.out + made.err + again.err


@pytest.mark.parametrize(
    "typed", [EVM_KEY.hex(), "0x" + EVM_KEY.hex().upper().replace("0X", "0x"), f" {EVM_KEY.hex()} "]
)
def test_an_evm_key_is_imported_as_wallets_export_it(call: Call, entries: dict[str, str], typed: str) -> None:
    done = call("hotkey", "import", stdin=f"HOT\n{typed}\n")
    assert done.code == 0, done
    assert EVM_ADDRESS in done.out
    assert "config set signer.hot.enabled true" in done.out
    assert entries["signer.evm"] == EVM_KEY.hex()
    assert EVM_KEY.hex() not in (done.out + done.err).lower()


@pytest.mark.parametrize("form", ["base58", "list"])
def test_a_solana_key_is_imported_as_its_tools_write_it(call: Call, entries: dict[str, str], form: str) -> None:
    pair = Keypair.from_seed(SOLANA_KEY)
    typed = str(pair) if form == "base58" else pair.to_json()
    done = call("hotkey", "import", "--chain", "solana", stdin=f"HOT\n{typed}\n")
    assert str(pair.pubkey()) in done.out
    assert entries["signer.solana"] == SOLANA_KEY.hex()
    assert typed not in done.out + done.err


BAD = {
    "a phrase": (PHRASE, "recovery phrase"),
    "a numbered phrase": ("1 glory 2 promote 3 mansion", "recovery phrase"),
    "a short key": (EVM_KEY.hex()[:-2], "64 hex digits"),
    "no digits": ("q" * 64, "64 hex digits"),
    "zero": ("0" * 64, "64 hex digits"),
    "above the order": ("f" * 64, "64 hex digits"),
    "a Solana key": (str(Keypair.from_seed(SOLANA_KEY)), "64 hex digits"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_key_is_refused_in_words_and_not_repeated(call: Call, entries: dict[str, str], name: str) -> None:
    typed, says = BAD[name]
    refused = call("hotkey", "import", stdin=f"HOT\n{typed}\n")
    assert (refused.code, entries) == (2, {})
    assert says in refused.err
    assert typed not in refused.err
    assert typed.split()[0] not in refused.err


def test_halves_of_two_solana_keys_are_refused(call: Call, entries: dict[str, str]) -> None:
    mixed = list(SOLANA_KEY) + list(EVM_KEY)
    refused = call("hotkey", "import", "--chain", "solana", stdin=f"HOT\n{mixed}\n")
    assert (refused.code, entries) == (2, {})


def test_a_key_on_the_command_line_is_refused_and_not_repeated(call: Call) -> None:
    key = EVM_KEY.hex()
    for arguments in (("hotkey", "import", key), ("hotkey", key), ("--json", "hotkey", key, "--chain", "evm")):
        refused = call(*arguments)
        assert refused.code == 2
        assert key not in refused.err + refused.out


def test_the_general_command_for_secrets_leaves_these_keys_alone(call: Call, entries: dict[str, str]) -> None:
    entries.update(with_key())
    for action in ("set", "rm", "rotate"):
        refused = call("secrets", action, "signer.evm", stdin="x\n")
        assert (refused.code, "countersign hotkey" in refused.err) == (3, True)
    assert entries["signer.evm"] == EVM_KEY.hex()


def test_a_key_that_a_hardware_wallet_has_is_refused(call: Call, tmp_path: Path, entries: dict[str, str]) -> None:
    async def register(r: Rig) -> None:
        row = ("ledger", "evm", "m/44'/60'/0'/0/0", EVM_ADDRESS, "Nano", 0)
        r.desk.note("INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, NULL)", row)

    entries.update(with_key(key=SOLANA_KEY))
    session(tmp_path, register)
    entries.clear()
    refused = call("hotkey", "import", "--db", "a.db", stdin=f"HOT\n{EVM_KEY.hex()}\n")
    assert (refused.code, entries) == (3, {})
    assert "registered for the ledger" in refused.err


def on_a_chain(db: Path, change: str) -> None:
    """As if the session traded on one."""
    with contextlib.closing(sqlite3.connect(db)) as data, data:
        data.execute("UPDATE meta SET value = 'chain:sepolia:11155111' WHERE key = 'source'")
        data.execute(change)


@pytest.mark.parametrize("word", ["RETIRE", "ABANDON"])
def test_an_old_key_is_drained_before_it_is_deleted(
    call: Call, tmp_path: Path, entries: dict[str, str], word: str
) -> None:
    entries.update(with_key())
    session(tmp_path, enter)
    rotated = call("hotkey", "rotate", "--json", "--db", "a.db", stdin="ROTATE\n")
    new = json.loads(rotated.out)["address"]
    assert states(call) == {EVM_ADDRESS: "DRAINING", new: "ACTIVE"}
    refused = call("hotkey", "retire", "--db", "a.db", stdin="RETIRE\n")
    assert refused.code == 3
    assert "stop order" in refused.err
    assert "ETH-USDT is OPEN" in refused.err
    assert "countersign close" in refused.err
    assert entries["signer.evm.old"] == EVM_KEY.hex()
    assert call("hotkey", "rotate", "--db", "a.db", stdin="ROTATE\n").code == 3

    async def close(r: Rig) -> None:
        trade = await r.close_position("0.05")
        assert r.states(trade)[-1] == "FILLED"
        (row,) = r.rows("SELECT address FROM authorisations WHERE trade_id = ?", trade.id)
        assert row["address"] == new
        r.assert_sound()

    session(tmp_path, close)
    assert states(call) == {EVM_ADDRESS: "DRAINED", new: "ACTIVE"}
    kept = call("hotkey", "retire", "--db", "a.db", stdin="retire\n")
    assert (kept.code, "signer.evm.old" in entries) == (3, True)
    on_a_chain(tmp_path / "a.db", "INSERT INTO balances VALUES ('assets:sepolia', 'ETH', '0.25')")
    kept = call("hotkey", "retire", "--db", "a.db", stdin="RETIRE\n")
    assert (kept.code, "signer.evm.old" in entries) == (3, True)
    assert "by the ledger: 0.25 ETH on sepolia. Send it away first. Type ABANDON" in kept.err
    gone = "DELETE FROM balances WHERE account = 'assets:sepolia'"
    if word == "RETIRE":
        on_a_chain(tmp_path / "a.db", gone)
    assert call("hotkey", "retire", "--db", "a.db", stdin=f"{word}\n").code == 0
    on_a_chain(tmp_path / "a.db", gone)
    assert set(entries) == {"signer.evm", "@names"}
    assert states(call) == {EVM_ADDRESS: "RETIRED", new: "ACTIVE"}
    rows = json.loads(call("journal", "show", "--json", "--db", "a.db").out)["rows"]
    assert [row["kind"] for row in rows if row["kind"].startswith("signer.")] == ["signer.retired", "signer.registered"]
    assert call("journal", "verify", "--db", "a.db").code == 0
    assert EVM_KEY.hex() not in rotated.out + rotated.err + refused.err


def test_a_trade_in_flight_keeps_the_old_key_too(call: Call, tmp_path: Path, entries: dict[str, str]) -> None:
    async def rest(r: Rig) -> None:
        waits = r.pipeline.propose(replace(r.intent(quantity="0.05", worst="95", target=None), rests=True))
        await r.settle()
        assert r.states(waits)[-1] == "SUBMITTED"

    entries.update(with_key())
    session(tmp_path, rest)
    call("hotkey", "rotate", "--db", "a.db", stdin="ROTATE\n")
    refused = call("hotkey", "retire", "--db", "a.db", stdin="RETIRE\n")
    assert "buy ETH-USDT, is" in refused.err
    assert "signer.evm.old" in entries


def test_another_database_of_the_newest_sessions_counts_too(
    call: Call, tmp_path: Path, entries: dict[str, str]
) -> None:
    context.remember_database(tmp_path / "a.db")
    entries.update(with_key())
    session(tmp_path, enter)
    call("hotkey", "rotate", "--db", "other.db", stdin="ROTATE\n")
    refused = call("hotkey", "retire", "--db", "other.db", stdin="RETIRE\n")
    assert refused.code == 3
    assert str(tmp_path / "a.db") in refused.err


def test_beside_a_running_trader_no_key_changes(call: Call, tmp_path: Path, entries: dict[str, str]) -> None:
    entries.update(with_key())
    session(tmp_path, nothing)
    held = lock(tmp_path / "a.db")
    try:
        for action, word in (("rotate", "ROTATE"), ("register", "HOT"), ("retire", "RETIRE"), ("import", "HOT")):
            refused = call("hotkey", action, "--db", "a.db", stdin=f"{word}\n{EVM_KEY.hex()}\n")
            assert (refused.code, "countersign stop" in refused.err) == (3, True)
    finally:
        os.close(held)
    assert entries == with_key()


def test_a_rotation_that_was_cut_off_loses_neither_key(
    call: Call, tmp_path: Path, entries: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entries.update(with_key())
    session(tmp_path, enter)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("keep", "set_aside"):
        with monkeypatch.context() as patched:
            patched.setattr(hot_keys, step, dies)
            assert call("hotkey", "rotate", "--db", "a.db", stdin="ROTATE\n").code == 130
        assert entries["signer.evm"] == EVM_KEY.hex()
        assert states(call) == {EVM_ADDRESS: "ACTIVE"}
    assert call("hotkey", "retire", "--db", "a.db").code == 0, "the copy goes without a question: the key stays"
    assert "signer.evm.old" not in entries
    assert entries["signer.evm"] == EVM_KEY.hex()
    assert call("hotkey", "rotate", "--db", "a.db", stdin="ROTATE\n").code == 0
    assert entries["signer.evm.old"] == EVM_KEY.hex()
    assert entries["signer.evm"] != EVM_KEY.hex()


def test_a_key_that_was_rotated_elsewhere_is_registered_with_the_word(
    call: Call, tmp_path: Path, entries: dict[str, str]
) -> None:
    entries.update(with_key())
    session(tmp_path, nothing)
    call("hotkey", "rotate", "--db", "other.db", stdin="ROTATE\n")
    assert call("hotkey", "register", "--db", "a.db", stdin="\n").code == 3
    assert call("hotkey", "register", "--db", "a.db", stdin="HOT\n").code == 0
    session(tmp_path, enter)
