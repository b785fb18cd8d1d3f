"""The Ledger driver: one device, on USB or as an emulator."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs, urlsplit

from signers.base import DeviceInfo, DeviceState, Person, Shown, SignerKind, SignRequest
from signers.faults import NotReady, RefusedOnDevice, SignerFault
from signers.ledger import apps, ethereum, solana
from signers.ledger.apdu import Ask
from signers.ledger.channel import Channel
from signers.ledger.descriptors import Descriptors, Token
from signers.ledger.ethereum import Config
from signers.ledger.filtered import Filtered
from signers.ledger.filters import Filters
from signers.ledger.find import HidDoor
from signers.ledger.signing import commands, read_signature
from signers.ledger.tcp import TcpDoor
from signers.ledger.transport import MODELS, Door
from signers.ledger.verdict import verdict
from signers.paths import Path
from signers.payloads import Chain

ANSWER_S: Final = 5.0
"""For what needs no person: 1 to 10 ms, up to 1.4 s where Solana reads a message (recorded)."""
REVIEW_S: Final = 900.0
"""An answer that needs a person is waited for so long: the app itself waits forever."""
_NOT_TAKEN: Final = frozenset({DeviceState.UNSUPPORTED, DeviceState.UNKNOWN, DeviceState.BAD_ANSWER})
"""How a device's not taking a document's filters looks."""


class LedgerSigner:
    """A Ledger.

    Args:
        url: "" for the first device on USB; ``tcp://host:port`` for the emulator, with ``?model=flex`` when it is no
            Nano S Plus.
        descriptors: what tokens are called, and in the same folder which fields of typed data to show; without it the
            device shows no token's name or amount, and typed data only as blind signing.
        answer_s: seconds an answer that needs no person is waited for.
        review_s: the same, where it needs one.
        door: where devices are found instead of what `url` names.

    Attributes:
        back_s: seconds a device that changes its app may be away. It takes 1 to 3; a slow computer sees it later.
        look_s: seconds between two looks for it.

    Raises:
        ValueError: `url` has another form; the words name what is allowed.
    """

    back_s = 15.0
    look_s = 0.2

    def __init__(
        self,
        url: str = "",
        *,
        descriptors: Descriptors | None = None,
        answer_s: float = ANSWER_S,
        review_s: float = REVIEW_S,
        door: Door | None = None,
    ) -> None:
        self._door = door or door_of(url)
        self._descriptors = descriptors
        self._filters = None if descriptors is None else Filters(descriptors)
        self._channel = Channel(self._door, answer_s, review_s)
        self._config = Config(blind_signing=False)

    @property
    def kind(self) -> SignerKind:
        """A Ledger."""
        return SignerKind.LEDGER

    def plugged(self) -> tuple[str, ...]:
        """What is on the bus; for the emulator, its address."""
        return self._door.plugged()

    def probe(self) -> DeviceInfo:
        """What is there and which app is open; asks nobody.

        Raises:
            NotReady: not there, or not usable as it is.
            DeviceFault: it answered oddly.
        """
        with self._channel.working():
            running = self._channel.which()
            chain = next((chain for chain, app in apps.APPS.items() if app.name == running.name), None)
            return self._info(running, chain)

    def open(self, chain: Chain, person: Person) -> DeviceInfo:
        """Have the right app open, new enough; see `Signer`."""
        with self._channel.working():
            return self._ready(chain, person)

    def address(self, chain: Chain, path: Path, person: Person, *, show: bool = False) -> str:
        """Address of `path`; see `Signer`."""
        app = ethereum if chain is Chain.EVM else solana
        with self._channel.working():
            self._ready(chain, person)
            ask = Ask(app.address_command(path, show=show), apps.APPS[chain].name, person=show, path=str(path))
            data = self._asked(ask, person)
            return ethereum.address(data) if chain is Chain.EVM else solana.address(data)

    def shown(self, request: SignRequest, address: str, info: DeviceInfo) -> Shown:
        """What the device will show; see `Signer`."""
        return self._verdict(request, address, info)[0]

    def sign(self, request: SignRequest, person: Person) -> bytes:
        """Sign; see `Signer`. What the device would refuse as it is set is refused here, before it is asked."""
        chain = request.payload.chain
        with self._channel.working():
            info = self._ready(chain, person)
            shown, told = self._verdict(request, "", info)
            if shown.refuses is not None:
                raise NotReady(shown.refuses, shown.why)
            signature = self._told(request, info, told, person)
            person.told(DeviceState.SIGNED)
            return signature

    def cancel(self) -> None:
        """Stop waiting. A Ledger can not be told: what it shows must be refused on it, and what it answers is lost."""
        self._channel.take_back()

    def close(self) -> None:
        """Let go of the device; opened again when it is next asked."""
        self._channel.close()

    # -- on the device's thread -------------------------------------------------------------------------------------

    def _verdict(self, request: SignRequest, address: str, info: DeviceInfo) -> tuple[Shown, Token | Filtered | None]:
        short = self._config.short_keys
        return verdict(request, address, info, self._descriptors, short_keys=short, filters=self._filters)

    def _told(self, request: SignRequest, info: DeviceInfo, told: Token | Filtered | None, person: Person) -> bytes:
        """The signature. Filters that the device does not take are not used again: the next verdict is the one without
        them, and says so; and the device is opened anew, since with filters its answers were never recorded."""
        filtered = told if isinstance(told, Filtered) else None
        blind = filtered is not None or bool(info.blind_signing)
        *first, last = (
            Ask(apdu, info.app, blind=blind, path=str(request.path)) for apdu in commands(request, info, told)
        )
        try:
            for ask in first:
                self._asked(ask, person)
            return read_signature(request.payload, self._asked(replace(last, person=True), person))
        except SignerFault as found:
            if filtered is not None and self._filters is not None and found.state in _NOT_TAKEN:
                self._filters.doubt(filtered.domain)
                self._channel.drop()
            raise

    def _asked(self, ask: Ask, person: Person) -> bytes:
        """The answer; the person is told when it waits for them, and when they refused."""
        if ask.person:
            person.told(DeviceState.WAIT_BUTTON)
        try:
            return self._channel.ask(ask)
        except RefusedOnDevice:
            person.told(DeviceState.REJECTED)
            raise

    def _ready(self, chain: Chain, person: Person) -> DeviceInfo:
        app = apps.APPS[chain]
        running = self._channel.which()
        if running.name != app.name:
            running = self._switch(app, running, person)
        if running.number() < app.oldest:
            detail = f"{app.name} {running.version}; at least {apps.dotted(app.oldest)}: {app.why_oldest}."
            raise NotReady(DeviceState.TOO_OLD, detail)
        return self._info(running, chain)

    def _info(self, running: apps.Running, chain: Chain | None) -> DeviceInfo:
        """Of what runs, with the app's settings when it is one of ours."""
        if chain is not None:
            app = ethereum if chain is Chain.EVM else solana
            self._config = app.config(self._channel.ask(Ask(app.CONFIG, running.name)))
        opened = self._channel.opened
        name = opened.model.name if opened.model else "Ledger"
        return DeviceInfo(
            SignerKind.LEDGER,
            name,
            running.version,
            real=True,
            model=opened.model.code if opened.model else "",
            emulator=self._door.emulator,
            app="" if running.name == apps.DASHBOARD else running.name,
            app_version="" if running.name == apps.DASHBOARD else running.version,
            blind_signing=None if chain is None else self._config.blind_signing,
            serial=opened.serial,
        )

    def _switch(self, app: apps.App, running: apps.Running, person: Person) -> apps.Running:
        """Leave the app that is open, and open the right one with its person's consent. After either the device
        disconnects and comes back as another."""
        there = "No app" if running.name == apps.DASHBOARD else running.name
        if not self._door.switches:
            raise NotReady(DeviceState.WRONG_APP, f"{there} is open; {app.name} is needed.")
        if running.name != apps.DASHBOARD:
            self._leave(Ask(apps.QUIT))
            self._back(apps.DASHBOARD)
        person.told(DeviceState.OPENING_APP)
        try:
            self._leave(Ask(apps.open_app(app.name), person=True))
        except RefusedOnDevice:
            person.told(DeviceState.REJECTED)
            raise
        return self._back(app.name)

    def _leave(self, ask: Ask) -> None:
        """A command after which the device disconnects, with or without having answered."""
        try:
            self._channel.ask(ask)
        except NotReady as found:
            if found.state is not DeviceState.UNPLUGGED:
                raise
        self._channel.drop()

    def _back(self, wanted: str) -> apps.Running:
        """What runs once the device has come back as `wanted`."""
        end = time.monotonic() + self.back_s
        while True:
            self._channel.pause(self.look_s)
            late = time.monotonic() > end
            try:
                running = self._channel.which()
            except SignerFault as found:
                if late or found.state is DeviceState.LOCKED:
                    raise  # else it is on its way: not there, not readable yet, or gone in mid-answer
                continue
            if running.name == wanted:
                return running
            if late:
                raise NotReady(DeviceState.WRONG_APP, f"{running.name} is open; {wanted} is needed.")
            self._channel.drop()


def door_of(url: str) -> Door:
    """Where to look for what `url` names.

    Raises:
        ValueError: it has another form.
    """
    if not url:
        return HidDoor()
    allowed = f"a Ledger's address is tcp://host:port, with ?model= one of {', '.join(MODELS)}"
    try:
        found = urlsplit(url)
        host, port = found.hostname, found.port
    except ValueError as error:
        raise ValueError(f"{allowed}: {error}") from error
    query = parse_qs(found.query, keep_blank_values=True)
    model = MODELS.get(query.pop("model", ["nanosp"])[-1])
    if found.scheme != "tcp" or not host or not port or found.path not in {"", "/"} or query or model is None:
        raise ValueError(allowed)
    return TcpDoor(host, port, model)
