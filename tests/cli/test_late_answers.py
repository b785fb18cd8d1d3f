"""An answer that comes too late, or whose trade comes to nothing, is told what became of the trade."""

from __future__ import annotations

import signal
import subprocess

from app.execution.stop_flag import StopFlag
from tests.cli.harness import COMMAND, Cli, Result, checked, until
from tests.cli.test_lifecycle import rows


def test_a_trade_that_is_stopped_after_it_was_confirmed(cli: Cli) -> None:
    cli.trader()
    trade = cli.waiting()[0]["id"]
    StopFlag(cli.db).create("a test")
    result = cli.refused("confirm", trade, "--db", cli.db, stdin="S\n", code=3, says="was cancelled")
    assert "Nothing was sent." in result.err
    assert rows(cli.home / "a.venue.db", "SELECT count(*) FROM orders") == [(0,)]


def test_what_was_declined_while_it_was_read(cli: Cli) -> None:
    """Two terminals: the text is on one, the answer comes from the other."""
    trader = cli.trader()
    first, second = (each["id"] for each in cli.waiting(2))
    for trade in (first, second):
        process = subprocess.Popen(
            [COMMAND, "confirm", trade, "--db", cli.db],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=cli.env(),
        )  # fmt: skip
        assert process.stderr is not None
        shown = ""
        while "anything else leaves it waiting" not in shown:
            shown += process.stderr.read(1)
        if trade == first:
            assert cli("decline", trade, "--db", cli.db).code == 0
            until(lambda: rows(cli.db, "SELECT 1 FROM trades WHERE state = 'DECLINED'"), "it is on disk")
            says = f"Trade {trade[:8]} was declined: Declined by the trader. Nothing was sent."
        else:
            trader.signal(signal.SIGTERM)
            assert trader.wait().code == 0
            says = f"Trade {trade[:8]} expired: The session ended. Nothing was sent."
        out, err = process.communicate("S\n", timeout=20)
        result = checked(Result(process.returncode, out, err))
        assert (result.code, result.out) == (3, ""), result
        assert says in result.err, result


def test_a_mistyped_id_keeps_its_words(cli: Cli) -> None:
    cli.trader()
    cli.waiting()
    for wrong in ("zzzz", "\u0663\u0663\u0663\u0663", b"\xff\xfe\xff\xfe", "%%%%", "____"):
        cli.refused("decline", wrong, "--db", cli.db, code=2, says="No waiting trade begins with")
