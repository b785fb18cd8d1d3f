"""What was found about a token, what that comes to, and whether it is bought all the same. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from app.text import escape_untrusted
from app.venues.evm.pools.state import At

BEST: Final = 100
_MOST_SHOWN: Final = 6
_MOST_EVIDENCE: Final = 160


class Rule(StrEnum):
    """What a finding is about."""

    NO_CODE = "no-code"
    HONEYPOT = "honeypot"
    BUY_FAILS = "buy-fails"
    SELL_FAILS_SOMEWHERE = "sell-fails-somewhere"
    NOT_TRIED = "not-tried"
    BUY_TAX = "buy-tax"
    SELL_TAX = "sell-tax"
    MINT = "mint"
    PAUSE = "pause"
    BLOCKLIST = "blocklist"
    SET_TAX = "set-tax"
    SET_LIMITS = "set-limits"
    OWNED = "owned"
    OWNER_UNKNOWN = "owner-unknown"
    UPGRADABLE = "upgradable"
    MINIMAL_PROXY = "minimal-proxy"
    DELEGATECALL = "delegatecall"
    SELFDESTRUCT = "selfdestruct"
    CODE_UNKNOWN = "code-unknown"
    METADATA = "metadata"
    DECIMALS = "decimals"
    NO_POOL = "no-pool"
    THIN = "thin"
    DEPTH_UNKNOWN = "depth-unknown"
    REMOVABLE = "removable"
    LOCK_UNKNOWN = "lock-unknown"
    CONCENTRATED = "concentrated"
    HOLDERS_UNKNOWN = "holders-unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that speaks against a token.

    Attributes:
        weight: 0 to 100, what it takes off the score.
        words: for the trader, one sentence without its full stop.
        evidence: what it rests on: an address, a selector, a share; escaped.
    """

    rule: Rule
    weight: int
    words: str
    evidence: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= BEST:
            raise ValueError(f"a weight is 0 to {BEST}, not {self.weight}")
        object.__setattr__(self, "evidence", escape_untrusted(self.evidence, _MOST_EVIDENCE))


@dataclass(frozen=True, slots=True)
class Safety:
    """All findings about a token at one block, heaviest first.

    Attributes:
        buy_bps, sell_bps: what a transfer out of a pool and into it loses, basis points; None: not measured.
    """

    token: bytes
    at: At
    findings: tuple[Finding, ...]
    buy_bps: int | None = None
    sell_bps: int | None = None

    @property
    def score(self) -> int:
        """0 to 100; a finding more never raises it."""
        return score(self.findings)

    def has(self, rule: Rule) -> bool:
        """Whether there is a finding of `rule`."""
        return any(finding.rule is rule for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """For the preview: the score and the heaviest findings."""
        return {
            "token": f"0x{self.token.hex()}",
            "block": self.at.number,
            "score": self.score,
            "buy_tax_bps": self.buy_bps,
            "sell_tax_bps": self.sell_bps,
            "findings": [
                {"rule": each.rule.value, "weight": each.weight, "words": each.words, "evidence": each.evidence}
                for each in self.findings[:_MOST_SHOWN]
            ],
            "more": max(0, len(self.findings) - _MOST_SHOWN),
        }


@dataclass(frozen=True, slots=True)
class SafetyRules:
    """When a token is not bought. The first five are hard: they hold for trusted tokens too.

    Attributes:
        refuse_honeypot: what was bought in a simulation could not be sold.
        refuse_buy_fails: it could not even be bought.
        refuse_untried: nothing could be simulated.
        most_buy_tax_bps, most_sell_tax_bps: of a transfer.
        least_score: below it, a token that is not trusted is not bought.
        least_depth: account currency, what its pools hold of the other tokens; less is a finding.
        least_locked_bps: share of a pool's liquidity that nobody can take out; less is a finding.
        most_largest_bps, most_ten_bps: share of the supply that the largest holder and the ten largest have; more is a
            finding.
    """

    refuse_honeypot: bool = True
    refuse_buy_fails: bool = True
    refuse_untried: bool = False
    most_buy_tax_bps: int = 1_000
    most_sell_tax_bps: int = 1_000
    least_score: int = 50
    least_depth: Decimal = Decimal(50_000)
    least_locked_bps: int = 8_000
    most_largest_bps: int = 2_000
    most_ten_bps: int = 5_000


def score(findings: Iterable[Finding]) -> int:
    """100 without any finding, less the weight of each, never below 0."""
    return max(0, BEST - sum(finding.weight for finding in findings))


def refusal(safety: Safety, rules: SafetyRules, *, trusted: bool = False) -> str | None:
    """Why a token is not bought, or None.

    Args:
        trusted: the trader's settings name it: the score is shown and refuses nothing.
    """
    hard = _hard(safety, rules)
    if hard:
        return f"Token safety: {'; '.join(hard)}."
    if trusted or safety.score >= rules.least_score:
        return None
    reasons = "; ".join(finding.words for finding in safety.findings[:_MOST_SHOWN])
    return f"Token safety: it scores {safety.score} of {BEST}, the least is {rules.least_score}: {reasons}."


def _hard(safety: Safety, rules: SafetyRules) -> list[str]:
    refused = {Rule.NO_CODE, Rule.DECIMALS}
    refused |= {Rule.HONEYPOT} if rules.refuse_honeypot else set()
    refused |= {Rule.BUY_FAILS} if rules.refuse_buy_fails else set()
    refused |= {Rule.NOT_TRIED} if rules.refuse_untried else set()
    found = [finding.words for finding in safety.findings if finding.rule in refused]
    for does, bps, most in (
        ("buying", safety.buy_bps, rules.most_buy_tax_bps),
        ("selling", safety.sell_bps, rules.most_sell_tax_bps),
    ):
        if bps is not None and bps > most:
            found.append(f"{does} loses {percent(bps)} to the token's tax, the most is {percent(most)}")
    return found


def percent(bps: int) -> str:
    """Basis points for reading."""
    return f"{bps // 100}.{bps % 100:02d}".rstrip("0").rstrip(".") + " %"
