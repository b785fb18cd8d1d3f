"""After the first frame: the first screen, the first-run question, the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.tui.host import Stage

if TYPE_CHECKING:
    from app.tui.app import Terminal


def begin(app: Terminal) -> None:
    """Put the Trade screen up and start the engine, or ask first what to start."""
    app.do.show("trade")
    if app.host.stage is not Stage.LOADING or app.host.started:
        return  # another screen over an engine that runs already
    if app.host.first_run:
        app.do.first_run()
    else:
        app.host.start()
