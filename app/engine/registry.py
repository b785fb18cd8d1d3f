"""Which modules there are: entry points of group ``countersign.modules``. Ours are enabled by the settings' defaults;
a third party's is listed and stays off until its name is enabled, because it runs with full rights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.config.params import module_params
from strategies.base import API_VERSION, MANUAL, ModuleSpec

if TYPE_CHECKING:
    from app.config.load import Loaded
    from app.config.schema import ModuleSettings

GROUP: Final = "countersign.modules"
OURS: Final = "countersign"
"""The distribution whose modules are not a third party's."""
_HAND: Final = "this name is the trader's own hand; a module needs another"


@dataclass(frozen=True, slots=True)
class Available:
    """One installed module: its spec, or why it can not be used.

    Attributes:
        package: top-level package or module of a third party's code; "" for ours.
    """

    name: str
    spec: ModuleSpec | None
    unavailable: str = ""
    package: str = ""

    @property
    def third_party(self) -> bool:
        """Whether its code is not ours."""
        return bool(self.package)


def available() -> list[Available]:
    """Every installed module, by name."""
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return [_load(point) if point.name != MANUAL else Available(MANUAL, None, _HAND) for point in points]


def _load(point: EntryPoint) -> Available:
    ours = point.dist is not None and point.dist.name == OURS
    package = "" if ours else point.value.partition(":")[0].partition(".")[0]

    def unusable(why: str) -> Available:
        return Available(point.name, None, why, package)

    try:
        spec = point.load()
    except Exception as error:  # noqa: BLE001 -- another's code runs here: whatever it raises, the rest must start
        return unusable(f"can not be imported: {error!r}")
    if not isinstance(spec, ModuleSpec):
        return unusable("its entry point is no ModuleSpec")
    if spec.api != API_VERSION:
        return unusable(f"it speaks module API {spec.api}, this version speaks {API_VERSION}")
    if spec.name != point.name:
        return unusable(f"its entry point says {point.name}, its spec {spec.name}")
    missing = [name for name in spec.requires if not _installed(name)]
    if missing:
        return unusable(f"it needs {', '.join(missing)}, which is not installed")
    return Available(point.name, spec, package=package)


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def file_hash(package: str) -> str:
    """SHA-256 (hex) over the source files of a third party's package, names and contents; "" where there are none to
    read. It tells that the code changed, not that it is good."""
    found = find_spec(package) if package else None
    if found is None:
        return ""
    digest, folders = hashlib.sha256(), found.submodule_search_locations
    try:
        files = [(str(file.relative_to(folder)), file) for folder in map(Path, folders or ())
                 for file in sorted(folder.rglob("*.py"))]  # fmt: skip
        if not folders and found.origin is not None:
            files = [(Path(found.origin).name, Path(found.origin))]
        for name, file in files:
            digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    except OSError:
        return ""
    return digest.hexdigest() if files else ""


@dataclass(frozen=True, slots=True)
class Enabled:
    """A module that the settings enable, with its parameters as its own dataclass accepted them."""

    name: str
    spec: ModuleSpec
    settings: ModuleSettings
    params: object


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a session starts with.

    Attributes:
        installed: every installed module.
        ready: the enabled ones that can run, in the order in which they start and see each bar.
        unavailable: the enabled ones that can not, with the reason.
    """

    installed: Mapping[str, Available]
    ready: tuple[Enabled, ...]
    unavailable: Mapping[str, str]


def resolve(loaded: Loaded) -> Resolved:
    """Judge what the settings enable. `run` starts with this, and `config` and `doctor` judge by it, so that what they
    accept a run does not refuse.

    Raises:
        ConfigError: a parameter of an enabled module that is installed is wrong.
    """
    wanted = {name: mine for name, mine in loaded.settings.modules.items() if mine.enabled}
    installed = {each.name: each for each in available()}
    specs: dict[str, ModuleSpec] = {}
    reasons: dict[str, str] = {}
    params: dict[str, object] = {}
    for name, mine in sorted(wanted.items()):
        found = installed.get(name)
        if found is None:
            reasons[name] = f"it is not installed; installed are: {', '.join(installed) or 'none'}"
        elif found.spec is None:
            reasons[name] = found.unavailable
        else:
            specs[name] = found.spec
            key = f"modules.{name}.params"
            params[name] = module_params(found.spec.params, mine.params, key=key, sources=loaded.sources)
    order = start_order(specs, lambda name: _why_not(name, installed, reasons))
    reasons |= order.left_out
    ready = tuple(Enabled(name, specs[name], wanted[name], params[name]) for name in order.names)
    return Resolved(installed, ready, dict(sorted(reasons.items())))


def _why_not(name: str, installed: Mapping[str, Available], reasons: Mapping[str, str]) -> str:
    if name in reasons:
        return f"is unavailable ({reasons[name]})"
    return "is not enabled" if name in installed else "is not installed"


@dataclass(frozen=True, slots=True)
class StartOrder:
    """Names in order, and why others are not among them."""

    names: tuple[str, ...]
    left_out: Mapping[str, str]


def start_order(specs: Mapping[str, ModuleSpec], why_not: Callable[[str], str]) -> StartOrder:
    """Each module after those it needs (`ModuleSpec.after`), and after those that publish what it listens to as far as
    that is possible; else by name. A need that is not met, or that goes in a circle, leaves a module out.

    Args:
        why_not: what is the matter with a needed module that is not in `specs`.
    """
    left = dict(sorted(specs.items()))
    left_out: dict[str, str] = {}
    while lacking := next(((n, need) for n, spec in left.items() for need in spec.after if need not in left), None):
        name, need = lacking
        why = f"is unavailable ({left_out[need]})" if need in left_out else why_not(need)
        left_out[name] = f"it needs {need}, which {why}"
        del left[name]
    names: list[str] = []
    while left:
        free = [name for name, spec in left.items() if not any(need in left for need in spec.after)]
        if not free:
            circle = ", ".join(left)
            left_out |= dict.fromkeys(left, f"it needs itself: {circle} wait for one another")
            break
        heard = [name for name in free if not _publishers(name, left)]
        names.append((heard or free)[0])
        del left[names[-1]]
    return StartOrder(tuple(names), left_out)


def _publishers(name: str, among: Mapping[str, ModuleSpec]) -> Iterable[str]:
    wanted = set(among[name].subscriptions)
    return [other for other, spec in among.items() if other != name and wanted & set(spec.publishes)]
