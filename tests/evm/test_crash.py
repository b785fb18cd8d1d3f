"""SIGKILL at the boundaries of a trade on a chain, and of a standing exit that is signed, kept, and sent; anvil is the
judge of what was really sent."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from app.execution.verify import verify
from app.portfolio.ledger import venue_account
from storage.database import Reader, reader
from storage.journal import read_mirror
from tests.evm.chain import LocalChain
from tests.evm.drill_steps import COVERED
from tests.evm.prices import move
from tests.evm.rig import demo_address

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90

Ended = Callable[[Reader], None]
"""What must be true of the books when a step is over."""


class Campaign:
    """One chain and one folder, put back to how they were before each kill."""

    def __init__(self, anvil: LocalChain, folder: Path) -> None:
        self.anvil, self.folder, self.me = anvil, folder, demo_address()
        anvil.fund(self.me)
        description = folder / "chain.json"
        description.write_text(json.dumps(anvil.described), encoding="utf-8")
        with (folder / "said").open("w") as said:
            self._drill = subprocess.Popen(
                [sys.executable, "-m", "tests.evm.drill", str(description)],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True,
            )  # fmt: skip

    def close(self) -> None:
        self._drill.communicate(timeout=PATIENCE_S)

    def every_kill(self, step: str, ended: Ended, *, sends: int, start: Path | None = None) -> Path:
        """Crosses each boundary of a step once with a kill, begun from the books of `start`; the folder of a run
        without one, which the chain is left with."""
        begun = self.anvil.snapshot()
        whole = self._books(f"{step}-0", start)
        assert self._run(whole, step) == 0
        self._judge(whole, ended)
        boundaries = (whole / f"boundaries-{step}").read_text(encoding="utf-8").splitlines()
        assert boundaries.count("before a send") == sends
        for number, name in enumerate(boundaries, 1):
            self.anvil.revert(begun)
            begun = self.anvil.snapshot()
            folder = self._books(f"{step}-{number}", start)
            code = self._run(folder, step, name, boundaries[:number].count(name))
            # How often a receipt is asked for depends on when blocks are heard of.
            assert code == -signal.SIGKILL or name == "a receipt", f"not crossed: {number}, {name}"
            self._run(folder, step)
            try:
                self._judge(folder, ended)
            except AssertionError as error:
                raise AssertionError(f"killed at {number}, {name}: {error}") from error
        self.anvil.revert(begun)
        last = self._books(f"{step}-whole", start)
        assert self._run(last, step) == 0
        return last

    def _books(self, name: str, start: Path | None) -> Path:
        folder = self.folder / name
        if start is None:
            folder.mkdir()
            return folder
        return Path(shutil.copytree(start, folder))

    def _run(self, folder: Path, step: str, kill: str = "", nth: int = 0) -> int:
        """What `subprocess` would call its return code."""
        assert self._drill.stdin is not None
        assert self._drill.stdout is not None
        self._drill.stdin.write(json.dumps([str(folder), step, kill, nth]) + "\n")
        self._drill.stdin.flush()
        assert select.select([self._drill.stdout], [], [], PATIENCE_S)[0], f"no end within {PATIENCE_S} s"
        code = os.waitstatus_to_exitcode(int(self._drill.stdout.readline() or 256))
        said = (self.folder / "said").read_text(encoding="utf-8", errors="replace")
        assert code in {0, -signal.SIGKILL}, said[-3000:]
        return code

    def _judge(self, folder: Path, ended: Ended) -> None:
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
            ended(data)
            assert list(verify(data, read_mirror(folder / "a.db"))) == []


def sides(data: Reader) -> list[str]:
    return [row["side"] for row in data.rows("SELECT side FROM fills ORDER BY seq")]


def reserved(data: Reader) -> int:
    return len(data.rows("SELECT trade_id FROM reservations WHERE state = 'OPEN' AND remaining <> '0'"))


@pytest.fixture
def campaign(anvil: LocalChain, tmp_path: Path) -> Iterator[Campaign]:
    made = Campaign(anvil, tmp_path)
    yield made
    made.close()


@pytest.mark.crash
def test_no_kill_loses_or_doubles_anything(campaign: Campaign) -> None:
    def ended(data: Reader) -> None:
        assert sides(data) == ["buy", "sell"]
        assert data.rows("SELECT 1 FROM reservations WHERE state = 'OPEN'") == []

    campaign.every_kill("trade", ended, sends=3)


@pytest.mark.crash
def test_no_kill_loses_or_doubles_a_standing_exit(campaign: Campaign, anvil: LocalChain) -> None:
    def covered(data: Reader) -> None:
        assert sides(data) == ["buy"]
        assert reserved(data) == 1, "the gas of the exit that stands"

    def ended(data: Reader) -> None:
        assert (sides(data), reserved(data)) == (["buy", "sell"], 0)

    kept = campaign.every_kill("cover", covered, sends=3)
    move(anvil, COVERED.split("-")[0], 89)
    campaign.every_kill("sell", ended, sends=1, start=kept)
