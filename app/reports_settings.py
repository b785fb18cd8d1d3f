"""Settings as a screen shows them: value, source, meaning, and what was changed when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from storage.database import Reader

if TYPE_CHECKING:
    from app.config.load import Loaded

MOST: Final = 200
_LOOK: Final = "terminal."
_LOOKS: Final = "at once"
_LIMIT: Final = "at once when it becomes tighter, else at the next start"
_START: Final = "at the next start"


@dataclass(frozen=True, slots=True)
class SettingView:
    """One setting, canonical texts.

    Attributes:
        source: ``default``, the file, ``environment NAME`` or ``command line``.
        in_force: what the running session goes by; None where none runs.
        takes_effect: when a change of it counts.
        tightens_at_once: a limit of the gate, taken over by the running session when it becomes tighter.
        limit: making it looser needs the typed word.
    """

    key: str
    value: str
    source: str
    default: str | None
    in_force: str | None
    about: str
    allowed: str
    takes_effect: str
    tightens_at_once: bool
    limit: bool

    @property
    def section(self) -> str:
        """Its table: the first part of the key; "" at the top."""
        return self.key.rpartition(".")[0].split(".")[0]

    @property
    def waits(self) -> bool:
        """The session goes by another value until the next start."""
        return self.in_force is not None and self.in_force != self.value


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One journaled change; `ts_ms` is market time, `version` the settings version that it began."""

    seq: int
    ts_ms: int
    version: int
    key: str
    old: str | None
    new: str | None
    source: str


def settings(loaded: Loaded, in_force: Mapping[str, str] | None) -> tuple[SettingView, ...]:
    """Every setting, in the order of the schema."""
    from app.config.tree import default_flat, flatten  # noqa: PLC0415 -- pydantic behind it

    defaults = default_flat()
    flat = flatten(loaded.settings).items()
    return tuple(_view(key, value, loaded, in_force, defaults.get(key)) for key, value in flat)


def _view(key: str, value: str, loaded: Loaded, in_force: Mapping[str, str] | None, default: str | None) -> SettingView:
    from app.config.tree import find, is_limit  # noqa: PLC0415 -- as above
    from app.config_journal import LIMITS  # noqa: PLC0415 -- the engine behind it

    leaf = find(tuple(key.split(".")))
    assert leaf is not None  # both come from the schema
    tightens = key in LIMITS
    return SettingView(
        key=key,
        value=value,
        source=loaded.sources[key],
        default=default,
        in_force=None if in_force is None else in_force.get(key, ""),
        about=leaf.about,
        allowed=leaf.allowed,
        takes_effect=_LOOKS if key.startswith(_LOOK) else _LIMIT if tightens else _START,
        tightens_at_once=tightens,
        limit=is_limit(key),
    )


def changes(reader: Reader) -> tuple[ConfigChange, ...]:
    """What was changed, newest first."""
    rows = reader.rows(
        "SELECT c.seq, j.ts_ms, c.version, c.key, c.old, c.new, c.source FROM config_changes c "
        "JOIN journal j ON j.seq = c.seq ORDER BY c.rowid DESC LIMIT ?",
        (MOST,),
    )
    return tuple(ConfigChange(**row) for row in rows)
