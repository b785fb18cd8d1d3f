"""The journal: show it, or verify that nothing in it was changed."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from app.cli import context
from app.cli.watch import when
from app.reports_journal import SealRow, in_words, is_hot, newest_seal
from storage.database import reader


def journal(options: argparse.Namespace) -> int:
    """`journal show`, `verify` or `seal`; verify exits 1 when it finds something."""
    if options.action == "seal":
        from app.cli.seal import seal_journal  # noqa: PLC0415 -- asyncio and the devices, and `show` needs none

        return seal_journal(options)
    return _verify(options) if options.action == "verify" else _show(options)


def _show(options: argparse.Namespace) -> int:
    with reader(context.database(options)) as data:
        rows = data.rows(
            "SELECT seq, ts_ms, kind, subject, body, hex(hash) AS hash FROM journal ORDER BY seq DESC LIMIT ? OFFSET ?",
            (options.limit, options.offset),
        )
        seal, changes = newest_seal(data), in_words(data, rows)
    documents = [
        {**row, "body": _body(row["body"]), "hot": is_hot(row["body"]), "hash": row["hash"].lower()} for row in rows
    ]
    lines = [
        f"{r['seq']:>6} {_when(r['ts_ms'])} {r['kind']:<18} {r['subject'][:8]:<8} {r['hash'][:16]}"
        f"{'  HOT' if r['hot'] else ''}  {said}"
        for r, said in zip(documents, changes, strict=True)
    ]
    lines += _sealed(seal) if lines else ["The journal is empty."]
    context.emit(options, "journal", {"rows": documents, "seal": None if seal is None else asdict(seal)}, lines)
    return 0


def _sealed(seal: SealRow | None) -> list[str]:
    if seal is None:
        return []
    return [f"Sealed to row {seal.seq} by {seal.address} ({seal.signer}), {_when(seal.sealed_ms)} UTC."]


def _body(text: str) -> Any:
    """The document, or the text itself: `show` shows a tampered row too; `verify` says that it is one."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _when(ts_ms: int) -> str:
    try:
        return when(ts_ms)
    except (ValueError, OverflowError, OSError):
        return f"{ts_ms} ms"


def _verify(options: argparse.Namespace) -> int:
    from app.engine.clock import WallClock  # noqa: PLC0415 -- asyncio, and `show` needs none
    from app.verification import Verification  # noqa: PLC0415 -- as above

    db = context.database(options)
    found = Verification(db, WallClock()).run()
    head, mirror, findings = found.head, found.mirror, found.findings
    document = {
        "ok": not findings,
        "rows": head.seq,
        "head": {"seq": head.seq, "hash": head.hash.hex()},
        "mirror": None if mirror is None else mirror.seq,
        "seal": None if found.seal is None else asdict(found.seal),
        "findings": [{"seq": f.seq, "table": f.table, "what": f.what} for f in findings],
    }
    lines = [f"{f.table}{'' if f.seq is None else ' (row ' + str(f.seq) + ')'}: {f.what}" for f in findings]
    if not findings:
        lines = [f"Verified: {head.seq} journal rows, head {head.hash.hex()[:16]}; every projection follows from them."]
        lines += _sealed(found.seal)
        if mirror is None:
            lines.append(f"There is no readable {db.name}.head beside it: rows cut off the end would not be seen.")
    context.emit(options, "journal-verify", document, lines)
    return 1 if findings else 0
