"""What is shown beside the words of a trade's transactions, from its stored preview: simulation, price, gas, and what
stays allowed. One text for the terminal and for `countersign confirm`; `role` says how loud a line is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from app.money import from_text, mul, quantise
from app.text import escape_untrusted

UNCOVERED: Final = (
    "UNCOVERED until you sign its standing exit: no exit rests on a chain. Right after the purchase a sale is proposed "
    "that goes when the price falls to {stop}. Without it nothing sells this position: you have to close it."
)
KEPT: Final = (
    "It is not sent now. countersign keeps it, watches the price and sends it when it is reached: only while it runs."
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
        yield Said(UNCOVERED.format(stop=preview.get("stop") or "its stop"), "alarm")
    if preview.get("standing"):
        yield Said(KEPT, "warn")
    yield from _simulation(preview)
    yield from _price(preview)
    yield _gas(preview)
    yield from _allowances(preview)
    yield from _mempool(preview)
    yield from _safety(preview)


def _simulation(preview: Mapping[str, Any]) -> Iterator[Said]:
    if not preview.get("simulated", False):
        why = preview.get("not_simulated") or "no node can simulate it"
        yield Said(f"NOT SIMULATED: {str(why).rstrip('.')}. Nobody has tried what these transactions do.", "alarm")
    else:
        method = f" by {preview['method']}" if preview.get("method") else ""
        changes = preview.get("changes", ())
        what = "it would change:" if changes else "it would move nothing but gas."
        yield Said(f"Simulated on block {_grouped(preview['block'])} of {preview['chain']}{method}; {what}")
        for asset, amount in changes:
            gets = not str(amount).startswith("-")
            yield Said(f"  {'+' if gets else ''}{amount} {asset}", "up" if gets else "down")
    if len(preview.get("nodes", ())) > 1:
        yield Said(f"{len(preview['nodes'])} nodes agree on it.")
    elif preview.get("alone"):
        yield Said(f"One node alone says so: {str(preview['alone']).rstrip('.')}.", "warn")


def _price(preview: Mapping[str, Any]) -> Iterator[Said]:
    asset = preview.get("quoted_asset")
    if asset is None:
        return  # what neither pays nor brings anything has no price
    pays = preview.get("bound_is") == "most"
    verb = "pays" if pays else "brings"
    bound = (
        f"; the transaction allows at {preview['bound_is']} {preview['bound']} {asset}" if "bound" in preview else ""
    )
    yield Said(f"Quoted: {verb} {preview['quoted']} {asset}{bound}.")
    yield Said(f"Price impact {preview['impact_bps']} bps, pool fee {preview['pool_fee_bps']} bps (both in the price).")
    if preview.get("unread_pools"):
        yield Said(f"Pools left out, whose liquidity was not read far enough: {preview['unread_pools']}.", "warn")


def _gas(preview: Mapping[str, Any]) -> Said:
    coin, rate = preview["gas_asset"], preview.get("gas_rate")
    expected, most = (f"{preview[key]} {coin}{money(preview[key], rate)}" for key in ("gas", "gas_most"))
    count = preview.get("transactions", 1)
    of = f" of all {count} transactions" if count > 1 else ""
    return Said(f"Gas{of}, on top: about {expected}, at most {most}.")


def _allowances(preview: Mapping[str, Any]) -> Iterator[Said]:
    left = [each for each in preview.get("allowances", ()) if str(each[2]) != "0"]
    for asset, spender, amount, *until in left:
        end = f" until {until[0]} UTC" if until else ""
        yield Said(f"ALLOWANCE LEFT: {spender} may take {amount} {asset} more{end}.", "warn")
    if preview.get("allowances") and not left:
        held = "While it stands, the router may take what it sells; " if preview.get("standing") else ""
        yield Said(f"{held}{'no' if held else 'No'} allowance is left afterwards.", "warn" if held else "")


def _safety(preview: Mapping[str, Any]) -> Iterator[Said]:
    found = preview.get("safety")
    if not isinstance(found, Mapping):
        return
    yield Said(f"Token safety {found.get('score', '?')} of 100: findings, never a promise.", "warn")
    for finding in found.get("findings", ()):
        yield Said(f"  {finding['words']}", "warn")
    if found.get("more"):
        yield Said(f"  and {found['more']} more", "warn")


_NOT_MINED: Final = {
    "never": "it stays private and you are told",
    "ask": "it stays private, you are told, and may publish it",
    "public": "IT IS PUBLISHED by itself: others can see it then",
}


def _mempool(preview: Mapping[str, Any]) -> Iterator[Said]:
    """Who sees it before it is mined, and what that could cost."""
    if "private" not in preview:
        return  # confirmed by an older version
    way, found = preview["private"], preview.get("sandwich")
    if preview.get("empty"):
        yield Said("Sent to the public mempool: it does nothing that others could use.")
    elif way is None:
        yield Said("Sent to the public mempool: others can see it before it is mined.", "warn")
    else:
        yield Said(f"Sent privately through {way['host']}: not visible to others before it is mined.")
        role = "warn" if way["fallback"] == "public" else ""
        yield Said(f"If no block of the next {way['blocks']} takes it: {_NOT_MINED.get(way['fallback'], '?')}.", role)
    if isinstance(found, Mapping):
        yield _sandwich(found, hidden=way is not None)


def _sandwich(found: Mapping[str, Any], *, hidden: bool) -> Said:
    asset = found["asset"]
    if str(found["lost"]) == "0":
        return Said(f"No sandwich of it pays in these pools; its bound would let go of {found['most']} {asset}.")
    keeps = " and ".join(f"{amount} {symbol}" for symbol, amount in found["keeps"])
    after = "after gas" if found.get("gas_known") else "before gas"
    text = f"could take up to {found['lost']} {asset} ({found['bps']} bps); its maker would keep {keeps} {after}."
    return Said(f"Were it seen, a sandwich {text}") if hidden else Said(f"A sandwich {text}", "warn")


def displaced(symbols: Iterable[str]) -> str:
    """What a trade's nonce does to standing exits; "" where it does nothing."""
    each = ", ".join(symbols)
    if not each:
        return ""
    return f"This replaces the signed standing exit of {each}: UNCOVERED once it is sent, until that is signed again."


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
