"""The settings as a flat list of keys, derived from the schema: what exists, how it is written, what is allowed.

pydantic loads with the first call, not with the import.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

from app.config.values import Kind, canonical, dotted, from_argument, read_amount, toml_literal
from app.errors import ConfigError
from app.money import sub, to_text

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from app.config.schema import Settings

Path = tuple[str, ...]

ASSET: Final = "<asset>"
CHAIN: Final = "<chain>"
DEX: Final = "<exchange>"
INSTRUMENT: Final = "<instrument>"
MODULE: Final = "<module>"
PARAM: Final = "<param>"
WATCHED: Final = "<name>"
NAME_RULES: Final = {
    ASSET: "1 to 20 letters and digits",
    CHAIN: "lower-case letters, digits and -, beginning with a letter, at most 32; not anvil, the practice chain",
    DEX: "lower-case letters, digits and -, beginning with a letter, at most 40",
    INSTRUMENT: "BASE-QUOTE or BASE-QUOTE-PERP",
    MODULE: "lower-case letters, digits, _ and -, beginning with a letter, at most 32; not manual, the trader's own",
    PARAM: "lower-case letters, digits and _, beginning with a letter, at most 64",
    WATCHED: "lower-case letters, digits and -, beginning with a letter, at most 24",
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting. `pattern` has ``<asset>`` and the like where the trader chooses the name."""

    pattern: Path
    kind: Kind
    allowed: str
    about: str

    def matches(self, parts: Path) -> bool:
        """Whether `parts` names this setting."""
        return len(parts) == len(self.pattern) and all(
            wanted == part or (wanted in NAME_RULES and part != "")
            for wanted, part in zip(self.pattern, parts, strict=True)
        )


@lru_cache(maxsize=1)
def leaves() -> tuple[Leaf, ...]:
    """Every setting, in the order of the schema."""
    from app.config.schema import Settings  # noqa: PLC0415 -- pydantic, 0.1 s

    return tuple(_walk(Settings, ()))


@lru_cache(maxsize=1024)
def find(parts: Path) -> Leaf | None:
    """The setting that `parts` names."""
    return next((leaf for leaf in leaves() if leaf.matches(parts)), None)


@lru_cache(maxsize=1)
def sections() -> frozenset[Path]:
    """Every pattern that is a table."""
    return frozenset(leaf.pattern[:end] for leaf in leaves() for end in range(1, len(leaf.pattern)))


def flatten(settings: Settings) -> dict[str, str]:
    """``{"risk.position": "10", ...}``: every setting with its canonical text, in schema order, names sorted."""
    return {dotted(parts): text for parts, _, text in _values(settings, ())}


def version_digest(settings: Settings) -> str:
    """SHA-256 (hex) of the flattened settings: the identity of a config version. Independent of order and layout."""
    return hashlib.sha256(json.dumps(flatten(settings), sort_keys=True).encode()).hexdigest()


def to_toml(settings: Settings) -> str:
    """The settings as a file that `load` reads back to equal ones."""
    tables: dict[Path, list[str]] = {}
    for parts, kind, text in _values(settings, ()):
        tables.setdefault(parts[:-1], []).append(f"{parts[-1]} = {toml_literal(kind, text)}")
    blocks = [(f"[{dotted(table)}]\n" if table else "") + "\n".join(lines) for table, lines in tables.items()]
    return "\n\n".join(blocks) + "\n"


@lru_cache(maxsize=1)
def default_flat() -> Mapping[str, str]:
    """`flatten` of the defaults."""
    from app.config.schema import Settings  # noqa: PLC0415 -- pydantic, 0.1 s

    return flatten(Settings())


def default_tree() -> dict[str, Any]:
    """The defaults as TOML would give them; a fresh copy."""
    tree: dict[str, Any] = {}
    for key, text in default_flat().items():
        parts = tuple(key.split("."))
        leaf = find(parts)
        assert leaf is not None  # both come from the schema
        put(tree, parts, from_argument(leaf.kind, text))
    return tree


def put(tree: dict[str, Any], parts: Path, value: object) -> None:
    """Set one value, making tables on the way; what is not a table on the way is replaced."""
    for part in parts[:-1]:
        below = tree.get(part)
        if not isinstance(below, dict):
            below = tree[part] = {}
        tree = below
    tree[parts[-1]] = value


def look_up(tree: object, parts: tuple[object, ...]) -> object:
    """The value at `parts`, or None."""
    for part in parts:
        if isinstance(tree, dict):
            tree = tree.get(part)
        elif isinstance(tree, list) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        else:
            return None
    return tree


# Directions. +1: a larger number is tighter. A rate can loosen one limit while it tightens another, so it never counts
# as a tightening.
_TIGHTER: Final[dict[Path, int]] = {
    ("risk", "position"): -1,
    ("risk", "position_pct"): -1,
    ("risk", "exposure"): -1,
    ("risk", "exposure_pct"): -1,
    ("risk", "asset_exposure"): -1,
    ("risk", "venue_exposure"): -1,
    ("risk", "correlation"): -1,
    ("risk", "correlated_exposure"): -1,
    ("risk", "open_positions"): -1,
    ("risk", "daily_loss"): -1,
    ("risk", "daily_loss_pct"): -1,
    ("risk", "drawdown_pct"): -1,
    ("risk", "trades_per_day"): -1,
    ("risk", "losses_in_row"): -1,
    ("risk", "errors"): -1,
    ("risk", "error_window_min"): 1,
    ("risk", "spread_bps"): -1,
    ("risk", "volatility_pct"): -1,
    ("risk", "quote_age_ms"): -1,
    ("risk", "slippage_bps"): -1,
    ("risk", "cool_down_min"): 1,
    ("risk", "adaptive"): 1,
    ("risk", "rates", ASSET): 0,
    ("trade", "slippage_bps"): -1,
    ("trade", "quote_age_ms"): -1,
    ("trade", "time_in_force_ms"): -1,
    ("trade", "proposal_expiry_ms"): -1,
    ("trade", "authorisation_validity_ms"): -1,
    ("fatigue", "confirmations"): -1,
    ("fatigue", "window_min"): 1,
    ("fatigue", "pause_min"): 1,
    ("fatigue", "large_value"): -1,
    ("capital", "total"): -1,
    ("modules", MODULE, "allocation"): -1,
    ("chains", CHAIN, "gas_cap_gwei"): -1,
    ("chains", CHAIN, "gas_cap"): -1,
    ("chains", CHAIN, "quorum"): 1,
    ("chains", CHAIN, "confirmations"): 1,
    ("manual", "allocation"): -1,
    ("signer", "blind_value"): -1,
    ("signer", "hot", "enabled"): -1,
    ("signer", "hot", "per_trade"): -1,
    ("signer", "hot", "per_day"): -1,
}


