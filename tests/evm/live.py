"""Sessions of the live profile on anvil that says it is chain 1. Nothing of the gate is loosened for them: the settings
name no emulator, the records are rows of a real paper database, and the Ledger is found by the real driver on a bus
that stands for hidapi's, with a double of the device behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest

from app import paths
from app.accounts import REGISTER
from app.alert_service import TESTED
from app.cli import alone
from app.clock_check import Verdict
from app.config.load import Loaded, load
from app.config.signer import Signer
from app.engine.clock import WallClock
from app.execution.records import Trade
from app.gate_records import (
    CLOCK_CHECKED,
    LIFTED,
    OVERRIDDEN,
    SIGNER_TESTED,
    STOPPED,
    clock_checked,
    lifted,
    overridden,
    signed_test,
)
from app.launch import Launch, Request, prepare
from app.live_rules import LiveRules
from app.session import Session
from app.trial_signature import Trial
from app.wallets import Which
from signers.base import Clarity, SignerKind
from signers.ledger import find
from signers.paths import of_scheme
from signers.payloads import Chain
from storage.database import open_for_trading
from storage.journal import canonical
from strategies.base import MANUAL
from strategies.model import Intent
from tests.devices import keys
from tests.devices.ledger_device import LedgerDevice
from tests.devices.ledger_hid import FakeBus
from tests.evm.chain import LocalChain
from tests.evm.chain_settings import chain_toml
from tests.evm.rig import ChainRig

NAME: Final = "mainnet"
PATH: Final = of_scheme("evm", "bip44", 0)
ADDRESS: Final = keys.address(Chain.EVM, PATH)
LEDGER: Final = bytes.fromhex(ADDRESS[2:])
RECORDS: Final = ("signer", "limits", "stop-drill", "test-alert", "clock")
SETTINGS: Final = {
    "signer.kind": "ledger",
    "signer.blind_value": "1000",
    "modules.momentum.enabled": "false",
    "modules.mean_reversion.enabled": "false",
    "manual.allocation": "100000",
    "capital.total": "1000000",
    "alerts.channels": "mine",
    "risk.position": "1000",
    "risk.exposure": "5000",
    "risk.venue_exposure": "5000",
    "risk.asset_exposure": "5000",
    "risk.correlated_exposure": "5000",
    "risk.daily_loss": "500",
    "risk.cool_down_min": "0",
    "risk.slippage_bps": "100",
    "risk.spread_bps": "10000",
    "risk.volatility_pct": "100000",
}
"""Of a trader whose own limits are far beyond the pilot caps."""


@dataclass(slots=True)
class Home:
    """A trader's folders, settings and Ledger.

    Attributes:
        device: what is plugged in.
        settings: in the place of `SETTINGS`, or more; None leaves one out.
    """

    folder: Path
    device: LedgerDevice = field(default_factory=lambda: LedgerDevice(blind=True))
    settings: dict[str, str | None] = field(default_factory=dict)
    chains: list[str] = field(default_factory=list)

    @property
    def db(self) -> Path:
        """The live profile's own."""
        return paths.database("live")

    def loaded(self) -> Loaded:
        """The settings, from a file and flags."""
        config = self.folder / "config.toml"
        config.write_text("\n".join(self.chains), encoding="utf-8")
        given = {"profile": "live", **SETTINGS, **self.settings}
        return load(config, {}, {key: value for key, value in given.items() if value is not None})

    def request(self, **more: Any) -> Request:
        """What ``run --profile live --chain mainnet`` asks for."""
        given = {"settings": self.loaded, "chain": NAME, "profile": "live", "attended": False, **more}
        return Request(**given)

    def prepared(self, **more: Any) -> Launch:
        """The same, judged."""
        return prepare(self.request(**more))

    def on_record(self, *names: str, address: str = ADDRESS, at_ms: int | None = None) -> None:
        """What was done on the paper profile: each of `names` of `RECORDS`; "limits" is in the settings."""
        now = at_ms or WallClock().now_ms() - 60_000
        db = paths.database("paper")
        if not db.exists():
            paths.private_dir(db.parent)
            open_for_trading(db, "paper").close()
        if "signer" in names:
            row = ("ledger", "evm", str(PATH), address, "Ledger Nano S Plus", now - 1_000)
            alone.record(db, lambda _: [(REGISTER, row)])
            which = Which(SignerKind.LEDGER, Chain.EVM, PATH)
            made = Trial(which, address, "text", b"", Clarity.CLEAR, "Ledger Nano S Plus 1.4", 1, 2, 3)
            _journal(db, SIGNER_TESTED, signed_test(made, Signer(), now))
        if "stop-drill" in names:
            _journal(db, STOPPED, ("stop", "in_force", "drill"))
            _journal(db, LIFTED, lifted(now))
        if "test-alert" in names:
            _journal(db, TESTED, ("alert_test", "mine", "DELIVERED", "250 ok", now))
        if "clock" in names:
            right = Verdict(checked=True, words="", worst_ms=12, sources=("a", "b"))
            _journal(db, CLOCK_CHECKED, clock_checked(right, now))

    def word(self, condition: str) -> None:
        """The trader's word in the place of a condition."""
        said = overridden(condition, "me", "why", WallClock().now_ms() - 1_000)
        _journal(paths.database("paper"), OVERRIDDEN, said)


