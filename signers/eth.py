"""What this package needs of eth-account (typed data), imported when first used (0.5 s) and without its side effect.
Whatever else signs or verifies does so with eth-keys, which a start can wait for.

eth-account imports py_ecc, which raises the interpreter's recursion limit to 100,000. With that, a line of nested
brackets on any socket would overflow the C stack and kill the trader instead of raising RecursionError. The limit that
was there before is put back.
"""

from __future__ import annotations

import sys
from typing import Any


def account() -> Any:
    """``eth_account.Account``."""
    _load()
    from eth_account import Account  # noqa: PLC0415 -- loaded just now

    return Account


def _load() -> None:
    if "py_ecc" in sys.modules:
        return
    limit = sys.getrecursionlimit()
    try:
        import eth_account  # noqa: F401, PLC0415 -- 0.5 s
    finally:
        sys.setrecursionlimit(limit)
