"""Allowances, liquidity and the replacing of transactions from another terminal: proposed, read, confirmed, through
real processes. The judge is anvil."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.cli.context import ask_trader
from app.errors import CountersignError
from app.venues.evm.chain import MAX_UINT256
from tests.cli.harness import Cli, Result, Running, commands, until
from tests.evm.chain import LocalChain
from tests.evm.chain_settings import chain_toml
from tests.evm.rig import demo_address

RUN = ("run", "--headless", "--profile", "testnet", "--signer", "demo", "--chain", "mychain")
SETTINGS = (
    "modules.momentum.enabled=false",
    "risk.quote_age_ms=60000",
    "manual.allocation=1000",
    "risk.cool_down_min=0",
    "risk.errors=1000",  # a machine that is busy holds the loop up, which are errors that tighten the limits
)
STRANGER = "0x00000000000000000000000000000000000A11cE"


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    with commands(tmp_path / "home") as command:
        yield command


@pytest.fixture
def trader(cli: Cli, anvil: LocalChain) -> Running:
    """A session on the chain whose market has spoken."""
    anvil.fund(demo_address())
    anvil.impersonate(demo_address())
    config = cli.home / "countersign.toml"
    config.write_text(chain_toml(anvil), encoding="utf-8")
    flags = [each for text in SETTINGS for each in ("--set", text)]
    running = cli.start(*RUN, "--config", config, "--db", cli.db, *flags)

    def speaks() -> Any:
        ticket = {"symbol": "ETH-USDC", "side": "buy", "quantity": "0.001", "stop": "2000"}
        try:
            return ask_trader(cli.db, {"op": "ticket_preview", "ticket": ticket})["preview"]
        except CountersignError:
            return None

    until(speaks, "the market has spoken")
    return running


def told(cli: Cli, *command: str) -> Any:
    """A command's document."""
    done = cli(*command, "--json", "--db", cli.db)
    assert done.code == 0, done
    return done.document


def proposed(cli: Cli, *command: str) -> Result:
    """Proposed, read, confirmed, in a block."""
    done = cli(*command, "--db", cli.db)
    assert done.code == 0, done
    (waiting,) = cli.waiting()
    trade = waiting["id"]
    assert f"countersign confirm {trade[:8]}" in done.out
    confirmed = cli("confirm", trade[:8], "--db", cli.db, stdin="S\n")
    assert confirmed.code == 0, confirmed
    assert waiting["title"] in confirmed.err
    until(lambda: state(cli, trade) == "FILLED", "it is in a block")
    return done


def state(cli: Cli, trade: str) -> str:
    found = told(cli, "orders")["orders"]
    return next((each["state"] for each in found if each["trade_id"] == trade and each["role"] == "act"), "")


def ended(cli: Cli, trader: Running) -> None:
    trader.signal(signal.SIGTERM)
    assert trader.wait(10).code == 0
    assert cli("journal", "verify", "--db", cli.db).code == 0


def test_an_allowance_is_listed_loudly_and_taken_back(cli: Cli, anvil: LocalChain, trader: Running) -> None:
    usdc, router = anvil.token("USDC").address, anvil.dex("uniswap-v3").router
    nothing = cli("allowances", "--db", cli.db)
    assert "Nothing may be taken from 0x" in nothing.out
    assert "All events of the chain were read." in nothing.out
    anvil.transact(usdc, "approve(address,uint256)", bytes.fromhex(STRANGER[2:]), MAX_UINT256, sender=demo_address())
    anvil.transact(usdc, "approve(address,uint256)", router, 2_500_000, sender=demo_address())
    first, second, *_ = cli("allowances", "--db", cli.db).out.splitlines()
    assert first == f"UNLIMITED USDC  UNKNOWN {STRANGER}  told by an event"
    assert second.startswith("2.5 USDC  uniswap-v3 0x")
    document = told(cli, "allowances")
    assert [(each["unlimited"], each["from"]) for each in document["allowances"]] == [
        (True, "events"),
        (False, "settings"),
    ]
    cli.refused("revoke", "USDC", STRANGER[:-1], "--db", cli.db, code=2, says="is not what is needed")
    cli.refused("revoke", "WETH", STRANGER, "--db", cli.db, code=3, says="may take nothing of WETH")
    proposed(cli, "revoke", "USDC", STRANGER)
    proposed(cli, "revoke", "USDC", "uniswap-v3")
    assert told(cli, "allowances")["allowances"] == []
    manager = anvil.dex("uniswap-v3").positions
    assert manager is not None
    anvil.transact(manager, "setApprovalForAll(address,bool)", bytes.fromhex(STRANGER[2:]), True, sender=demo_address())
    first, *_ = cli("allowances", "--db", cli.db).out.splitlines()
    assert first == f"UNLIMITED uniswap-v3:all  UNKNOWN {STRANGER}  told by an event"
    (each,) = told(cli, "allowances")["allowances"]
    assert (each["unlimited"], each["position"], each["base_units"]) == (True, "all", False)
    cli.refused("revoke", "uniswap-v3:7", STRANGER, "--db", cli.db, code=3, says="may take nothing of uniswap-v3:7")
    cli.refused("revoke", "uniswap-v3:all", STRANGER, "--permit2", "--db", cli.db, code=2, says="takes tokens only")
    cli.refused("revoke", "uniswap-v3:0", STRANGER, "--db", cli.db, code=2, says="EXCHANGE:NUMBER or EXCHANGE:all")
    proposed(cli, "revoke", "uniswap-v3:all", STRANGER)
    assert told(cli, "allowances")["allowances"] == []
    lines = cli("orders", "--db", cli.db).out
    assert "revoke USDC of 0x00000000" in lines
    assert "revoke uniswap-v3:all of 0x00000000" in lines
    assert "sell" not in lines
    assert "buy" not in lines
    ended(cli, trader)


