"""SIGKILL proves ordering, not durability: that the signed record is synced before the first byte goes to the venue is
read off the system calls themselves."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.crash.campaign import Campaign

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace absent: no system calls to read"),
]


def test_signed_records_are_synced_before_the_venue_hears_of_them(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    db, trace = campaign._fresh("durable") / "a.db", tmp_path / "trace"
    calls = "trace=pwrite64,fdatasync,sendto"
    strace = ["strace", "-f", "-qq", "-b", "execve", "-s", "70000", "-e", calls, "-o", str(trace)]
    done = campaign._run([*strace, *campaign.command(db)])
    assert done.returncode == 0, done.stderr
    lines = trace.read_text(errors="replace").splitlines()
    submits = [
        (at, found.group(1))
        for at, line in enumerate(lines)
        if "sendto(" in line
        and (found := re.search(r'\\"op\\": \\"submit\\", \\"orders\\": \[\[\\"([0-9a-f]{32})', line))
    ]
    assert len(submits) > 20
    for at, client_id in submits:
        written = next(n for n, line in enumerate(lines) if "pwrite64(" in line and client_id in line)
        synced = [n for n in range(written, at) if "fdatasync" in lines[n] and "= 0" in lines[n]]
        assert synced, f"order {client_id} was sent before its record was synced"
