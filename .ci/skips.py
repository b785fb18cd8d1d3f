"""Fail when a test was skipped whose reason is not on the allow-list."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ALLOWED = (
    "COUNTERSIGN_SPECULOS_ETH_APP",  # real apps and firmware, which no registry has: said by name, run where they are
    "COUNTERSIGN_SPECULOS_SOL_APP",
    "COUNTERSIGN_TREZOR_EMULATOR",
)


def main() -> int:
    """Read pytest's short summary; 0 when every skip is allowed."""
    skipped = re.findall(r"^SKIPPED \[\d+\] (.*)$", Path(sys.argv[1]).read_text(encoding="utf-8"), re.MULTILINE)
    unexpected = [line for line in skipped if not any(reason in line for reason in ALLOWED)]
    for line in unexpected:
        print(f"skipped and not on the allow-list: {line}", file=sys.stderr)
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
