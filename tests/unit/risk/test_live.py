"""What counts as on record before live, condition by condition: each must be able to fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.risk.live import (
    CLOCK_FRESH_MS,
    FRESH_MS,
    LIMITS,
    PAPER_TRADES,
    AlertTest,
    ClockCheck,
    Condition,
    Drill,
    Evidence,
    Name,
    Registered,
    Setting,
    SignerTest,
    State,
    Word,
    judge,
    names,
    refusal,
)

NOW = 1_700_000_000_000
HOUR = 3_600_000
ACCOUNT = ("ledger", "evm", "m/44'/60'/0'/0/0", "0xabc")
FULL = Evidence(
    registered=(Registered(*ACCOUNT, NOW - 10 * HOUR),),
    tests=(SignerTest(*ACCOUNT, "Ledger Flex", False, NOW - 9 * HOUR),),
    limits=tuple(Setting(key, "10", "config.toml", None) for key in LIMITS),
    drills=(Drill(7, 9, NOW - HOUR),),
    alerts=(AlertTest("phone", NOW - HOUR),),
    channels=frozenset({"phone"}),
    clocks=(ClockCheck(800, "a,b", NOW - HOUR),),
    paper={"momentum": PAPER_TRADES},
    words=(Word("judgement:momentum", "me", "no backtest gate yet", NOW - HOUR),),
)


def found(evidence: Evidence, name: str) -> Condition:
    return {each.name: each for each in judge(evidence, ["momentum"], NOW)}[name]


def test_everything_on_record_is_no_refusal() -> None:
    conditions = judge(FULL, ["momentum"], NOW)
    assert [each.name for each in conditions] == list(names(["momentum"]))
    assert [each.state for each in conditions if each.name != "judgement:momentum"] == [State.ON_RECORD] * 6
    assert refusal(conditions) == ""
    assert all(each.next_step == "" for each in conditions if each.state is State.ON_RECORD)


def test_nothing_on_record_is_everything_missing_with_how_to_get_it() -> None:
    conditions = judge(Evidence(), ["momentum"], NOW)
    assert {each.state for each in conditions} == {State.MISSING}
    assert all(each.next_step for each in conditions)
    said = refusal(conditions)
    assert said.startswith("Live is refused: 7 conditions not on record")
    assert all(each.name in said for each in conditions)


FAILS: dict[str, list[dict[str, Any]]] = {
    "signer": [
        {"registered": ()},
        {"tests": ()},
        {"emulators": frozenset({"ledger"})},
        {"tests": (SignerTest(*ACCOUNT, "Speculos", True, NOW - 9 * HOUR),)},
        {"tests": (SignerTest(*ACCOUNT, "Ledger Flex", False, NOW - 11 * HOUR),)},
        {"tests": (SignerTest(*ACCOUNT[:3], "0xother", "Ledger Flex", False, NOW - HOUR),)},
        {"tests": (SignerTest("trezor", *ACCOUNT[1:], "Safe 5", False, NOW - HOUR),)},
        {"tests": (SignerTest(*ACCOUNT, "Ledger Flex", False, NOW + HOUR),)},
    ],
    "limits": [
        {"limits": FULL.limits[1:]},
        {"limits": ()},
        {"limits": (replace(FULL.limits[0], source="default"), *FULL.limits[1:])},
    ],
    "stop-drill": [
        {"drills": ()},
        {"drills": (Drill(7, 9, NOW - FRESH_MS - 1),)},
        {"drills": (Drill(7, 9, NOW + HOUR),)},
    ],
    "test-alert": [
        {"alerts": ()},
        {"channels": frozenset()},
        {"channels": frozenset({"mail"})},
        {"alerts": (AlertTest("phone", NOW - FRESH_MS - 1),)},
    ],
    "clock": [
        {"clocks": ()},
        {"clocks": (ClockCheck(800, "a,b", NOW - CLOCK_FRESH_MS - 1),)},
        {"clock_now": "this computer's clock is at least 9000 ms ahead: set it"},
    ],
    "paper-trades:momentum": [
        {"paper": {"momentum": PAPER_TRADES - 1}},
        {"paper": {"mean_reversion": PAPER_TRADES}},
    ],
    "judgement:momentum": [
        {"words": ()},
        {"words": (replace(FULL.words[0], at_ms=NOW - FRESH_MS - 1),)},
        {"words": (replace(FULL.words[0], at_ms=NOW + HOUR),)},
        {"words": (replace(FULL.words[0], condition="judgement:mean_reversion"),)},
    ],
}  # fmt: skip


@pytest.mark.parametrize(("name", "change"), [(name, each) for name, several in FAILS.items() for each in several])
def test_each_condition_can_fail_alone(name: str, change: dict[str, Any]) -> None:
    conditions = judge(replace(FULL, **change), ["momentum"], NOW)
    assert [each.name for each in conditions if not each.holds] == [name]
    assert refusal(conditions).startswith(f"Live is refused: 1 condition not on record: {name} (")


def test_there_are_examples_of_every_failure() -> None:
    assert set(FAILS) == set(names(["momentum"]))


def test_a_limit_that_is_the_default_again_counts_where_the_trader_set_it_to_that() -> None:
    limits = tuple(Setting(key, "10", "default", 12) for key in LIMITS)
    condition = found(replace(FULL, limits=limits), "limits")
    assert condition.state is State.ON_RECORD
    assert "journal row 12" in condition.words


def test_no_judgement_is_ever_passed() -> None:
    condition = found(replace(FULL, words=()), "judgement:momentum")
    assert condition.words == "not built yet: needs the word"
    assert found(FULL, "judgement:momentum").state is State.OVERRIDDEN


@given(st.sampled_from(names(["momentum"])), st.integers(-FRESH_MS * 2, FRESH_MS * 2))
def test_a_word_stands_in_for_its_own_condition_while_it_is_fresh(name: str, age_ms: int) -> None:
    word = Word(name, "me", "because \x1b[31m", NOW - age_ms)
    conditions = {each.name: each for each in judge(Evidence(words=(word,)), ["momentum"], NOW)}
    counts = -60_000 <= age_ms <= FRESH_MS
    assert conditions[name].state is (State.OVERRIDDEN if counts else State.MISSING)
    assert {each.state for key, each in conditions.items() if key != name} == {State.MISSING}
    if counts:
        assert "by me: because" in conditions[name].words
        assert "\x1b" not in conditions[name].words
        assert conditions[name].at_ms == NOW - age_ms


def test_what_is_on_record_is_not_called_overridden() -> None:
    words = tuple(Word(name, "me", "why", NOW) for name in names(["momentum"]))
    states = {each.name: each.state for each in judge(replace(FULL, words=words), ["momentum"], NOW)}
    assert states.pop("judgement:momentum") is State.OVERRIDDEN
    assert set(states.values()) == {State.ON_RECORD}


def test_the_newest_word_is_the_one_shown() -> None:
    words = (
        Word("clock", "a", "old", NOW - 2),
        Word("clock", "b", "new", NOW - 1),
        Word("clock", "c", "older", NOW - 3),
    )
    assert "by b: new" in found(replace(FULL, clocks=(), words=words), Name.CLOCK).words
