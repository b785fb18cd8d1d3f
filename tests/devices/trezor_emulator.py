"""A Trezor that lives in a thread: the protocol of the real one as it was recorded, with real signatures by the public
test seed. It stands for the device only; between it and a test is all of our own code and the maker's library.

    with TrezorDevice("T3T1") as device:
        signer = TrezorSigner(device.url)

Its person approves; `human` says otherwise, `press` acts on what waits. `wire.mangle`, `wire.deaf` and `wire.close` are
its faults.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator
from typing import Any, Literal, Self

from trezorlib import messages as m

from tests.devices import trezor_keys as keys
from tests.devices.trezor_features import features
from tests.devices.trezor_flows import FLOWS, Dialogue, buttons
from tests.devices.trezor_wire import Answers, Message, Wire

Human = Literal["approve", "refuse", "never"]
Model = Literal["T3T1", "T1B1"]


class TrezorDevice:
    """A device of `model`.

    Attributes:
        human: what its person does when it waits for a button.
        refuse_at: refuse at the button of this number (from 0), after approving those before.
        pin: its PIN, when it has one; then it is locked at first.
        matrix: where a Model One shows which digit: the digit on position 1, 2, ... 9.
        pins: what is typed on a core model's own screen, in order; then the right one.
        passphrases: what is typed there for a passphrase.
        version: of its firmware.
        most_sessions: how many wallets it keeps open.
        failing: request -> the failure that answers it.
        flows: model and request -> what it does.
        shown: the buttons that were asked for, in order: name, or code where there is no name.
    """

    def __init__(
        self,
        model: Model = "T3T1",
        *,
        pin: str = "",
        passphrase: bool = False,
        initialized: bool = True,
        version: tuple[int, int, int] | None = None,
    ) -> None:
        self.model, self.pin, self.passphrase, self.initialized = model, pin, passphrase, initialized
        self.version = version
        self.human: Human = "approve"
        self.refuse_at: int | None = None
        self.matrix = "716842953"
        self.pins: list[str] = []
        self.passphrases: list[str] = []
        self.most_sessions = 10
        self.failing: dict[type[Message], m.Failure] = {}
        self.shown: list[str] = []
        self.flows = dict(FLOWS)
        self.locked = bool(pin)
        self.wire = Wire(self._hear, self._press)
        self._sessions: dict[bytes, str | None] = {}
        self._active = b""
        self._numbers = itertools.count(1)
        self._dialogue: Dialogue | None = None
        self._waits = False
        self._pressed: bool | None = None
        self._buttons = 0

    @property
    def url(self) -> str:
        """For `TrezorSigner`."""
        return f"udp:127.0.0.1:{self.wire.port}"

    @property
    def waits(self) -> bool:
        """It waits for a button."""
        return self._waits

    @property
    def heard(self) -> list[str]:
        """Names of the host's messages."""
        return [type(each).__name__ for each in self.wire.heard]

    def __enter__(self) -> Self:
        self.wire.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def press(self, *, approve: bool) -> None:
        """Press the button that it waits for, from any thread."""
        self._pressed = approve

    def restart(self) -> None:
        """Switch it off and on: it forgets its sessions and is locked."""
        self._sessions.clear()
        self._active, self._dialogue, self._waits = b"", None, False
        self.locked = bool(self.pin)

    # -- on its own thread ---------------------------------------------------------------------------------------------

    def _hear(self, message: Message) -> Answers:
        if isinstance(message, m.Cancel):
            self._drop()
            text = "fsm_msg_common.h:362:Action cancelled by user" if self.model == "T1B1" else "Cancelled"
            yield m.Failure(code=m.FailureType.ActionCancelled, message=text)
        elif self._waits and self.model == "T1B1":
            return  # it ignores everything else while a screen is up
        elif self._dialogue is not None and isinstance(message, _ANSWERS):
            yield from self._go_on(message)
        else:
            self._drop()
            self._buttons = 0
            self._dialogue = self._serve(message)
            yield from self._go_on(None)

    def _press(self) -> Answers | None:
        if not self._waits or self._pressed is None:
            return None
        approved, self._pressed, self._waits = self._pressed, None, False
        return self._go_on(approved)

    def _drop(self) -> None:
        self._dialogue, self._waits, self._pressed = None, False, None

    def _go_on(self, given: Any) -> Answers:
        assert self._dialogue is not None
        try:
            answer = self._dialogue.send(given)
        except StopIteration:
            self._dialogue = None
            return
        if isinstance(answer, m.ButtonRequest):
            self.shown.append(answer.name or m.ButtonRequestType(answer.code or 0).name)
        if answer is None:
            self._waits = True
        else:
            yield answer
            if not isinstance(answer, _ASKING):
                self._dialogue = None

    def button(self, request: m.ButtonRequest) -> Generator[Message | None, Any, bool]:
        """Ask for a button; whether it was approved."""
        ack = yield request
        assert isinstance(ack, m.ButtonAck)
        number, self._buttons = self._buttons, self._buttons + 1
        if self.refuse_at is not None:
            return number != self.refuse_at
        if self.human == "never":
            return bool((yield None))
        return self.human == "approve"

    def _serve(self, message: Message) -> Dialogue:
        failing = self.failing.get(type(message))
        if failing is not None:
            yield failing
        elif isinstance(message, m.Initialize):
            yield self._initialize(message)
        elif isinstance(message, m.GetFeatures):
            yield features(self, b"")
        elif isinstance(message, m.Ping):
            yield m.Success(message=message.message)
        elif isinstance(message, m.EndSession):
            self._sessions.pop(self._active, None)
            yield m.Success(message="")
        elif isinstance(message, m.LockDevice):
            self.locked = bool(self.pin)
            yield m.Success(message="")
        else:
            yield from self._with_seed(message)

    def _initialize(self, message: m.Initialize) -> m.Features:
        if message.session_id not in self._sessions or message.session_id is None:
            self._active = next(self._numbers).to_bytes(32)
            self._sessions[self._active] = None
            for old in list(self._sessions)[: -self.most_sessions]:
                del self._sessions[old]
        else:
            self._active = message.session_id
            self._sessions[self._active] = self._sessions.pop(self._active)
        return features(self, self._active)

    def _with_seed(self, message: Message) -> Dialogue:
        flow = self.flows.get((self.model, type(message).__name__))
        if flow is None:
            text = "messages.c:257:Unknown message" if self.model == "T1B1" else "Unexpected message"
            yield m.Failure(code=m.FailureType.UnexpectedMessage, message=text)
        elif not self.initialized:
            yield m.Failure(code=m.FailureType.NotInitialized, message="Device is not initialized")
        elif (yield from self._unlocked()) and (yield from self._opened()):
            yield from flow(self, message)

    def _unlocked(self) -> Generator[Message | None, Any, bool]:
        while self.locked:
            if self.model == "T1B1":
                ack = yield m.PinMatrixRequest(type=m.PinMatrixRequestType.Current)
                typed = "".join(self.matrix[int(each) - 1] for each in ack.pin)
                if typed != self.pin:
                    yield m.Failure(code=m.FailureType.PinInvalid, message="protect.c:233:PIN invalid")
                    return False
            else:
                right = yield from self.button(_request("PinEntry", "pin_device"))
                if not right:
                    yield m.Failure(code=m.FailureType.PinCancelled, message="PIN entry cancelled")
                    return False
                typed = self.pins.pop(0) if self.pins else self.pin
            self.locked = typed != self.pin
        return True

    def _opened(self) -> Generator[Message | None, Any, bool]:
        if self._sessions.get(self._active) is not None:
            return True
        if not self._active:
            yield m.Failure(code=m.FailureType.InvalidSession, message="Invalid session")
            return False
        found = ""
        if self.passphrase:
            ack = yield m.PassphraseRequest()
            if ack.on_device:
                yield from self.button(_request("PassphraseEntry", "passphrase_device"))
                found = self.passphrases.pop(0)
            elif ack.passphrase:
                found = ack.passphrase
                if not (yield from buttons(self, "Other", "passphrase_host1", "passphrase_host2")):
                    return False
        self._sessions[self._active] = found
        return True

    @property
    def wallet(self) -> str:
        """The passphrase of the active wallet."""
        return self._sessions[self._active] or ""


def _request(code: str, name: str) -> m.ButtonRequest:
    return m.ButtonRequest(code=m.ButtonRequestType[code], pages=1, name=name)


_ANSWERS = (
    m.ButtonAck,
    m.PinMatrixAck,
    m.PassphraseAck,
    m.EthereumTxAck,
    m.EthereumDefinitionAck,
    m.EthereumTypedDataStructAck,
    m.EthereumTypedDataValueAck,
)
_ASKING = (
    m.ButtonRequest,
    m.PinMatrixRequest,
    m.PassphraseRequest,
    m.EthereumTxRequest,
    m.EthereumDefinitionRequest,
    m.EthereumTypedDataStructRequest,
    m.EthereumTypedDataValueRequest,
)

__all__ = ["TrezorDevice", "keys"]
