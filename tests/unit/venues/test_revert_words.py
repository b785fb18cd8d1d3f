"""Words for what contracts revert with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.venues.evm.abi import Function
from app.venues.evm.reverts import ERRORS, WORDS, revert_words

ERROR = Function("Error", ("string",))


@given(st.binary(max_size=300), st.sampled_from([b"", bytes.fromhex("08c379a0"), bytes.fromhex("4e487b71")]))
def test_any_bytes_become_one_short_line(data: bytes, head: bytes) -> None:
    words = revert_words(head + data)
    assert words
    assert words.isprintable()
    assert len(words) < 400


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no reason given"),
        (ERROR.encode("STF"), "it refuses the transfer (STF)"),
        (ERROR.encode("UniswapV2: K"), "the token may take a share of transfers (UniswapV2: K)"),
        (ERROR.encode("Transaction too old"), "its deadline has passed (Transaction too old)"),
        (ERROR.encode("\u202eword\x1b"), "\\u202eword\\x1b"),
        (Function("Panic", ("uint256",)).encode(0x11), "a number became too large or too small (panic 0x11)"),
        (Function("Panic", ("uint256",)).encode(0x99), "the contract broke off (panic 0x99)"),
        (
            Function("ERC20InsufficientBalance", ("address", "uint256", "uint256")).encode(bytes(20), 1, 2),
            "the account has too little of the token (ERC20InsufficientBalance)",
        ),
        (bytes.fromhex("deadbeef") + bytes(64), "an error of the contract's own, 0xdeadbeef"),
    ],
)
def test_what_is_known_is_said_in_words(data: bytes, words: str) -> None:
    assert words in revert_words(data)


def test_every_word_of_the_table_is_found() -> None:
    known: dict[str, Any] = {ERROR.encode(said).hex(): words for said, words in WORDS.items()}
    assert all(revert_words(bytes.fromhex(data)).startswith(words) for data, words in known.items())
    assert all(not each.endswith(".") for each in [*WORDS.values(), *ERRORS.values()])
