"""Buy, sell, close and cancel from another terminal: proposed, read, confirmed, through real processes."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import pytest

from app.cli.context import ask_trader
from app.errors import CountersignError
from tests.cli.harness import COMMAND, Cli, Running, checked, until
from tests.cli.test_lifecycle import rows
from tests.crash.judge import judge

QUIET = (
    "--set", "modules.probe.params.first=1000000", "--set", "market.spread_bps=5", "--set", "risk.quote_age_ms=60000",
    "--set", "risk.slippage_bps=100",
)  # fmt: skip


@pytest.fixture
def trader(cli: Cli) -> Running:
    """A session whose module never trades, once its market has spoken."""
    running = cli.trader(*QUIET)

    until_it_speaks(cli)
    return running


def until_it_speaks(cli: Cli) -> None:
    def speaks() -> Any:
        try:
            return preview(cli, {})["preview"]
        except CountersignError:
            return None  # a dead trader's socket is still there

    until(speaks, "the market has spoken")


def preview(cli: Cli, changes: dict[str, str]) -> Any:
    ticket = {"symbol": "AAA-USDT", "side": "buy", "quantity": "0.05", "stop": "50", **changes}
    return ask_trader(cli.db, {"op": "ticket_preview", "ticket": ticket})


def confirm(cli: Cli, trade: str) -> None:
    assert cli("confirm", trade, "--db", cli.db, stdin="S\n").code == 0


def states(cli: Cli) -> dict[str, str]:
    return dict(rows(cli.db, "SELECT role, state FROM orders"))


def ended(cli: Cli, trader: Running) -> None:
    trader.signal(signal.SIGTERM)
    assert trader.wait().code == 0
    assert cli("journal", "verify", "--db", cli.db).code == 0
    assert judge(cli.db) == [], "by the venue's own record, as after a crash"


def test_buy_confirm_and_close(cli: Cli, trader: Running) -> None:
    bought = cli("buy", "AAA-USDT", "0.05", "--stop", "50", "--target", "200", "--db", cli.db)
    assert bought.code == 0, bought
    assert "buy 0.05 AAA-USDT at" in bought.out
    assert "Stop 50: lose" in bought.out
    assert "Target 200: gain" in bought.out
    (proposal,) = cli.waiting()
    trade = proposal["id"]
    assert f"Read and confirm it: countersign confirm {trade[:8]}" in bought.out
    assert proposal["module"] == "manual"
    assert rows(cli.home / "a.venue.db", "SELECT count(*) FROM orders") == [(0,)], "nothing is sent before the word"
    confirm(cli, trade)
    until(lambda: states(cli) == {"entry": "FILLED", "stop": "OPEN", "target": "OPEN"}, "its exits rest")
    (position,) = cli("positions", "--db", cli.db, "--json").document["positions"]
    assert (position["module"], position["quantity"]) == ("manual", "0.05")
    (stop,) = rows(cli.db, "SELECT client_id FROM orders WHERE role = 'stop'")[0]
    cli.refused("cancel", stop[:8], "--db", cli.db, code=3, says="countersign close AAA-USDT:manual")
    cli.refused("sell", "AAA-USDT", "0.06", "--db", cli.db, code=2, says="QUANTITY: 0.06 is more than manual holds")
    sold = cli("sell", "AAA-USDT", "0.02", "--db", cli.db, "--json").document
    assert (sold["schema"], sold["preview"]["side"], sold["state"]) == ("countersign.proposed/1", "sell", "PREPARED")
    cli.refused("close", "AAA-USDT", "--db", cli.db, code=3, says="is on its way: confirm, decline or cancel it")
    confirm(cli, sold["id"])
    closed = cli("close", "AAA-USDT", "--db", cli.db, "--json").document
    assert closed["preview"]["quantity"] == "0.03"
    confirm(cli, closed["id"])
    until(lambda: not cli("positions", "--db", cli.db, "--json").document["positions"], "it is flat")
    cli.refused("close", "AAA-USDT", "--db", cli.db, code=2, says="There is no open position")
    assert cli("close", "--all", "--db", cli.db).out == "No open positions.\n"
    ended(cli, trader)


def test_a_limit_rests_and_is_taken_back(cli: Cli, trader: Running) -> None:
    resting = cli("buy", "AAA-USDT", "5", "--value", "--limit", "60", "--stop", "50", "--for", "7200", "--db", cli.db)
    assert "(a limit: it may rest), open for 7200 s" in resting.out, resting
    (proposal,) = cli.waiting()
    shown = cli("confirm", proposal["id"], "--db", cli.db, stdin="S\n")
    assert "    limit order, may rest\n" in shown.err
    assert "nothing of it fills now; it waits at its price" in shown.err
    until(lambda: states(cli) == {"entry": "OPEN", "stop": "OPEN"}, "it rests")
    taken = cli("cancel", proposal["id"][:8], "--db", cli.db)
    assert taken.code == 0, taken
    assert taken.out.startswith("Entry of AAA-USDT (")
    assert taken.out.endswith("Cancelled: 0 of 0.083 was filled before.\n") or "of 0.0833 was" in taken.out, taken.out
    until(lambda: states(cli) == {"entry": "CANCELLED", "stop": "CANCELLED"}, "it is gone with its exits")
    cli.refused("cancel", proposal["id"][:8], "--db", cli.db, code=3, says="has ended: cancelled")
    ended(cli, trader)


def test_a_module_s_position_is_closed_on_its_behalf(cli: Cli) -> None:
    """A module that failed, and is kept from buying again once it was restarted: its position is closed by hand."""
    trader = cli.trader(
        "--set", "modules.probe.params.fails_at=40", "--set", "modules.probe.params.hold=1000000",
        "--set", "modules.probe.instruments=AAA-USDT", "--auto-confirm",
    )  # fmt: skip
    until(lambda: rows(cli.db, "SELECT state FROM modules WHERE name = 'probe'") == [("failed",)], "the module failed")
    assert cli("modules", "pause", "probe", "--db", cli.db).code == 0
    assert len(cli("positions", "--db", cli.db, "--json").document["positions"]) == 1
    result = cli("close", "--all", "--db", cli.db, "--json").document
    (close,) = result["closes"]
    assert (close["symbol"], close["module"]) == ("AAA-USDT", "probe")
    until(lambda: not cli("positions", "--db", cli.db, "--json").document["positions"], "it is flat")
    assert states(cli)["stop"] == "CANCELLED"
    ended(cli, trader)


def test_each_field_is_told(cli: Cli, trader: Running) -> None:
    wrong = cli.refused(
        "buy", "AAA-USDT", "1.5k", "--worst", "x", "--for", "0", "--db", cli.db, code=2, says="QUANTITY"
    )
    for words in ('QUANTITY: "1.5k" is not an amount', '--limit or --worst: "x"', '--for: "0"', "--stop: is needed"):
        assert words in wrong.err, wrong.err
    assert "Nothing was proposed." in wrong.err
    cli.refused("buy", "NO-SUCH", "1", "--stop", "5", "--db", cli.db, "--json", code=2, says="AAA-USDT, BBB-USDT")
    cli.refused(
        "buy",
        "AAA-USDT",
        "0.5",
        "--stop",
        "50",
        "--db",
        cli.db,
        code=3,
        says="Position in AAA-USDT, held and proposed, would be",
    )
    cli.refused("sell", "AAA-USDT", "1", "--db", cli.db, code=2, says="only what is held can be sold")
    cli.refused("close", "--db", cli.db, code=2, says="Which position?")
    cli.refused("cancel", "zzzz", "--db", cli.db, code=2, says="No order's id begins with zzzz.")
    cli.refused("buy", "AAA-USDT", "1", "--limit", "1", "--worst", "2", code=2, says="not allowed with")
    assert {each["field"] for each in preview(cli, {"stop": "", "quantity": "?"})["problems"]} == {"stop", "quantity"}
    odd: tuple[Any, ...] = (7, [], {"quantity": 1.5}, {"\x00": "\x1b"})
    for ticket in odd:
        try:
            answer = ask_trader(cli.db, {"op": "ticket_preview", "ticket": ticket})
        except Exception as error:  # noqa: BLE001 -- whatever it is, it must be words
            assert "table of typed fields" in str(error)  # noqa: PT017 -- only for what is no table
        else:
            json.dumps(answer, allow_nan=False)
            assert answer["problems"]
    assert rows(cli.db, "SELECT count(*) FROM trades WHERE state != 'DENIED'") == [(0,)]
    ended(cli, trader)


def test_without_a_trader(cli: Cli) -> None:
    for command in (
        ("buy", "AAA-USDT", "1", "--stop", "5"), ("sell", "AAA-USDT", "1"), ("close", "AAA-USDT"), ("cancel", "abcd"),
    ):  # fmt: skip
        cli.refused(*command, "--db", cli.db, code=2, says="Start one: countersign run --headless")


def test_a_kill_while_a_limit_rests(cli: Cli, trader: Running) -> None:
    """SIGKILL, then another session on the same database: the order is still ours, and is taken back."""
    cli("buy", "AAA-USDT", "0.05", "--limit", "60", "--stop", "50", "--db", cli.db)
    (proposal,) = cli.waiting()
    confirm(cli, proposal["id"])
    until(lambda: states(cli) == {"entry": "OPEN", "stop": "OPEN"}, "it rests")
    trader.signal(signal.SIGKILL)
    trader.process.communicate(timeout=10)
    again = cli.trader(*QUIET)
    until_it_speaks(cli)
    taken = cli("cancel", proposal["id"], "--db", cli.db, "--json").document
    assert (taken["schema"], taken["state"]) == ("countersign.cancelled/1", "CANCELLED")
    ended(cli, again)


def test_the_name_is_the_trader_s(cli: Cli) -> None:
    result = subprocess.run(
        [COMMAND, "config", "check"], env=cli.env(COUNTERSIGN_MODULES__MANUAL__ALLOCATION="5"),
        cwd=cli.home, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    cli.refused(
        "run", "--headless", "--db", cli.db, "--set", "modules.manual.allocation=5",
        code=2, says="not manual, the trader's own",
    )  # fmt: skip
    assert checked(cli("config", "show")).code == 0
