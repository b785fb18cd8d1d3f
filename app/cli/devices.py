"""Who talks to the devices: the running trader, where there is one; else this command, until it ends."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from app.cli import context, streams
from app.errors import SafetyError
from storage.database import trader_pid

if TYPE_CHECKING:
    from app.config.schema import Settings
    from app.devices import Devices
    from app.wallets import Which

R = TypeVar("R")

_MORE_S: Final = 60.0
"""Beyond the time that the device may take."""
_PATIENCE_S: Final = 1.0
"""For a device to be let go of, before the process ends with its thread."""
_LOOK_S: Final = 0.01


def asks_trader(db: Path, kind: str = "") -> bool:
    """Whether the trader on `db` is to be asked.

    Raises:
        SafetyError: no trader runs on it, and one on another database may hold the device.
    """
    if trader_pid(db) is not None:
        return True
    from app.devices import HARDWARE  # noqa: PLC0415 -- as above

    elsewhere = [] if kind and kind not in HARDWARE else context.running()
    if elsewhere:
        raise SafetyError(
            "signers.elsewhere",
            f"A trader runs on {elsewhere[0]} and may hold the device.",
            next_step=f"Nothing was asked. Ask that one: --db {elsewhere[0]}; or stop it first.",
        )
    return False


def _devices(settings: Settings) -> Devices:
    """Devices of this command: states to stderr, secrets typed here."""
    from app.cli.typed import typed  # noqa: PLC0415 -- getpass
    from app.devices import Devices  # noqa: PLC0415 -- as above
    from signers.base import DeviceState  # noqa: PLC0415 -- as above
    from signers.words import next_step_of, what_of  # noqa: PLC0415 -- as above

    told: set[DeviceState] = set()

    def tell(state: DeviceState) -> None:
        if state not in told and state is not DeviceState.SIGNED:
            told.add(state)
            streams.tell_line(f"{what_of(state)} {next_step_of(state)}".rstrip())

    devices = Devices(settings.signer, attended=False)
    devices.on_ask, devices.on_act = typed, tell
    return devices


def run_here(settings: Settings, job: Callable[[Devices], Coroutine[Any, Any, R]]) -> R:
    """`job` on devices of this command, which it lets go of at the end. After Ctrl-C a device that can be told drops
    what it shows."""
    import asyncio  # noqa: PLC0415 -- as above

    async def run() -> R:
        devices = _devices(settings)
        try:
            return await job(devices)
        except asyncio.CancelledError:
            streams.tell_line("Refuse on the device what it still shows.")
            raise
        finally:
            devices.close()
            for _ in range(round(_PATIENCE_S / _LOOK_S)):
                if not any(each.alive for each in devices.open):
                    break
                await asyncio.sleep(_LOOK_S)

    return asyncio.run(run())


def ask(settings: Settings, db: Path, op: str, one: Which, **more: Any) -> dict[str, Any]:
    """The running trader does it."""
    streams.tell_line("The running trader asks the device. What it needs typed is asked where the trader runs.")
    request = {"op": op, "signer": one.kind.value, "chain": one.chain.value, "path": str(one.path), **more}
    return context.ask_trader(db, request, settings.signer.deadline_s * 2 + _MORE_S)
