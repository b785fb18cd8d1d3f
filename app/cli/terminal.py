"""``countersign`` without a command, and ``run`` without --headless: the terminal."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli import asked
from app.errors import UsageError

if TYPE_CHECKING:
    from app.launch import Launch, Request
    from app.tui.looks import Look


def terminal(options: argparse.Namespace) -> int:
    """Open the terminal. Exit 0 when the trader quits, 1 when the engine failed, 2 for bad settings."""
    for name, flag in (("json", "--json"), ("seconds", "--for"), ("auto_confirm", "--auto-confirm")):
        if getattr(options, name):
            raise UsageError("run.headless", f"{flag} goes with --headless.", next_step="countersign run --headless")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "run.terminal", "This is no terminal.", next_step="Trade without a screen: countersign run --headless"
        )
    gc.disable()  # nothing that is imported for the first frame is garbage; looking for it costs a tenth of its time
    from app.tui.run import run  # noqa: PLC0415 -- textual, 0.2 s

    wanted, look = asked.request(options, attended=True), _look(options)
    return run(
        wanted,
        first_run=_first(wanted),
        ascii_only=options.ascii or look.ascii_only,
        theme=look.theme,
        on_open=_opened,
    )


def _opened(start: Launch) -> None:
    from app.cli.context import remember_database  # noqa: PLC0415 -- sqlite behind it, after the first frame

    remember_database(start.db)


def _look(options: argparse.Namespace) -> Look:
    """Theme and characters, from where the settings will be read."""
    from app import paths  # noqa: PLC0415 -- platformdirs
    from app.tui.looks import chosen  # noqa: PLC0415 -- with the terminal

    named = options.config or os.environ.get("COUNTERSIGN_CONFIG")
    flags = dict(text.split("=", 1) for text in options.overrides if "=" in text)
    return chosen(Path(named) if named else paths.config_file(), os.environ, flags)


def _first(wanted: Request) -> bool:
    """Whether nothing is there yet and nothing was asked for: no database, no recording, no chain."""
    return wanted.db is None and wanted.replay is None and wanted.chain is None and not wanted.database.exists()
