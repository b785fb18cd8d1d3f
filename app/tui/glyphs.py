"""The characters of the screen, and their ASCII stand-ins for terminals that show nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set.

    Attributes:
        up, down, flat: before a profit, a loss, nothing: never colour alone. Beside a sign, so none of them is one.
        candle: for a cell's (upper, lower) half, each 0 nothing, 1 wick, 2 body.
        bar: eighths of a horizontal bar, empty first.
    """

    border: str
    up: str
    down: str
    flat: str
    cursor: str
    bullet: str
    rule: str
    ellipsis: str
    candle: tuple[tuple[str, str, str], tuple[str, str, str], tuple[str, str, str]]
    bar: str
    arrows: str
    spark: str


UNICODE: Final = Glyphs(
    border="round",
    up="▲",
    down="▼",
    flat="·",
    cursor="▌",
    bullet="•",
    rule="─",
    ellipsis="…",
    candle=((" ", "╷", "╻"), ("╵", "│", "╽"), ("╹", "╿", "┃")),
    bar=" ▏▎▍▌▋▊▉█",
    arrows="◀▶",
    spark="▁▂▃▄▅▆▇█",
)

ASCII: Final = Glyphs(
    border="ascii",
    up="^",
    down="v",
    flat=".",
    cursor=">",
    bullet="*",
    rule="-",
    ellipsis="~",
    candle=((" ", "'", "o"), ("'", "|", "#"), ("o", "#", "#")),
    bar="  ..::##@",
    arrows="<>",
    spark="_.-:=+*#",
)
