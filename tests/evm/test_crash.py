"""SIGKILL at the boundaries of a trade on a chain; anvil is the judge of what was really sent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from app.execution.verify import verify
from app.portfolio.ledger import venue_account
from storage.database import reader
from storage.journal import read_mirror
from tests.evm.chain import LocalChain
from tests.evm.rig import demo_address

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90
SENDS = 3
"""Transactions of a purchase and its sale: approval, swap, swap."""
EVERY = int(os.environ.get("COUNTERSIGN_CRASH_EVERY", "12"))
"""Of the boundaries that are no sends, each so-manieth is tried; `make crash` tries all."""


class Campaign:
    """One chain, put back to its beginning for each kill."""

    def __init__(self, anvil: LocalChain, folder: Path) -> None:
        self.anvil, self.folder = anvil, folder
        self.me = demo_address()
        anvil.fund(self.me)
        self._description = folder / "chain.json"
        self._description.write_text(json.dumps(anvil.described), encoding="utf-8")
        self._start = anvil.snapshot()

    def fresh(self, number: int) -> Path:
        self.anvil.revert(self._start)
        self._start = self.anvil.snapshot()
        folder = self.folder / str(number)
        folder.mkdir()
        return folder

    def run(self, folder: Path, kill: int = 0) -> int:
        arguments = [sys.executable, "-m", "tests.evm.drill", str(folder), str(self._description), str(kill)]
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode in {0, -signal.SIGKILL}, done.stderr[-3000:]
        return done.returncode

    def judge(self, folder: Path) -> None:
        """What is on the chain is what is in the books, and nothing went there twice."""
        with reader(folder / "a.db") as data:
            booked = {
                row["asset"]: Decimal(row["amount"])
                for row in data.rows("SELECT * FROM balances WHERE account = ?", (venue_account("anvil"),))
            }
            for symbol in ("ETH", "USDC", "WBTC", "DAI", "PUP"):
                token = self.anvil.token(symbol)
                there = self.anvil.balance(self.me) if token.native else self.anvil.held(token.address, self.me)
                assert booked.get(symbol, Decimal(0)) == token.amount(there), symbol
            assert self.anvil.nonce(self.me) == self.anvil.nonce(self.me, "pending"), "nothing waits"
            mined = data.rows("SELECT * FROM orders WHERE state IN ('FILLED', 'REJECTED')")
            assert self.anvil.nonce(self.me) == len(mined), "the chain has a transaction that we can not name"
            assert {row["side"] for row in data.rows("SELECT side FROM fills")} == {"buy", "sell"}
            assert len(data.rows("SELECT 1 FROM fills")) == 2
            assert data.rows("SELECT 1 FROM reservations WHERE state = 'OPEN'") == []
            assert list(verify(data, read_mirror(folder / "a.db"))) == []


@pytest.mark.crash
def test_no_kill_loses_or_doubles_anything(anvil: LocalChain, tmp_path: Path) -> None:
    campaign = Campaign(anvil, tmp_path)
    whole = campaign.fresh(0)
    assert campaign.run(whole) == 0
    campaign.judge(whole)
    boundaries = (whole / "boundaries").read_text(encoding="utf-8").splitlines()
    assert boundaries.count("before a send") == SENDS
    sends = {number for number, name in enumerate(boundaries, 1) if name.endswith("a send")}
    for number in sorted(sends | set(range(1, len(boundaries) + 1, EVERY))):
        folder = campaign.fresh(number)
        assert campaign.run(folder, number) == -signal.SIGKILL, f"no such boundary: {number}"
        campaign.run(folder)
        try:
            campaign.judge(folder)
        except AssertionError as error:
            raise AssertionError(f"killed at {number}, {boundaries[number - 1]}: {error}") from error