def test_liquidity_from_its_opening_to_its_end(cli: Cli, trader: Running) -> None:
    say = "--lower: is needed; allowed: above 0."
    cli.refused("liquidity", "open", "ETH-USDC", "--fee", "0.3", "--db", cli.db, code=2, says=say)
    cli.refused("liquidity", "open", "--db", cli.db, code=2, says="Which instrument?")
    cli.refused("liquidity", "withdraw", "x:1", "--db", cli.db, code=2, says="There is no position of liquidity")
    amounts = ("--base", "0.0003", "--quote", "0.75")
    opening = ("liquidity", "open", "ETH-USDC", "--fee", "0.3%", "--lower", "2000", "--upper", "3000", *amounts)
    assert "PROVIDE LIQUIDITY ETH-USDC" in proposed(cli, *opening).out
    (position,) = told(cli, "liquidity")["positions"]
    assert (position["in_range"], position["module"], position["fee"]) == (True, "manual", "0.3%")
    assert {"holds", "fees", "put_in", "loss", "net", "price"} <= position.keys()
    name = position["position"]
    (booked,) = told(cli, "positions")["liquidity"]
    assert (booked["position"], booked["put_in"]) == (name, position["put_in"])
    assert booked["worth"] is not None
    assert f"{name}" in cli("positions", "--db", cli.db).out
    proposed(cli, "liquidity", "collect", name)
    proposed(cli, "liquidity", "withdraw", name)
    assert told(cli, "liquidity")["positions"] == []
    profit = told(cli, "pnl")
    assert profit["liquidity"] == []
    assert {each["act"] for each in profit["acts"]} <= {"collect", "withdraw"}
    assert "withdraw manual: " in cli("pnl", "--db", cli.db).out
    journal = cli("journal", "--db", cli.db).out
    assert "provide liquidity ETH-USDC" in journal
    assert f"into {name}" in journal
    ended(cli, trader)
    assert told(cli, "positions")["liquidity"] == []


def test_a_transaction_that_waits_is_bumped_and_its_place_taken(cli: Cli, anvil: LocalChain, trader: Running) -> None:
    anvil.automine(on=False)
    assert cli("buy", "ETH-USDC", "0.001", "--stop", "2000", "--db", cli.db).code == 0
    (waiting,) = cli.waiting()
    assert cli("confirm", waiting["id"], "--db", cli.db, stdin="S\n").code == 0

    def waits(trade: str) -> Any:
        orders = told(cli, "orders")["orders"]
        return next((each["client_id"] for each in orders if each["trade_id"] == trade and each["state"] == "OPEN"), "")

    first = until(lambda: waits(waiting["id"]), "it waits")
    bump = cli("bump", first[:10], "--db", cli.db)
    assert bump.code == 0, bump
    assert f"BUY ETH-USDC, in the place of {first[:10]}" in bump.out
    (again,) = cli.waiting()
    assert (again["act"], again["replaces"]) == (None, first)
    assert f"in the place of {first[:10]}" in cli("proposals", "--db", cli.db).out
    assert cli("decline", again["id"], "--db", cli.db).code == 0
    done = cli("cancel", first[:12], "--db", cli.db)
    assert done.code == 0, done
    assert "Not guaranteed: a block may take" in done.out
    (ending,) = cli.waiting()
    assert ending["act"] == {"kind": "cancel"}
    assert f"CANCEL {first[:10]}" in cli("proposals", "--db", cli.db).out
    assert "or better" not in cli("proposals", "--db", cli.db).out
    assert cli("confirm", ending["id"], "--db", cli.db, stdin="S\n").code == 0
    until(lambda: waits(ending["id"]), "it was sent")
    anvil.mine()
    until(lambda: state(cli, ending["id"]) == "FILLED", "its place is taken")
    until(lambda: not waits(waiting["id"]), "what it took the place of is known to be dead")
    cli.refused("bump", first[:10], "--db", cli.db, code=2, says="names no transaction that waits")
    anvil.automine(on=True)
    ended(cli, trader)
