"""``make crash N=1000``: the campaign with a report. Exit 1 when anything was lost, doubled or left over."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.crash.campaign import run


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="countersign-crash-"))
    done, bad = 0, 0
    for point, wrong in run(folder, options.kills, options.seed, options.jobs):
        done += 1
        bad += bool(wrong)
        for line in wrong:
            print(line)
        print(f"\r{done} kills, {bad} bad, last: {point}   ", end="", file=sys.stderr, flush=True)
    print(f"\n{done} kills, {bad} with findings; folder {folder}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
