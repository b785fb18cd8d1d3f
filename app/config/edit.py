"""Changing one setting in the file: comments and order stay, the whole result is validated first, and a power cut
leaves the old file or the new one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import paths
from app.errors import ConfigError, StorageError
from app.text import escape_untrusted

if TYPE_CHECKING:
    from app.config.load import Loaded


def set_value(
    path: Path,
    key: str,
    text: str,
    check: Callable[[Loaded], object] = lambda _: None,
    *,
    expected: str | None = None,
) -> tuple[str, str]:
    """Set `key` to `text` (its canonical or any accepted form, without quotes) in the file at `path`.

    The file is made where absent, a link followed; the result is 0600. Two changes at once wait for one another.

    Args:
        check: what the schema can not judge (a module's own parameters); raises a `ConfigError` of its own.
        expected: the canonical text that the change was judged against; another one there now is refused.

    Returns:
        The canonical text before (of file and defaults) and after.

    Raises:
        ConfigError: the key, the value, or the file as it is or would become; nothing was changed then.
        StorageError: folder or disk; nothing was changed either.
    """
    from app.config import load, problems, sources, tree  # noqa: PLC0415 -- the schema loads pydantic
    from app.config.values import from_argument  # noqa: PLC0415 -- with it

    change = sources.read_overrides({key: text})
    parts = tuple(key.split("."))
    leaf = tree.find(parts)
    if change.problems or leaf is None:
        raise problems.refuse(change.problems)
    real = Path(os.path.realpath(path))
    with _locked(_folder(real.parent)):
        content, unread = sources.read_file(real) if os.path.lexists(real) else (b"", [])
        if unread:
            raise problems.refuse(unread)
        old_text = tree.flatten(load.combine(path, sources.parse(path, content)).settings).get(key, "")
        if expected is not None and old_text != expected:
            raise _changed(path, key, old_text, expected)
        # Judged as the command line first, so that the message names what was typed and not the file.
        after = load.combine(path, sources.parse(path, content), change)
        check(after)
        new_text = tree.flatten(after.settings)[key]
        edited = _edit(content.decode("utf-8"), parts, from_argument(leaf.kind, new_text))
        written = load.combine(path, sources.parse(path, edited))
        if written.settings != after.settings:
            raise _by_hand(path, key)
        _replace(real, edited)
    return old_text, new_text


def _edit(document: str, parts: tuple[str, ...], value: object) -> bytes:
    """`document` with one value changed, everything else byte for byte."""
    import tomlkit  # noqa: PLC0415 -- 30 ms, and only `config set` needs it
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415 -- with it
    from tomlkit.items import InlineTable  # noqa: PLC0415 -- with it

    try:
        parsed = tomlkit.parse(document)
        table: Any = parsed
        for part in parts[:-1]:
            if part not in table:
                table[part] = tomlkit.inline_table() if isinstance(table, InlineTable) else tomlkit.table()
            table = table[part]
        table[parts[-1]] = value
        edited = tomlkit.dumps(parsed)
        # tomlkit has known faults with dotted keys and tables out of order: believe the standard library instead.
        if _without(tomllib.loads(edited), parts) != _without(tomllib.loads(document), parts):
            raise _by_hand(None, ".".join(parts))
    except (TOMLKitError, ValueError, TypeError, KeyError) as error:
        raise _by_hand(None, ".".join(parts)) from error
    return edited.encode("utf-8")


def _without(tree: dict[str, Any], parts: tuple[str, ...]) -> dict[str, Any]:
    """`tree` without the value at `parts` and without tables that are empty then."""
    rest = {name: value for name, value in tree.items() if name != parts[0]}
    below = tree.get(parts[0])
    if len(parts) > 1 and isinstance(below, dict) and (kept := _without(below, parts[1:])):
        rest[parts[0]] = kept
    return rest


def _changed(path: Path, key: str, now: str, expected: str) -> ConfigError:
    return ConfigError(
        "config.changed",
        f"{escape_untrusted(str(path))}: {key} is {now or 'not set'} now, and was {expected or 'not set'} when the "
        "change was looked at: somebody else changed it.",
        next_step="Nothing was changed. Look at it again.",
    )


def _by_hand(path: Path | None, key: str) -> ConfigError:
    where = escape_untrusted(str(path)) if path else "The settings file"
    return ConfigError(
        "config.edit",
        f"{where} is laid out in a way that `config set` can not change {key} in without touching other settings.",
        next_step="Nothing was changed. Edit the file by hand and run `countersign config check`.",
    )


def _folder(folder: Path) -> Path:
    try:
        return paths.private_dir(folder)
    except StorageError as error:
        raise StorageError(error.code, error.what, next_step="Name a settings file elsewhere with --config.") from error


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One writer at a time. The folder is locked, not the file, which is about to be replaced."""
    number = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def _replace(path: Path, content: bytes) -> None:
    """Write beside, sync, rename, sync the folder: the recipe of rename(2) for a change that is whole or not at all."""
    temporary = None
    try:
        number, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600 by contract
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(number)
        os.replace(temporary, path)
        temporary = None
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StorageError(
            "config.write",
            f"{escape_untrusted(str(path))} can not be written: {error.strerror}.",
            next_step="The old settings are untouched. Make room, or name another file with --config.",
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
