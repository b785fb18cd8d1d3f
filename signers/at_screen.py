"""The person before a screen, as the thread of a device sees them."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import TYPE_CHECKING

from signers.base import DeviceState, Question
from signers.person import Alone

if TYPE_CHECKING:
    from signers.session import DeviceSession, OnState


class AtTheScreen:
    """A `signers.base.Person` who answers through the loop of `session`."""

    def __init__(self, session: DeviceSession, loop: asyncio.AbstractEventLoop, on_state: OnState) -> None:
        self._session, self._loop, self.on_state = session, loop, on_state
        self.asked = False
        """The device has shown something to approve: what fails from here on is not tried again by itself."""

    def told(self, state: DeviceState) -> None:
        """Passed on to the screen."""
        self.asked = self.asked or state is DeviceState.WAIT_BUTTON
        if state is DeviceState.OPENING_APP:
            self._session.switches += 1
        try:
            self._loop.call_soon_threadsafe(self.on_state, state)
        except RuntimeError:
            pass  # the loop is closed: the program is ending

    def ask(self, question: Question) -> str:
        """Asked on the loop thread; without anybody there, as of a person who is alone with the device."""
        ask = self._session.on_ask
        if ask is None:
            return Alone().ask(question)

        async def answer() -> str:
            return await ask(question)

        self._session.question = asyncio.run_coroutine_threadsafe(answer(), self._loop)
        try:
            return self._session.question.result()
        except concurrent.futures.CancelledError:
            return Alone().ask(question)
        finally:
            self._session.question = None
