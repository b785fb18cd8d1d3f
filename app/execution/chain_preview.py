"""What is shown beside the words of a trade's transactions, from its stored preview: simulation, price, gas, and what
stays allowed. One text for the terminal and for `countersign confirm`; `role` says how loud a line is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from app.money import from_text, mul, quantise
from app.text import escape_untrusted

UNCOVERED: Final = (
    "UNCOVERED: no exit rests on a chain. Nothing sells this position when the price falls: you have to close it."
)
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Said:
    """One line.

    Attributes:
        role: "up" and "down" are what the account gets and pays; "warn", "error" and "alarm" are as loud as they say.
    """

    text: str
    role: str = ""


def of_chain(preview: Mapping[str, Any]) -> bool:
    """Whether it is the preview of transactions."""
    return "chain" in preview


def lines(preview: Mapping[str, Any]) -> list[Said]:
    """The preview of a trade's transactions in words."""
    return [Said(escape_untrusted(each.text), each.role) for each in _lines(preview)]


def _lines(preview: Mapping[str, Any]) -> Iterator[Said]:
    if not preview.get("covered", False):
        yield Said(UNCOVERED, "alarm")
    yield from _simulation(preview)
    yield from _price(preview)
    yield _gas(preview)
    yield from _allowances(preview)
    yield from _safety(preview)


def _simulation(preview: Mapping[str, Any]) -> Iterator[Said]:
    if not preview.get("simulated", False):
        why = preview.get("not_simulated") or "no node can simulate it"
        yield Said(f"NOT SIMULATED: {str(why).rstrip('.')}. Nobody has tried what these transactions do.", "alarm")
    else:
        method = f" by {preview['method']}" if preview.get("method") else ""
        yield Said(f"Simulated on block {_grouped(preview['block'])} of {preview['chain']}{method}; it would change:")
        for asset, amount in preview.get("changes", ()):
            gets = not str(amount).startswith("-")
            yield Said(f"  {'+' if gets else ''}{amount} {asset}", "up" if gets else "down")
    if len(preview.get("nodes", ())) > 1:
        yield Said(f"{len(preview['nodes'])} nodes agree on it.")
    elif preview.get("alone"):
        yield Said(f"One node alone says so: {str(preview['alone']).rstrip('.')}.", "warn")


def _price(preview: Mapping[str, Any]) -> Iterator[Said]:
    asset = preview["quoted_asset"]
    pays = preview.get("bound_is") == "most"
    verb = "pays" if pays else "brings"
    bound = (
        f"; the transaction allows at {preview['bound_is']} {preview['bound']} {asset}" if "bound" in preview else ""
    )
    yield Said(f"Quoted: {verb} {preview['quoted']} {asset}{bound}.")
    yield Said(f"Price impact {preview['impact_bps']} bps, pool fee {preview['pool_fee_bps']} bps (both in the price).")


def _gas(preview: Mapping[str, Any]) -> Said:
    coin, rate = preview["gas_asset"], preview.get("gas_rate")
    expected, most = (f"{preview[key]} {coin}{money(preview[key], rate)}" for key in ("gas", "gas_most"))
    count = preview.get("transactions", 1)
    of = f" of all {count} transactions" if count > 1 else ""
    return Said(f"Gas{of}, on top: about {expected}, at most {most}.")


def _allowances(preview: Mapping[str, Any]) -> Iterator[Said]:
    left = [each for each in preview.get("allowances", ()) if str(each[2]) != "0"]
    for asset, spender, amount in left:
        yield Said(f"ALLOWANCE LEFT: {spender} may take {amount} {asset} more.", "warn")
    if preview.get("allowances") and not left:
        yield Said("No allowance is left afterwards.")


def _safety(preview: Mapping[str, Any]) -> Iterator[Said]:
    found = preview.get("safety")
    if not isinstance(found, Mapping):
        return
    yield Said(f"Token safety {found.get('score', '?')} of 100: findings, never a promise.", "warn")
    for finding in found.get("findings", ()):
        yield Said(f"  {finding['words']}", "warn")
    if found.get("more"):
        yield Said(f"  and {found['more']} more", "warn")


def money(amount: str, rate: str | None) -> str:
    """`` ($0.51)`` at `rate`, account currency for one; nothing without one."""
    if rate is None:
        return ""
    value = mul(from_text(amount), from_text(rate))
    if value and value < _CENT:
        return " (<$0.01)"
    return f" (${quantise(value, 2, ROUND_HALF_EVEN):,f})"


def _grouped(block: Any) -> str:
    return f"{block:,}" if isinstance(block, int) else str(block)
