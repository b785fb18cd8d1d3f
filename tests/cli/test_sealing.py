"""``countersign journal seal`` without a trader that runs: a device is asked when that is said, and who sealed is."""

from __future__ import annotations

from tests.cli.harness import Cli


def test_an_empty_journal_asks_no_device(cli: Cli) -> None:
    cli.refused("run", "--headless", "--signer", "ledger", "--db", cli.db, code=3, says="not registered yet")
    refused = cli.refused("journal", "seal", "--db", cli.db, code=2, says="there is nothing to seal")
    assert "the device is asked" not in refused.err


def test_a_seal_by_the_demo_device_says_how_to_have_one_that_proves_something(cli: Cli) -> None:
    cli("run", "--headless", "--for", "1", "--db", cli.db)
    done = cli("journal", "seal", "--db", cli.db)
    assert "the device is asked to sign the head of the journal" in done.err
    assert "proves nothing" in done.out
    assert "config set signer.kind auto" in done.out