def _journal(db: Path, kind: str, entry: tuple[Any, ...]) -> None:
    alone.journal(db, kind, canonical({"set": [list(entry)]}))


def made_home(folder: Path, monkeypatch: pytest.MonkeyPatch, *chains: str) -> Home:
    """Empty folders, and a Ledger on the bus."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(folder / name.lower()))
    home = Home(folder, chains=list(chains))
    monkeypatch.setattr(find, "HidLibrary", lambda: FakeBus(home.device))
    return home


def mainnet(chain: LocalChain, **changed: Any) -> str:
    """Its table of settings."""
    return chain_toml(chain, NAME, testnet=False, **changed)


class LiveRig(ChainRig):
    """Trades by the trader's own hand: a module needs more records."""

    @property
    def rules(self) -> LiveRules:
        """What the session keeps to."""
        found = self.session.rules
        assert isinstance(found, LiveRules)
        return found

    def intent(self, *args: Any, **terms: Any) -> Intent:
        return replace(super().intent(*args, **terms), module=MANUAL)

    @property
    def person(self) -> Person:
        """Who sits in front of it."""
        found = self.session.wall
        assert isinstance(found, Person)
        return found

    def at(self, wall_ms: int) -> None:
        """The wall's clock says so."""
        self.person.wall_ms = wall_ms

    async def confirmed(self, trade: Trade) -> None:
        """Read, and confirmed a second later."""
        proposals = self.session.pipeline.proposals
        await self.until(lambda: trade in proposals.waiting() or self.state(trade) == "DENIED", "it waits")
        assert trade in proposals.waiting(), trade.reason
        proposals.shown(trade.id)
        self.person.waited_ns += 10**9
        proposals.confirm(trade.id, proposals.requirement(trade).readback)


class Person(WallClock):
    """The clock that the person is watched with, and the wall's, which can be set."""

    wall_ms: int | None = None
    waited_ns = 0

    def now_ms(self) -> int:
        return super().now_ms() if self.wall_ms is None else self.wall_ms

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.waited_ns


@asynccontextmanager
async def live(home: Home, chain: LocalChain, *, start: Launch | None = None) -> AsyncIterator[LiveRig]:
    """An open live session; the same home again is a restart. The account is funded before the first."""
    plan = (start or home.prepared()).plan
    made: list[LiveRig] = []
    session = Session(plan, lambda _: made[0].changed.set() if made else None, lambda _: None)
    person = Person()
    session.wall, session.rules.now_ms = person, person.now_ms  # type: ignore[attr-defined] # of live rules
    if not plan.db.exists():
        chain.fund(LEDGER)
    await session.open()
    assert plan.chain is not None
    rig = LiveRig(session, chain, plan.chain.source)
    made.append(rig)
    try:
        yield rig
    finally:
        await session.close("test ended")
