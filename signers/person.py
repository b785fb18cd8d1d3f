"""Nobody before the screen: what a session without one hands to a driver."""

from __future__ import annotations

from typing import Final

from signers.base import DeviceState, Question
from signers.faults import NotReady

STATES: Final = {
    Question.PIN_POSITIONS: DeviceState.PIN,
    Question.PASSPHRASE: DeviceState.PASSPHRASE,
    Question.PAIRING_CODE: DeviceState.PAIRING,
}
"""What a device waits in while something is typed for it."""


class Alone:
    """Told nothing, answers nothing."""

    def told(self, state: DeviceState) -> None:
        """Goes nowhere."""

    def ask(self, question: Question) -> str:
        """Nobody answers.

        Raises:
            NotReady: always.
        """
        raise NotReady(STATES[question], "Nobody is at the screen to type it.")
