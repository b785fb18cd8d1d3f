"""Each target for a fixed number of inputs, from one seed; ``python -m tests.fuzz`` goes on for as long as wanted."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

RUNS = {"codecs": 20_000, "hid": 20_000, "ledger": 5_000, "trezor": 2_000}


@pytest.mark.parametrize("target", RUNS)
def test_no_bytes_break_it(target: str) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris absent: no wheel for this Python or system")
    options = [f"-runs={RUNS[target]}", "-seed=1", "-max_len=1024", "-timeout=20"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", target, *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert f"Done {RUNS[target]} runs" in done.stderr
