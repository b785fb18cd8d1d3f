"""What every test starts from."""

from __future__ import annotations

import sys

# Imported for its side effect, which is undone: py_ecc, behind eth-account, raises the recursion limit to 100,000 for a
# whole process, and deep input would then overflow the C stack instead of raising. The product does the same
# (signers/eth.py); here it must happen before any test module imports eth-account directly.
_LIMIT = sys.getrecursionlimit()
import eth_account  # noqa: E402, F401 -- see above
from hypothesis import settings  # noqa: E402 -- the limit first

sys.setrecursionlimit(_LIMIT)

# The same examples at each run; and a busy machine that pauses in one of them is no fault of what is tested.
settings.register_profile("here", derandomize=True, database=None, deadline=None)
settings.load_profile("here")
