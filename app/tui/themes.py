"""Themes: what Textual draws (borders, backgrounds) and the roles our own lines are drawn in.

A role is what a piece of text *means*; a theme says how that looks. Profit and loss always carry a sign and an arrow
too, and the default pair is blue and orange, which the common colour blindnesses tell apart (Okabe and Ito, 2008).
"""

from __future__ import annotations

from functools import cache
from typing import Final

from rich.style import Style
from textual.theme import Theme

DEFAULT: Final = "dark"

_ROLES: Final = (
    "dim",
    "title",
    "key",
    "up",
    "down",
    "ok",
    "warn",
    "error",
    "cursor",
    "alarm",
    "mode",
    "testnet",
    "label",
)

_ANSI_VARIABLES: Final = {
    "ansi-background": "ansi_black",
    "ansi-foreground": "ansi_white",
    "border-blurred": "ansi_bright_black",
    "block-cursor-background": "ansi_white",
    "block-cursor-foreground": "ansi_black",
    "foreground-disabled": "ansi_bright_black",
    "input-cursor-background": "ansi_white",
    "input-cursor-foreground": "ansi_black",
    "input-cursor-text-style": "none",
    "input-selection-background": "ansi_bright_blue",
    "input-selection-foreground": "ansi_black",
    "screen-selection-background": "ansi_bright_blue",
    "screen-selection-foreground": "ansi_black",
    "surface-active": "ansi_default",
}
"""What Textual works out from real colours for the other themes, and its own style sheets need."""

_LOOKS: Final[dict[str, tuple[Theme, dict[str, str]]]] = {
    "dark": (
        Theme("dark", primary="#5b8db8", foreground="#d8dee6", background="#11151a", surface="#161b22", dark=True),
        {
            "dim": "#7f8b99",
            "title": "bold #9ecbff",
            "key": "bold #f0c674",
            "up": "#56b4e9",
            "down": "#e69f00",
            "ok": "#7fc8a9",
            "warn": "#f0c674",
            "error": "bold #ff8f70",
            "cursor": "on #26384d",
            "alarm": "bold #ffffff on #a33a1a",
            "mode": "bold #11151a on #9ecbff",
            "testnet": "bold #11151a on #f0c674",
            "label": "#a9b4c0",
        },
    ),
    "midnight": (
        Theme("midnight", primary="#7a6fb0", foreground="#d6d6e6", background="#0a0a14", surface="#101020", dark=True),
        {
            "dim": "#7c7c9a",
            "title": "bold #c3b6ff",
            "key": "bold #ffd580",
            "up": "#6fcf7c",
            "down": "#ff6f6f",
            "ok": "#6fcf7c",
            "warn": "#ffd580",
            "error": "bold #ff8080",
            "cursor": "on #2a2a52",
            "alarm": "bold #ffffff on #b00030",
            "mode": "bold #0a0a14 on #c3b6ff",
            "testnet": "bold #0a0a14 on #ffd580",
            "label": "#a8a8c4",
        },
    ),
    "light": (
        Theme("light", primary="#35618e", foreground="#1d2530", background="#fafaf7", surface="#f1f1ec", dark=False),
        {
            "dim": "#6b7480",
            "title": "bold #1f4e79",
            "key": "bold #8a5a00",
            "up": "#0072b2",
            "down": "#b35900",
            "ok": "#1f7a4d",
            "warn": "#8a5a00",
            "error": "bold #b3261e",
            "cursor": "on #cfe0f1",
            "alarm": "bold #ffffff on #b3261e",
            "mode": "bold #ffffff on #1f4e79",
            "testnet": "bold #ffffff on #8a5a00",
            "label": "#49525e",
        },
    ),
    "colour-blind": (
        Theme("colour-blind", primary="#56b4e9", foreground="#ffffff", background="#000000", surface="#000000"),
        {
            "dim": "#b0b0b0",
            "title": "bold #56b4e9",
            "key": "bold #f0e442",
            "up": "bold #56b4e9",
            "down": "bold #e69f00",
            "ok": "#56b4e9",
            "warn": "#f0e442",
            "error": "bold #f0e442 reverse",
            "cursor": "on #003a5c",
            "alarm": "bold #000000 on #f0e442",
            "mode": "bold #000000 on #56b4e9",
            "testnet": "bold #000000 on #f0e442",
            "label": "#dddddd",
        },
    ),
    "ansi": (
        Theme(
            "ansi",
            primary="ansi_blue",
            foreground="ansi_default",
            background="ansi_default",
            surface="ansi_default",
            panel="ansi_default",
            boost="ansi_default",
            ansi=True,
            variables=_ANSI_VARIABLES,
        ),
        {
            "dim": "bright_black",
            "title": "bold cyan",
            "key": "bold yellow",
            "up": "cyan",
            "down": "yellow",
            "ok": "green",
            "warn": "yellow",
            "error": "bold red",
            "cursor": "reverse",
            "alarm": "bold white on red",
            "mode": "bold reverse",
            "testnet": "bold black on yellow",
            "label": "default",
        },
    ),
}

NAMES: Final = tuple(_LOOKS)


def theme(name: str) -> Theme:
    """What Textual needs of a theme."""
    return _LOOKS[name][0]


@cache
def style(name: str, role: str) -> Style:
    """How `role` looks in theme `name`; plain text for role "".

    Raises:
        KeyError: there is no such role.
    """
    return Style.parse(_LOOKS[name][1][role]) if role else Style.null()
