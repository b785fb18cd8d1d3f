"""What a person asks of a device outside of any trade: whether it is there, an address to compare, to register one.
Commands, the running trader and the terminal do it here. What signs a test text is in `app.trial_signature`.

A device at which a person is asked for something is left alone: what is put in its queue meanwhile would be answered
minutes later, when nobody thinks of it any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.accounts import REGISTER, REPLACE, Account
from app.devices import HARDWARE, KINDS, Act, Devices, check_same
from app.errors import SafetyError, SignerError, UsageError
from signers.base import DeviceInfo, DeviceState, SignerKind
from signers.faults import SignerFault
from signers.paths import Path
from signers.payloads import Chain
from signers.session import OnState

if TYPE_CHECKING:
    from app.execution.desk import Desk

_AGAIN: Final = "Nothing was sent. Ask again if that was a mistake."
WORD: Final = "REPLACE"
"""What a trader types to have another address in the place of a registered one."""
REGISTERED: Final = "account.registered"
REPLACED: Final = "account.replaced"
"""Kinds of journal rows."""

Statement = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Which:
    """An account of a signer, registered or not."""

    kind: SignerKind
    chain: Chain
    path: Path

    def __str__(self) -> str:
        return f"{self.kind} {self.chain} {self.path}"


@dataclass(frozen=True, slots=True)
class Registration:
    """What is written when a person approved an address: the journal's row and the table's, in one transaction.

    Attributes:
        kind: of the journal's row; subject: which account; change: its entry, as a `Transition` has them.
        statement: for table ``accounts``.
    """

    account: Account
    kind: str
    subject: str
    change: tuple[Any, ...]
    statement: Statement


def which(signer: object, chain: object, path: object) -> Which:
    """Read what was typed.

    Raises:
        UsageError: no such signer or chain, or no derivation path; the words name what is allowed.
    """
    if signer == SignerKind.KEYRING:
        raise UsageError(
            "signers.hot", "A hot key is on no device and shows nothing.", next_step="See: countersign signers list"
        )
    if signer not in set(KINDS):
        raise UsageError("signers.kind", f"There is no signer {str(signer)[:40]!r}; one of: {', '.join(KINDS)}.")
    if chain not in set(Chain):
        raise UsageError("signers.chain", f"There is no chain {str(chain)[:40]!r}; one of: {', '.join(Chain)}.")
    try:
        return Which(SignerKind(str(signer)), Chain(str(chain)), Path.parse(str(path)))
    except ValueError as error:
        raise UsageError("signers.path", f"This is {error}.") from error


@contextmanager
def told_as_error() -> Iterator[None]:
    """A device's fault as an error for the trader.

    Raises:
        SignerError: in the fault's own words, but for a refusal's: no trade was refused.
    """
    try:
        yield
    except SignerFault as fault:
        step = _AGAIN if fault.state is DeviceState.REJECTED else fault.next_step
        raise SignerError(fault.code, fault.told, next_step=step) from fault


def occupied(devices: Devices, kind: SignerKind) -> bool:
    """Its person is asked for something there, or about to be."""
    return kind in devices.acts or any(each.signer.kind is kind and each.signing for each in devices.open)


def free(devices: Devices, kind: SignerKind) -> None:
    """Refuse while that device is occupied.

    Raises:
        SafetyError: it is.
    """
    if occupied(devices, kind):
        raise SafetyError(
            "signers.busy",
            f"The {kind} is being asked for something else.",
            next_step="Nothing was sent. Answer that on the device first.",
        )


async def look(devices: Devices, kinds: Iterable[SignerKind]) -> None:
    """Find out what is plugged in of these kinds, and what it is; what is busy is left alone. Asks no person."""
    await asyncio.gather(*(_look(devices, kind) for kind in kinds))


async def _look(devices: Devices, kind: SignerKind) -> None:
    if kind is SignerKind.KEYRING and not devices.hot:
        return
    session = devices.of(kind)
    if occupied(devices, kind):
        return
    try:
        devices.seen[kind] = await session.plugged()
        await session.probe()
    except SignerFault as fault:
        if session.last is None:
            session.last = fault  # it ran out of time, which only its asker hears of


def unheard(_address: str) -> None:
    """Nobody is told."""


async def address_of(devices: Devices, one: Which, *, show: bool, tell: Callable[[str], None] = unheard) -> str:
    """The address; `show`: on the device too, for the person to compare. The demo device shows none.

    Args:
        tell: told the address right before it is shown.

    Raises:
        SafetyError: the device is busy.
        SignerError: as the device says; refused there; or it said one address and showed another.
    """
    free(devices, one.kind)
    device, began = devices.of(one.kind), asyncio.get_running_loop().time()
    with told_as_error(), devices.asking(one.kind, Act("address", one.chain, one.path, began)) as told:
        address = await device.address(one.chain, one.path, told, deadline_s=devices.deadline_s)
        if show and one.kind in HARDWARE:
            devices.name(one.kind, address)
            tell(address)
            await _same(devices, one, address, told)
    return address


async def _same(devices: Devices, one: Which, address: str, told: OnState) -> None:
    device = devices.of(one.kind)
    shown = await device.address(one.chain, one.path, told, show=True, deadline_s=devices.deadline_s)
    check_same(one.kind, address, shown)


async def register(
    devices: Devices,
    one: Which,
    known: Account | None,
    replaces: Callable[[str], str],
    now_ms: int,
    tell: Callable[[str], None] = unheard,
) -> tuple[Account, Registration | None]:
    """Have the person compare and approve the address on the device. Returns the account and what is to be written of
    it; None where it is registered already.

    Args:
        known: what is registered for `one`.
        replaces: given the device's address when another one is registered, the registered address that the person
            typed `WORD` for; "" for none.
        now_ms: wall time of the registration.
        tell: told the address right before it is shown.

    Raises:
        SafetyError: another address is registered, and it is not the one to be replaced; or the device is busy.
        SignerError: as `address_of`.
    """
    address = await address_of(devices, one, show=False)
    if known is not None and known.address == address:
        return known, None
    if known is not None and known.address != replaces(address):
        raise other(known, address)
    if await address_of(devices, one, show=True, tell=tell) != address:
        raise SignerError(
            "signer.wrong_device",
            f"The {one.kind} changed its address for {one.path}.",
            next_step="Nothing was changed.",
        )
    account = Account(one.kind, one.chain, one.path, address, _device(devices, one.kind), now_ms, None)
    return account, registration(account, known)


def other(known: Account, address: str) -> SafetyError:
    """Another address is registered."""
    return SafetyError(
        "signers.registered",
        f"The {known.signer} answers {address} for {known.path}; registered is {known.address}.",
        next_step=f"Nothing was changed. To replace it, register it again and type {WORD}.",
    )


def registration(account: Account, known: Account | None) -> Registration:
    """What is written for `account` in the place of `known`."""
    one = Which(account.signer, account.chain, account.path)
    names = (account.signer.value, account.chain.value, str(account.path))
    return Registration(
        account=account,
        kind=REGISTERED if known is None else REPLACED,
        subject=str(one),
        change=("account", *names, None if known is None else known.address, account.address, account.device),
        statement=(
            REGISTER if known is None else REPLACE,
            (*names, account.address, account.device, account.registered_ms),
        ),
    )


async def record(desk: Desk, made: Registration) -> None:
    """Journal it."""
    transition = desk.transition()
    transition.change(*made.change)
    transition.record(*made.statement)
    await desk.commit(transition, made.kind, made.subject)


def _device(devices: Devices, kind: SignerKind) -> str:
    last = devices.of(kind).last
    return last.name if isinstance(last, DeviceInfo) else kind.value


def give_up(devices: Devices, kind: SignerKind) -> bool:
    """Wait no longer for what the device is asked outside of a trade; one that can not be told goes on showing it.
    Returns whether anybody was waiting."""
    act = devices.acts.get(kind)
    if act is None:
        return False
    session = devices.of(kind)
    if act.payload and session.give_up(act.payload):
        return True
    if session.signing and act.state is not DeviceState.WAIT_BUTTON:
        return False  # it waits in the queue: what the device shows is a trade's
    session.signer.cancel()
    return True