def is_tightening(old: str, new: str, key: str) -> bool | None:
    """Whether going from `old` to `new` (canonical texts) makes limit `key` tighter.

    Returns:
        True tighter; False looser, which needs the trader's typed word; None not a limit, or no change.

    Raises:
        ConfigError: `key` is no setting.
    """
    leaf = find(tuple(key.split(".")))
    if leaf is None:
        raise ConfigError("config.key", f"{dotted(tuple(key.split('.')))} is not a setting.")
    direction = _TIGHTER.get(leaf.pattern)
    if direction is None or old == new:
        return None
    if leaf.kind is Kind.SWITCH:
        return (new == "true") is (direction > 0)
    try:
        return sub(read_amount(new), read_amount(old)) * direction > 0
    except ValueError:
        return False  # a limit that was not there, or is gone: nothing says that it is tighter now


def is_limit(key: str) -> bool:
    """Whether making this setting looser needs the trader's typed word."""
    leaf = find(tuple(key.split(".")))
    return leaf is not None and leaf.pattern in _TIGHTER


def _walk(model: type[BaseModel], prefix: Path) -> Iterator[Leaf]:
    for name, field in model.model_fields.items():
        yield from _expand((*prefix, name), field, field.description or "")


def _expand(pattern: Path, field: FieldInfo, about: str) -> Iterator[Leaf]:
    from pydantic import BaseModel  # noqa: PLC0415 -- loaded already by the schema
    from pydantic.fields import FieldInfo  # noqa: PLC0415 -- same reason

    annotation: Any = field.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _walk(annotation, pattern)
    elif get_origin(annotation) is Mapping:
        key, value = get_args(annotation)
        yield from _expand((*pattern, _wildcard(key)), FieldInfo.from_annotation(value), about)
    else:
        yield Leaf(pattern, _kind(annotation), _allowed(field), about)


def _wildcard(key: object) -> str:
    from app.config import chains, schema, section  # noqa: PLC0415 -- loaded already

    known = (
        (section.AssetName, ASSET),
        (section.Symbol, INSTRUMENT),
        (schema.ModuleName, MODULE),
        (chains.ChainName, CHAIN),
        (chains.DexName, DEX),
        (chains.WatchedName, WATCHED),
    )
    return next((name for annotated, name in known if annotated == key), PARAM)


def _kind(annotation: Any) -> Kind:
    annotation = _bare(annotation)
    if annotation is Decimal:
        return Kind.AMOUNT
    if get_origin(annotation) is tuple:
        return Kind.LIST
    return {bool: Kind.SWITCH, int: Kind.INTEGER, Any: Kind.FREE}.get(annotation, Kind.TEXT)


def _bare(annotation: Any) -> Any:
    """Without what may be absent: ``int`` of ``int | None``."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    choices = [each for each in get_args(annotation) if each is not type(None)]
    return _bare(choices[0]) if get_origin(annotation) in {Union, UnionType} and len(choices) == 1 else annotation


def _allowed(field: FieldInfo) -> str:
    """What a value may be, in words."""
    annotation = _bare(field.annotation)
    note = next((item for item in field.metadata if isinstance(item, str)), None)
    if note is not None:
        return note
    if get_origin(annotation) is Literal:
        return ", ".join(f'"{choice}"' for choice in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(f'"{choice.value}"' for choice in annotation)
    kind = _kind(annotation)
    if kind is Kind.SWITCH:
        return "true or false"
    if kind is Kind.TEXT:
        return NAME_RULES[ASSET]
    words = 'a quoted amount such as "1.5"' if kind is Kind.AMOUNT else "a whole number"
    return f"{words}{_bounds(field)}"


def _bounds(field: FieldInfo) -> str:
    bounds = {
        name: getattr(item, name) for item in field.metadata for name in ("gt", "ge", "le") if hasattr(item, name)
    }
    low = f" above {_plain(bounds['gt'])}" if "gt" in bounds else f" from {_plain(bounds['ge'])}"
    return f"{low} to {_plain(bounds['le'])}"


def _plain(bound: object) -> str:
    return to_text(bound) if isinstance(bound, Decimal) else str(bound)


def _values(model: object, prefix: Path) -> Iterator[tuple[Path, Kind, str]]:
    fields: Mapping[str, Any] = model if isinstance(model, Mapping) else dict(model)  # type: ignore[call-overload]  # a model
    for name, value in sorted(fields.items()) if isinstance(model, Mapping) else fields.items():
        parts = (*prefix, name)
        leaf = find(parts)
        if leaf is None:
            yield from _values(value, parts)
        elif value is not None:
            yield parts, leaf.kind, canonical(leaf.kind, value)
