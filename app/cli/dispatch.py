"""From parsed options to a handler, and from every error to words on stderr and an exit code. No traceback ever."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from typing import Final

from app import __version__
from app.errors import CountersignError
from storage.faults import DatabaseLocked, StorageFault

_HANDLERS: Final = {
    "run": "run",
    "status": "watch",
    "health": "health",
    "positions": "watch",
    "orders": "watch",
    "pnl": "watch",
    "errors": "watch",
    "alerts": "watch",
    "modules": "watch",
    "journal": "journal",
    "proposals": "answer",
    "confirm": "answer",
    "decline": "answer",
    "stop": "stop",
    "config": "config",
    "secrets": "secrets",
    "backup": "keep",
    "restore": "keep",
    "doctor": "doctor",
}


def dispatch(options: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    if options.version:
        print(f"countersign {__version__}")
        return 0
    if options.command is None:
        print("countersign: choose a command, for example: countersign run --headless", file=sys.stderr)
        return 2
    try:
        module = importlib.import_module(f"app.cli.{_HANDLERS[options.command]}")
        code: int = getattr(module, options.command)(options)
        sys.stdout.flush()
    except CountersignError as error:
        return _fail(options, error.code, str(error), error.exit_code)
    except StorageFault as fault:
        code = 3 if isinstance(fault, DatabaseLocked) else 1
        return _fail(options, fault.code, f"{fault} {fault.next_step}".rstrip(), code)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output left (head, a closed pager): nothing to tell it
        code = 1
    except KeyboardInterrupt:
        print("countersign: interrupted.", file=sys.stderr)
        code = 1
    return code


def _fail(options: argparse.Namespace, code: str, words: str, exit_code: int) -> int:
    from app.text import escape_untrusted  # noqa: PLC0415 -- unicodedata, only when something failed

    lines = [escape_untrusted(line) for line in words.splitlines()]
    print(f"countersign: {lines[0]}", *lines[1:], sep="\n  ", file=sys.stderr)
    if options.json:
        print(json.dumps({"schema": "countersign.error/1", "code": code, "what": words, "exit_code": exit_code}))
    return exit_code
