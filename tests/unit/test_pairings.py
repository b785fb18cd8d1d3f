"""What a Safe 7 and this computer agreed on is kept in the keyring alone, and its loss costs one code."""

from __future__ import annotations

import pytest

from app import pairings
from signers.trezor.options import Credential
from tests.devices.keyring_double import kept_in


def credential(number: int, size: int = 32) -> Credential:
    return Credential(bytes([number]) * 32, bytes([100 + number]) * 32, bytes([200]) * size)


def test_the_newest_comes_first_and_the_same_device_once() -> None:
    with kept_in({}) as entries:
        assert pairings.load() == []
        for number in (1, 2, 1, 3):
            pairings.store(credential(number))
        assert [each.trezor_pubkey[0] for each in pairings.load()] == [3, 1, 2]
        assert pairings.load()[0] == credential(3)
        assert set(entries) == {"@names", pairings.NAME}


def test_only_so_many_are_remembered() -> None:
    with kept_in({}):
        for number in range(9):
            pairings.store(credential(number, 200))
        assert [each.trezor_pubkey[0] for each in pairings.load()] == [8, 7, 6, 5]


@pytest.mark.parametrize("held", ["", "null", "[1]", "[[1, 2, 3]]", '[["zz", "", ""]]', '[["00"]]', "{}"])
def test_what_is_none_of_ours_is_no_pairing(held: str) -> None:
    with kept_in({pairings.NAME: held}):
        assert pairings.load() == []
