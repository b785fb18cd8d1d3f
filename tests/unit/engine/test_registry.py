"""What is installed, and why it can not be used: another API, a missing requirement, an import that fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.config.load import load
from app.engine import registry
from app.engine.registry import Available, available, load_modules
from app.errors import ConfigError
from strategies.base import API_VERSION, ModuleSpec
from strategies.model import Bar, Position, Signal


@dataclass(frozen=True)
class Params:
    """Its one setting."""

    length: int = 20

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError(f"length is {self.length}; allowed: 1 or more")


class Quiet:
    """No opinion."""

    def on_bar(self, bar: Bar, position: Position | None) -> Signal | None:
        del bar, position
        return None


def spec(name: str = "alpha", api: int = API_VERSION, requires: tuple[str, ...] = ()) -> ModuleSpec:
    return ModuleSpec(name, "1", api, Params, lambda _: Quiet(), lambda _: 0, requires)


PLUGINS = {
    "alpha": spec(),
    "old_api": spec("old_api", API_VERSION + 1),
    "hungry": spec("hungry", requires=("pytest", "no-such-distribution")),
    "fed": spec("fed", requires=("pytest",)),
    "liar": spec("somebody_else"),
    "manual": spec("manual"),
    "nothing": "not a spec",
}


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Entry points of this module, and of files that can not be imported."""
    (tmp_path / "broken_import.py").write_text("import no_such_module_anywhere\n")
    (tmp_path / "broken_syntax.py").write_text("def (\n")
    (tmp_path / "broken_anyhow.py").write_text("raise ZeroDivisionError('at import')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = __name__
    points = [EntryPoint(name, f"{module}:PLUGINS_{name}", registry.GROUP) for name in PLUGINS]
    for name, each in PLUGINS.items():
        monkeypatch.setattr(sys.modules[module], f"PLUGINS_{name}", each, raising=False)
    points += [EntryPoint(name, f"{name}:SPEC", registry.GROUP) for name in
               ("broken_import", "broken_syntax", "broken_anyhow", "absent_module")]  # fmt: skip
    points.append(EntryPoint("absent_name", f"{module}:NO_SUCH_NAME", registry.GROUP))
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.GROUP else [])
    yield
    for name in ("broken_import", "broken_syntax", "broken_anyhow"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("plugins")
def test_each_module_is_usable_or_says_why_not() -> None:
    found = {each.name: each for each in available()}
    assert list(found) == sorted(found)
    assert found["alpha"] == Available("alpha", PLUGINS["alpha"])  # type: ignore[arg-type]  # alpha's is a spec
    assert found["fed"].spec is not None
    reasons = {name: each.unavailable for name, each in found.items() if each.spec is None}
    assert reasons["old_api"] == f"it speaks module API {API_VERSION + 1}, this version speaks {API_VERSION}"
    assert reasons["hungry"] == "it needs no-such-distribution, which is not installed"
    assert reasons["liar"] == "its entry point says liar, its spec somebody_else"
    assert reasons["manual"] == "this name is the trader's own hand; a module needs another"
    assert reasons["nothing"] == "its entry point is no ModuleSpec"
    for name in ("broken_import", "broken_syntax", "broken_anyhow", "absent_module", "absent_name"):
        assert reasons[name].startswith("can not be imported: "), name
    assert "no_such_module_anywhere" in reasons["broken_import"]
    assert "ZeroDivisionError" in reasons["broken_anyhow"]


def session_of(tmp_path: Path, **settings: str) -> Any:
    config = tmp_path / "config.toml"
    config.touch()
    loaded = load(config, {}, {"modules.momentum.enabled": "false", **settings})
    return SimpleNamespace(settings=loaded.settings, plan=SimpleNamespace(loaded=loaded), run="run")


def make(session: Any) -> list[Any]:
    made = load_modules(session, lambda _name, _allocation: SimpleNamespace(), lambda _: None)  # type: ignore[arg-type, return-value]  # never asked here
    return list(made)


@pytest.mark.usefixtures("plugins")
def test_only_what_is_enabled_by_name_is_loaded(tmp_path: Path) -> None:
    assert make(session_of(tmp_path)) == []
    on = {"modules.alpha.enabled": "true", "modules.alpha.allocation": "5", "modules.alpha.params.length": "7"}
    (module,) = make(session_of(tmp_path, **on))
    assert (module.name, module.allocation, module.params) == ("alpha", 5, Params(7))


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("name", ["old_api", "hungry", "broken_anyhow"])
def test_an_enabled_module_that_is_unavailable_is_refused_with_its_reason(tmp_path: Path, name: str) -> None:
    on = {f"modules.{name}.enabled": "true", f"modules.{name}.allocation": "5"}
    reason = {each.name: each.unavailable for each in available()}[name]
    with pytest.raises(ConfigError, match=f"modules.{name} is enabled and unavailable") as caught:
        make(session_of(tmp_path, **on))
    assert reason in caught.value.what


@pytest.mark.usefixtures("plugins")
def test_an_enabled_module_that_is_not_installed_is_refused_with_what_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"not installed; installed are: .*alpha"):
        make(session_of(tmp_path, **{"modules.ghost.enabled": "true", "modules.ghost.allocation": "5"}))
