"""After the first frame: the first screen, the first-run question, the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.tui.host import Stage, aside

if TYPE_CHECKING:
    from pathlib import Path

    from app.tui.app import Terminal
    from app.tui.last import Last


def begin(app: Terminal) -> None:
    """Put the Trade screen up and start the engine, or ask first what to start."""
    app.do.show("trade")
    if app.host.stage is not Stage.LOADING or app.host.started:
        return  # another screen over an engine that runs already
    if app.host.first_run:
        app.do.first_run()
    else:
        app.keep(_start(app))


async def _start(app: Terminal) -> None:
    """First what the last session left, in a tenth of a second; then the engine, which needs one or two."""
    host = app.host
    if host.request.replay is None:
        host.last = await aside(lambda: _last(host.request.db))
        app.tick()
    host.start()


def _last(db: Path | None) -> Last | None:
    from app import paths  # noqa: PLC0415 -- after the first frame
    from app.tui.last import last  # noqa: PLC0415 -- as above

    return last(db or paths.database("paper"))
