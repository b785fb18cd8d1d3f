"""How the trades of a venue become what is shown and signed, and from that the orders that are sent. One for each form
in which a trade is signed: an authorisation in words (`app.execution.prepare`), or the transactions of a chain.
"""

from __future__ import annotations

from typing import Protocol

from app.execution.records import Order, Payload, Trade


class Preparation(Protocol):
    """One per session. `until_read`, `draft`, `stands` and `worse` alone may ask anybody anything."""

    async def until_read(self) -> None:
        """Return once what was booked can be asked about as well, or does not come to that in a reasonable time. To be
        called before the turn is taken: it may wait."""
        ...

    async def draft(self, trade: Trade) -> object:
        """What has to be asked of the venue before the payloads can be made; handed to `payloads`.

        Raises:
            VenueError: it did not answer.
        """
        ...

    def payloads(self, trade: Trade, draft: object) -> tuple[Payload, ...] | str:
        """Everything the trader reads and the device signs, in the order in which it is sent; or why it is denied."""
        ...

    def orders(self, trade: Trade, payload: Payload) -> tuple[Order, ...]:
        """The orders of a signed payload, made from what was signed and checked against it.

        Raises:
            SafetyError, ValueError: what was signed does not permit one of them.
        """
        ...

    def unlike_signed(self, trade: Trade, payload: Payload) -> str | None:
        """Why what would be sent is not what was confirmed and signed, or None."""
        ...

    async def stands(self, trade: Trade) -> str | None:
        """Why a standing exit that is armed could not be sent now, because of what else its account has sent; or None.

        Raises:
            VenueError: the venue did not answer.
        """
        ...

    async def worse(self, trade: Trade, payload: Payload) -> str | None:
        """What the venue must be asked again before `payload` is signed or sent, beside what the desk knows by itself;
        why it must not go, or None.

        Raises:
            VenueError: it did not answer.
        """
        ...
