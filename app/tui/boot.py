"""After the first frame: the first screen, the first-run question, the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.tui.host import Stage

_FRAME_S: Final = 1 / 60
"""Until what was put up is drawn."""

if TYPE_CHECKING:
    from textual.widget import AwaitMount

    from app.tui.app import Terminal


def begin(app: Terminal) -> None:
    """Put the Trade screen up and start the engine, or ask first what to start."""
    host = app.host
    fresh = host.stage is Stage.LOADING and not host.started  # else another screen over an engine that runs already
    if fresh and not host.first_run and host.request.replay is None:
        from app.tui.last import last  # noqa: PLC0415 -- after the first frame

        host.last = last(host.request.database)
    mounted = app.do.show("trade")
    if not fresh:
        if host.first:
            app.do.device_dialog()
        return
    if host.first_run:
        app.do.first_run()
    else:
        app.keep(_start(app, mounted))


async def _start(app: Terminal, mounted: AwaitMount | None) -> None:
    """First what was left, on the screen in a hundredth of a second; then the engine, which needs one or two: loading
    it beside that would slow both."""
    if mounted is not None:
        await mounted
    # Not `call_after_refresh`: that waits for the screen in front now, and help opened at this moment would be in front
    # of it, and the engine would start only when it is left.
    app.set_timer(_FRAME_S, app.host.start)
