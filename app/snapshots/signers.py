"""Every kind of signer as it is known now, and what a device would show of each kind of payload. Asks no device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from app.accounts import Account
from app.devices import LISTED, Act, Devices
from signers.base import Clarity, DeviceInfo, DeviceState, Signer, SignerKind, SignRequest
from signers.faults import SignerFault
from signers.payloads import Chain
from signers.words import way_on, what_of

if TYPE_CHECKING:
    from app.snapshots.samples import Sample

NOT_LOOKED: Final = "Nobody looked for one."
SWITCHED_OFF: Final = "Switched off: signer.hot.enabled is false."


@dataclass(frozen=True, slots=True)
class SignerView:
    """One kind of signer.

    Attributes:
        looked: somebody asked for it; else nothing is known of it.
        plugged: what was on the bus when it was last looked at.
        info: what answered; None while nothing did.
        state: READY, or why it can not be used; None while nobody knows.
        words: the state in a sentence; `step`: the way on, "" when it can be used.
        raw: the maker's own code for it.
        doubt: what the settings name for it and is not there, "" when all is.
        chosen: the session would use it.
        busy: its person is asked for something there.
        switches: how often its app was changed from here.
        act: what it is asked for outside of any trade.
    """

    kind: SignerKind
    looked: bool
    plugged: tuple[str, ...]
    info: DeviceInfo | None
    state: DeviceState | None
    words: str
    step: str
    raw: str
    doubt: str
    chosen: bool
    busy: bool
    switches: int
    act: Act | None

    @property
    def name(self) -> str:
        """What it is, as far as is known."""
        if self.info is not None:
            return self.info.name
        return ", ".join(self.plugged) or self.kind.capitalize()

    @property
    def runs(self) -> str:
        """The app that is open, or the firmware, with its version; "" while nothing is known."""
        if self.info is None:
            return ""
        if self.info.app:
            return f"{self.info.app} {self.info.app_version}"
        if self.kind is SignerKind.LEDGER:
            return "no app open"
        return f"firmware {self.info.version}" if self.kind is SignerKind.TREZOR else ""

    @property
    def blind(self) -> str:
        """Whether what can not be shown is signed all the same: a setting of the app that is open."""
        if self.info is None or self.info.blind_signing is None:
            return ""
        return "on" if self.info.blind_signing else "off"

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        info, act = self.info, self.act
        known = None
        if info is not None:
            names = ("name", "model", "version", "app", "app_version", "blind_signing", "serial", "emulator", "real")
            known = {name: getattr(info, name) for name in names}
        return {
            "kind": self.kind.value,
            "looked": self.looked,
            "plugged": list(self.plugged),
            "state": None if self.state is None else self.state.value,
            "words": self.words,
            "next_step": self.step,
            "raw": self.raw,
            "doubt": self.doubt,
            "chosen": self.chosen,
            "busy": self.busy,
            "app_switches": self.switches,
            "asked_for": None if act is None else act.what,
            "device": known,
        }


def signers(devices: Devices, chosen: SignerKind | None) -> tuple[SignerView, ...]:
    """Every kind, in the order of preference."""
    return tuple(_view(devices, kind, chosen) for kind in LISTED)


def _view(devices: Devices, kind: SignerKind, chosen: SignerKind | None) -> SignerView:
    session = next((each for each in devices.open if each.signer.kind is kind), None)
    last = None if session is None else session.last
    act = devices.acts.get(kind)
    state, words, step, raw = _state(last, looked=session is not None)
    if kind is SignerKind.KEYRING and not devices.hot:
        state, words = None, SWITCHED_OFF
    if act is not None and act.state is not None:
        state, words, step = act.state, what_of(act.state), ""
    return SignerView(
        kind=kind,
        looked=session is not None,
        plugged=devices.seen.get(kind, ()),
        info=last if isinstance(last, DeviceInfo) else None,
        state=state,
        words=words,
        step=step,
        raw=raw,
        doubt=devices.doubt if kind is SignerKind.LEDGER else "",
        chosen=kind is chosen,
        busy=act is not None or (session is not None and session.signing),
        switches=0 if session is None else session.switches,
        act=act,
    )


def _state(last: DeviceInfo | SignerFault | None, *, looked: bool) -> tuple[DeviceState | None, str, str, str]:
    if isinstance(last, SignerFault):
        return last.state, last.what, way_on(last.next_step), last.raw
    if isinstance(last, DeviceInfo):
        return DeviceState.READY, what_of(DeviceState.READY), "", ""
    return None, "It was not asked yet." if looked else NOT_LOOKED, "", ""


def document(
    views: Sequence[SignerView], registered: Sequence[Account], in_use: tuple[str, str, str]
) -> dict[str, Any]:
    """For ``--json`` and the control socket. `in_use`: signer, chain and path that a session signs with."""
    return {
        "signers": [each.document() for each in views],
        "accounts": [_account(each, in_use) for each in registered],
    }


def _account(each: Account, in_use: tuple[str, str, str]) -> dict[str, Any]:
    names = (each.signer.value, each.chain.value, str(each.path))
    return {
        **dict(zip(("signer", "chain", "path"), names, strict=True)),
        "address": each.address,
        "device": each.device,
        "registered_ms": each.registered_ms,
        "used_ms": each.used_ms,
        "in_use": names == in_use,
    }


# -- what it can sign -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signs:
    """What a device, as it is now, shows of one kind of payload.

    Attributes:
        clarity: None where it can not sign that at all.
        why: what is missing, and what was never seen on such a device.
        refuses: the state in which it would refuse it as it is set now.
        proven: its screens were recorded on this model and version.
    """

    chain: Chain
    what: str
    clarity: Clarity | None
    refuses: DeviceState | None
    why: str
    proven: bool

    @property
    def words(self) -> str:
        """``clear``, ``blind: refused as it is set``, ``no``."""
        if self.clarity is None:
            return "no"
        refused = ", refused as it is set" if self.refuses is not None else ""
        return f"{self.clarity.lower()}{refused}"

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "chain": self.chain.value,
            "what": self.what,
            "clarity": None if self.clarity is None else self.clarity.value,
            "refuses": None if self.refuses is None else self.refuses.value,
            "why": self.why,
            "proven": self.proven,
        }


def signs(signer: Signer, info: DeviceInfo, samples: Sequence[Sample]) -> tuple[Signs, ...]:
    """What `signer`, which is `info` now, shows of each sample. Slow the first time (it loads what reads payloads), so
    not for the loop's thread."""
    return tuple(_signs(signer, info, each) for each in samples)


