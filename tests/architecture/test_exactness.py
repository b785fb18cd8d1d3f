"""No wall clock outside the clock; no float where money is decided."""

from __future__ import annotations

import ast
import re

from tests.architecture.source import Source, below, dotted, parse, sources

CLOCK = "app/engine/clock.py"
WALL = {
    "time.time", "time.time_ns", "time.sleep", "time.localtime", "time.gmtime", "time.ctime", "time.strftime",
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
}  # fmt: skip
_TIME_NAMES = {name.partition(".")[2] for name in WALL if name.startswith("time.")}


def wall_clocks(source: Source) -> list[str]:
    """Uses of the machine's clock, by attribute or by an import of the function itself."""
    found = []
    for node in source.nodes:
        if isinstance(node, ast.Attribute):
            name = ".".join(dotted(node).split(".")[-2:])
            if name in WALL:
                found.append(f"{source.name}:{node.lineno} {name}")
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            found += [f"{source.name}:{node.lineno} {each.name}" for each in node.names if each.name in _TIME_NAMES]
    return found


def test_only_the_clock_looks_at_the_wall_clock() -> None:
    found = [each for source in sources() for each in wall_clocks(source)]
    assert [each for each in found if not each.startswith(CLOCK)] == []
    assert found, "the clock itself does: the scan sees it"


def test_the_clock_scan_sees_what_it_must() -> None:
    text = (
        "import time, datetime\nfrom time import sleep, monotonic_ns\n"
        "time.time()\nx = time.time_ns\ndatetime.datetime.now()\ndatetime.date.today()\ntime.monotonic_ns()\n"
    )
    assert len(wall_clocks(parse("app/x.py", text))) == 5


MONEY = ("app/execution/", "app/portfolio/", "app/risk/gate.py", "app/money.py", "storage/decimals.py", "app/practice/")
SECONDS = r"_[sS]: |\b_[A-Z_]+_S\b"
ALLOWED = {
    "app/execution/desk.py": (SECONDS, "until a device that does not answer is given up"),
    "app/execution/control.py": (SECONDS, "of patience with a connection"),
    "app/execution/recovery.py": (SECONDS, "between two look-ups of an order"),
    "app/execution/records.py": (
        r"strength=|confidence=",
        "a strategy's statistics, stored and shown, never reckoned with",
    ),
    "app/practice/server.py": (SECONDS, "of a last answer on its way"),
    "app/practice/record.py": (SECONDS + r"|pause\.wait\(", "of patience with a lock"),
}
"""File, what each of its lines with a float looks like, and what the floats are: never an amount."""


def floats(source: Source) -> list[tuple[int, str]]:
    """Float literals and conversions; annotations are not uses."""
    found = []
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            found.append((node.lineno, repr(node.value)))
        if isinstance(node, ast.Call) and dotted(node.func) in {"float", "Decimal.from_float"}:
            found.append((node.lineno, dotted(node.func)))
    return found


def test_no_float_decides_about_money() -> None:
    found = [
        f"{source.name}:{line} {use}"
        for source in below(*MONEY)
        for line, use in floats(source)
        if not re.search(ALLOWED.get(source.name, ("$.",))[0], source.lines[line - 1])
    ]
    assert found == []


def test_no_allowance_outlives_its_use() -> None:
    assert [name for name in ALLOWED if not any(source.name == name and floats(source) for source in sources())] == []


def test_the_float_scan_sees_what_it_must() -> None:
    text = "x = 0.5\ny = float('1')\nz = Decimal.from_float(x)\ndef f(a: float) -> float: ...\nq = x / y\n"
    assert [line for line, _ in floats(parse("app/x.py", text))] == [1, 2, 3]
    assert operators_on_amounts(parse("app/x.py", text)) == ["app/x.py:5"]


def operators_on_amounts(source: Source) -> list[str]:
    """``/`` and ``//`` between anything: division names its rounding (`app.money.div`), so the operator is not used."""
    return [
        f"{source.name}:{node.lineno}"
        for node in source.nodes
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
    ]


def test_no_bare_division_where_money_is() -> None:
    found = [each for source in below(*MONEY) for each in operators_on_amounts(source)]
    lines = {source.name: source.lines for source in sources()}
    amounts = [each for each in found if "_S /" not in lines[each.partition(":")[0]][int(each.partition(":")[2]) - 1]]
    assert amounts == []


def test_no_real_column_and_every_table_strict() -> None:
    """Amounts are TEXT; a REAL column rounds them without a word, and so does a table that is not STRICT."""
    tables = 0
    for source in below("storage/", "app/practice/"):
        for node in source.nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for statement in node.value.upper().split(";"):
                    if "CREATE TABLE" in statement:
                        tables += 1
                        columns = statement.partition("(")[2]
                        assert not re.search(r"\b(REAL|FLOAT|DOUBLE|NUMERIC)\b", columns) or "METRICS" in statement, (
                            statement
                        )
                        assert re.search(r"\)[^)]*\bSTRICT\b", statement), f"{source.name}: {statement[:80]}"
    assert tables > 15, "the scan sees the schema"
