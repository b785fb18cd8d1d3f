"""Refusals name keys, not commands."""

from __future__ import annotations

import pytest

from app.tui.keys import keyed


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("its exits end with it: countersign cancel d2a77be7", "its exits end with it: 3, then c on its row"),
        ("Close it: countersign close BTC-USDT:manual", "Close it: 2, then C on its row"),
        ("or: countersign config set capital.total AMOUNT", "or: 8, then Enter on capital.total"),
        ("Lift it with: countersign stop --reset", "Lift it with: Ctrl+P, then: Lift the emergency stop"),
        (
            "Out of everything: countersign stop --emergency --flatten. To lift it: countersign stop --reset.",
            "Out of everything: F. To lift it: Ctrl+P, then: Lift the emergency stop.",
        ),
        ("See: countersign doctor", "See: countersign doctor"),
    ],
)
def test_a_command_that_has_a_key_is_named_by_it(said: str, shown: str) -> None:
    assert keyed(said) == shown
