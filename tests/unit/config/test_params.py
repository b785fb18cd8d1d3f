"""A module's parameters against its own dataclass."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import pytest

from app.config.load import load, module_params
from app.errors import ConfigError


class Side(StrEnum):
    LONG = "long"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Params:
    lookback: int = 20
    threshold: float = 1.5
    minimum: Decimal = Decimal("0.1")
    side: Side = Side.LONG
    trail: bool = False
    windows: tuple[int, ...] = (5, 10)

    def __post_init__(self) -> None:
        if self.lookback < 2:
            raise ValueError(f"lookback = {self.lookback}: allowed are 2 to 500")


@dataclass(frozen=True, slots=True)
class Needs:
    symbol: str


KEY = "modules.momentum.params"


def test_parameters_of_the_settings_become_the_modules_own_type() -> None:
    flags = {
        f"{KEY}.lookback": "30",
        f"{KEY}.threshold": "2",
        f"{KEY}.minimum": '"0.25"',
        f"{KEY}.side": "both",
        f"{KEY}.trail": "true",
        f"{KEY}.windows": "[3, 4]",
    }
    loaded = load(None, {}, flags)
    table = loaded.settings.modules["momentum"].params
    params = module_params(Params, table, key=KEY, sources=loaded.sources)
    assert params == Params(30, 2.0, Decimal("0.25"), Side.BOTH, True, (3, 4))
    assert isinstance(params.threshold, float)
    assert module_params(Params, {}) == Params()


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("lokback", 1, ["lokback = 1", "is not a parameter", "lookback, threshold"]),
        ("lookback", "30", ['lookback = "30"', "a whole number"]),
        ("lookback", 30.0, ["lookback = 30.0", "a whole number"]),
        ("lookback", True, ["lookback = true", "a whole number"]),
        ("lookback", 1, ["lookback = 1", "allowed are 2 to 500"]),
        ("threshold", float("nan"), ["threshold = nan", "a finite number"]),
        ("threshold", "1", ['threshold = "1"', "a finite number"]),
        ("minimum", 0.1, ["minimum = 0.1", "quoted amount"]),
        ("minimum", 1, ["minimum = 1", "quoted amount"]),
        ("minimum", "NaN", ['minimum = "NaN"', "quoted amount"]),
        ("side", "short", ['side = "short"', "Side"]),
        ("trail", 1, ["trail = 1", "true or false"]),
        ("windows", (1, "2"), ["windows = a list", "tuple[int, ...]"]),
    ],
)
def test_a_wrong_parameter_is_named_with_source_value_and_what_is_allowed(
    name: str, value: object, parts: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        module_params(Params, {name: value}, key=KEY, sources={f"{KEY}.{name}": "/etc/c.toml"})
    assert caught.value.what.startswith(f"/etc/c.toml: {KEY}")
    assert all(part in caught.value.what for part in parts)


def test_all_wrong_parameters_are_told_at_once_and_a_missing_one_too() -> None:
    with pytest.raises(ConfigError) as caught:
        module_params(Params, {"lookback": "x", "trail": "x", "zzz": 1})
    assert len(caught.value.what.splitlines()) == 3
    with pytest.raises(ConfigError, match=r"params\.symbol: is missing; allowed: quoted text"):
        module_params(Needs, {})
