"""What importing eth-account must not do to the rest of the program, and that what does its work signs as it does."""

from __future__ import annotations

import subprocess
import sys

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from signers import softkey
from signers.payloads import Chain, PersonalMessage

_DOCUMENT = (
    '{"types": {"EIP712Domain": [{"name": "name", "type": "string"}], "Note": [{"name": "text", "type": "string"}]},'
    ' "primaryType": "Note", "domain": {"name": "test"}, "message": {"text": "hello"}}'
)
_SCRIPT = f"""
import json, sys
before = sys.getrecursionlimit()
from signers.base import SignRequest
from signers.demo import DemoSigner
from signers.paths import Path
from signers.payloads import Chain, PersonalMessage, TypedData
from signers.person import Alone
from signers.verify import verify_text
signer, path = DemoSigner(), Path.parse("m/44'/60'/0'/0/0")
signature = signer.sign(SignRequest(PersonalMessage("text"), path), Alone())
verify_text("text", signature, signer.address(Chain.EVM, path, Alone()))
assert "py_ecc" not in sys.modules, "a start waits for it"
TypedData({_DOCUMENT!r})
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


@pytest.mark.parametrize("number", range(8))
def test_a_text_is_signed_as_eth_account_signs_it(number: int) -> None:
    key, text = bytes([number + 1]) * 32, f"a text of its own: {number}"
    account = Account.from_key(key)
    assert softkey.address(Chain.EVM, key) == account.address
    assert softkey.signature(PersonalMessage(text), key) == account.sign_message(encode_defunct(text=text)).signature
