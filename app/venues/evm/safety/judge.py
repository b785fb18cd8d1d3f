"""From what was read about a token to findings. Pure: the same facts give the same findings, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.money import to_text
from app.venues.evm.chain import ZERO_ADDRESS, Token
from app.venues.evm.pools.metadata import Metadata
from app.venues.evm.pools.state import At
from app.venues.evm.safety.code import Code
from app.venues.evm.safety.findings import Finding, Rule, Safety, SafetyRules, percent
from app.venues.evm.safety.holders import Holders
from app.venues.evm.safety.lockers import BURNT
from app.venues.evm.safety.powers import WORDS
from app.venues.evm.safety.trip import Trip

_HEAVIEST_TAX: Final = 60
_POWER: Final = {Rule.MINT: 20, Rule.PAUSE: 20, Rule.BLOCKLIST: 20, Rule.SET_TAX: 20, Rule.SET_LIMITS: 10}
_RENOUNCED: Final = 3
"""What a power weighs that nobody seems to have: a contract can hide a second owner."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Of the deepest V2 pool: shares of its liquidity, basis points."""

    pool: bytes
    burnt_bps: int
    locked_bps: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read about a token at one block.

    Attributes:
        ours: as the settings have it; None: they do not.
        codes: its code, then that which it runs as a proxy; None: the node did not give it.
        proxy: of which kind, and what it runs.
        owner: who it says it belongs to; None: it does not say.
        trips: through its deepest pools, deepest first.
        pools: how many there are.
        depth: account currency that they hold of other tokens; None: nothing values those.
        lock: None: no V2 pool.
        holders: None: not known.
    """

    token: bytes
    at: At
    metadata: Metadata
    ours: Token | None = None
    codes: tuple[Code, ...] | None = None
    proxy: tuple[str, bytes] | None = None
    owner: bytes | None = None
    trips: tuple[Trip, ...] = ()
    pools: int = 0
    depth: Decimal | None = None
    lock: Lock | None = None
    holders: Holders | None = None


def judge(facts: Facts, rules: SafetyRules) -> Safety:
    """All findings, heaviest first."""
    buy, sell = _taxes(facts)
    if facts.codes is not None and not facts.codes[0].size:
        found = [Finding(Rule.NO_CODE, 100, "there is no contract at its address", _hex(facts.token))]
    else:
        found = [
            *_trips(facts),
            *_taxed(buy, sell),
            *_powers(facts),
            *_runs(facts),
            *_says(facts),
            *_liquidity(facts, rules),
            *_held(facts, rules),
        ]
    ranked = sorted(found, key=lambda each: (-each.weight, each.rule.value, each.words, each.evidence))
    return Safety(facts.token, facts.at, tuple(ranked), buy, sell)


def _trips(facts: Facts) -> Iterator[Finding]:
    tried = [trip for trip in facts.trips if trip.bought is not None and not (trip.bought and trip.sold is None)]
    failed = [trip for trip in tried if trip.bought and not trip.sold]
    if not tried:
        why = facts.trips[0].why if facts.trips else "it has no pool"
        yield Finding(Rule.NOT_TRIED, 40, "whether it can be sold again is not known", why)
    elif not any(trip.bought for trip in tried):
        yield Finding(Rule.BUY_FAILS, 80, "it could not be bought in a simulation", tried[0].why)
    elif failed and not any(trip.sold for trip in tried):
        words = "HONEYPOT: what was bought in a simulation could not be sold"
        yield Finding(Rule.HONEYPOT, 100, words, failed[0].why)
    for trip in failed:
        if any(each.sold for each in tried):
            words = "what was bought in a simulation could not be sold in one of its pools"
            yield Finding(Rule.SELL_FAILS_SOMEWHERE, 25, words, f"{_hex(trip.pool)}: {trip.why}")


def _taxes(facts: Facts) -> tuple[int | None, int | None]:
    """The worst that was measured in any pool."""
    buys = [trip.buy_bps for trip in facts.trips if trip.buy_bps is not None]
    sells = [trip.sell_bps for trip in facts.trips if trip.sell_bps is not None]
    return max(buys, default=None), max(sells, default=None)


def _taxed(buy: int | None, sell: int | None) -> Iterator[Finding]:
    for rule, does, bps in ((Rule.BUY_TAX, "buying", buy), (Rule.SELL_TAX, "selling", sell)):
        if bps:
            weight = min(_HEAVIEST_TAX, 5 + bps // 40)
            yield Finding(rule, weight, f"{does} loses {percent(bps)} to the token's tax", f"{bps} bps, simulated")


def _powers(facts: Facts) -> Iterator[Finding]:
    if facts.codes is None:
        yield Finding(Rule.CODE_UNKNOWN, 30, "its code could not be read")
        return
    by_rule: dict[Rule, list[str]] = {}
    for rule, function in dict.fromkeys(power for code in facts.codes for power in code.powers):
        by_rule.setdefault(rule, []).append(function)
    renounced = facts.owner in BURNT
    for rule, functions in by_rule.items():
        words = WORDS[rule] + (", though its owner is nobody" if renounced else "")
        yield Finding(rule, _RENOUNCED if renounced else _POWER[rule], words, ", ".join(functions))
    if by_rule and facts.owner is None:
        yield Finding(Rule.OWNER_UNKNOWN, 5, "who may do that is not known: it names no owner")
    elif by_rule and not renounced:
        yield Finding(Rule.OWNED, 5, "it has an owner", _hex(facts.owner or ZERO_ADDRESS))


def _runs(facts: Facts) -> Iterator[Finding]:
    codes = facts.codes or ()
    if facts.proxy is not None:
        kind, target = facts.proxy
        minimal = kind == "minimal"
        if minimal:
            yield Finding(Rule.MINIMAL_PROXY, 5, "it runs another contract's code (EIP-1167)", _hex(target))
        else:
            words = "it is a proxy: its code can be replaced by any other"
            yield Finding(Rule.UPGRADABLE, 30, words, f"{kind} {_hex(target)}")
    elif any(code.delegates for code in codes):
        yield Finding(Rule.DELEGATECALL, 20, "it can run other contracts' code as its own", "DELEGATECALL")
    if any(code.destructs for code in codes):
        yield Finding(Rule.SELFDESTRUCT, 25, "it can destroy itself", "SELFDESTRUCT")


def _says(facts: Facts) -> Iterator[Finding]:
    said = facts.metadata
    bad = [name for name, text in (("symbol", said.symbol), ("name", said.name)) if not text or "\\" in text]
    bad += ["decimals"] if said.decimals is None else []
    if bad:
        words = f"what it says of itself can not be read or is not plain text ({', '.join(bad)})"
        yield Finding(Rule.METADATA, 15, words, f"{said.symbol} {said.name}".strip())
    if facts.ours is not None and said.decimals is not None and said.decimals != facts.ours.decimals:
        words = f"it has {said.decimals} decimals, the settings say {facts.ours.decimals}: amounts would be wrong"
        yield Finding(Rule.DECIMALS, 100, words)


def _liquidity(facts: Facts, rules: SafetyRules) -> Iterator[Finding]:
    if not facts.pools:
        yield Finding(Rule.NO_POOL, 50, "no exchange of the settings has a pool of it with a token of the settings")
        return
    if facts.depth is None:
        yield Finding(Rule.DEPTH_UNKNOWN, 10, "how deep its pools are is not known: nothing values the other side")
    elif facts.depth < rules.least_depth:
        words = f"its pools hold {to_text(facts.depth)} of other tokens, less than {to_text(rules.least_depth)}"
        yield Finding(Rule.THIN, 25, words, f"{facts.pools} pools")
    if facts.lock is None:
        yield Finding(Rule.LOCK_UNKNOWN, 10, "whether its liquidity can be taken out at once is not known")
    elif facts.lock.burnt_bps + facts.lock.locked_bps < rules.least_locked_bps:
        kept = percent(facts.lock.burnt_bps + facts.lock.locked_bps)
        words = f"its liquidity can be taken out: of its deepest V2 pool {kept} is burnt or in a known locker"
        yield Finding(Rule.REMOVABLE, 20, words, _hex(facts.lock.pool))


def _held(facts: Facts, rules: SafetyRules) -> Iterator[Finding]:
    held = facts.holders
    if held is None:
        yield Finding(Rule.HOLDERS_UNKNOWN, 10, "who holds it is not known")
    elif held.largest_bps > rules.most_largest_bps or held.ten_bps > rules.most_ten_bps:
        words = f"few hold most of it: the largest {percent(held.largest_bps)}, the ten largest {percent(held.ten_bps)}"
        yield Finding(Rule.CONCENTRATED, 20, words, f"{held.count} holders, the largest {_hex(held.largest)}")


def _hex(address: bytes) -> str:
    return f"0x{address.hex()}"
