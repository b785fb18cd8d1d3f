"""A module's life as one table: what it may become from where, and what that means for its trades.

A module that is paused, stopped or failed takes no new entry. Its exits rest at the venue and are followed by the
session all the same: nothing here touches them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ModuleState(StrEnum):
    """REGISTERED: installed, and off or unavailable. ENABLED: on, and not warm yet. RUNNING: trades. PAUSED: sees every
    bar and closes, but takes no entry. STOPPED: switched off while the session ran. FAILED: it raised."""

    REGISTERED = "registered"
    ENABLED = "enabled"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FAILED = "failed"


S = ModuleState

MODULE_EDGES: Final[Mapping[ModuleState, frozenset[ModuleState]]] = {
    S.REGISTERED: frozenset({S.ENABLED}),
    # warm: it runs, or goes on with the pause it was in
    S.ENABLED: frozenset({S.RUNNING, S.PAUSED, S.STOPPED, S.FAILED}),
    S.RUNNING: frozenset({S.PAUSED, S.STOPPED, S.FAILED}),
    S.PAUSED: frozenset({S.RUNNING, S.STOPPED, S.FAILED}),
    # switched on again, or restarted: it has to become warm first
    S.STOPPED: frozenset({S.ENABLED}),
    S.FAILED: frozenset({S.ENABLED, S.STOPPED}),
}

SEES_BARS: Final = frozenset({S.RUNNING, S.PAUSED})
"""A paused module goes on seeing the market, so that it is warm when it is resumed."""
