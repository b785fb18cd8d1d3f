"""``python -m app.practice --db FILE --socket FILE``: the paper venue; ``python -m app.practice chain``: the practice
chain. Each ends when its standard input ends.
"""

from __future__ import annotations

import argparse
import signal
import sqlite3
import sys
from pathlib import Path

from app.practice.record import Record, RecordFault
from app.practice.server import Server
from app.practice.venue import Venue


def main() -> int:
    """Serve until the trader is gone."""
    if sys.argv[1:2] == ["chain"]:
        from app.practice.chain.command import main as chain  # noqa: PLC0415 -- the paper venue starts without it

        return chain(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m app.practice")
    parser.add_argument("--db", required=True, type=Path)
    parser.add_argument("--socket", required=True, type=Path)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trader's to handle; it ends us by closing our input
    try:
        venue = Venue(Record(options.db))
        Server(venue, options.socket, sys.stdin.fileno()).run()
        venue.close()
    except (OSError, sqlite3.Error, RecordFault, ValueError, ArithmeticError) as error:
        # Nothing is answered that is not committed: the trader sees a lost answer and looks it up in the next process.
        print(f"paper venue, {options.db}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
