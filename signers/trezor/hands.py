"""What the library calls back while a device works: told on to the person, and never raised through the library, which
would leave the screen up. What a person types passes through here and is kept nowhere."""

from __future__ import annotations

import unicodedata
from typing import Final

from signers.base import DeviceState, Person, Question
from signers.faults import NotReady, SignerFault
from signers.person import Alone
from signers.trezor.channel import Channel
from signers.trezor.library import exceptions, messages

MAX_PASSPHRASE: Final = 50
"""Bytes, in the form that is sent (NFKD)."""
_MAX_PIN: Final = 50
_KEYPAD: Final = frozenset("123456789")


class Hands:
    """The callbacks of one client.

    Attributes:
        person: who is told and asked now.
        unlocking: the wallet is being opened, nothing is being approved.
        troubled: the person was told or asked something, in this operation.
        fault: what stopped the person's answer; told instead of what the library makes of it.
    """

    def __init__(self) -> None:
        self.channel: Channel | None = None
        self.person: Person = Alone()
        self.unlocking = self.troubled = False
        self.fault: SignerFault | None = None

    def begin(self, person: Person) -> None:
        """An operation for `person` begins."""
        self.person, self.troubled, self.unlocking, self.fault = person, False, False, None

    def button(self, request: messages.ButtonRequest) -> None:
        """The device waits for its person (the library has confirmed that already)."""
        if self.channel is not None:
            self.channel.person_acts()
        self.troubled = True
        self.person.told(self._state(request))

    def pin(self, request: messages.PinMatrixRequest) -> str:  # noqa: ARG002 -- the library's signature
        """Positions on the keypad of a Model One.

        Raises:
            Cancelled: of the library: nobody answered, or not with positions; it tells the device.
        """
        self.troubled = True
        self.person.told(DeviceState.PIN)
        typed = self._ask(Question.PIN_POSITIONS)
        if typed is not None and (not 1 <= len(typed) <= _MAX_PIN or not _KEYPAD.issuperset(typed)):
            self.fault = NotReady(DeviceState.PIN, f"Positions are 1 to {_MAX_PIN} digits from 1 to 9.")
            typed = None
        if typed is None or self.channel is None or self.channel.stopped:
            raise exceptions.Cancelled
        self.channel.next_is_slow()
        return typed

    def passphrase(self) -> str:
        """What the person typed, in the form that is sent.

        Raises:
            NotReady: too long, or nobody answered.
        """
        self.troubled = True
        typed = unicodedata.normalize("NFKD", self.person.ask(Question.PASSPHRASE))
        size = len(typed.encode("utf-8", "surrogatepass"))
        if size > MAX_PASSPHRASE:
            raise NotReady(DeviceState.PASSPHRASE, f"It has {size} bytes; a Trezor takes {MAX_PASSPHRASE} at most.")
        return typed

    def pairing_code(self) -> str:
        """The six digits on the screen of a device that pairs.

        Raises:
            NotReady: not six digits, or nobody answered.
        """
        self.troubled = True
        self.person.told(DeviceState.PAIRING)
        typed = self.person.ask(Question.PAIRING_CODE).strip()
        if len(typed) != 6 or not (typed.isascii() and typed.isdigit()):
            raise NotReady(DeviceState.PAIRING, "The code has six digits.")
        return typed

    def _ask(self, question: Question) -> str | None:
        try:
            return self.person.ask(question)
        except SignerFault as fault:
            self.fault = fault
            return None

    def _state(self, request: messages.ButtonRequest) -> DeviceState:
        codes = messages.ButtonRequestType
        if request.code == codes.PinEntry:
            return DeviceState.PIN
        if request.code == codes.PassphraseEntry or (request.name or "").startswith("passphrase"):
            return DeviceState.PASSPHRASE
        return DeviceState.PASSPHRASE if self.unlocking else DeviceState.WAIT_BUTTON
