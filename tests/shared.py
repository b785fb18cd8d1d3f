"""Where the recorded data is, and a loud skip by name where it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_folder() -> Path:
    """`COUNTERSIGN_SHARED`, else ``../shared`` beside the project; it may be absent."""
    return Path(os.environ.get("COUNTERSIGN_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def shared_data(relative: str = "") -> Path:
    """Path below the shared ``data`` folder."""
    path = shared_folder() / "data" / relative
    if not path.exists():
        pytest.skip(f"shared data absent: {relative or 'data'}")
    return path
