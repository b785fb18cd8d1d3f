"""Who may import whom: import-linter's contracts, and what really is in memory."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, ROOT

LINTER = Path(sys.executable).with_name("lint-imports")

PLANTED = {
    "signers, strategies and storage import neither app nor one another": (
        "signers/planted.py",
        "import storage.schema",
    ),
    "nothing below app imports app": ("storage/planted.py", "import app.money"),
    "strategies are pure decisions": ("strategies/planted.py", "import socket"),
    "risk and portfolio are pure": ("app/risk/planted.py", "import storage.writer"),
    "the practice venue is another process": ("app/engine/planted.py", "import app.practice.matching"),
    "the practice venue knows nothing": ("app/practice/planted.py", "import app.execution.records"),
    "execution knows no command line": ("app/execution/planted.py", "import app.session"),
    "what a channel of alerts is": ("app/trader_planted.py", "import app.alerts.forms"),
    "only there is apprise imported": ("app/cli/planted.py", "import apprise"),
    "the command line is imported by": ("app/market/planted.py", "import app.cli.context"),
    "only app.tui imports textual": ("app/reports_planted.py", "import textual"),
    "the terminal is imported by": ("app/planted.py", "import app.tui.app"),
    "snapshots are pictures": ("app/snapshots/planted.py", "import storage.database"),
}
"""The beginning of each contract's name, and an import that breaks it."""


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the packages in `folder`."""
    return subprocess.run(
        [LINTER, "--no-cache", "--config", folder / "pyproject.toml"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_contracts_are_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = [line for line in done.stdout.splitlines() if " KEPT" in line]
    for name in PLANTED:
        assert any(line.startswith(name) for line in kept), name
    assert len(kept) == len(PLANTED), "every contract has an import here that breaks it"


def test_each_contract_can_be_broken(tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, line in PLANTED.values():
        (tmp_path / file).write_text(f"{line}\n", encoding="utf-8")
    done = lint(tmp_path)
    assert done.returncode == 1, done.stderr
    broken = [line for line in done.stdout.splitlines() if " BROKEN" in line]
    for name in PLANTED:
        assert any(line.startswith(name) for line in broken), f"not noticed: {name}\n{done.stdout}"


def test_only_app_tui_may_import_textual(tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    screens = tmp_path / "app" / "tui" / "screens"
    (screens.parent / "planted.py").write_text("import textual\n", encoding="utf-8")
    (screens / "planted.py").write_text("from textual.app import App\n", encoding="utf-8")
    done = lint(tmp_path)
    assert done.returncode == 0, done.stdout


HEAVY = ("apprise", "ccxt", "web3", "solana", "trezorlib", "trezor", "ledgerwallet", "eth_account", "textual")
HELP = (
    *HEAVY,
    "pydantic",
    "sqlite_utils",
    "keyring",
    "structlog",
    "asyncio",
    "sqlite3",
    "json",
    "typing",
    "dataclasses",
)


def loaded(code: str) -> set[str]:
    """Top-level modules in memory after `code`."""
    program = f"import sys\n{code}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_loads_nothing_heavy() -> None:
    code = "from app.__main__ import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    found = loaded(code)
    assert "argparse" in found, "the scan sees something"
    assert found & set(HELP) == set()


@pytest.mark.parametrize(
    "module", ["app.trader", "app.session", "app.cli.watch", "app.cli.stop", "app.practice.server"]
)
def test_importing_the_engine_loads_no_screen_and_no_chain(module: str) -> None:
    found = loaded(f"import {module}")
    assert found & set(HEAVY) == set()


@pytest.mark.parametrize(
    "module", ["app.cli.watch", "app.cli.health", "app.cli.journal", "app.cli.answer", "app.cli.keep"]
)
def test_looking_is_light(module: str) -> None:
    """Commands that only look start fast: no settings schema, no migrations, no log library."""
    found = loaded(f"import {module}")
    assert found & {*HEAVY, "pydantic", "sqlite_utils", "keyring", "structlog"} == set()


def test_the_first_frame_loads_neither_settings_nor_engine_nor_database() -> None:
    found = loaded("import app.cli.terminal\nimport app.tui.run")
    assert "textual" in found
    heavy = {*HEAVY, "pydantic", "sqlite_utils", "keyring", "structlog", "sqlite3"} - {"textual"}
    assert found & heavy == set()


def test_the_command_itself_loads_nothing_heavy_for_help() -> None:
    """As the shell starts it, through the installed script."""
    command = Path(sys.executable).with_name("countersign")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "argparse" in found
    assert found & set(HELP) == set()
