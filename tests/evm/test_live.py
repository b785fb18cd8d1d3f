"""The live profile. The truth is anvil with Uniswap's own contracts, as chain 1; the Ledger's counterpart and the
records are those of `tests.evm.live`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from app.config.load import load
from app.errors import ConfigError, CountersignError, SafetyError, SignerError, UsageError
from app.execution.admission import judge, worse_than_confirmed
from app.gate_records import gate_handlers
from app.live_watch import look
from app.risk.model import Deny
from app.risk.pilot import WEEK_MS
from strategies.model import Side
from tests.devices.ledger_emulator import LedgerEmulator
from tests.evm.chain import LocalChain
from tests.evm.chain_settings import chain_toml
from tests.evm.conftest import StartChain
from tests.evm.live import ADDRESS, LEDGER, RECORDS, Home, LiveRig, live, made_home, mainnet

DAY_MS = 86_400_000


@pytest.fixture
def main(start_chain: StartChain) -> LocalChain:
    return start_chain(chain_id=1)


@pytest.fixture
def home(tmp_path: Path, main: LocalChain, monkeypatch: pytest.MonkeyPatch) -> Home:
    return made_home(tmp_path, monkeypatch, mainnet(main))


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """No chain is asked for anything: refused before that."""
    made = made_home(tmp_path, monkeypatch)
    made.on_record(*RECORDS)
    return made


# -- the gate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", RECORDS)
async def test_each_missing_record_refuses_by_name(
    tmp_path: Path, home: Home, main: LocalChain, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Before anything is opened; and by the session itself, should anybody come to it another way."""
    await asyncio.to_thread(home.on_record, *(each for each in RECORDS if each != missing))
    if missing == "limits":
        home.settings["risk.daily_loss"] = None
    with pytest.raises(SafetyError) as refused:
        home.prepared()
    assert refused.value.what.startswith("Live is refused: 1 of what it needs is missing.\n")
    assert f"\n{missing}: " in refused.value.what
    assert "countersign " in refused.value.what, "what to do"
    assert (refused.value.exit_code, home.db.exists()) == (3, False)
    await asyncio.to_thread(home.word, missing)
    start = home.prepared()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(SafetyError, match="Live is refused: "):
        async with live(home, main, start=start):
            raise AssertionError("it opened")
    assert main.nonce(LEDGER) == 0


