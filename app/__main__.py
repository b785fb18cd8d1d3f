"""``countersign``: parse, then import only what the command needs. Nothing heavy is imported at the top on purpose:
`--help` must cost little more than Python itself."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

INTERRUPTED = 130
"""As a shell tells of a process that Ctrl-C ended."""

_TIDIES = frozenset({"config", "secrets", "signers", "backup", "restore", "stop", "errors", "confirm", "decline"})
"""Commands that change something, or have a device show something: Ctrl-C is an exception there, so that nothing is
left half done."""

# Imported by another program (a test), Ctrl-C is that program's; ignored (a script's background job), it stays ignored.
_OURS = (
    os.path.basename(sys.argv[0]) in {"countersign", "__main__.py"}
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
)


def _quit(_number: int, _frame: object) -> None:
    """Ctrl-C while nothing is half done, above all during imports, where an exception would come out as a traceback."""
    try:
        os.write(2, b"countersign: Interrupted.\n")
    finally:
        os._exit(INTERRUPTED)


if _OURS:
    signal.signal(signal.SIGINT, _quit)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 2 wrong use or bad input, 3 refused by a safety rule, 1 else;
    130 when Ctrl-C ended it."""
    from app.cli import parser  # noqa: PLC0415 -- argparse costs 10 ms, and tests import this module

    given = sys.argv[1:] if arguments is None else arguments
    try:
        options = parser.parse(given)
    except parser.WrongUse as wrong:
        from app.cli.dispatch import wrong_use  # noqa: PLC0415 -- only to say what is wrong

        return wrong_use(wrong, as_json="--json" in given)
    from app.cli.dispatch import dispatch  # noqa: PLC0415 -- after --help has ended

    if not _OURS:
        return dispatch(options)
    try:
        if options.command in _TIDIES:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return dispatch(options)
    except KeyboardInterrupt:  # a second one, while the first was told
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done; Python's own end has only a traceback to say


if __name__ == "__main__":
    sys.exit(main())
