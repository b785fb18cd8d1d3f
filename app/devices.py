"""The signers of a session: one driver and one thread for each kind that is asked for, made when it is first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path as File
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from app import hot_keys
from app.accounts import REGISTER, Account, newest, registered
from app.errors import SignerError
from signers.base import DeviceState, Question, Signer, SignerKind
from signers.demo import DemoSigner
from signers.faults import SignerFault
from signers.paths import Path
from signers.payloads import Chain
from signers.person import Alone
from signers.session import MENDABLE, DeviceSession, OnAsk, OnState
from signers.words import meanwhile, next_step_of, way_on, what_of

if TYPE_CHECKING:
    import sqlite3

    from app.config.signer import Signer as SignerSettings
    from signers.trezor.options import PassphraseWay
    from storage.database import Reader

HARDWARE: Final = (SignerKind.LEDGER, SignerKind.TREZOR)
"""The preferred first."""
KINDS: Final = (*HARDWARE, SignerKind.DEMO)
"""What can be asked for an address or a test outside of a trade. A hot key has commands of its own."""
LISTED: Final = (*HARDWARE, SignerKind.KEYRING, SignerKind.DEMO)
"""Every kind, in the order of preference."""

R = TypeVar("R")
Tell = Callable[[str], None]

_REFUSED: Final = "Nothing was registered. Start again if that was a mistake."
_PASSPHRASE: Final[dict[str, PassphraseWay]] = {"standard": "none", "hidden-device": "device", "hidden-typed": "ask"}


@dataclass(frozen=True, slots=True)
class Act:
    """What a device is asked for at its person's wish, outside of any trade.

    Attributes:
        subject: the address that is shown, or the text that is signed; "" before it is known.
        state: what the device does now; None before it was asked.
        since_s: when it began, seconds of the loop's clock.
        payload: what is asked to be signed, so that it can be given up; b"" for an address.
    """

    what: Literal["address", "test"]
    chain: Chain
    path: Path
    since_s: float
    subject: str = ""
    state: DeviceState | None = None
    payload: bytes = b""


class Devices:
    """Args:
    attended: a person sees the demo device's screen and approves there.
    real_only: refuse emulators and the demo signer (the live profile).
    """

    def __init__(self, settings: SignerSettings, *, attended: bool, real_only: bool = False) -> None:
        self._settings = settings
        self._real_only = real_only
        self._sessions: dict[SignerKind, DeviceSession] = {}
        self.demo = DemoSigner(attended=attended)
        self.on_ask: OnAsk | None = None
        """Asks the person at the screen for a PIN, a passphrase, a pairing code."""
        self.on_first: Tell | None = None
        """Told, while a device's account is registered, what its person is to do for it. There is somebody to do it:
        what they can mend is waited for. None: nobody reads it, and such a device is a fault."""
        self.fresh: Account | None = None
        """An account that its person approved just now and that is not on record yet. The demo signer's, whose key is
        public, is recorded without a word."""
        self.wanted: SignerKind | None = None
        """The kind that `chosen` gave; None before that."""
        self.seen: dict[SignerKind, tuple[str, ...]] = {}
        """What was on the bus when it was last looked at, by kind; one that was never looked at is not in it."""
        self.on_act: Callable[[DeviceState], None] = lambda _: None
        """Told what a device does while it is asked for something outside of any trade."""
        self.acts: dict[SignerKind, Act] = {}
        """What each is asked for now, outside of any trade."""

    @property
    def doubt(self) -> str:
        """What the settings name and is not there, in words; "" when all is."""
        folder = self._settings.descriptors
        if not folder or File(folder).is_dir():
            return ""
        return f"signer.descriptors = {folder}: there is no such folder, so a Ledger shows no token's name or amount."

    @property
    def hot(self) -> bool:
        """The hot signer is switched on."""
        return self._settings.hot.enabled

    @property
    def deadline_s(self) -> int:
        """Seconds a device may take, its person included."""
        return self._settings.deadline_s

    @contextmanager
    def asking(self, kind: SignerKind, act: Act) -> Iterator[OnState]:
        """`act` is under way until this ends; what it yields keeps the device's state in it."""
        self.acts[kind] = act

        def told(state: DeviceState) -> None:
            if kind in self.acts:
                self.acts[kind] = replace(self.acts[kind], state=state)
                self.on_act(state)

        try:
            yield told
        finally:
            del self.acts[kind]

    def name(self, kind: SignerKind, subject: str, payload: bytes = b"") -> None:
        """What it is asked for is this."""
        self.acts[kind] = replace(self.acts[kind], subject=subject, payload=payload)

    def of(self, kind: SignerKind) -> DeviceSession:
        """The one session of this kind; its thread starts with the first call."""
        if kind not in self._sessions:
            loop = asyncio.get_running_loop()
            session = DeviceSession(self.driver(kind), loop, real_only=self._real_only)
            session.on_ask = self._ask
            self._sessions[kind] = session
        return self._sessions[kind]

    @property
    def open(self) -> tuple[DeviceSession, ...]:
        """Those that were asked for."""
        return tuple(self._sessions.values())

    async def chosen(self) -> SignerKind:
        """The kind that the settings name; for "auto" the first hardware that is plugged in, else the demo device.

        Raises:
            SignerError: none is plugged in, and the demo device signs nothing here.
        """
        self.wanted = await self._choose()
        return self.wanted

    async def _choose(self) -> SignerKind:
        if self._settings.kind != "auto":
            return SignerKind(self._settings.kind)
        for kind in HARDWARE:
            self.seen[kind] = await self.of(kind).plugged()
            if self.seen[kind]:
                return kind
        if self._real_only:
            raise SignerError(
                "signer.none", "No hardware wallet is plugged in.", next_step="Nothing was sent. Plug it in."
            )
        return SignerKind.DEMO

    def path(self, chain: Chain) -> Path:
        """The account on a device that the settings name for `chain`."""
        return Path.parse(self._settings.evm_path if chain is Chain.EVM else self._settings.solana_path)

    async def account(
        self, kind: SignerKind, chain: Chain, data: tuple[Reader, sqlite3.Connection], now_ms: int, tell: Tell
    ) -> Account:
        """The registered account that the settings name; or, the first time, the one that the person compares and
        approves on the device.

        Args:
            data: to read, and to write what is registered.
            tell: told what the person is to compare.

        Raises:
            SignerError: it could not be registered, or the demo signer's is another than is on record.
        """
        reader, connection = data
        if self.doubt and kind is SignerKind.LEDGER:
            tell(self.doubt)
        device, path = self.of(kind), self.path(chain)
        known = registered(reader.rows, kind, chain, path)
        if kind is SignerKind.KEYRING:
            known = newest(reader.rows, kind, chain)
            path = hot_keys.numbered(1) if known is None else known.path
        if known is not None and kind in HARDWARE:
            return known  # the device need not be here yet: its address is checked each time that it signs
        compares = known is None and kind in HARDWARE
        try:
            address, name = await self._mended(
                device, lambda: self._first(device, chain, path, tell, compares=compares)
            )
        except SignerFault as fault:
            raise _unavailable(kind, path, fault, real_only=self._real_only) from fault
        if known is not None:
            if known.address != address:
                raise _another(kind, address, known.address)
            return known
        account = Account(kind, chain, path, address, name, now_ms, None)
        if kind is SignerKind.DEMO:
            connection.execute(REGISTER, (kind, chain, str(path), address, name, now_ms))
        else:
            self.fresh = account
        return account

    async def _first(
        self, device: DeviceSession, chain: Chain, path: Path, tell: Tell, *, compares: bool
    ) -> tuple[str, str]:
        """The address and the device's name. A PIN, a passphrase or an app to open takes a person's time."""
        deadline_s = self._settings.deadline_s
        address = await device.address(chain, path, self._hand, deadline_s=deadline_s)
        if compares:
            tell(to_compare(device.signer.kind, path, address))
            shown = await device.address(chain, path, lambda _: None, show=True, deadline_s=deadline_s)
            check_same(device.signer.kind, address, shown)
        return address, (await device.probe()).name

    def _hand(self, state: DeviceState) -> None:
        if self.on_first is not None and state is not DeviceState.REJECTED:
            self.on_first(f"{what_of(state)} {next_step_of(state)}".rstrip())

    async def _mended(self, device: DeviceSession, find: Callable[[], Coroutine[None, None, R]]) -> R:
        """What `find` gives; with a person at the screen, as often as they need to mend what is in the way. An address
        moves nothing, so it may be asked for again also after they were asked to compare it."""
        while True:
            try:
                return await find()
            except SignerFault as fault:
                if self.on_first is None or device.signer.kind not in HARDWARE or fault.state not in MENDABLE:
                    raise
                self.on_first(f"{fault.what} {meanwhile(way_on(fault.next_step))}".rstrip())
            await asyncio.sleep(device.again_s)

    def close(self) -> None:
        """Let every device go."""
        for session in self._sessions.values():
            session.close()

    async def _ask(self, question: Question) -> str:
        if self.on_ask is None:
            return Alone().ask(question)
        return await self.on_ask(question)

    def driver(self, kind: SignerKind) -> Signer:
        """A driver of this kind; the session's own is that of its thread."""
        settings = self._settings
        if kind is SignerKind.LEDGER:
            from signers.ledger.descriptors import Descriptors  # noqa: PLC0415 -- with the driver
            from signers.ledger.driver import LedgerSigner  # noqa: PLC0415 -- device libraries load when one is wanted

            descriptors = Descriptors(File(settings.descriptors)) if settings.descriptors else None
            return LedgerSigner(settings.ledger, descriptors=descriptors)
        if kind is SignerKind.TREZOR:
            from app import pairings  # noqa: PLC0415 -- as above
            from signers.trezor.driver import TrezorSigner  # noqa: PLC0415 -- as above

            return TrezorSigner(
                settings.trezor,
                passphrase=_PASSPHRASE[settings.trezor_wallet],
                load_credentials=pairings.load,
                store_credential=pairings.store,
            )
        return hot_keys.signer() if kind is SignerKind.KEYRING else self.demo


