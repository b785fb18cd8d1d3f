"""The product's source, parsed once for all scans."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("app", "signers", "strategies", "storage")


@dataclass(frozen=True)
class Source:
    """One file of the product."""

    name: str
    text: str
    tree: ast.Module

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All of its tree."""
        return tuple(ast.walk(self.tree))

    @property
    def lines(self) -> list[str]:
        """Its lines."""
        return self.text.splitlines()


def parse(name: str, text: str) -> Source:
    """A file from its text."""
    return Source(name, text, ast.parse(text))


@lru_cache(maxsize=1)
def sources() -> tuple[Source, ...]:
    """Every file of the four packages, by name.

    A million nodes that stay to the end: they are kept from the collector, which would else look through them again and
    again, in these tests and in all that this process runs after them.
    """
    files = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
    assert len(files) > 60, "the scan must see the product"
    gc.collect()
    gc.disable()
    try:
        found = tuple(parse(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files)
        assert all(source.nodes for source in found if source.text)
    finally:
        gc.freeze()
        gc.enable()
    return found


def below(*prefixes: str) -> tuple[Source, ...]:
    """Files whose name begins with one of `prefixes`; each prefix must match something."""
    for prefix in prefixes:
        assert any(source.name.startswith(prefix) for source in sources()), prefix
    return tuple(source for source in sources() if source.name.startswith(prefixes))


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of a name or attribute; calls and subscripts in between are left out."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}".lstrip(".")
    if isinstance(node, ast.Call):
        return dotted(node.func)
    if isinstance(node, ast.Subscript):
        return dotted(node.value)
    if isinstance(node, ast.Await):
        return dotted(node.value)
    return ""


def calls(source: Source) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every call."""
    for node in source.nodes:
        if isinstance(node, ast.Call) and (name := dotted(node.func)):
            yield node.lineno, name


def functions(source: Source) -> Iterator[tuple[str, int]]:
    """Name and length in lines of every function, decorators not counted."""
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1
