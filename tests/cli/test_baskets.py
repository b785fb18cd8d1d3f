"""A basket taken back from another terminal, through real processes. Its legs rest below where the market goes."""

from __future__ import annotations

import signal
from typing import Any

from tests.cli.harness import Cli, until
from tests.cli.test_lifecycle import rows
from tests.cli.test_tickets import QUIET, ended, until_it_speaks
from tests.crash.judge import judge

BASKETS = (
    "--auto-confirm", "--set", "modules.probe.instruments=AAA-USDT", "--set", "risk.quote_age_ms=60000",
    "--set", "modules.probe.params.baskets=true", "--set", "modules.probe.params.below=0.02",
    "--set", "modules.probe.params.rest_s=86400",
)  # fmt: skip
RESTING = "SELECT trade_id FROM orders WHERE role = 'entry' GROUP BY trade_id HAVING sum(state = 'OPEN') = count(*)"


def test_all_legs_in_one_go_and_a_kill_right_after_it(cli: Cli) -> None:
    trader = cli.trader(*BASKETS)

    def resting() -> Any:
        return rows(cli.db, RESTING)

    until(resting, "a basket rests")
    ((trade,),) = resting()
    taken = cli("cancel", trade[:8], "--db", cli.db)
    assert taken.code == 0, taken
    first, *legs = taken.out.splitlines()
    assert first.startswith(f"Basket of AAA-USDT ({trade[:8]}): {len(legs)} legs taken back: "), taken.out
    assert all(" Cancelled: " in leg for leg in legs)
    trader.signal(signal.SIGKILL)
    trader.process.communicate(timeout=10)
    entries = {
        state for (state,) in rows(cli.db, f"SELECT state FROM orders WHERE role = 'entry' AND trade_id = '{trade}'")
    }
    assert entries == {"CANCELLED"}
    assert rows(cli.db, f"SELECT state FROM reservations WHERE trade_id = '{trade}'") == [("RELEASED",)]
    again = cli.trader(*QUIET)
    until_it_speaks(cli)
    cli.refused("cancel", trade, "--db", cli.db, code=3, says="has ended: ")
    ended(cli, again)
    assert judge(cli.db) == []


def test_the_document_names_each_leg(cli: Cli) -> None:
    trader = cli.trader(*BASKETS)
    until(lambda: rows(cli.db, RESTING), "a basket rests")
    ((trade,),) = rows(cli.db, RESTING)
    taken = cli("cancel", trade, "--db", cli.db, "--json").document
    assert (taken["schema"], taken["role"], taken["trade_id"]) == ("countersign.cancelled/1", "basket", trade)
    assert len(taken["legs"]) >= 2
    assert all(leg["legs"] == [] and leg["state"] == "CANCELLED" for leg in taken["legs"])
    ended(cli, trader)
