"""The product's own command, run in another process with a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.forked import Forked

ROOT = Path(__file__).resolve().parents[2]


def countersign(
    home: Path, *arguments: str, hash_seed: str | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run one command; no traceback may ever reach the trader.

    Args:
        hash_seed: of a Python of its own; else one that others were forked from too.
    """
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    if hash_seed is None:
        process: Forked | subprocess.Popen[str] = Forked(["countersign", *arguments], environment, ROOT)
    else:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", *arguments], cwd=ROOT, env=environment | {"PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(arguments, process.wait(), out, err)


def document(home: Path, *arguments: str, hash_seed: str | None = None, timeout: float = 120) -> dict[str, Any]:
    """The JSON document of a command that must succeed."""
    done = countersign(home, *arguments, "--json", hash_seed=hash_seed, timeout=timeout)
    assert done.returncode == 0, done.stderr
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed
