"""``countersign reconcile``: with and without a running trader, on the paper venue and on the practice chain."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from typing import Any

from app.practice.chain.node import Node
from tests.cli.harness import Cli, until
from tests.evm.chain import installed


def take(cli: Cli, amount: str) -> None:
    """While nothing runs, the venue's cash becomes this."""
    with closing(sqlite3.connect(cli.home / "a.venue.db")) as connection, connection:
        connection.execute("UPDATE balances SET amount = ? WHERE asset = 'USDT'", (amount,))


def found(cli: Cli, code: int) -> Any:
    result = cli("reconcile", "--db", cli.db, "--json")
    assert result.code == code, result
    return result.document


def test_without_a_trader_the_venue_is_asked_and_the_ledger_adjusted(cli: Cli) -> None:
    cli.refused("reconcile", "--db", cli.db, code=2, says="no ledger")
    cli.replay("--set", "modules.probe.enabled=false", bars=5)
    assert found(cli, 0)["agree"] is True
    take(cli, "9000")
    document = found(cli, 1)
    (each,) = document["differences"]
    assert (each["subject"], each["venue_has"], each["ledger_has"]) == ("USDT", "9000", "10000")
    assert "USDT" in document["halted"]
    words = cli("reconcile", "--db", cli.db)
    assert words.code == 1
    assert "USDT: the venue holds 9000, the ledger 10000 (difference -1000)" in words.out
    assert "countersign reconcile --adjust USDT" in words.out
    base = ("reconcile", "--adjust", "USDT", "--db", cli.db)
    cli.refused(*base, code=3, says="Nothing was posted", stdin="rent\nadjust\n")
    cli.refused(*base, code=2, says="needs a reason", stdin="\nADJUST\n")
    cli.refused("reconcile", "--adjust", "ETH", "--db", cli.db, code=2, says="there are: USDT")
    cli.refused("reconcile", "--reason", "x", "--db", cli.db, code=2, says="--reason goes with --adjust")
    done = cli(*base, stdin="rent\nADJUST\n")
    assert done.code == 0, done
    assert "Posted: -1000 USDT" in done.out
    assert "Venue and ledger agree. New trades are taken." in done.out
    assert found(cli, 0)["differences"] == []
    assert cli("journal", "verify", "--db", cli.db).code == 0
    (posted,) = cli("pnl", "--db", cli.db, "--json").document["adjustments"]
    assert (posted["subject"], posted["amount"], posted["reason"]) == ("USDT", "-1000", "rent")
    assert "adjusted USDT  -1000  rent" in cli("pnl", "--db", cli.db).out


def test_a_running_trader_posts_it_and_takes_new_trades_without_a_restart(cli: Cli) -> None:
    first = cli.trader("--set", "modules.probe.enabled=false")
    first.signal(signal.SIGTERM)
    assert first.wait().code == 0
    take(cli, "10250")
    second = cli.trader("--auto-confirm")
    assert "differ" in cli("status", "--db", cli.db, "--json").document["trader"]["halted"]
    health = cli("health", "--db", cli.db)
    assert health.code == 1
    assert "difference  USDT: the venue holds 10250, the ledger 10000 (difference 250)" in health.out
    parts = {each["name"]: each for each in cli("health", "--db", cli.db, "--json").document["trader"]["parts"]}
    assert parts["reconciliation"]["works"] is True
    done = cli("reconcile", "--adjust", "USDT", "--reason", "a present", "--db", cli.db, "--json", stdin="ADJUST\n")
    assert done.code == 0, done
    assert done.document["books"]["agree"] is True
    assert done.document["halted"] == ""
    assert found(cli, 0)["agree"] is True
    until(lambda: _fills(cli) > 0, "it trades")
    second.signal(signal.SIGTERM)
    ended = second.wait()
    assert ended.code == 0
    assert json.loads(ended.out)["halted"] == ""


def _fills(cli: Cli) -> int:
    with closing(sqlite3.connect(cli.db)) as connection:
        count: int = connection.execute("SELECT count(*) FROM fills").fetchone()[0]
        return count


def test_the_practice_chain(cli: Cli) -> None:
    """The account gets a coin by another one's transaction, while a trader runs and while none does."""
    installed()
    options = ("--profile", "testnet", "--db", cli.db)
    trader = cli.start("run", "--headless", "--json", "--chain", "anvil", *options, "--set", "reconcile.every_s=1")
    until(lambda: cli.socket.exists() or trader.ended, "the trader takes commands", 60)
    assert not trader.ended, trader.wait()

    def told() -> dict[str, Any]:
        return until(lambda: cli("health", *options, "--json").document["trader"] or {}, "it answers in time")

    health = told()
    address = _account(cli)
    give(health, address, 10**18)
    until(lambda: told()["books"]["differences"], "it is seen by itself")
    (each,) = cli("reconcile", *options, "--json").document["differences"]
    assert (each["subject"], each["amount"], each["stops"]) == ("ETH", "1", False)
    assert cli("status", *options, "--json").document["trader"]["halted"] == ""
    assert cli("reconcile", "--adjust", "ETH", "--reason", "faucet", *options, stdin="ADJUST\n").code == 0
    give(health, address, 2 * 10**18)
    trader.signal(signal.SIGTERM)
    assert trader.wait().code == 0
    alone = cli("reconcile", *options, "--json")
    assert alone.code == 1, alone
    assert [(each["subject"], each["amount"]) for each in alone.document["differences"]] == [("ETH", "2")]
    done = cli("reconcile", "--adjust", "ETH", "--reason", "again", *options, stdin="ADJUST\n")
    assert done.code == 0, done
    assert "Venue and ledger agree" in done.out
    assert cli("journal", "verify", *options).code == 0


def _account(cli: Cli) -> str:
    with closing(sqlite3.connect(cli.db)) as connection:
        found_there: str = connection.execute("SELECT address FROM accounts WHERE chain = 'evm'").fetchone()[0]
        return found_there


def give(health: Any, address: str, wei: int) -> None:
    """From one of the node's own accounts."""
    node = Node(health["chain"]["nodes"][0]["name"])
    try:
        giver = node.rpc("eth_accounts")[9]
        sent = node.rpc("eth_sendTransaction", {"from": giver, "to": address, "value": hex(wei)})
        until(lambda: node.rpc("eth_getTransactionReceipt", sent), "it is in a block")
    finally:
        node.close()
