"""What the parameters of our modules have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Bounds = Mapping[str, tuple[float, float]]
"""Least and most of each field, both allowed."""


def check_bounds(params: Any, bounds: Bounds) -> None:
    """For a params dataclass whose fields are ints and floats.

    Raises:
        ValueError: a field is no number, not whole where it must be, or outside its bounds: field, value, allowed.
    """
    for name, (least, most) in bounds.items():
        value = getattr(params, name)
        whole = params.__dataclass_fields__[name].type == "int"
        kind = "a whole number" if whole else "a number"
        number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not (number and least <= value <= most):
            raise ValueError(f"{name} is {value!r}; allowed: {kind} from {least} to {most}")
