"""What is installed, and why it can not be used: another API, a missing requirement, an import that fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.load import load
from app.engine import registry
from app.engine.registry import Available, Resolved, available, file_hash, resolve, start_order
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


def spec(name: str = "alpha", api: int = API_VERSION, requires: tuple[str, ...] = (), **more: Any) -> ModuleSpec:
    return ModuleSpec(name, "1", api, Params, lambda _: Quiet(), lambda _: 0, requires, **more)


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
    assert found["alpha"] == Available("alpha", PLUGINS["alpha"], package="tests")  # type: ignore[arg-type]  # a spec
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


def resolved(tmp_path: Path, **settings: str) -> Resolved:
    config = tmp_path / "config.toml"
    config.touch()
    off = {"modules.momentum.enabled": "false", "modules.mean_reversion.enabled": "false"}
    return resolve(load(config, {}, {**off, **settings}))


def on(*names: str) -> dict[str, str]:
    return {f"modules.{name}.{key}": text for name in names for key, text in (("enabled", "true"), ("allocation", "5"))}


@pytest.mark.usefixtures("plugins")
def test_only_what_is_enabled_by_name_is_ready(tmp_path: Path) -> None:
    nothing = resolved(tmp_path)
    assert (nothing.ready, nothing.unavailable) == ((), {})
    assert "alpha" in nothing.installed
    (ready,) = resolved(tmp_path, **on("alpha"), **{"modules.alpha.params.length": "7"}).ready
    assert (ready.name, int(ready.settings.allocation)) == ("alpha", 5)
    assert ready.params == Params(7)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("name", ["old_api", "hungry", "broken_anyhow"])
def test_an_enabled_module_that_can_not_run_is_named_with_its_reason_and_the_rest_is_ready(
    tmp_path: Path, name: str
) -> None:
    found = resolved(tmp_path, **on(name, "alpha"))
    reason = {each.name: each.unavailable for each in available()}[name]
    assert found.unavailable == {name: reason}
    assert [each.name for each in found.ready] == ["alpha"]


@pytest.mark.usefixtures("plugins")
def test_an_enabled_module_that_is_not_installed_is_told_with_what_is(tmp_path: Path) -> None:
    assert "it is not installed; installed are: absent_module" in resolved(tmp_path, **on("ghost")).unavailable["ghost"]


@pytest.mark.usefixtures("plugins")
def test_a_wrong_parameter_of_an_enabled_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"modules.alpha.params.*length is 0; allowed: 1 or more"):
        resolved(tmp_path, **on("alpha"), **{"modules.alpha.params.length": "0"})


# -- who starts before whom -------------------------------------------------------------------------------------------


def order(**specs: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, str]]:
    made = {name: spec(name, **fields) for name, fields in specs.items()}
    found = start_order(made, lambda _: "is not enabled")
    return found.names, dict(found.left_out)


def test_a_module_starts_after_those_it_needs_else_by_name() -> None:
    assert order(b={}, c={}, a={"after": ("c",)}) == (("b", "c", "a"), {})


def test_a_need_that_is_not_met_leaves_out_who_has_it_and_who_needs_that_one() -> None:
    names, left_out = order(a={"after": ("ghost",)}, b={"after": ("a",)}, c={})
    assert names == ("c",)
    assert left_out["a"] == "it needs ghost, which is not enabled"
    assert left_out["b"].startswith("it needs a, which is unavailable")


def test_a_circle_leaves_out_its_members_and_nobody_else() -> None:
    names, left_out = order(a={"after": ("b",)}, b={"after": ("a",)}, c={})
    assert names == ("c",)
    assert left_out.keys() == {"a", "b"}
    assert "a, b wait for one another" in left_out["a"]
    assert order(a={"after": ("a",)})[0] == ()


def test_who_listens_sees_each_bar_after_who_publishes() -> None:
    assert order(a={"subscriptions": (int,)}, b={"publishes": (int,)})[0] == ("b", "a")
    assert order(a={"subscriptions": (int,)}, b={})[0] == ("a", "b"), "nobody needs to publish"
    both: dict[str, Any] = {"publishes": (int,), "subscriptions": (int,)}
    assert order(b=both, a=both)[0] == ("a", "b"), "two that listen to one another start by name"


@given(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.tuples(st.sets(st.sampled_from("abcdefg")), st.sets(st.sampled_from((int, str))), st.sets(st.just(int))),
    )
)
def test_the_order_keeps_every_need_loses_nobody_and_knows_no_order_of_its_own(drawn: dict[str, Any]) -> None:
    made = {
        name: spec(name, after=tuple(after), subscriptions=tuple(subs), publishes=tuple(says))
        for name, (after, subs, says) in drawn.items()
    }
    found = start_order(made, lambda _: "is not installed")
    assert set(found.names) | found.left_out.keys() == made.keys()
    assert not set(found.names) & found.left_out.keys()
    for place, name in enumerate(found.names):
        assert set(made[name].after) <= set(found.names[:place])
    backwards = dict(reversed(made.items()))
    assert start_order(backwards, lambda _: "is not installed") == found


# -- a third party's files --------------------------------------------------------------------------------------------


def test_the_hash_of_files_follows_their_names_and_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "some_package"
    package.mkdir()
    (package / "__init__.py").write_text("x = 1\n")
    (package / "more.py").write_text("y = 1\n")
    hashes = [file_hash("some_package")]
    (package / "more.py").write_text("y = 2\n")
    hashes.append(file_hash("some_package"))
    (package / "more.py").rename(package / "other.py")
    hashes.append(file_hash("some_package"))
    assert len(set(hashes)) == 3
    assert all(len(each) == 64 for each in hashes)
    (tmp_path / "one_file.py").write_text("z = 1\n")
    assert len(file_hash("one_file")) == 64
    assert file_hash("nowhere_to_be_found") == file_hash("") == ""


def test_our_own_modules_are_no_third_partys() -> None:
    found = {each.name: each for each in available()}
    assert not found["momentum"].third_party
    assert not found["mean_reversion"].third_party
