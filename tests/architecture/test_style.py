"""House rules that a linter does not know: size, and a reason for every exception to a rule."""

from __future__ import annotations

import ast
import re

from tests.architecture.source import Source, functions, parse, sources

MOST_LINES = 400
MOST_FUNCTION_LINES = 50
_SILENCED = re.compile(r"#\s*(noqa|type:\s*ignore)(?P<rest>.*)$")
_REASON = re.compile(r"(--|#)\s*\S.{2,}")


def unexplained(line: str) -> bool:
    """Whether `line` silences a tool without saying why, or without saying what."""
    found = _SILENCED.search(line)
    if found is None:
        return False
    rest = found["rest"]
    return not re.match(r"(:|\[)\s*[A-Za-z]", rest) or not _REASON.search(rest)


def test_every_exception_to_a_rule_says_why() -> None:
    found = [
        f"{source.name}:{number} {line.strip()}"
        for source in sources()
        for number, line in enumerate(source.lines, 1)
        if unexplained(line)
    ]
    assert found == []


def test_the_scan_for_reasons_sees_what_it_must() -> None:
    for bad in (
        "x = 1  # noqa",
        "x = 1  # noqa: E501",
        "x = 1  # type: ignore",
        "x  # type: ignore[misc]",
        "x  # noqa: E5 --",
    ):
        assert unexplained(bad), bad
    for good in (
        "x  # noqa: E501 -- a table",
        "x  # type: ignore[misc]  # binds now",
        "x  # type: ignore[misc] # binds",
    ):
        assert not unexplained(good), good


def test_files_fit_a_screenful_of_thought() -> None:
    assert {source.name: len(source.lines) for source in sources() if len(source.lines) >= MOST_LINES} == {}


def test_functions_are_short() -> None:
    found = {
        f"{source.name}:{name}": length
        for source in sources()
        for name, length in functions(source)
        if length >= MOST_FUNCTION_LINES
    }
    assert found == {}


def test_the_length_scan_counts() -> None:
    body = "\n".join(f"    x = {number}" for number in range(60))
    assert list(functions(parse("x.py", f"def f():\n{body}\n"))) == [("f", 61)]


BROAD_ALLOWED = {
    "app/cli/dispatch.py": "the screen's edge: words for the trader, the rest for the log",
    "app/tui/host.py": "the engine's top loop beside the screen; a thread's error, raised where it is awaited",
    "app/engine/bus.py": "a module that raises fails alone",
    "app/engine/warmup.py": "the same while it warms up; and a source's error in its thread reaches who waits",
    "app/engine/registry.py": "the same while it is imported",
    "signers/session.py": "a driver's bug must not end the device's thread",
    "signers/trezor/link.py": "trezorlib's, libusb's and the system's errors have no common root; each becomes a fault",
    "signers/trezor/find.py": "the same, while devices are looked for",
    "storage/secrets.py": "a backend's error may hold the secret",
    "storage/writer.py": "whatever ends the writer's thread must reach those who wait for it",
}
"""File and why it catches everything."""


def broad(source: Source) -> list[int]:
    """Lines that catch everything and do not raise it again."""
    found = []
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler):
            names = [node.type] if not isinstance(node.type, ast.Tuple) else node.type.elts
            everything = any(
                name is None or getattr(name, "id", "") in {"Exception", "BaseException"} for name in names
            )
            if everything and not any(isinstance(each, ast.Raise) and each.exc is None for each in ast.walk(node)):
                found.append(node.lineno)
    return found


def test_nobody_swallows_everything() -> None:
    found = {source.name: lines for source in sources() if (lines := broad(source))}
    assert {name: lines for name, lines in found.items() if name not in BROAD_ALLOWED} == {}
    assert broad(parse("x.py", "try:\n    f()\nexcept Exception:\n    pass\n")) == [3]
    assert broad(parse("x.py", "try:\n    f()\nexcept:\n    g()\n    raise\n")) == []


def test_no_exit_and_no_print_below_the_command_line() -> None:
    """Words for the trader come from one place; a library that prints or exits would spoil ``--json``."""
    allowed = {  # processes that speak to their starter
        "app/practice/__main__.py",
        "app/practice/server.py",
        "app/practice/chain/command.py",
    }
    found = [
        f"{source.name}:{node.lineno}"
        for source in sources()
        if not source.name.startswith("app/cli/") and source.name not in allowed
        for node in source.nodes
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"print", "exit", "quit", "input"}
    ]
    assert found == []
