"""The emergency stop on disk: ``<db>.stop``. It outlives every process, and is looked at synchronously right before
each signature and each send. Whoever can create a file beside the database can stop the trader."""

from __future__ import annotations

import os
from pathlib import Path

from app.errors import SafetyError


class StopFlag:
    """The flag of one database."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".stop")
        self._without_file = False

    def raised(self) -> bool:
        """Whether the stop is in force; 2 us."""
        return self._without_file or os.path.lexists(self.path)

    def check(self) -> None:
        """Refuse to go on while the stop is in force.

        Raises:
            SafetyError: it is.
        """
        if self.raised():
            raise SafetyError(
                "stop.in_force", "The emergency stop is in force.", next_step="Lift it with: countersign stop --reset"
            )

    def create(self, reason: str) -> str:
        """Put the stop in force, durably, before returning. Repeating it does no harm.

        Returns:
            Why it may not outlive this process or a power cut (a full disk, a folder that can not be written), or "".
            In this process it is in force in any case; for others the file's existence alone counts.
        """
        why = ""
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, f"{reason}\n".encode())
                os.fsync(fd)
            finally:
                os.close(fd)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            why = error.strerror or str(error)
        self._without_file = not os.path.lexists(self.path)
        return why

    def forget(self) -> None:
        """The stop is being lifted: one that no file could be made for ends here; a file still counts."""
        self._without_file = False

    def lift(self) -> None:
        """Remove the flag; the caller has asked for the typed word and journaled it."""
        self.path.unlink(missing_ok=True)
