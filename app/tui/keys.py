"""What a refusal tells to do next, by the terminal's keys where it has one: the core names the shell's commands."""

from __future__ import annotations

import re
from typing import Final

_KEYS: Final = tuple(
    (re.compile(rf"countersign {command}"), keys)
    for command, keys in (
        (r"cancel \S+", "3, then c on its row"),
        (r"publish \S+", "Ctrl+P, then: Publish"),
        (r"close \S+", "2, then C on its row"),
        (r"cover \S+", "2, then V on its row"),
        (r"(decline|confirm) \S+", "p goes there"),
        (r"proposals", "p goes there"),
        (r"orders", "3"),
        (r"positions", "2"),
        (r"modules enable \S+", "4, then e on its row"),
        (r"modules allocate \S+ \S+", "4, then a on its row"),
        (r"modules pause \S+", "4, then space on its row"),
        (r"config set (\S+) \S+", r"8, then Enter on \1"),
        (r"signers list", "0"),
        (r"stop --emergency --flatten", "F"),
        (r"reconcile( --adjust \S+)?", "7, then d"),
        (r"stop --reset", "Ctrl+P, then: Lift the emergency stop"),
    )
)


def keyed(text: str) -> str:
    """`text` with keys for the commands that have one; other commands stay as they are."""
    for command, keys in _KEYS:
        text = command.sub(keys, text)
    return text
