"""From parsed options to a handler, and from every error to words on stderr and an exit code. No traceback ever."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Final

from app import __version__
from app.cli import streams
from app.cli.parser import WrongUse
from app.errors import CountersignError
from storage.faults import StorageFault

_HANDLERS: Final = {
    "run": "run",
    "terminal": "terminal",
    "status": "watch",
    "health": "health",
    "positions": "watch",
    "orders": "watch",
    "pnl": "watch",
    "risk": "risk",
    "errors": "watch",
    "alerts": "alerts",
    "modules": "modules",
    "journal": "journal",
    "proposals": "answer",
    "confirm": "answer",
    "decline": "answer",
    "buy": "ticket",
    "sell": "ticket",
    "close": "ticket",
    "cover": "ticket",
    "cancel": "ticket",
    "publish": "publish",
    "bump": "acts",
    "allowances": "acts",
    "revoke": "acts",
    "liquidity": "acts",
    "stop": "stop",
    "config": "config",
    "signers": "signers",
    "secrets": "secrets",
    "hotkey": "hotkey",
    "backup": "keep",
    "restore": "keep",
    "reconcile": "reconcile",
    "doctor": "doctor",
}


def dispatch(options: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    streams.open_streams()
    try:
        code = _run(options)
        sys.stdout.flush()
    except CountersignError as error:
        code = _fail(error.code, str(error), error.exit_code, as_json=options.json)
    except StorageFault as fault:
        code = _fail(fault.code, f"{fault} {fault.next_step}".rstrip(), _code(fault, options), as_json=options.json)
    except BrokenPipeError:
        streams.forget_output()  # the reader of our output left (head, a closed pager): nothing to tell it
        code = 1
    except KeyboardInterrupt:
        streams.forget_output()
        code = _fail("interrupted", "Interrupted.", 130, as_json=False)
    except OSError as error:
        streams.forget_output()
        where = f" ({error.filename})" if error.filename else ""
        code = _fail("system", f"The system refused: {error.strerror or error}{where}.", 1, as_json=False)
    except Exception as error:  # noqa: BLE001 -- the screen's edge: whatever it is, the trader gets words, the log the rest
        code = _unexpected(error, as_json=options.json)
    return code


def wrong_use(wrong: WrongUse, *, as_json: bool) -> int:
    """The arguments made no command: usage, what is wrong, 2."""
    streams.open_streams()
    streams.tell(wrong.usage.rstrip())
    return _fail("usage", str(wrong), 2, as_json=as_json)


def _run(options: argparse.Namespace) -> int:
    if options.version:
        from app.cli.context import emit  # noqa: PLC0415 -- as the handlers

        emit(options, "version", {"version": __version__}, [f"countersign {__version__}"])
        return 0
    if options.command is None:
        options = _terminal_options(options)
    name = options.command
    if name == "run" and not options.headless:
        name = "terminal"
    module = importlib.import_module(f"app.cli.{_HANDLERS[name]}")
    code: int = getattr(module, name)(options)
    return code


def _terminal_options(options: argparse.Namespace) -> argparse.Namespace:
    """No command: the terminal, as ``run`` opens it."""
    from app.cli.parser import parse  # noqa: PLC0415 -- loaded already

    given = [(f"--{name}", getattr(options, name)) for name in ("db", "config", "profile")]
    flags = ["--json"] if options.json else []
    return parse([*flags, *(each for flag, value in given if value for each in (flag, value)), "run"])


def _code(fault: StorageFault, options: argparse.Namespace) -> int:
    """A database that nobody named is no input, whatever is wrong with it."""
    from app.cli.context import database_named  # noqa: PLC0415 -- as the handlers

    found = fault.exit_code == 2 and fault.code.startswith("storage.") and database_named(options) is None
    return 1 if found else fault.exit_code


def _fail(code: str, words: str, exit_code: int, *, as_json: bool) -> int:
    from app.text import escape_untrusted  # noqa: PLC0415 -- unicodedata, only when something failed

    lines = [escape_untrusted(line) for line in words.splitlines()] or [code]
    streams.tell("\n  ".join([f"countersign: {lines[0]}", *lines[1:]]))
    if as_json:
        import json  # noqa: PLC0415 -- with it

        document = {"schema": "countersign.error/1", "code": code, "what": words, "exit_code": exit_code}
        try:
            print(json.dumps(document), flush=True)
        except OSError:
            streams.forget_output()
    return exit_code


def _unexpected(error: Exception, *, as_json: bool) -> int:
    """A fault of ours. Its words may hold anything: they go to the log, redacted, and only its kind to the screen."""
    from app import logs, paths  # noqa: PLC0415 -- structlog, 0.2 s

    path = logs.configure(paths.log_dir())
    logs.get(__name__).error("command.failed", error=error)
    logs.close()
    words = f"An unexpected fault ({type(error).__name__}); what was on disk is safe.\nIts details are in {path}."
    return _fail("unexpected", words, 1, as_json=as_json)
