"""What the device would show of a trade, as far as is known of the device now. Asks it nothing: `app.device_watch` and
each signature keep `DeviceSession.last` fresh, and the device is asked again before it signs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from app.execution.desk import Desk
from app.execution.records import Payload, Trade
from signers.base import Clarity, DeviceInfo, DeviceState, Shown, SignerKind, SignRequest
from signers.faults import SignerFault
from signers.session import OnState


@dataclass(frozen=True, slots=True)
class DeviceView:
    """The device, and what it would show.

    Attributes:
        name: model and app with their versions; the kind's name while nothing is known of it.
        shown: None while the device is not there, or was not asked yet: `words` says why. Of several payloads the least
            that it shows of one, and all their lines.
        each: the same for each payload, in the order in which they are signed; none where `shown` is None.
        words: why it can not sign now, and the way on; "" when it can.
    """

    kind: SignerKind
    name: str
    shown: Shown | None
    words: str
    state: DeviceState
    each: tuple[Shown, ...] = ()

    @property
    def clarity(self) -> Clarity:
        """What a confirmation agrees to: nothing less than in clear where nobody has seen what would be shown."""
        return Clarity.CLEAR if self.shown is None else self.shown.clarity


def asked(desk: Desk, trade: Trade, payload: Payload) -> tuple[SignRequest, str, OnState, float]:
    """What the device is asked for a payload of `trade`: exactly what was confirmed, by the registered address, told to
    whom, and for how many seconds at most."""
    request = SignRequest(payload.to_sign, desk.terms.signer_path)
    told = partial(_told, desk, trade, payload)
    return request, desk.terms.signer_address, told, desk.terms.device_deadline_s


def _told(desk: Desk, trade: Trade, payload: Payload, state: DeviceState) -> None:
    trade.at_device = payload
    desk.on_device(trade, state)


def device_view(desk: Desk, trade: Trade) -> DeviceView:
    """For a prepared trade."""
    signer, last = desk.signer.signer, desk.signer.last
    if isinstance(last, DeviceInfo):
        every = []
        for payload in trade.payloads:
            request, address, _, _ = asked(desk, trade, payload)
            every.append(signer.shown(request, address, last))
        shown = _together(every)
        state = shown.refuses or DeviceState.READY
        return DeviceView(signer.kind, last.title, shown, "", state, tuple(every))
    name = signer.kind.capitalize()
    if isinstance(last, SignerFault):
        return DeviceView(signer.kind, name, None, f"{last.what} {last.next_step}", last.state)
    return DeviceView(signer.kind, name, None, "It was not asked yet.", DeviceState.UNKNOWN)


def _together(every: list[Shown]) -> Shown:
    """Of one payload what it is."""
    least = max(every, key=lambda shown: list(Clarity).index(shown.clarity))
    refuses = next((shown.refuses for shown in every if shown.refuses is not None), None)
    return Shown(least.clarity, tuple(line for shown in every for line in shown.lines), least.why, refuses)