def _unavailable(kind: SignerKind, path: Path, fault: SignerFault, *, real_only: bool) -> SignerError:
    if kind is SignerKind.KEYRING:
        return SignerError(fault.code, fault.told, next_step=fault.next_step)
    step = _REFUSED if fault.state is DeviceState.REJECTED else fault.next_step
    return SignerError(
        fault.code,
        f"The {kind}'s address for {path} is not registered yet: {fault.told}",
        next_step=step if real_only else f"{step} Or start with --signer demo.".lstrip(),
    )


def _another(kind: SignerKind, address: str, known: str) -> SignerError:
    what = f"The signer answers {address}; registered for this database is {known}."
    step = "Use the registered device or another database."
    if kind is SignerKind.KEYRING:
        step = "If you changed the key, register it here: countersign hotkey register"
    return SignerError("signer.wrong_device", what, next_step=f"Nothing was sent. {step}")


def to_compare(kind: SignerKind, path: Path, address: str) -> str:
    """What the person is told before an address is shown on the device."""
    return f"Compare on the {kind}: {address} ({path}). Approve it there if it is the same."


def check_same(kind: SignerKind, said: str, shown: str) -> None:
    """A device that was asked twice for an address, the second time to show it, must answer the same.

    Raises:
        SignerError: it does not.
    """
    if shown != said:
        raise SignerError(
            "signer.wrong_device",
            f"The {kind} said {said}, then {shown}.",
            next_step="Nothing was registered. Do not use this device before you know why.",
        )
