"""What importing eth-account must not do to the rest of the program."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import json, sys
before = sys.getrecursionlimit()
from signers.base import SignRequest
from signers.demo import DemoSigner
from signers.paths import Path
from signers.payloads import Chain, PersonalMessage
from signers.person import Alone
from signers.verify import verify_text
signer, path = DemoSigner(), Path.parse("m/44'/60'/0'/0/0")
signature = signer.sign(SignRequest(PersonalMessage("text"), path), Alone())
verify_text("text", signature, signer.address(Chain.EVM, path, Alone()))
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
