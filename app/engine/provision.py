"""Opening a position of liquidity by hand: typed text becomes an act, or what is wrong with which field. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.engine.ticket import Problem
from app.money import ZERO, from_text, mul, to_text
from strategies.acts import Provide
from strategies.model import Instrument

FIELDS: Final = ("symbol", "fee", "lower", "upper", "base", "quote")
_NUMBER: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_PPM: Final = Decimal(10_000)
"""Of one percent."""


@dataclass(frozen=True, slots=True)
class Provision:
    """A position that is to be opened."""

    symbol: str
    act: Provide


def read(
    typed: Mapping[str, object],
    instruments: Mapping[str, Instrument],
    tiers: Sequence[int],
    decimals: Mapping[str, int],
) -> Provision | tuple[Problem, ...]:
    """What typed fields (`FIELDS`) say; or the problems.

    Args:
        tiers: fees of pools that have positions, hundredths of a basis point.
        decimals: of each asset.
    """
    problems = [Problem(name, "is no field of this", ", ".join(FIELDS)) for name in typed if name not in FIELDS]
    given = {name: str(typed.get(name) or "").strip() for name in FIELDS}
    instrument = instruments.get(given["symbol"].upper())
    if instrument is None:
        problems.append(Problem("symbol", "is no instrument of this session", ", ".join(sorted(instruments))))
    fee = _fee(given["fee"], tiers, problems)
    lower, upper = (_number(name, given[name], problems, above=True) for name in ("lower", "upper"))
    base, quote = (_number(name, given[name] or "0", problems, above=False) for name in ("base", "quote"))
    if lower is not None and upper is not None and not lower < upper:
        problems.append(Problem("upper", "must be above the lower price", f"above {to_text(lower)}"))
    if not (base or quote) and base is not None and quote is not None:
        problems.append(Problem("base", "or quote is needed: something must be put in", "above 0"))
    if instrument is not None:
        for name, asset, amount in (("base", instrument.base, base), ("quote", instrument.quote, quote)):
            if amount is not None and -int(amount.normalize().as_tuple().exponent) > decimals[asset]:
                problems.append(Problem(name, f"{asset} has {decimals[asset]} decimals", "no more of them"))
    if problems or instrument is None or fee is None or lower is None or upper is None or base is None or quote is None:
        return tuple(problems)
    return Provision(instrument.symbol, Provide(base, quote, fee, lower, upper))


def percents(tiers: Sequence[int]) -> str:
    """Fees as they are typed: ``0.05%, 0.3%``."""
    return ", ".join(f"{to_text(Decimal(each) / _PPM)}%" for each in sorted(set(tiers)))


def _fee(text: str, tiers: Sequence[int], problems: list[Problem]) -> int | None:
    allowed = percents(tiers) or "none: no exchange of the settings has positions of liquidity"
    number = text.removesuffix("%").strip()
    ppm = mul(from_text(to_text(Decimal(number))), _PPM) if _NUMBER.fullmatch(number) is not None else ZERO
    if ppm not in {Decimal(each) for each in tiers}:
        problems.append(Problem("fee", "is the fee of no pool" if text else "is needed", allowed))
        return None
    return int(ppm)


def _number(name: str, text: str, problems: list[Problem], *, above: bool) -> Decimal | None:
    allowed = "above 0" if above else "0 or more"
    if not text:
        problems.append(Problem(name, "is needed", allowed))
        return None
    if _NUMBER.fullmatch(text) is None:
        problems.append(Problem(name, f"{text[:40]!r} is no number", allowed))
        return None
    found = from_text(to_text(Decimal(text)))
    if found < ZERO or (above and not found):
        problems.append(Problem(name, f"{text[:40]} is too small", allowed))
        return None
    return found
