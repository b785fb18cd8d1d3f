"""What a running trader answers about its signers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.accounts import USED, Account, registered, stored
from app.devices import LISTED
from app.errors import SafetyError, UsageError
from app.execution.control import Handler
from app.execution.states import TradeState
from app.gate_records import SIGNER_TESTED, signed_test
from app.ids import by_prefix
from app.snapshots.signers import document, signers
from app.trial_signature import trial
from app.wallets import Which, address_of, look, record, register, which

if TYPE_CHECKING:
    from app.execution.records import Trade
    from app.session import Session


def at_device(session: Session, given: str) -> Trade | None:
    """The confirmed trade that the device is being asked for and whose id begins with `given`, or None."""
    asked = {t.id: t for t in session.desk.state.trades.values() if t.state is TradeState.CONFIRMED}
    if not any(each.startswith(given) for each in asked):
        return None
    return asked[by_prefix(given, asked)]


def give_up(session: Session, trade: Trade) -> bool:
    """Wait no longer for the device; the trade ends, and nothing is sent."""
    return any(session.device.give_up(payload.to_sign.signed) for payload in trade.payloads)


def device_handlers(session: Session) -> Mapping[str, Handler]:
    """The commands by name."""
    commands = _DeviceCommands(session)
    return {
        "signers": commands.list,
        "signer_address": commands.address,
        "signer_register": commands.register,
        "signer_trial": commands.trial,
    }


class _DeviceCommands:
    """Only this process talks to the devices while it runs: two programs on one take each other's answers."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """``look``: names of the kinds to look for now; they are watched from then on."""
        names = request.get("look", [])
        if not isinstance(names, list) or not set(names) <= set(LISTED):
            raise UsageError("signers.kind", f"look is a list of some of: {', '.join(LISTED)}.")
        devices, desk = self._session.devices, self._session.desk
        await look(devices, [kind for kind in LISTED if kind in names])
        views = signers(devices, self._session.device.signer.kind)
        return document(views, stored(self._session.reader.rows), desk.terms.account)

    async def address(self, request: dict[str, Any]) -> dict[str, Any]:
        """``show``: on the device too; answers once its person approved."""
        one, devices = _which(request), self._session.devices
        address = await address_of(devices, one, show=request.get("show") is True)
        known = self._known(one)
        return {**_named(one), "address": address, "registered": None if known is None else known.address}

    async def register(self, request: dict[str, Any]) -> dict[str, Any]:
        """What is registered is what the device's person approved now, whatever was typed. ``replaces``: the address
        that the typed word was for."""
        one, desk = _which(request), self._session.desk
        known, replaces = self._known(one), request.get("replaces", "")
        if known is not None and replaces and desk.terms.account == (one.kind, one.chain, str(one.path)):
            raise SafetyError(
                "signers.in_use",
                f"This session signs with {known.address}.",
                next_step="Nothing was changed. Stop it first: countersign stop",
            )
        devices, now_ms = self._session.devices, desk.wall.now_ms()
        account, made = await register(devices, one, known, lambda _: str(replaces), now_ms)
        if made is not None:
            await record(desk, made)
        return {**_named(one), "address": account.address, "changed": made is not None}

    async def trial(self, request: dict[str, Any]) -> dict[str, Any]:
        """A harmless text is signed and verified; see `app.trial_signature`."""
        one, desk = _which(request), self._session.desk
        known = self._known(one)
        done = await trial(self._session.devices, one, None if known is None else known.address, desk.wall)
        if known is not None:
            transition, now_ms = desk.transition(), desk.wall.now_ms()
            transition.change(*signed_test(done, self._session.settings.signer, now_ms))
            transition.record(USED, (now_ms, one.kind.value, one.chain.value, str(one.path)))
            await desk.commit(transition, SIGNER_TESTED, str(one))
        return {**done.document(), "registered": known is not None}

    def _known(self, one: Which) -> Account | None:
        return registered(self._session.reader.rows, one.kind, one.chain, one.path)


def _which(request: dict[str, Any]) -> Which:
    return which(request.get("signer"), request.get("chain"), request.get("path"))


def _named(one: Which) -> dict[str, Any]:
    return {"signer": one.kind.value, "chain": one.chain.value, "path": str(one.path)}
