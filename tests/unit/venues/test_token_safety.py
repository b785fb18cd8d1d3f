"""Scoring is pure: more findings never make a token look better, and the order of what was read changes nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.venues.evm.pools.metadata import Metadata
from app.venues.evm.pools.state import At
from app.venues.evm.safety.code import Code, minimal_target, proxy_slots, reachable, scan
from app.venues.evm.safety.findings import Finding, Rule, Safety, SafetyRules, refusal, score
from app.venues.evm.safety.holders import Holders
from app.venues.evm.safety.judge import Facts, Lock, judge
from app.venues.evm.safety.lockers import BURNT, LOCKERS
from app.venues.evm.safety.powers import POWERS, selectors
from app.venues.evm.safety.trip import Trip

TOKEN, OTHER = b"\x01" * 20, b"\x02" * 20
AT = At(7, b"\x07" * 32)
RULES = SafetyRules()
findings = st.builds(Finding, st.sampled_from(Rule), st.integers(0, 100), st.text(max_size=20), st.text(max_size=20))
shares = st.none() | st.integers(0, 10_000)
trips = st.builds(
    Trip, st.just(OTHER), st.sampled_from([None, True, False]), st.sampled_from([None, True, False]), shares, shares,
    st.text(max_size=10),
)  # fmt: skip
powers = st.lists(st.sampled_from(sorted(selectors().values())), max_size=6).map(tuple)
codes = st.builds(Code, st.integers(0, 9), powers, st.booleans(), st.booleans())
names, many = st.text(max_size=5), st.integers(0, 10_000)
facts = st.builds(
    Facts,
    token=st.just(TOKEN),
    at=st.just(AT),
    metadata=st.builds(Metadata, st.just(TOKEN), names, names, st.none() | st.integers(0, 36)),
    codes=st.none() | st.lists(codes, min_size=1, max_size=2).map(tuple),
    proxy=st.none() | st.tuples(st.sampled_from(["minimal", "implementation"]), st.just(OTHER)),
    owner=st.sampled_from([None, bytes(20), OTHER]),
    trips=st.lists(trips, max_size=3).map(tuple),
    pools=st.integers(0, 3),
    depth=st.none() | st.integers(0, 10**6).map(Decimal),
    lock=st.none() | st.builds(Lock, st.just(OTHER), st.integers(0, 5_000), st.integers(0, 5_000)),
    holders=st.none() | st.builds(Holders, st.integers(0, 9), st.just(OTHER), many, many),
)  # fmt: skip


@given(st.lists(findings), findings)
def test_a_finding_more_never_raises_the_score(found: list[Finding], more: Finding) -> None:
    assert 0 <= score([*found, more]) <= score(found) <= 100


@given(st.lists(findings), findings, st.booleans())
def test_a_finding_more_never_lifts_a_refusal(found: list[Finding], more: Finding, trusted: bool) -> None:
    before = refusal(Safety(TOKEN, AT, tuple(found)), RULES, trusted=trusted)
    after = refusal(Safety(TOKEN, AT, (*found, more)), RULES, trusted=trusted)
    assert before is None or after is not None


@given(facts)
def test_the_same_facts_are_judged_the_same_whatever_is_known(read: Facts) -> None:
    judged = judge(read, RULES)
    assert judged == judge(replace(read), RULES)
    assert [each.weight for each in judged.findings] == sorted((each.weight for each in judged.findings), reverse=True)
    assert "safe" not in " ".join(each.words for each in judged.findings)
    assert len(judged.as_json()["findings"]) <= 6


@given(facts)
def test_knowing_less_is_a_finding_as_well(read: Facts) -> None:
    """What is not known never scores as what was looked at and found to be in order."""
    good = replace(
        read, codes=(Code(9),), proxy=None, trips=(Trip(OTHER, True, True, 0, 0),), pools=1,
        depth=RULES.least_depth, lock=Lock(OTHER, 10_000, 0), holders=Holders(9, OTHER, 0, 0),
        metadata=Metadata(TOKEN, "A", "A", 18),
    )  # fmt: skip
    assert judge(good, RULES).score == 100
    for unknown in ({"codes": None}, {"trips": ()}, {"depth": None}, {"lock": None}, {"holders": None}):
        assert judge(replace(good, **unknown), RULES).score < 100, unknown


def test_a_weight_is_within_bounds_and_evidence_is_for_eyes() -> None:
    with pytest.raises(ValueError, match="0 to 100"):
        Finding(Rule.MINT, -1, "")
    assert Finding(Rule.MINT, 1, "", "\x1b[31m\u202e").evidence == "\\x1b[31m\\u202e"
    assert len(Finding(Rule.MINT, 1, "", "x" * 9_999).evidence) < 200


@given(st.binary(max_size=400))
def test_any_bytes_can_be_scanned(code: bytes) -> None:
    assert scan(code).size == len(code)
    assert sum(1 for _ in reachable(code)) <= len(code)


def test_only_instructions_that_run_are_looked_at() -> None:
    mint = bytes.fromhex("40c10f19")
    dispatcher = bytes.fromhex("8063") + mint + bytes.fromhex("14600a57")
    assert [name for _, name in scan(dispatcher).powers] == ["mint(address,uint256)"]
    assert scan(b"\x00" + dispatcher).powers == (), "after STOP nothing runs"
    assert scan(b"\x00\x5b" + dispatcher).powers, "but where it can be jumped to"
    assert not scan(b"\x62\xff\xf4\xf2\x00").destructs, "what is pushed is no instruction"
    assert scan(b"\x33\xff").destructs
    assert scan(b"\xf4").delegates
    appendix = bytes.fromhex("a264697066735822") + b"\x5b\xff\xf4" * 10
    assert not scan(b"\x5b\x50" + appendix + len(appendix).to_bytes(2)).destructs


def test_slots_and_minimal_proxies_are_the_standards_own() -> None:
    """EIP-1967 and EIP-1167 as published."""
    slots = {name: slot.hex() for name, slot in proxy_slots().items()}
    assert slots["implementation"] == "360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
    assert slots["beacon"] == "a3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50"
    assert slots["proxiable"] == "c5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7"
    assert slots["zeppelinos"] == "7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3"
    example = "363d3d373d3d3d363d73bebebebebebebebebebebebebebebebebebebebe5af43d82803e903d91602b57fd5bf3"
    assert minimal_target(bytes.fromhex(example)) == b"\xbe" * 20
    assert minimal_target(bytes.fromhex(example)[:-1]) is None


def test_data_is_well_formed() -> None:
    named = [each for functions in POWERS.values() for each in functions]
    assert len(set(named)) == len(named) == len(selectors())
    addresses = [address for lockers in LOCKERS.values() for address in lockers]
    assert {len(address) for address in [*addresses, *BURNT]} == {20}
