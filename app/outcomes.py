"""What became of a trade that somebody wants to answer and that does not wait any more: read from the database, so that
the trader and the command that asks it say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.errors import CountersignError, SafetyError, Sent
from app.execution.states import PayloadState, TradeState
from app.ids import SHORTEST
from storage.database import Reader

_SENT: Final[dict[str, Sent]] = {
    PayloadState.SENT: "yes",
    PayloadState.LANDED: "yes",
    PayloadState.DEAD: "yes",
    PayloadState.UNKNOWN: "unknown",
}
"""A payload in any other state never left, with one exception: see `Outcome.on_its_way`."""

_ANSWERED: Final = frozenset({TradeState.PROPOSED, TradeState.RESERVED, TradeState.PREPARED})
"""On disk an answer shows a moment after it was given."""

_SIGNING: Final = frozenset({*_ANSWERED, TradeState.CONFIRMED, TradeState.SIGNED})
_ENDED: Final = {
    TradeState.DENIED: "was denied",
    TradeState.EXPIRED: "expired",
    TradeState.DECLINED: "was declined",
    TradeState.REFUSED: "was refused by the signer",
    TradeState.REJECTED: "was rejected by the venue",
    TradeState.CANCELLED: "was cancelled",
    TradeState.FAILED: "failed",
}
_GOES_ON: Final = frozenset({TradeState.SUBMITTED, TradeState.PARTIALLY_FILLED, TradeState.FILLED})


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trade as it stands."""

    id: str
    state: TradeState
    reason: str
    sent: Sent

    @property
    def on_its_way(self) -> bool:
        """Confirmed or about to be, and not concluded: signed bytes may be leaving right now."""
        return self.state in _SIGNING

    @property
    def traded(self) -> bool:
        """The venue has it, or may have it."""
        return self.state in _GOES_ON

    def words(self) -> str:
        """One or two sentences, with whether anything was sent where that is certain."""
        name = f"Trade {self.id[:8]}"
        if self.state in _ANSWERED:
            return f"{name} does not wait for an answer; one may have been given a moment ago."
        if self.on_its_way:
            if self.state == "CONFIRMED":
                return f"{name} was confirmed and is still being signed: answer on the device (9 in the terminal)."
            return f"{name} was confirmed and is still being sent."
        if self.traded:
            sent = "was signed; whether it was sent is being looked up" if self.sent == "unknown" else "signed and sent"
            return f"{name}: {sent}, {self.state.lower().replace('_', ' ')}."
        why = f": {self.reason}" if self.reason else "."
        nothing = " Nothing was sent." if self.sent == "no" and "Nothing was sent" not in self.reason else ""
        return f"{name} {_ENDED[self.state]}{why}{nothing}"

    def refusal(self) -> CountersignError:
        """Why it can not be answered now."""
        return SafetyError("proposal.gone", self.words(), next_step="See what waits: countersign proposals")


def became(reader: Reader, prefix: object) -> Outcome | None:
    """The one trade whose id begins with `prefix`, or None where that names none or several."""
    if not isinstance(prefix, str) or not prefix.isascii() or len(prefix) < SHORTEST:
        return None  # no id of ours; SQLite does not even take text that is no Unicode
    rows = reader.rows(
        "SELECT id, state, reason, (SELECT p.state FROM payloads p WHERE p.trade_id = t.id ORDER BY p.rowid DESC) "
        "AS payload FROM trades t WHERE substr(id, 1, ?) = ? LIMIT 2",
        (len(prefix), prefix),
    )
    if len(rows) != 1:
        return None
    row = rows[0]
    return Outcome(row["id"], TradeState(row["state"]), row["reason"], _SENT.get(row["payload"], "no"))
