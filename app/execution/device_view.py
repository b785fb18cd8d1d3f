"""What the device would show of a trade, as far as is known of the device now. Asks it nothing: `app.device_watch` and
each signature keep `DeviceSession.last` fresh, and the device is asked again before it signs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from app.execution.desk import Desk
from app.execution.records import Trade
from signers.base import Clarity, DeviceInfo, DeviceState, Shown, SignerKind, SignRequest
from signers.faults import SignerFault
from signers.payloads import PersonalMessage
from signers.session import OnState


@dataclass(frozen=True, slots=True)
class DeviceView:
    """The device, and what it would show.

    Attributes:
        name: model and app with their versions; the kind's name while nothing is known of it.
        shown: None while the device is not there, or was not asked yet: `words` says why.
        words: why it can not sign now, and the way on; "" when it can.
    """

    kind: SignerKind
    name: str
    shown: Shown | None
    words: str
    state: DeviceState

    @property
    def clarity(self) -> Clarity:
        """What a confirmation agrees to: nothing less than in clear where nobody has seen what would be shown."""
        return Clarity.CLEAR if self.shown is None else self.shown.clarity


def asked(desk: Desk, trade: Trade) -> tuple[SignRequest, str, OnState, float]:
    """What the device is asked for `trade`: exactly the confirmed text, by the registered address, told to whom, and
    for how many seconds at most."""
    assert trade.payload is not None
    request = SignRequest(PersonalMessage(trade.payload.text), desk.terms.signer_path)
    return request, desk.terms.signer_address, partial(desk.on_device, trade), desk.terms.device_deadline_s


def device_view(desk: Desk, trade: Trade) -> DeviceView:
    """For a prepared trade."""
    signer, last = desk.signer.signer, desk.signer.last
    if isinstance(last, DeviceInfo):
        request, address, _, _ = asked(desk, trade)
        shown = signer.shown(request, address, last)
        return DeviceView(signer.kind, last.title, shown, "", shown.refuses or DeviceState.READY)
    name = signer.kind.capitalize()
    if isinstance(last, SignerFault):
        return DeviceView(signer.kind, name, None, f"{last.what} {last.next_step}", last.state)
    return DeviceView(signer.kind, name, None, "It was not asked yet.", DeviceState.UNKNOWN)
