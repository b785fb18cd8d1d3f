"""The terminal's supervisor: one engine, and a screen over it. A screen that crashes is replaced and the engine goes
on; one that keeps crashing ends the session in an orderly way, exits resting at the venue."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from typing import TYPE_CHECKING, Final

from app.tui import themes
from app.tui.app import Terminal
from app.tui.host import Host, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.launch import Launch, Request

_MOST_CRASHES: Final = 3
_WITHIN_S: Final = 60.0


def run(
    request: Request,
    *,
    first_run: bool,
    ascii_only: bool = False,
    theme: str = themes.DEFAULT,
    on_open: Callable[[Launch], None] = lambda _: None,
) -> int:
    """Run until the trader quits. Returns the exit code.

    Raises:
        CountersignError, StorageFault: the session could not be started; the screen is gone, nothing was traded.
    """
    return asyncio.run(_supervise(request, first_run, ascii_only, theme, on_open))


async def _supervise(
    request: Request, first_run: bool, ascii_only: bool, theme: str, on_open: Callable[[Launch], None]
) -> int:
    host = Host(request, first_run=first_run)
    host.on_open = on_open
    crashes: deque[float] = deque()
    code, notice = 0, ""
    try:
        while True:
            app = Terminal(host, ascii_only=ascii_only, theme=theme, notice=notice)
            code = await app.run_async() or 0
            if app.crash is None:
                break
            theme = app.theme
            now = asyncio.get_running_loop().time()
            crashes.append(now)
            _log(app.crash)
            if sum(1 for each in crashes if now - each < _WITHIN_S) >= _MOST_CRASHES:
                await _give_up(host, app.crash)
                return 1
            notice = f"The screen crashed ({type(app.crash).__name__}) and was started again. The engine went on."
    finally:
        await host.end("the screen ended")
    if host.never_ran and host.error is not None:
        raise host.error
    return 1 if host.stage is Stage.FAILED else code


async def _give_up(host: Host, crash: Exception) -> None:
    """No screen, so nobody reads: no new entries, and an orderly end."""
    await host.end("the screen crashed")
    words = f"countersign: The screen crashed {_MOST_CRASHES} times ({type(crash).__name__}); the session was ended. "
    sys.stderr.write(words + f"{host.request.exits} Details are in the log. Trade without a screen: run --headless\n")


def _log(crash: Exception) -> None:
    from app import logs  # noqa: PLC0415 -- after the first frame

    logs.get(__name__).error("screen.crashed", error=crash)
