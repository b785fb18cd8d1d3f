"""The product's own command, run in another process with a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def countersign(
    home: Path, *arguments: str, hash_seed: str = "0", timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run one command; no traceback may ever reach the trader."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": hash_seed,
    }
    done = subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def document(home: Path, *arguments: str, hash_seed: str = "0", timeout: float = 120) -> dict[str, Any]:
    """The JSON document of a command that must succeed."""
    done = countersign(home, *arguments, "--json", hash_seed=hash_seed, timeout=timeout)
    assert done.returncode == 0, done.stderr
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed
