"""Where files are: settings, logs, one database per profile, and what stands beside a database.

Every name derived from a database goes through its real path, so a link to a database and the database itself share
one lock, one stop file and one socket: two traders can not meet on it by two names.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Final

from app.errors import SafetyError, StorageError, UsageError

APP: Final = "countersign"

SOCKET_PATH_BYTES: Final = 103
"""Longest socket path that Linux (107) and macOS (103) both bind; `sun_path` is a fixed array, see unix(7)."""


def config_dir() -> Path:
    """Folder of the settings file."""
    from platformdirs import user_config_path  # noqa: PLC0415 -- `--help` needs no folder

    return user_config_path(APP)


def config_file() -> Path:
    """The settings file read when none is named."""
    return config_dir() / "config.toml"


def state_dir() -> Path:
    """Folder of what may be lost without harm."""
    from platformdirs import user_state_path  # noqa: PLC0415 -- as above

    return user_state_path(APP)


def log_dir() -> Path:
    """Folder of the log files."""
    return state_dir() / "log"


def data_dir() -> Path:
    """Folder of the databases."""
    from platformdirs import user_data_path  # noqa: PLC0415 -- as above

    return user_data_path(APP)


def database(profile: str) -> Path:
    """The database of a profile when none is named."""
    return data_dir() / f"{profile}.db"


def stop_file(db: Path) -> Path:
    """Exists while the emergency stop is latched."""
    return _beside(db, ".stop")


def head_file(db: Path) -> Path:
    """Mirror of the journal's head."""
    return _beside(db, ".head")


def screen_file(db: Path) -> Path:
    """What the terminal showed of the market last; may be lost without harm."""
    return _beside(db, ".screen")


def lock_file(db: Path) -> Path:
    """Held by the one trader of this database."""
    return _beside(db, ".lock")


def venue_db(db: Path) -> Path:
    """The paper venue's own database, ``paper.venue.db`` beside ``paper.db``."""
    real = _real(db)
    return real.with_name(f"{real.stem}.venue.db")


def socket_path(db: Path) -> Path:
    """The control socket of the trader on `db`; trader and commands compute the same path."""
    return _socket(_beside(db, ".sock"))


def venue_socket_path(db: Path) -> Path:
    """The socket of the paper venue of `db`."""
    return _socket(_beside(db, ".venue.sock"))


def open_socket_dir(socket: Path) -> None:
    """Make sure that the folder of `socket` can be trusted; called before binding and before connecting.

    A folder beside the database is the trader's own business. The short folder below /tmp is made 0700 where absent,
    and refused where it is a link or somebody else could write to it: they would see and answer our commands.

    Raises:
        SafetyError: the folder belongs to somebody else or is open to others.
        StorageError: it can not be made.
    """
    folder = socket.parent
    if folder != _short_dir():
        return
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise StorageError(
            "paths.socket",
            f"The socket folder {folder} can not be made: {error.strerror}.",
            next_step="Use a shorter --db path.",
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise SafetyError(
            "paths.socket",
            f"The socket folder {folder} belongs to user {found.st_uid} with mode {stat.S_IMODE(found.st_mode):o}; "
            f"allowed: a folder of user {os.getuid()} with mode 700.",
            next_step="Remove it, or use a shorter --db path.",
        )


def private_dir(folder: Path) -> Path:
    """`folder`, made with its parents where absent, 0700. A folder that exists keeps its mode: it may be shared on
    purpose; the files in it are 0600 anyway.

    Raises:
        StorageError: it can not be made or is not a folder.
    """
    try:
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        for parent in reversed(missing):
            parent.mkdir(mode=0o700, exist_ok=True)
            parent.chmod(0o700)
        if not folder.is_dir():
            raise NotADirectoryError(20, "not a folder")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StorageError(
            "paths.folder", f"The folder {folder} can not be used: {reason}.", next_step="Choose another with --db."
        ) from error
    return folder


def private_file(path: Path) -> Path:
    """`path`, made empty where absent, 0600 before anything is written to it.

    Raises:
        StorageError: it can not be made or changed.
    """
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        try:
            if stat.S_IMODE(os.fstat(number).st_mode) & 0o077:
                os.fchmod(number, 0o600)
        finally:
            os.close(number)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StorageError(
            "paths.file", f"The file {path} can not be used: {reason}.", next_step="Check its folder and its owner."
        ) from error
    return path


def _real(db: Path) -> Path:
    try:
        return Path(os.path.realpath(db))
    except (OSError, ValueError) as error:
        raise UsageError("paths.database", f"--db {str(db)!r} is not a path: {error}.") from error


def _beside(db: Path, suffix: str) -> Path:
    real = _real(db)
    return real.with_name(f"{real.name}{suffix}")


def _socket(path: Path) -> Path:
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        return path
    digest = hashlib.blake2b(os.fsencode(path), digest_size=12).hexdigest()
    return _short_dir() / f"{digest}.sock"


def _short_dir() -> Path:
    # Not XDG_RUNTIME_DIR and not TMPDIR: a trader started by cron or a service has other ones than the shell that wants
    # to stop it, and would be looked for in the wrong place.
    return Path("/tmp") / f"{APP}-{os.getuid()}"  # noqa: S108 -- ownership and mode are checked in open_socket_dir
