"""Which modules there are: entry points of group ``countersign.modules``. Ours are enabled by the settings' defaults;
a third party's is listed and stays off until its name is enabled, because it runs with full rights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import TYPE_CHECKING

from app.config.params import module_params
from app.engine.intents import IntentMaker
from app.engine.modules import Module
from app.errors import ConfigError
from app.execution.records import Trade
from strategies.base import API_VERSION, MANUAL, ModuleSpec
from strategies.model import Intent

if TYPE_CHECKING:
    from app.config.load import Loaded
    from app.config.schema import ModuleSettings
    from app.session import Session

GROUP = "countersign.modules"
_HAND = "this name is the trader's own hand; a module needs another"


@dataclass(frozen=True, slots=True)
class Available:
    """One installed module: its spec, or why it can not be used."""

    name: str
    spec: ModuleSpec | None
    unavailable: str = ""


def available() -> list[Available]:
    """Every installed module, by name."""
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return [_load(point) if point.name != MANUAL else Available(MANUAL, None, _HAND) for point in points]


def _load(point: EntryPoint) -> Available:
    try:
        spec = point.load()
    except Exception as error:  # noqa: BLE001 -- another's code runs here: whatever it raises, the rest must start
        return Available(point.name, None, f"can not be imported: {error!r}")
    if not isinstance(spec, ModuleSpec):
        return Available(point.name, None, "its entry point is no ModuleSpec")
    if spec.api != API_VERSION:
        return Available(point.name, None, f"it speaks module API {spec.api}, this version speaks {API_VERSION}")
    if spec.name != point.name:
        return Available(point.name, None, f"its entry point says {point.name}, its spec {spec.name}")
    missing = [name for name in spec.requires if not _installed(name)]
    if missing:
        return Available(point.name, None, f"it needs {', '.join(missing)}, which is not installed")
    return Available(point.name, spec)


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Enabled:
    """A module that the settings enable, with its parameters as its own dataclass accepted them."""

    name: str
    spec: ModuleSpec
    settings: ModuleSettings
    params: object


def enabled(loaded: Loaded) -> list[Enabled]:
    """What the settings enable, all of it installed and its parameters valid. `run` starts with this, and `config` and
    `doctor` judge by it, so that what they accept a run does not refuse.

    Raises:
        ConfigError: an enabled module is not installed or not available, or a parameter is wrong.
    """
    wanted = {name: mine for name, mine in loaded.settings.modules.items() if mine.enabled}
    installed = {each.name: each for each in available()} if wanted else {}
    result = []
    for name, mine in wanted.items():
        found = installed.get(name)
        if found is None or found.spec is None:
            why = (
                found.unavailable if found else f"it is not installed; installed are: {', '.join(installed) or 'none'}"
            )
            raise ConfigError(
                "config.module",
                f"modules.{name} is enabled and unavailable: {why}.",
                next_step="Disable it or install it.",
            )
        key = f"modules.{name}.params"
        params = module_params(found.spec.params, mine.params, key=key, sources=loaded.sources)
        result.append(Enabled(name, found.spec, mine, params))
    return result


def load_modules(
    session: Session,
    maker: Callable[[str, Decimal], IntentMaker],
    propose: Callable[[Intent], Trade | None],
) -> list[Module]:
    """The enabled modules, ready to be fed.

    Raises:
        ConfigError: as `enabled`.
    """
    modules = []
    for each in enabled(session.plan.loaded):
        symbols = set(each.settings.instruments)
        modules.append(
            Module(
                spec=each.spec,
                params=each.params,
                allocation=each.settings.allocation,
                sizing=session.settings.sizing.sizing(),
                maker=maker(each.name, each.settings.allocation),
                run=session.run,
                trades=lambda symbol, symbols=symbols: "*" in symbols or symbol in symbols,  # type: ignore[misc]  # binds now, not at the loop's end
                propose=propose,
            )
        )
    return modules
