"""The trader's hand on the modules: pause, resume, on, off, capital; what holds at once and after a restart."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.config.load import load as load_config
from app.engine.lifecycle import MODULE_EDGES, ModuleState
from app.errors import ConfigError, IllegalTransition, SafetyError, UsageError
from app.market.events import MarketEvent
from tests.execution.harness import WIDE
from tests.unit.engine.stage import Script, entries, flat, install, long, on, plugin, stage

ASKS = {"trade.proposal_expiry_ms": "86400000", "trade.authorisation_validity_ms": "86400000"}


def buys() -> Script:
    """Buys whenever it is flat."""
    return Script(opinion=lambda _, position: long() if position is None else None)


# -- pause and resume -------------------------------------------------------------------------------------------------


async def test_a_paused_module_takes_no_entry_and_goes_on_where_it_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = buys()
    install(monkeypatch, plugin("a", script))
    async with stage(tmp_path, settings=on("a")) as s:
        assert s.state("a") == "running"
        view = await s.manager.pause("a")
        assert (view.state, view.paused, view.reason) == (ModuleState.PAUSED, True, "paused by the trader")
        await s.bars(3)
        assert entries(s.r, "a") == {"a": 0}
        assert s.view("a").counters.skipped == {"paused": 3}
        assert len(script.made[0].seen) == 3, "it sees the market, so that it is warm when it is resumed"
        await s.manager.resume("a")
        await s.bar()
        assert entries(s.r, "a") == {"a": 1}
        assert s.journal("a") == ["paused", "running"]
        await s.manager.pause("a")
        await s.manager.pause("a")  # once more changes nothing
        assert s.journal("a") == ["paused", "running", "paused"]
        s.r.assert_sound()


async def test_a_pause_outlives_the_session_and_so_does_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", buys()))
    events: list[MarketEvent] = []
    async with stage(tmp_path, events=events, settings=on("a")) as s:
        await s.manager.pause("a")
    async with stage(tmp_path, events=events, settings=on("a")) as s:
        assert (s.state("a"), s.view("a").reason) == ("paused", "paused by the trader")
        await s.bars(2)
        assert entries(s.r, "a") == {"a": 0}
        await s.manager.resume("a")
    async with stage(tmp_path, events=events, settings=on("a")) as s:
        assert s.state("a") == "running"
        await s.bar()
        assert entries(s.r, "a") == {"a": 1}
        s.r.assert_sound()


async def test_the_exits_of_a_paused_module_fill_and_settle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plugin("a", buys()))
    async with stage(tmp_path, settings=on("a")) as s:
        await s.bar()
        assert s.r.held(module="a") > 0
        await s.manager.pause("a")
        assert s.view("a").exits_managed_by == "the venue holds stop and target; the session follows them"
        await s.bar("121")
        assert s.r.held(module="a") == 0
        assert s.view("a").exits_managed_by.startswith("nobody")
        assert (s.view("a").realised or Decimal(0)) > 0
        s.r.assert_sound()
        s.r.assert_agrees_with_venue()


async def test_a_stopped_modules_exits_fill_and_settle_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plugin("a", buys()))
    async with stage(tmp_path, settings=on("a")) as s:
        await s.bar()
        await s.manager.disable("a")
        assert s.state("a") == "stopped"
        await s.bar("89")
        assert s.r.held(module="a") == 0
        await s.bars(2)
        assert entries(s.r, "a") == {"a": 1}
        s.r.assert_sound()
        s.r.assert_agrees_with_venue()


async def test_entries_that_wait_are_withdrawn_and_closes_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        monkeypatch,
        plugin("a", Script(opinion=lambda _bar, position: flat() if position else long())),
        plugin("b", buys()),
    )
    async with stage(tmp_path, settings=on("a", "b") | ASKS, auto_confirm=False) as s:
        await s.bar()
        waiting = {trade.intent.module: trade for trade in s.r.pipeline.proposals.waiting()}
        s.r.pipeline.proposals.confirm(waiting["a"].id)
        await s.r.finished(waiting["a"])
        await s.bar()  # now `a` holds and wants to close, `b` still waits
        sides = [(t.intent.module, t.intent.side.value) for t in s.r.pipeline.proposals.waiting()]
        assert sides == [("b", "buy"), ("a", "sell")]
        await s.manager.pause_all()
        await s.r.settle()
        assert [t.intent.module for t in s.r.pipeline.proposals.waiting()] == ["a"]
        stored = s.r.stored(waiting["b"])
        assert (stored["state"], stored["reason"]) == ("CANCELLED", "Module b is paused: it takes no new entry.")


async def test_an_entry_proposed_right_before_a_pause_is_withdrawn_as_it_begins_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", buys()))
    async with stage(tmp_path, settings=on("a") | ASKS, auto_confirm=False) as s:
        module = s.manager.modules[0]
        bar = await s.bar()
        (first,) = s.r.pipeline.proposals.waiting()
        s.r.pipeline.proposals.decline(first.id)
        await s.r.settle()
        module.on_bar(replace(bar, open_ms=s.r.now))
        assert s.r.pipeline.proposals.waiting() == [], "it is reserved, and not prepared yet"
        await s.manager.pause("a")
        await s.r.settle()
        assert s.r.pipeline.proposals.waiting() == []
        states = s.r.rows("SELECT state FROM trades ORDER BY state")
        assert [row["state"] for row in states] == ["CANCELLED", "DECLINED"], "withdrawn, and declined by hand"


async def test_all_means_what_is_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plugin("a", buys()), plugin("b", buys()), plugin("off", buys()))
    async with stage(tmp_path, settings=on("a", "b")) as s:
        await s.manager.pause("b")
        assert await s.manager.pause_all() == ("a",)
        assert [s.state(name) for name in ("a", "b", "off")] == ["paused", "paused", "registered"]
        assert await s.manager.resume_all() == ("a", "b")
        assert [s.state(name) for name in ("a", "b", "off")] == ["running", "running", "registered"]


async def test_what_can_not_be_paused_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plugin("a", buys()), plugin("off", buys()))
    async with stage(tmp_path, settings=on("a")) as s:
        with pytest.raises(UsageError, match="There is no module 'ghost'; there are: a, mean_reversion, momentum, off"):
            await s.manager.pause("ghost")
        for act in (s.manager.pause, s.manager.resume):
            with pytest.raises(UsageError, match="off is not switched on") as refused:
                await act("off")
            assert "countersign modules enable off" in refused.value.next_step


# -- on and off -------------------------------------------------------------------------------------------------------


async def test_a_module_is_switched_on_warm_and_stays_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = buys()
    install(monkeypatch, plugin("a", script, warmup=2))
    events: list[MarketEvent] = []
    given = {"modules.momentum.enabled": "false"}
    async with stage(tmp_path, events=events, settings=given) as s:
        await s.bars(3)
        with pytest.raises(UsageError, match="a has no capital") as refused:
            await s.manager.enable("a")
        assert "modules allocate a AMOUNT" in refused.value.next_step
        await s.manager.allocate("a", Decimal(500))
        assert s.r.desk.terms.capital == 0, "what is off counts nothing"
        assert (await s.manager.enable("a")).state is ModuleState.ENABLED
        assert s.r.desk.terms.capital == 500
        bar = await s.bar()
        assert s.state("a") == "running"
        assert [each.close_ms for each in script.made[0].seen][-1] == bar.close_ms
        assert len(script.made[0].seen) == 4, "three of the past, and this one"
        assert entries(s.r, "a") == {"a": 1}
        assert s.journal("a") == ["registered", "enabled", "running"]
        s.r.assert_sound()
    async with stage(tmp_path, events=events, settings=given) as s:
        assert (s.state("a"), s.view("a").allocation) == ("running", Decimal(500))
        await s.manager.disable("a")
        assert s.r.desk.terms.capital == 0
    async with stage(tmp_path, events=events, settings=given) as s:
        assert (s.state("a"), s.view("a").enabled) == ("registered", False)


async def test_switched_off_and_on_again_in_one_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = buys()
    install(monkeypatch, plugin("a", script, warmup=1))
    async with stage(tmp_path, settings=on("a")) as s:
        await s.bar()
        await s.manager.disable("a")
        await s.bars(2)
        assert len(script.made[0].seen) == 1, "a stopped module sees nothing"
        await s.manager.enable("a")
        await s.bar()
        assert (s.state("a"), len(script.made)) == ("running", 2)
        assert len(script.made[1].seen) == 4, "fed again with what it missed"
        await s.bar("121")
        await s.bar()
        ids = [row["id"] for row in s.r.rows("SELECT id FROM intents")]
        assert len(ids) == len(set(ids)) >= 2, "numbers of intents go on"
        s.r.assert_sound()


async def test_who_is_needed_is_not_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plugin("a", buys(), after=("b",)), plugin("b", buys()))
    async with stage(tmp_path, settings=on("a", "b")) as s:
        with pytest.raises(UsageError, match="a can not run without b"):
            await s.manager.disable("b")
        await s.manager.disable("a")
        await s.manager.disable("b")
        with pytest.raises(UsageError, match="a needs b, which does not run"):
            await s.manager.enable("a")


async def test_a_module_is_off_even_where_the_file_can_not_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", buys()))
    async with stage(tmp_path, settings=on("a")) as s:
        (tmp_path / "config.toml").write_text("nonsense = [\n")
        with pytest.raises(ConfigError, match="a is off in this session, and the settings file was not changed"):
            await s.manager.disable("a")
        assert s.state("a") == "stopped"


async def test_what_can_not_run_is_shown_told_and_the_rest_trades(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", buys()), plugin("b", buys(), after=("ghost",)))
    async with stage(tmp_path, settings=on("a", "b")) as s:
        assert (s.state("a"), s.state("b")) == ("running", "registered")
        assert s.view("b").unavailable == "it needs ghost, which is not installed"
        assert s.stored("b")["reason"] == "it needs ghost, which is not installed"
        assert s.r.alerts() == ["module.unavailable"]
        await s.bar()
        assert entries(s.r, "ab") == {"a": 1, "b": 0}


async def test_wrong_parameters_refuse_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plugin("a", buys()))
    with pytest.raises(ConfigError, match="length is 0; allowed: 1 or more"):
        async with stage(tmp_path, settings=on("a") | {"modules.a.params.length": "0"}):
            pytest.fail("it started")


# -- a third party's files --------------------------------------------------------------------------------------------


async def test_a_third_partys_change_is_told_at_each_start_until_it_is_enabled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    code = tmp_path / "their_code.py"
    code.write_text("x = 1\n")
    install(monkeypatch, plugin("a", buys(), package="their_code"))
    async with stage(tmp_path, settings=on("a")) as s:
        assert s.view("a").third_party
        assert s.r.alerts() == []
    code.write_text("x = 2\n")
    for count in (1, 2):
        async with stage(tmp_path, settings=on("a")) as s:
            assert s.r.alerts() == ["module.changed"] * count
            assert s.state("a") == "running"
    async with stage(tmp_path, settings=on("a")) as s:
        await s.manager.enable("a")
        assert s.state("a") == "running"
    async with stage(tmp_path, settings=on("a")) as s:
        assert s.r.alerts() == ["module.changed"] * 3


# -- capital ----------------------------------------------------------------------------------------------------------


async def test_an_allocation_holds_from_the_next_intent_on_is_journaled_and_outlives_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", buys()))
    given = on("a") | {"sizing.fixed": "800"}
    async with stage(tmp_path, settings=given) as s:
        await s.manager.allocate("a", Decimal(300))
        assert s.r.desk.terms.capital == 300
        await s.bar()
        assert Decimal(290) < s.view("a").committed <= 300
        changes = s.r.rows("SELECT key, old, new FROM config_changes ORDER BY seq DESC, rowid DESC LIMIT 1")
        assert changes == [{"key": "modules.a.allocation", "old": "1000", "new": "300"}]
        s.r.assert_sound()
    async with stage(tmp_path, settings=given) as s:
        assert s.view("a").allocation == s.r.desk.terms.capital == Decimal(300)
        s.r.assert_sound()


async def test_the_capital_of_trades_by_hand_stays_beside_that_of_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, plugin("a", Script()))
    async with stage(tmp_path, settings=on("a") | {"manual.allocation": "70"}) as s:
        await s.manager.allocate("a", Decimal(500))
        assert s.r.desk.terms.capital == 570
        await s.manager.disable("a")
        assert s.r.desk.terms.capital == 70


async def test_an_allocation_makes_no_loss_and_hides_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plugin("a", Script()))
    async with stage(tmp_path, settings=on("a") | {"risk.daily_loss": "50"}) as s:
        await s.r.trade(quantity="6")
        await s.bar("89")
        before = s.r.desk.risk_state("ETH-USDT")
        lost = before.day_start_equity - before.equity
        assert lost > 50
        for amount in (5000, 200, 1000):
            await s.manager.allocate("a", Decimal(amount))
            state = s.r.desk.risk_state("ETH-USDT")
            assert (state.day_start_equity, state.equity_peak) == (amount, amount)
            assert state.equity == amount - lost
        assert s.r.pipeline.propose(s.r.intent(worst="89.2", stop="80", target="99", module="n")) is None
        assert s.r.desk.counters.by_rule == {"daily_loss": 1}


async def test_more_than_there_is_is_refused_with_both_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plugin("a", buys()), plugin("b", buys()), plugin("off", buys()))
    async with stage(tmp_path, settings=on("a", "b") | {"capital.total": "2500"}) as s:
        with pytest.raises(SafetyError, match=r"would have 2500\.01 together; capital\.total is 2500"):
            await s.manager.allocate("a", Decimal("1500.01"))
        assert s.view("a").allocation == 1000
        await s.manager.allocate("a", Decimal(1500))
        await s.manager.allocate("off", Decimal(5000))
        with pytest.raises(SafetyError, match="would have 7500 together"):
            await s.manager.enable("off")
        assert s.state("off") == "registered"


async def test_nothing_is_changed_when_the_file_can_not_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plugin("a", buys()))
    async with stage(tmp_path, settings=on("a")) as s:
        (tmp_path / "config.toml").write_text("nonsense = [\n")
        with pytest.raises(ConfigError):
            await s.manager.allocate("a", Decimal(5))
        assert s.view("a").allocation == s.r.desk.terms.capital == Decimal(1000)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["allocate", "enable", "disable", "pause", "resume"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["0", "1", "999.99", "1000", "1000.01", "1500", "3000"]),
    ),
    max_size=12,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
async def test_never_more_than_the_capital_whatever_is_asked_for(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("capital")
    with pytest.MonkeyPatch.context() as monkeypatch:
        install(monkeypatch, *(plugin(name, buys()) for name in "abc"))
        given = on("a", "b") | {"capital.total": "2500"}
        async with stage(folder, settings=given) as s:
            for act, name, amount in acts:
                before = {view.name: (view.allocation, view.enabled) for view in s.manager.views()}
                try:
                    if act == "allocate":
                        await s.manager.allocate(name, Decimal(amount))
                    else:
                        await getattr(s.manager, act)(name)
                except (SafetyError, UsageError, ConfigError):
                    after = {view.name: (view.allocation, view.enabled) for view in s.manager.views()}
                    assert after == before, "what was refused changed nothing"
                given_away = sum(view.allocation for view in s.manager.views() if view.enabled)
                assert given_away == s.r.desk.terms.capital <= 2500
                for module in s.manager.modules:
                    assert module.allocation == s.view(module.name).allocation
            stands = {view.name: (view.allocation, view.enabled) for view in s.manager.views() if view.name in "abc"}
            await s.r.settle()
            s.r.assert_sound()
        loaded = load_config(folder / "config.toml", {}, {**WIDE, "capital.total": "2500"}).settings.modules
        for name, stood in stands.items():
            assert stood == ((loaded[name].allocation, loaded[name].enabled) if name in loaded else (0, False))


async def test_capital_nearly_used_up_is_told_once_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plugin("a", buys()))
    given = on("a") | {"capital.total": "1050", "sizing.fixed": "990"}
    async with stage(tmp_path, settings=given) as s:
        await s.bars(5)
        told = s.r.rows("SELECT severity, kind, subject, text FROM alerts ORDER BY id")
        assert [(row["severity"], row["kind"], row["subject"]) for row in told] == [
            ("HIGH", "capital", ""),
            ("HIGH", "capital", "a"),
        ]
        assert told[0]["text"] == "1000 of 1050 is allocated to modules."
        await s.bars(60)
        assert s.r.alerts() == ["capital"] * 4
        await s.bars(30)
        assert s.r.alerts() == ["capital"] * 4


# -- the table --------------------------------------------------------------------------------------------------------


async def test_only_the_edges_of_the_table_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, plugin("a", buys()))
    async with stage(tmp_path, settings=on("a")) as s:
        module = s.manager.modules[0]
        for old, new in itertools.product(ModuleState, ModuleState):
            module.state = old
            if new in MODULE_EDGES[old]:
                module.move(new, "why")
                assert (module.state, module.reason) == (new, "why")
            else:
                with pytest.raises(IllegalTransition):
                    module.move(new)
                assert module.state is old


def test_every_state_can_be_reached_and_running_only_by_way_of_enabled() -> None:
    reached, todo = {ModuleState.REGISTERED}, [ModuleState.REGISTERED]
    while todo:
        for state in MODULE_EDGES[todo.pop()] - reached:
            reached.add(state)
            todo.append(state)
    assert reached == set(ModuleState)
    assert {old for old, edges in MODULE_EDGES.items() if ModuleState.RUNNING in edges} == {
        ModuleState.ENABLED,
        ModuleState.PAUSED,
    }
