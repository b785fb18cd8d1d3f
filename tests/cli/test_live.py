"""``countersign run --profile live``: what is refused before anything is opened, with exit codes. That it trades when
all is there is in `tests/evm/test_live.py`: a real Ledger would be needed here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.harness import Cli, Result

RUN = ("run", "--headless", "--profile", "live", "--chain", "ethereum")
CHAIN = '[chains.ethereum]\nrpcs = ["https://rpc.example.org"]\n'
BY_HAND = "[modules.momentum]\nenabled = false\n[modules.mean_reversion]\nenabled = false\n"
LIMITS = '[risk]\nposition = "10"\nexposure = "50"\ndaily_loss = "50"\n'
LEDGER = '[signer]\nkind = "ledger"\n'
CONDITIONS = ("signer", "stop-drill", "test-alert", "clock")


def written(cli: Cli, *tables: str) -> Path:
    path = cli.home / "live.toml"
    path.write_text("\n".join(tables), encoding="utf-8")
    return path


def word(cli: Cli, condition: str, config: Path) -> Result:
    words = ("doctor", "--live", "--override", condition, "--config", config)
    return cli(*words, stdin="LIVE\nfor this test\n", env=cli.env(COUNTERSIGN_CLOCK__SOURCES=""))


@pytest.fixture
def paper(cli: Cli) -> Cli:
    """A paper session was there, in the paper profile's own database."""
    assert cli("run", "--headless", "--profile", "paper", "--for", "1", "--auto-confirm").code == 0
    return cli


def test_refused_with_everything_that_is_missing_and_what_to_do(cli: Cli) -> None:
    config = written(cli, CHAIN)
    refused = cli(*RUN, "--config", config)
    assert refused.code == 3
    assert "countersign: Live is refused: " in refused.err
    lines = refused.err.splitlines()
    for name in ("signer.kind", *CONDITIONS, "limits", "judgement:momentum", "paper-trades:momentum"):
        (at,) = [number for number, line in enumerate(lines) if line.strip().startswith(f"{name}: ")]
        assert "countersign " in lines[at + 1], lines[at : at + 2]
    assert not list(cli.home.rglob("live.db"))
    document = json.loads(cli(*RUN, "--config", config, "--json").out)
    assert (document["code"], document["exit_code"]) == ("live.refused", 3)


def test_a_word_for_each_condition_lets_it_pass(paper: Cli) -> None:
    """Each is named until its word is said; then only the device is missing, which nobody can leave out."""
    config = written(paper, CHAIN, BY_HAND, LIMITS, LEDGER)
    for number, condition in enumerate(CONDITIONS):
        refused = paper(*RUN, "--config", config)
        assert refused.code == 3
        assert f"Live is refused: {len(CONDITIONS) - number} of what it needs" in refused.err
        assert word(paper, condition, config).code == 0
    shown = paper("doctor", "--live", "--config", config, env=paper.env(COUNTERSIGN_CLOCK__SOURCES=""))
    assert "countersign run --profile live --chain NAME" in shown.out
    assert shown.code == 0
    refused = paper(*RUN, "--config", config)
    assert refused.code == 3
    assert "Live is refused" not in refused.err
    assert "ledger's address" in refused.err
    assert "--signer demo" not in refused.err, "no way on here"


def test_what_no_word_lets_pass(paper: Cli) -> None:
    config = written(paper, CHAIN, BY_HAND, LIMITS, LEDGER)
    for condition in CONDITIONS:
        assert word(paper, condition, config).code == 0
    for more, says in (
        (("--signer", "demo"), "signer.kind: the demo device signs"),
        (("--set", "signer.ledger=tcp://127.0.0.1:9"), "signer.ledger: tcp://127.0.0.1:9 is an emulator"),
        (("--auto-confirm",), "confirm by itself"),
        (("--market", "practice"), "--market practice"),
        (("--chain", "anvil"), "practice chain"),
        (("--chain", "sepolia"), "test network: not for the live profile"),
    ):
        paper.refused(*RUN, *more, "--config", config, code=3, says=says)
    for key, value in (("rpcs", '["http://example.org"]'), ("ws", '["ws://example.org"]')):
        bad = written(paper, CHAIN if key == "ws" else "[chains.ethereum]", f"{key} = {value}")
        paper.refused(*RUN, "--config", bad, code=2, says="is not encrypted")


def test_risk_of_a_live_database_shows_the_caps(paper: Cli) -> None:
    """Without a trader too."""
    config = written(paper, '[risk]\nposition = "500"\n')
    db = paper.home / "l.db"
    from storage.database import open_for_trading  # noqa: PLC0415 -- a database as the first live session makes it

    open_for_trading(db, "live").close()
    told = paper("risk", "--db", db, "--profile", "live", "--config", config)
    assert told.code == 0
    assert "position: 10 by pilot cap, the settings say 500" in told.out
