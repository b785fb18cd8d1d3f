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

    def raised(self) -> bool:
        """Whether the stop is in force; 2 us."""
        return os.path.lexists(self.path)

    def check(self) -> None:
        """Refuse to go on while the stop is in force.

        Raises:
            SafetyError: it is.
        """
        if self.raised():
            raise SafetyError(
                "stop.in_force", "The emergency stop is in force.", next_step="Lift it with: countersign stop --reset"
            )

    def create(self, reason: str) -> None:
        """Put the stop in force, durably, before returning. Repeating it does no harm."""
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

    def lift(self) -> None:
        """Remove the flag; the caller has asked for the typed word and journaled it."""
        self.path.unlink(missing_ok=True)
