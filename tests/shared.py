"""Where the recorded data is, and a loud skip by name where it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_data(relative: str = "") -> Path:
    """Path below the shared ``data`` folder: `COUNTERSIGN_SHARED`, else ``../shared`` beside the project."""
    root = Path(os.environ.get("COUNTERSIGN_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    path = root / "data" / relative
    if not path.exists():
        pytest.skip(f"shared data absent: {relative or 'data'}")
    return path
