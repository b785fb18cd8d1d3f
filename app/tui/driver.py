"""Textual's Linux driver over a terminal that may go away (a closed window, a lost ssh connection).

Its writer thread ends on the first error, its queue of thirty writes fills up, and the next write blocks the event loop
for ever: engine, venue and all. Here what nobody can read goes nowhere, until the hang-up signal has ended the session.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.app import App


class _Patient:
    """A file whose errors end nothing."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write, if anybody is there."""
        try:
            return self._file.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        """As `write`."""
        try:
            self._file.flush()
        except (OSError, ValueError):
            pass

    def fileno(self) -> int:
        """The terminal's number."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """As the terminal says."""
        return self._file.isatty()


class PatientDriver(LinuxDriver):
    """`LinuxDriver` that outlives its terminal."""

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        if self._file is not None:
            self._file = _Patient(self._file)  # type: ignore[assignment]  # all that the driver asks of a file
