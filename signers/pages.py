"""A text as the pages of the smallest device: three lines of 19 characters, as a Ledger Nano shows a message. The demo
device shows exactly these; what a given model really shows is for its driver to say."""

from __future__ import annotations

from typing import Final

COLUMNS: Final = 19
ROWS: Final = 3

Page = tuple[str, ...]


def wrap(line: str, columns: int = COLUMNS) -> list[str]:
    """One line in pieces of at most `columns` characters, broken at spaces where there are any. Nothing is dropped but
    the spaces at which it is broken; an empty line is one empty piece."""
    pieces: list[str] = []
    rest = line
    while len(rest) > columns:
        cut = rest.rfind(" ", 1, columns + 1)
        pieces.append(rest[:cut] if cut > 0 else rest[:columns])
        rest = rest[cut + 1 :] if cut > 0 else rest[columns:]
    return [*pieces, rest]


def pages(text: str, columns: int = COLUMNS, rows: int = ROWS) -> tuple[Page, ...]:
    """`text` page by page, in order; at least one page."""
    lines = [piece for line in text.split("\n") for piece in wrap(line, columns)]
    return tuple(tuple(lines[start : start + rows]) for start in range(0, len(lines), rows))
