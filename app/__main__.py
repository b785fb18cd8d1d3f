"""``countersign``: parse, then import only what the command needs. Nothing heavy is imported at the top on purpose:
`--help` must cost little more than Python itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 2 wrong use or bad input, 3 refused by a safety rule, 1 else."""
    from app.cli import parser  # noqa: PLC0415 -- argparse costs 10 ms, and tests import this module

    given = sys.argv[1:] if arguments is None else arguments
    try:
        options = parser.parse(given)
    except parser.WrongUse as wrong:
        from app.cli.dispatch import wrong_use  # noqa: PLC0415 -- only to say what is wrong

        return wrong_use(wrong, as_json="--json" in given)
    from app.cli.dispatch import dispatch  # noqa: PLC0415 -- after --help has ended

    return dispatch(options)


if __name__ == "__main__":
    sys.exit(main())