def _signs(signer: Signer, info: DeviceInfo, sample: Sample) -> Signs:
    from signers.recorded import doubt, proven  # noqa: PLC0415 -- the Ledger's tables, when somebody asks

    chain, about, note = sample.payload.chain, info, ""
    if info.kind is SignerKind.LEDGER:
        about, note = _with_app(info, chain)
    shown = signer.shown(SignRequest(sample.payload, sample.path), sample.address, about)
    never = shown.refuses is DeviceState.UNSUPPORTED
    told = never or "not recorded" in shown.why
    words = (shown.why, note, "" if told else doubt(about))
    return Signs(
        chain=chain,
        what=sample.what,
        clarity=None if never else shown.clarity,
        refuses=None if never else shown.refuses,
        why=" ".join(each for each in words if each),
        proven=proven(about, chain),
    )


def _with_app(info: DeviceInfo, chain: Chain) -> tuple[DeviceInfo, str]:
    """A Ledger with the chain's app open: the one that is, or the recorded version with blind signing off."""
    from signers.ledger.apps import APPS, dotted  # noqa: PLC0415 -- as above

    app = APPS[chain]
    if info.app == app.name:
        return info, ""
    version = dotted(app.recorded)
    note = f"{app.name} is not open: this is for {app.name} {version} with blind signing off."
    return replace(info, app=app.name, app_version=version, blind_signing=False), note
