"""The trader's word that doubles the pilot caps of the live profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.errors import CountersignError

if TYPE_CHECKING:
    from app.tui.app import Terminal


def ramp(app: Terminal) -> None:
    """Ask for the typed word; or say why it would not count yet."""
    from app.gate_records import RAMP  # noqa: PLC0415 -- the engine behind it, after the first frame
    from app.tui.screens.ask import WordDialog  # noqa: PLC0415 -- when it is wanted

    desk = app.host.desk
    if desk is None:
        return
    try:
        desk.rules.may_ramp()
    except CountersignError as error:
        app.notify(str(error), severity="warning")
        return

    def said() -> None:
        app.keep(_ramp(app))

    lines = [(each, "") for each in desk.rules.notes]
    app.push_screen(WordDialog("Double the pilot caps", lines, RAMP, said, topic="risk"))


async def _ramp(app: Terminal) -> None:
    from app.gate_records import RAMP, user  # noqa: PLC0415 -- as above

    if await app.do.ask("gate_ramp", by=user(), word=RAMP) is not None and app.host.desk is not None:
        app.notify(f"The caps are doubled: {app.host.desk.rules.words or 'the settings are tighter now'}")
    app.tick()
