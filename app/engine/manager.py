"""What a trader may do with modules: pause and resume, switch on and off, give capital. The control socket and the
terminal call this; each change holds at once, is journaled, and holds after a restart too.

A pause, and what it does, is kept in the database; which modules are on, and with how much capital, in the settings
file, exactly as `config set` would write it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from app.config.edit import set_value
from app.config.params import module_params
from app.engine.capital import allocated, check_total
from app.engine.lifecycle import ModuleState
from app.engine.module_views import ModuleView, Slot, view_of
from app.engine.registry import Enabled, file_hash, resolve
from app.engine.runner import ON, ModuleRunner
from app.errors import ConfigError, StorageError, UsageError
from app.money import add, to_text

if TYPE_CHECKING:
    from app.config.schema import ModuleSettings

S = ModuleState
_TRADER = "trader"


class ModuleManager(ModuleRunner):
    """The modules and the trader's hand on them."""

    # -- pause and resume -------------------------------------------------------------------------------------------

    async def pause(self, name: str) -> ModuleView:
        """Take no new entries; entries that wait for an answer are declined. Exits, and closes, go on.

        Raises:
            UsageError: no such module, or it is not switched on.
        """
        slot = self._on(name)
        if not slot.paused or slot.lost:
            slot.paused = True
            if slot.state is S.RUNNING:
                committed = self.change(slot, S.PAUSED, _TRADER, "paused by the trader")
            else:
                committed = self.note(slot, _TRADER, "paused by the trader")
            self.withdraw(slot)
            await committed
        return self.view(slot)

    async def resume(self, name: str) -> ModuleView:
        """Trade again. One that failed is started at the next market event, and its restarts count from nothing.

        Raises:
            UsageError: as `pause`.
        """
        slot = self._on(name)
        if slot.state is S.FAILED:
            slot.paused = False
            slot.supervision.by_hand(self.session.desk.clock.now_ms())
            await self.note(slot, _TRADER, "to be restarted")
        elif slot.paused or slot.lost:
            slot.paused = False
            if slot.state is S.PAUSED:
                await self.change(slot, S.RUNNING, _TRADER, "")
            else:
                await self.note(slot, _TRADER, "resumed by the trader")
        return self.view(slot)

    async def pause_all(self) -> tuple[str, ...]:
        """Pause whatever is switched on and not paused; returns the names."""
        names = tuple(slot.name for slot in self.slots.values() if slot.state in ON and not slot.paused)
        await asyncio.gather(*(self.pause(name) for name in names))
        return names

    async def resume_all(self) -> tuple[str, ...]:
        """Resume what is paused; returns the names. What failed is not started, which is asked for by its name."""
        paused = S.ENABLED, S.PAUSED
        names = tuple(slot.name for slot in self.slots.values() if slot.state in paused and slot.paused)
        await asyncio.gather(*(self.resume(name) for name in names))
        return names

    # -- on and off -------------------------------------------------------------------------------------------------

    async def enable(self, name: str) -> ModuleView:
        """Switch a module on: it starts, warm, at the next market event. A third party's files are taken as they are
        now: a later change of them is told at each start, until it is enabled again.

        Raises:
            UsageError: no such module, it can not run, it needs another one, or it has no capital.
            SafetyError: the enabled modules would have more than `capital.total` together.
            ConfigError, StorageError: its parameters, or the settings file. Nothing was changed.
        """
        async with self.turn:
            slot = self.slot(name)
            enabled = self._enabled(slot)
            check_total({**self.settings(), name: enabled.settings}, self.session.settings.capital.total)
            await self._write(slot, {f"modules.{name}.enabled": "true"}, enabled.settings)
            self._remember_files(slot)
            if slot.state in ON:
                await self.note(slot, _TRADER, "enabled by the trader")
                return self.view(slot)
            slot.unavailable = ""
            old = slot.state
            if slot.module is None:
                self.make(slot, enabled)
                self.connect()
            else:
                slot.module.move(S.ENABLED)
                slot.module.allocate(enabled.settings.allocation)
            slot.supervision.by_hand(self.session.desk.clock.now_ms())
            await self.journal(slot, old, _TRADER, "enabled by the trader")
            return self.view(slot)

    async def disable(self, name: str) -> ModuleView:
        """Switch a module off: it sees no more bars and takes no trades. Its exits rest where they are; what it holds
        is closed by them or by hand.

        Raises:
            UsageError: no such module, or another one needs it.
            ConfigError, StorageError: it is off in this session, and the settings file could not be changed.
        """
        async with self.turn:
            slot = self.slot(name)
            self._not_needed(slot)
            off = slot.settings.model_copy(update={"enabled": False})
            if slot.module is not None and slot.state in ON:
                slot.paused = False
                slot.supervision.give_up()
                committed = self.change(slot, S.STOPPED, _TRADER, "switched off by the trader")
                self.withdraw(slot)
                await committed
            self._take(slot, off)
            slot.unavailable = ""
            try:
                await self._write(slot, {f"modules.{name}.enabled": "false"}, off)
            except (ConfigError, StorageError) as error:
                what = f"{name} is off in this session, and the settings file was not changed: {error.what}"
                raise type(error)(error.code, what, next_step=error.next_step) from error
            return self.view(slot)

    # -- capital ----------------------------------------------------------------------------------------------------

    async def allocate(self, name: str, amount: Decimal) -> ModuleView:
        """Give a module another capital, account currency. It holds from its next intent on; what is open stays open.
        Equity is the capital plus what was earned, so this makes no profit and no loss, and hides none.

        Whoever calls this has asked the trader's typed word for a larger amount, as for any limit that is loosened.

        Raises:
            UsageError: no such module.
            SafetyError: the enabled modules would have more than `capital.total` together. Nothing was changed.
            ConfigError, StorageError: the amount, or the settings file. Nothing was changed.
        """
        async with self.turn:
            slot = self.slot(name)
            old, new = slot.settings.allocation, slot.settings.model_copy(update={"allocation": amount})
            check_total({**self.settings(), name: new}, self.session.settings.capital.total)
            await self._write(slot, {f"modules.{name}.allocation": to_text(amount)}, new)
            if slot.module is not None:
                slot.module.allocate(amount)
            await self.note(slot, _TRADER, f"allocation {to_text(old)} -> {to_text(amount)}")
            return self.view(slot)

    def covered(self, key: str) -> str:
        """Where the setting `key` came from when that is not the file: then what is written there is covered by it at
        the next start, as long as it is given again. "" when the file counts."""
        source = self.session.plan.loaded.sources.get(key, "default")
        return source if source == "command line" or source.startswith("environment ") else ""

    # -- pieces -----------------------------------------------------------------------------------------------------

    def view(self, slot: Slot) -> ModuleView:
        """One module as it stands."""
        return view_of(slot, self.session.desk)

    def _on(self, name: str) -> Slot:
        slot = self.slot(name)
        if slot.state not in ON:
            why = f"unavailable ({slot.unavailable})" if slot.unavailable else "not switched on"
            raise UsageError(
                "modules.off",
                f"{name} is {why}, so there is nothing to pause or resume.",
                next_step=f"Switch it on: countersign modules enable {name}",
            )
        return slot

    def _enabled(self, slot: Slot) -> Enabled:
        name, settings = slot.name, slot.settings.model_copy(update={"enabled": True})
        spec = slot.available.spec if slot.available else None
        if spec is None:
            why = slot.available.unavailable if slot.available else "it is not installed"
            raise UsageError("modules.unavailable", f"{name} can not run: {why}.", next_step="Nothing was changed.")
        if not settings.allocation:
            raise UsageError(
                "modules.capital",
                f"{name} has no capital.",
                next_step=f"Nothing was changed. Give it some: countersign modules allocate {name} AMOUNT",
            )
        off = [need for need in spec.after if need not in self.slots or self.slots[need].state not in ON]
        if off:
            raise UsageError(
                "modules.needs", f"{name} needs {', '.join(off)}, which does not run.", next_step="Enable that first."
            )
        key = f"modules.{name}.params"
        params = module_params(spec.params, settings.params, key=key, sources=self.session.plan.loaded.sources)
        return Enabled(name, spec, settings, params)

    def _not_needed(self, slot: Slot) -> None:
        needing = [m.name for m in self.modules if slot.name in m.spec.after and m.state in ON]
        if needing:
            raise UsageError(
                "modules.needed",
                f"{', '.join(needing)} can not run without {slot.name}.",
                next_step=f"Nothing was changed. Switch that off first, or: countersign modules pause {slot.name}",
            )

    def _remember_files(self, slot: Slot) -> None:
        if slot.available is not None and slot.available.third_party:
            slot.file_hash = file_hash(slot.available.package)

    async def _write(self, slot: Slot, values: Mapping[str, str], settings: ModuleSettings) -> None:
        """Into the file first, then the journal, then memory; in a thread, for the disk may be slow."""
        path = self.session.plan.loaded.path
        for key, text in values.items():
            await asyncio.to_thread(set_value, path, key, text, resolve)
        await self.session.config.take(self.session.desk, values, f"command, {path}")
        self._take(slot, settings)

    def _take(self, slot: Slot, settings: ModuleSettings) -> None:
        """The settings of a module as they hold from now on."""
        slot.settings = settings
        desk = self.session.desk
        by_hand = self.session.settings.manual.allocation
        desk.terms = replace(desk.terms, capital=add(by_hand, allocated(self.settings())))
