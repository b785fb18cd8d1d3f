"""What a running trader answers about its modules on the control socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from app.engine.module_views import ModuleView
from app.errors import UsageError
from app.execution.control import Handler
from app.money import ZERO, from_text

if TYPE_CHECKING:
    from app.engine.manager import ModuleManager


def module_handlers(manager: ModuleManager) -> Mapping[str, Handler]:
    """The commands by name."""
    commands = _ModuleCommands(manager)
    return {
        "modules": commands.list,
        "module_pause": commands.pause,
        "module_resume": commands.resume,
        "module_enable": commands.enable,
        "module_disable": commands.disable,
        "module_allocate": commands.allocate,
    }


class _ModuleCommands:
    def __init__(self, manager: ModuleManager) -> None:
        self._manager = manager

    async def list(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"modules": [view.document() for view in self._manager.views()]}

    async def pause(self, request: dict[str, Any]) -> dict[str, Any]:
        return await self._one_or_all(request, self._manager.pause, self._manager.pause_all)

    async def resume(self, request: dict[str, Any]) -> dict[str, Any]:
        return await self._one_or_all(request, self._manager.resume, self._manager.resume_all)

    async def enable(self, request: dict[str, Any]) -> dict[str, Any]:
        name = self._name(request)
        return self._changed(await self._manager.enable(name), f"modules.{name}.enabled")

    async def disable(self, request: dict[str, Any]) -> dict[str, Any]:
        name = self._name(request)
        return self._changed(await self._manager.disable(name), f"modules.{name}.enabled")

    async def allocate(self, request: dict[str, Any]) -> dict[str, Any]:
        """`amount` is quoted text."""
        name, amount = self._name(request), _amount(request["amount"])
        return self._changed(await self._manager.allocate(name, amount), f"modules.{name}.allocation")

    async def _one_or_all(
        self,
        request: dict[str, Any],
        one: Callable[[str], Awaitable[ModuleView]],
        every: Callable[[], Awaitable[tuple[str, ...]]],
    ) -> dict[str, Any]:
        names = await every() if request.get("all") is True else ((await one(self._name(request))).name,)
        return {"modules": [view.document() for view in self._manager.views() if view.name in names]}

    def _changed(self, view: ModuleView, key: str) -> dict[str, Any]:
        return {"modules": [view.document()], "covered_by": self._manager.covered(key)}

    def _name(self, request: dict[str, Any]) -> str:
        return self._manager.slot(request["name"]).name


def _amount(text: object) -> Decimal:
    try:
        amount = from_text(text) if isinstance(text, str) else None
    except ValueError:
        amount = None
    if amount is None or amount < ZERO:
        raise UsageError("modules.amount", f"{str(text)[:40]!r} is no amount: quoted text from 0 up is needed.")
    return amount
