"""Pictures of the main screens for the README: `make screenshots`. The real terminal on the real engine, its market
moved by hand, so that the same code gives the same pictures."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from pathlib import Path

from app.config.schema import Settings
from app.config.tree import flatten
from app.execution.records import Trade
from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator
from tests.evm.chain import LocalChain, built, installed
from tests.execution.harness import WIDE
from tests.tui.harness import SMALL, WIDE_SCREEN, Seat, terminal
from tests.tui.on_chain import ChainSeat, chain_terminal

_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
EVENTS = 1_000
"""Market events before the first picture."""


async def main(folder: Path) -> None:
    """Take them all."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            os.environ[name] = f"{scratch}/{name}"
        async with terminal(Path(scratch), WIDE_SCREEN, settings=_SETTINGS, events=EVENTS) as seat:
            await _story(seat, folder)
        async with terminal(Path(scratch), SMALL, settings=_SETTINGS, events=0, theme="light") as seat:
            await seat.press("1")
            _take(seat, folder / "small.svg")
        with LedgerEmulator(LedgerDevice()) as device:
            given = {**_SETTINGS, "signer.kind": "ledger", "signer.ledger": device.url}
            async with terminal(Path(scratch), WIDE_SCREEN, settings=given, events=0) as seat:
                await _hardware(seat, device, folder)
        parts = installed()
        chain = LocalChain(parts, built(parts, Path(scratch)))
        try:
            (Path(scratch) / "chain").mkdir()
            async with chain_terminal(Path(scratch) / "chain", chain, WIDE_SCREEN) as there:
                await _chain(there, folder)
        finally:
            chain.stop()


_DEFAULTS = flatten(Settings())
_SETTINGS = {key: _DEFAULTS[key] for key in WIDE}
"""The tests widen every limit; a picture shows what a newcomer sees."""
_MOST_CHUNKS = 200


async def _waits(seat: Seat) -> Trade:
    """Let the market run until a module proposes."""
    for _ in range(_MOST_CHUNKS):
        waiting: list[Trade] = seat.rig.pipeline.proposals.waiting()
        if waiting:
            return waiting[0]
        await seat.market(100)
    raise SystemExit("no module proposed anything")


async def _story(seat: Seat, folder: Path) -> None:
    first = await _waits(seat)
    seat.app.do.read(first.id)
    await seat.look()
    for _ in range(8):
        await seat.press("pagedown")
    seat.person.waits(1)
    await seat.press("S")
    await seat.until(lambda: seat.dialog == "DeviceDialog")
    await seat.press("right", "right")
    _take(seat, folder / "device.svg")
    await seat.press(*["right"] * 12, "A")
    await seat.became(first, "FILLED")
    await seat.press("escape")
    waiting = await _waits(seat)
    seat.app.screen.query_one("#proposals").focus()
    await seat.look()
    _take(seat, folder / "trade.svg")
    seat.app.do.read(waiting.id)
    await seat.look()
    _take(seat, folder / "confirm.svg")
    await seat.press("escape")
    for key, name in (("4", "modules"), ("5", "risk")):
        await seat.press(key)
        await seat.look()
        _take(seat, folder / f"{name}.svg")


async def _hardware(seat: Seat, device: LedgerEmulator, folder: Path) -> None:
    device.device.human = Human.NEVER
    waiting = await _waits(seat)
    seat.rig.pipeline.proposals.shown(waiting.id)
    seat.person.waits(1)
    seat.rig.pipeline.proposals.confirm(waiting.id)
    await seat.until(lambda: device.device.review is not None and seat.dialog == "HardwareDialog")
    await seat.look()
    _take(seat, folder / "hardware.svg")
    device.press(approve=True)
    await seat.became(waiting, "FILLED")
    await seat.press("0")
    await seat.look()
    _take(seat, folder / "wallets.svg")


async def _chain(seat: ChainSeat, folder: Path) -> None:
    """A purchase through V2 and V3 pools at once, read before it is signed."""
    trade = await seat.ticket("buy", symbol="ETH-USDC", quantity="12", stop="2000")
    seat.app.do.read(trade.id)
    await seat.until(lambda: seat.dialog == "ConfirmDialog")
    await seat.look()
    _take(seat, folder / "chain.svg")


def _take(seat: Seat, path: Path) -> None:
    picture = seat.app.export_screenshot(title="countersign")
    path.write_text(_FONTS.sub("", picture), encoding="utf-8")  # no page that shows it has to ask anybody for a font
    print(path)


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(exist_ok=True)
    asyncio.run(main(Path(sys.argv[1])))
