"""What importing eth-account must not do to the rest of the program."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import json, sys
before = sys.getrecursionlimit()
from signers.base import SignRequest
from signers.demo import DemoSigner
from signers.verify import verify_text
signer, path = DemoSigner(), "m/44'/60'/0'/0/0"
verify_text("text", signer.sign(SignRequest("text", path), lambda state: None), signer.address(path))
assert "py_ecc" in sys.modules
assert sys.getrecursionlimit() == before, sys.getrecursionlimit()
try:
    json.loads("[" * 500_000)
except RecursionError:
    print("bounded")
"""


def test_deep_input_still_raises_after_a_signature() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout == "bounded\n", done.stderr
