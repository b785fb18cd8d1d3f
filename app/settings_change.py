"""Changing a setting, for ``config set`` and for the Settings screen: what it would do is worked out first, so that
both ask for the same word and say the same doubts before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.money import ZERO, from_text

if TYPE_CHECKING:
    from app.config.load import Loaded

WORD: Final = "LOOSEN"
"""What a trader types to make a limit looser."""
_HOT: Final = (
    "signer.hot.enabled lets a HOT key sign: whoever gets into this computer can take what the key holds, and no "
    "device shows what is signed. Keep little money behind it."
)


@dataclass(frozen=True, slots=True)
class Change:
    """A setting about to change, in canonical texts; `old` is the file's or the default, "" where there is none.

    Attributes:
        loosens: it makes a limit looser, which needs `WORD`.
        doubts: what a session would accept and a trader hardly means.
    """

    path: Path
    key: str
    old: str
    new: str
    loosens: bool
    doubts: tuple[str, ...]


def consider(path: Path, key: str, text: str) -> Change:
    """What setting `key` to `text` in the file at `path` would do. Nothing is written. What a variable or a flag covers
    up does not count: they may be gone at the next start.

    Raises:
        ConfigError, UsageError: the key, the value, or the file as it is or would become.
    """
    from app.config.load import load  # noqa: PLC0415 -- pydantic behind it, 0.1 s
    from app.config.tree import flatten, is_tightening  # noqa: PLC0415 -- with it

    before = on_file(path, key)
    after = load(path if path.exists() else None, {}, {key: text})
    doubts = judge(after)
    new = flatten(after.settings)[key]
    loosens = is_tightening(str(before), new, key) is False
    return Change(path, key, before or "", new, loosens, tuple(doubts))


def on_file(path: Path, key: str) -> str | None:
    """What the file at `path` or the default says of `key`, as canonical text; None where neither does.

    Raises:
        ConfigError: the file as it is.
    """
    from app.config.load import load  # noqa: PLC0415 -- as above
    from app.config.tree import flatten  # noqa: PLC0415 -- as above

    return flatten(load(path if path.exists() else None, {}, {}).settings).get(key)


def gives_more(path: Path, module: str, now: Decimal, wanted: Decimal) -> bool:
    """Whether `wanted` is more capital than `module` has `now`, or than the file gives it: where a variable or a flag
    covers that up, it may be gone at the next start. More needs `WORD`.

    Raises:
        ConfigError: the file as it is.
    """
    given = on_file(path, f"modules.{module}.allocation")
    return wanted > min(now, ZERO if given is None else from_text(given))


def write(change: Change) -> tuple[str, str]:
    """Write a considered change; whoever calls has asked for the word. Returns the texts before and after.

    Raises:
        ConfigError, UsageError: the file changed since, or can not be changed; nothing was written.
        StorageError: folder or disk; nothing was written either.
    """
    from app.config.edit import set_value  # noqa: PLC0415 -- only to change something

    return set_value(change.path, change.key, change.new, judge, expected=change.old)


def judge(loaded: Loaded) -> list[str]:
    """What a session would refuse beyond the schema: modules, their parameters, the practice market's bars.

    Returns:
        What it would accept and a trader hardly means.

    Raises:
        ConfigError, UsageError: in the words of `run`.
    """
    from app.engine.registry import resolve  # noqa: PLC0415 -- imports the modules
    from app.market.naming import parse_timeframe  # noqa: PLC0415 -- with it
    from app.market.practice import PracticeSource  # noqa: PLC0415 -- with it

    modules, market, hot = resolve(loaded), loaded.settings.market, loaded.settings.signer.hot
    source = PracticeSource(market.seed, start_ms=0, timeframe_ms=parse_timeframe(market.timeframe))
    known = {"*", *(instrument.symbol for instrument in source.instruments)}
    doubts = [_HOT] if hot.enabled else []
    doubts += [
        f"modules.{name} is enabled and unavailable, so a session runs without it: {why}"
        for name, why in modules.unavailable.items()
    ]
    return doubts + [
        f"modules.{each.name}.instruments = {', '.join(each.settings.instruments)}: the practice market has none of "
        "these, so the module trades in a replay only"
        for each in modules.ready
        if not known & set(each.settings.instruments)
    ]
