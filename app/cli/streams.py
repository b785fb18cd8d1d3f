"""The standard streams, which may be closed, full, or a pipe whose reader left. None of that may end a session."""

from __future__ import annotations

import os
import sys


def open_streams() -> None:
    """A closed stream becomes /dev/null: else the next file opened, a database, gets its number and our words."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    # Python has None for a stream that was closed when it started. They live as long as the process.
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 -- see above
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- see above
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- see above


def tell_line(words: str) -> None:
    """`tell` as one line, whatever is in it: a file's name with a line end in it must not write a line of its own."""
    from app.text import escape_untrusted  # noqa: PLC0415 -- as below

    tell(escape_untrusted(words))


def tell(words: str, end: str = "\n") -> None:
    """Write to stderr, never raising: when nobody can read it any more, the words go nowhere.

    Whatever is in them (file names, a module's words, a venue's), the terminal shows it and obeys none of it."""
    from app.text import escape_untrusted  # noqa: PLC0415 -- unicodedata, and `--help` tells nothing

    shown = "\n".join(escape_untrusted(line) for line in words.split("\n"))
    try:
        print(shown, end=end, file=sys.stderr, flush=True)
    except (OSError, UnicodeEncodeError):
        _to_null(2)


def forget_output() -> None:
    """What is still buffered for stdout goes nowhere; Python would try once more at exit, and complain."""
    _to_null(1)


def typed_line(prompt: str) -> str:
    """One line from stdin after `prompt` on stderr, without its line end; empty at its end, and for what is no text.

    On a terminal, what was typed before the prompt was there does not count: nobody answers what they have not read.
    """
    tell(prompt, end="")
    try:
        if sys.stdin.isatty():
            import termios  # noqa: PLC0415 -- only at a terminal

            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        return sys.stdin.readline(4096).rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        return ""


def _to_null(number: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)
