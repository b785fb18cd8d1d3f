"""The queue from another terminal: ranked, read back where it is large, counted at the end."""

from __future__ import annotations

import signal
import time
from decimal import Decimal
from typing import Any

from app.cli.context import ask_trader
from app.cli.parser import REASONS
from app.errors import CountersignError
from app.execution.proposals import Refusal
from tests.cli.harness import Cli, until
from tests.cli.test_answering import state_of
from tests.cli.test_lifecycle import rows


def test_the_help_names_the_reasons_there_are(cli: Cli) -> None:
    assert tuple(Refusal) == REASONS
    assert "too-late" in cli("decline", "--help").out
    assert "--stats" in cli("proposals", "--help").out


def test_proposals_are_listed_with_what_decides_about_them(cli: Cli) -> None:
    cli.trader()
    cli.waiting(2)
    document = cli("proposals", "--db", cli.db, "--json").document
    assert document["schema"] == "countersign.proposals/1"
    found = document["proposals"]
    assert [Decimal(each["edge_bps"]) for each in found] == sorted(
        (Decimal(each["edge_bps"]) for each in found), reverse=True
    )
    for each in found:
        assert each["app"] == "Ethereum"
        assert each["requirement"] == {"readback": None, "cool_down_ms": 0, "words": ""}
        assert each["closes"] is False
        assert 0 <= each["age_ms"] <= 86_400_000
        assert each["left_ms"] > 0
        assert each["beside"] == []
    out = cli("proposals", "--db", cli.db).out
    for each in found:
        assert each["id"][:8] in out
    assert "bps after costs" in out
    assert "left; proposed" in out
    assert "(Ethereum app)" in out


def test_a_large_trade_is_read_back(cli: Cli) -> None:
    cli.trader("--set", "fatigue.large_value=0")
    (proposal, *_) = cli.waiting()
    trade, quantity = proposal["id"], proposal["quantity"]
    assert f"type its quantity, {quantity}." in cli("proposals", "--db", cli.db).out
    for typed in ("S\n", "S\n\n", f"S\n{quantity}0\n", "S\nS\n"):
        cli.refused("confirm", trade, "--db", cli.db, stdin=typed, code=3, says="It still waits")
    cli.refused("confirm", trade, "--db", cli.db, stdin=f"{quantity}\nS\n", code=3, says="Not confirmed")
    assert state_of(cli.db, trade) == "PREPARED"
    assert cli("confirm", trade, "--db", cli.db, stdin=f"S\n{quantity}\n").code == 0
    until(lambda: state_of(cli.db, trade) == "FILLED", "it is filled")


def confirmed_at_once(cli: Cli, proposal: dict[str, Any]) -> str:
    """What the trader says to a confirmation that no command waited with; "" when it took it."""
    try:
        ask_trader(cli.db, {"op": "confirm", "id": proposal["id"], "text": proposal["text"]})
    except CountersignError as error:
        return error.code
    return ""


def test_an_answer_before_half_a_second_is_refused_by_the_trader_itself(cli: Cli) -> None:
    cli.trader()
    (proposal, *others) = cli.waiting()
    assert confirmed_at_once(cli, proposal) == "confirm.too_fast", "its text was not shown"
    while True:
        begun = time.monotonic()
        shown = ask_trader(cli.db, {"op": "shown", "id": proposal["id"]})
        assert (shown["id"], shown["wait_ms"]) == (proposal["id"], 500)
        code = confirmed_at_once(cli, proposal)
        if code == "confirm.too_fast" or time.monotonic() - begun < 0.5:
            break
        proposal = others.pop(0)  # this machine was busy for longer than that
    assert code == "confirm.too_fast"
    begun = time.monotonic()
    assert cli("confirm", proposal["id"], "--db", cli.db, stdin="S\n").code == 0
    assert time.monotonic() - begun > 0.5


def test_a_tired_trader_is_told_for_how_long_to_rest(cli: Cli) -> None:
    cli.trader("--set", "fatigue.confirmations=1", "--set", "fatigue.pause_min=60")
    first, second = (each["id"] for each in cli.waiting(2))
    assert cli("confirm", first, "--db", cli.db, stdin="S\n").code == 0
    says = "1 entry confirmed within 10 min 0 s: rest for"
    cli.refused("confirm", second, "--db", cli.db, stdin="S\n", code=3, says=says)
    assert says in cli("proposals", "--db", cli.db).out
    assert cli("decline", second, "--db", cli.db, "--reason", "too-late").code == 0


def test_the_statistics_after_the_session(cli: Cli) -> None:
    trader = cli.trader()
    first, second = (each["id"] for each in cli.waiting(2))
    assert cli("confirm", first, "--db", cli.db, stdin="S\n").code == 0
    cli.refused("decline", second, "--db", cli.db, "--reason", "boredom", code=2, says="invalid choice")
    assert cli("decline", second, "--db", cli.db, "--reason", "too-late").code == 0
    until(lambda: state_of(cli.db, second) == "DECLINED", "it is declined")
    assert rows(cli.db, f"SELECT reason FROM trades WHERE id = '{second}'") == [("Declined by the trader: too late.",)]
    trader.signal(signal.SIGTERM)
    assert trader.wait().code == 0
    document = cli("proposals", "--stats", "--db", cli.db, "--json").document
    assert document["schema"] == "countersign.proposal_stats/1"
    counts = document["answers"]
    assert (counts["shown"], counts["confirmed"], counts["declined"]) == (1, 1, 1)
    assert counts["declined_because"] == {"too-late": 1}
    assert counts["proposed"] == rows(cli.db, "SELECT count(*) FROM trades")[0][0]
    assert document["hypothetical"]["declined"]["followed"] == 1
    words = cli("proposals", "--stats", "--db", cli.db).out
    assert "HYPOTHETICAL" in words
    assert "1 too-late" in words
    assert cli("journal", "verify", "--db", cli.db).code == 0
