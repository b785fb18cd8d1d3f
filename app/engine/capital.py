"""The trader's capital and its modules' shares of it: what may be given, and when it is nearly used up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from app.config.schema import ModuleSettings
from app.errors import SafetyError
from app.money import ZERO, mul, to_text, total

_NEARLY: Final = Decimal("0.95")
_QUIET_MS: Final = 3_600_000
"""How long the same alert is not repeated, market time."""


def allocated(modules: Mapping[str, ModuleSettings]) -> Decimal:
    """What the enabled modules have together, account currency."""
    return total([each.allocation for each in modules.values() if each.enabled])


def check_total(modules: Mapping[str, ModuleSettings], capital: Decimal) -> None:
    """Refuse shares that are more than there is.

    Raises:
        SafetyError: with both numbers; nothing was changed.
    """
    given = allocated(modules)
    if given > capital:
        raise SafetyError(
            "capital.total",
            f"The enabled modules would have {to_text(given)} together; capital.total is {to_text(capital)}.",
            next_step="Nothing was changed. Give another module less, or: countersign config set capital.total AMOUNT",
        )


@dataclass(frozen=True, slots=True)
class Nearly:
    """One share that is nearly used up. `subject` is the module, or "" for the whole capital."""

    subject: str
    text: str


@dataclass(slots=True)
class CapitalWatch:
    """Says once an hour what is nearly used up."""

    _told: dict[str, int] = field(default_factory=dict)

    def due(self, found: Iterable[Nearly], now_ms: int) -> list[Nearly]:
        """Those of `found` that were not told within the hour; they count as told now."""
        new = [each for each in found if now_ms - self._told.get(each.subject, -_QUIET_MS) >= _QUIET_MS]
        self._told |= {each.subject: now_ms for each in new}
        return new


def nearly(modules: Mapping[str, ModuleSettings], committed: Mapping[str, Decimal], capital: Decimal) -> list[Nearly]:
    """What has reached 95 %: the modules' shares of the capital, and what a module has at work of its share."""
    given, found = allocated(modules), []
    if given >= mul(capital, _NEARLY):
        text = f"{to_text(given)} of {to_text(capital)} is allocated to modules."
        found.append(Nearly("", text))
    for name, amount in sorted(committed.items()):
        share = modules[name].allocation
        if amount > ZERO and amount >= mul(share, _NEARLY):
            found.append(Nearly(name, f"{name} has {to_text(amount)} of its {to_text(share)} at work."))
    return found