def test_nothing_on_record_names_everything_at_once(bare: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    bare.chains.append('[chains.ethereum]\nrpcs = ["https://rpc.example.org"]')
    monkeypatch.setenv("XDG_DATA_HOME", str(bare.folder / "empty"))
    bare.settings |= {"signer.kind": "demo", "modules.momentum.enabled": "true", "risk.position": None}
    with pytest.raises(SafetyError) as refused:
        bare.prepared(chain="ethereum")
    said = refused.value.what
    for name in ("signer.kind", *RECORDS, "judgement:momentum", "paper-trades:momentum"):
        assert f"\n{name}: " in said
    assert "config set modules.momentum.enabled false" in said
    assert "doctor --live" in refused.value.next_step


async def test_all_on_record_trades_for_a_ledger_that_is_asked(home: Home, main: LocalChain) -> None:
    await asyncio.to_thread(home.on_record, *RECORDS)
    async with live(home, main) as rig:
        assert rig.session.rules.barred() == ""
        trade = await rig.propose(quantity="0.003")
        await rig.confirmed(trade)
        await rig.reached(trade, "FILLED")
        await rig.assert_agrees()
        assert rig.rows("SELECT address FROM accounts")[0]["address"] == ADDRESS
        assert {row["signer"] for row in rig.rows("SELECT signer FROM authorisations")} == {"ledger"}
    assert any(apdu[:2] == b"\xe0\x04" for apdu in home.device.log)


async def test_an_address_that_signed_no_test_is_refused(home: Home, main: LocalChain) -> None:
    await asyncio.to_thread(home.on_record, *RECORDS, address="0x" + "12" * 20)
    with pytest.raises(SafetyError, match=f"{ADDRESS} .* is no account that was compared") as refused:
        async with live(home, main):
            raise AssertionError("it opened")
    assert refused.value.exit_code == 3
    assert main.nonce(LEDGER) == 0


# -- what is refused whatever is on record ----------------------------------------------------------------------------


def test_what_is_no_hardware_is_refused(bare: Home) -> None:
    bare.chains.append('[chains.ethereum]\nrpcs = ["https://rpc.example.org"]')
    for settings, says in (
        ({"signer.kind": "demo"}, "signer.kind: the demo device signs"),
        ({"signer.ledger": "tcp://127.0.0.1:9999"}, "signer.ledger: tcp://127.0.0.1:9999 is an emulator"),
        ({"signer.trezor": "udp:127.0.0.1:21324"}, "signer.trezor: udp:127.0.0.1:21324 is an emulator"),
        ({"signer.kind": "keyring", "signer.hot.enabled": "true"}, "signer.hot"),
    ):
        bare.settings = dict(settings)
        with pytest.raises(SafetyError, match=says) as refused:
            bare.prepared(chain="ethereum")
        assert refused.value.exit_code == 3


async def test_an_emulator_is_refused_by_the_device_session_too(home: Home, main: LocalChain) -> None:
    """Also where the settings did not show it."""
    await asyncio.to_thread(home.on_record, *RECORDS)
    with LedgerEmulator(home.device) as emulator:
        start = home.prepared()
        object.__setattr__(start.plan.loaded.settings.signer, "ledger", emulator.url)
        with pytest.raises(CountersignError, match="no hardware"):
            async with live(home, main, start=start):
                raise AssertionError("it opened")


async def test_auto_takes_no_demo_device(home: Home, main: LocalChain, monkeypatch: pytest.MonkeyPatch) -> None:
    await asyncio.to_thread(home.on_record, *RECORDS)
    home.settings["signer.kind"] = "auto"
    start = home.prepared()
    monkeypatch.setattr("signers.ledger.find.HidLibrary", FakeBusGone)
    monkeypatch.setattr("signers.trezor.driver.TrezorSigner.plugged", lambda _: ())
    with pytest.raises(SignerError, match="No hardware wallet is plugged in"):
        async with live(home, main, start=start):
            raise AssertionError("it opened")


class FakeBusGone:
    """A bus with nothing on it."""

    def seen(self) -> list[object]:
        return []


def test_other_networks_and_ways_are_refused(bare: Home) -> None:
    sepolia = '[chains.sepolia]\nrpcs = ["https://rpc.example.org"]'
    main = '[chains.ethereum]\nrpcs = ["https://rpc.example.org"]'
    bare.chains += [sepolia, main]
    for more, kind, says in (
        ({"chain": "anvil"}, SafetyError, "practice chain"),
        ({"chain": "sepolia"}, SafetyError, "is a test network: not for the live profile"),
        ({"chain": "ethereum", "auto_confirm": True}, SafetyError, "confirm by itself"),
        ({"chain": "ethereum", "replay": "x.csv"}, UsageError, "for the paper profile"),
        ({"chain": None}, UsageError, "The live profile trades on a chain. There is: ethereum."),
        ({"chain": "base"}, UsageError, "has no endpoint"),
    ):
        with pytest.raises(kind, match=says):
            bare.prepared(**more)
    assert bare.prepared(chain="ethereum").plan.chain is not None


def test_the_number_of_a_local_chain_is_no_main_network(bare: Home, anvil: LocalChain) -> None:
    bare.chains.append(chain_toml(anvil, "mine", testnet=False))
    with pytest.raises(SafetyError, match=r"31337.*one's own machine"):
        bare.prepared(chain="mine")


def test_a_plain_endpoint_beyond_this_machine_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    for key, url in (("rpcs", "http://example.org"), ("ws", "ws://example.org")):
        rpcs = "" if key == "rpcs" else '\nrpcs = ["https://example.org"]'
        config.write_text(f'[chains.ethereum]{rpcs}\n{key} = ["{url}"]', encoding="utf-8")
        with pytest.raises(ConfigError, match="is not encrypted"):
            load(config, {}, {"profile": "live"})


def test_the_testnet_profile_trades_on_no_main_network(bare: Home) -> None:
    bare.chains.append('[chains.ethereum]\nrpcs = ["https://rpc.example.org"]')
    bare.settings["profile"] = "testnet"
    with pytest.raises(SafetyError, match="main network") as refused:
        bare.prepared(chain="ethereum", profile="testnet")
    assert "doctor --live" in refused.value.next_step


# -- pilot caps -------------------------------------------------------------------------------------------------------


async def test_the_eleventh_dollar_is_denied_until_the_word_and_the_week(home: Home, main: LocalChain) -> None:
    await asyncio.to_thread(home.on_record, *RECORDS)
    async with live(home, main) as rig:
        assert rig.desk.limits.position == 10
        assert rig.desk.configured.position == 1000
        assert rig.desk.terms.capital == 100
        await rig.quoted()
        assert denied(rig, "0.0044") == "position", "eleven dollars"
        trade = await rig.propose(quantity="0.003")
        await rig.confirmed(trade)
        await rig.reached(trade, "FILLED")
        assert denied(rig, "0.0014") == "position", "with what is held, eleven dollars"
        await look(rig.session)
        with pytest.raises(SafetyError, match="in 7 days"):
            rig.rules.may_ramp()
        ramp = gate_handlers(rig.session)["gate_ramp"]
        with pytest.raises(SafetyError, match="in 7 days"):
            await ramp({"by": "me", "word": "RAMP"})
    async with live(home, main) as rig:
        """A restart keeps the week, and a word counts once it is over."""
        first = rig.rules._gate
        assert first is not None
        assert first.first_live_ms is not None
        assert rig.desk.limits.position == 10
        now = first.first_live_ms + WEEK_MS
        rig.at(now)
        rig.rules.may_ramp()
        ramp = gate_handlers(rig.session)["gate_ramp"]
        with pytest.raises(SafetyError, match="not typed"):
            await ramp({"by": "me", "word": "ramp"})
        await ramp({"by": "me", "word": "RAMP"})
        assert (rig.desk.limits.position, rig.desk.limits.exposure, rig.desk.limits.daily_loss) == (20, 200, 100)
        assert rig.desk.terms.capital == 200
        with pytest.raises(SafetyError, match="in 7 days"):
            rig.rules.may_ramp()


def denied(rig: LiveRig, quantity: str) -> str:
    """By which rule."""
    verdict = judge(rig.desk, rig.intent(quantity=quantity))
    assert isinstance(verdict, Deny)
    return verdict.rule


# -- while it runs ----------------------------------------------------------------------------------------------------


async def test_what_lapses_ends_new_trades_and_no_exit(home: Home, main: LocalChain) -> None:
    await asyncio.to_thread(home.on_record, *RECORDS)
    async with live(home, main) as rig:
        held = await rig.propose(quantity="0.003")
        await rig.confirmed(held)
        await rig.reached(held, "FILLED")
        waits = await rig.propose(quantity="0.0005")
        proposals = rig.session.pipeline.proposals
        await rig.until(lambda: waits in proposals.waiting(), "it waits")
        rig.at(rig.rules.now_ms() + 31 * DAY_MS)
        await look(rig.session)
        assert "stop-drill (the last drill was" in rig.session.rules.barred()
        await rig.quoted()
        assert denied(rig, "0.0005") == "halted"
        sent = rig.sent()
        await rig.confirmed(waits)
        await rig.until(lambda: rig.state(waits) not in {"PREPARED", "CONFIRMED", "SIGNED"}, "it ended")
        assert rig.sent() == sent, "nothing of it was sent"
        sale = await rig.propose(Side.SELL, "0.003")
        await rig.confirmed(sale)
        await rig.reached(sale, "FILLED")
        assert rig.desk.state.positions.holding("manual", "ETH-USDC").quantity == Decimal(0)
        kinds = [row["kind"] for row in rig.rows("SELECT kind FROM alerts")]
        assert kinds.count("live.lapsed") == 1
        await rig.assert_agrees()


async def test_a_module_without_its_own_records_takes_no_entry(home: Home, main: LocalChain) -> None:
    """One that is switched on while the session runs was never asked about at its start."""
    await asyncio.to_thread(home.on_record, *RECORDS)
    async with live(home, main) as rig:
        assert "judgement:momentum" in rig.session.rules.barred("momentum")
        assert rig.session.rules.barred("manual") == ""
        waits = await rig.propose(quantity="0.0005")
        await rig.until(lambda: waits in rig.session.pipeline.proposals.waiting(), "it waits")
        assert worse_than_confirmed(rig.desk, waits) is None
        waits.intent = replace(waits.intent, module="momentum")
        assert "judgement:momentum" in (worse_than_confirmed(rig.desk, waits) or "")


async def test_a_position_can_be_closed_after_a_restart_whatever_lapsed_meanwhile(home: Home, main: LocalChain) -> None:
    """The session opens for that alone; without a position it does not."""
    await asyncio.to_thread(home.on_record, *RECORDS)
    async with live(home, main) as rig:
        held = await rig.propose(quantity="0.003")
        await rig.confirmed(held)
        await rig.reached(held, "FILLED")
    home.settings["risk.daily_loss"] = None
    async with live(home, main) as rig:
        assert "limits (never set by the trader: risk.daily_loss)" in rig.session.rules.barred()
        await rig.quoted()
        assert denied(rig, "0.0005") == "halted"
        await rig.session.device.probe()  # as whoever watches the bus does
        sale = await rig.propose(Side.SELL, "0.003")
        await rig.confirmed(sale)
        await rig.reached(sale, "FILLED")
        await rig.assert_agrees()
    home.settings["signer.kind"] = "demo"
    with pytest.raises(SafetyError, match=r"signer\.kind"):
        home.prepared()
    home.settings["signer.kind"] = "ledger"
    with pytest.raises(SafetyError, match="limits: never set"):
        home.prepared()
