"""Why no new trade is taken: a fault, which a restart ends, or that venue and ledger differ, which ends with that."""

from __future__ import annotations

from collections.abc import Callable

from app.errors import Severity

Alert = Callable[[Severity, str, str], None]


class Halting:
    """Of one session; exits stay managed whatever it says.

    Attributes:
        on_change: told why new trades stop, and "" when they are taken again.
    """

    def __init__(self, alert: Alert) -> None:
        self._alert = alert
        self._fault, self._differing = "", ""
        self.on_change: Callable[[str], None] = lambda _: None

    @property
    def reason(self) -> str:
        """Why no new trade is taken, or ""."""
        return "; ".join(each for each in (self._fault, self._differing) if each)

    @property
    def way_out(self) -> str:
        """What ends it."""
        if self._fault:
            return "Restart the session to trade again."
        return "Look at it, and adjust the ledger where that explains it: countersign reconcile"

    def fault(self, reason: str) -> None:
        """No new trade until the session is restarted."""
        if not self._fault:
            self._fault = reason
            self.alert()
            self.on_change(reason)

    def differs(self, reason: str) -> None:
        """No new trade while venue and ledger differ; with "" they agree again."""
        before, self._differing = self.reason, reason
        if self._fault or bool(before) == bool(reason):
            return  # told already, or a fault goes on
        if reason:
            self.alert()
        else:
            self._alert(Severity.LOW, "resumed", "Venue and ledger agree again: new trades are taken.")
        self.on_change(reason)

    def alert(self) -> None:
        """Store that new trades stopped; again after a failing disk was read anew, which may have lost the first."""
        if self.reason:
            text = f"New trades stopped: {self.reason.rstrip('.')}. Exits stay managed. {self.way_out}"
            self._alert(Severity.CRITICAL, "halted", text)
