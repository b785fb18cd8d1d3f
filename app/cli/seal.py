"""``countersign journal seal``: through the running trader, which has the device; else this command opens it."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.cli import alone, context
from app.cli.watch import when
from app.devices import Devices
from app.engine.clock import WallClock
from app.sealing import KIND, Sealed, seal
from signers.payloads import Chain
from storage.database import Reader, TraderDatabase, connect, open_for_trading, reader, trader_pid
from storage.writer import Commit, Writer

if TYPE_CHECKING:
    from app.config.load import Loaded

_PATIENCE_S: Final = 3_660.0
"""For the trader's answer: longer than any device may take."""
_WEAK: Final = {
    "demo": "The demo device's key is public: to others this seal proves nothing.",
    "keyring": "HOT: a key on this computer signed it, by itself: whoever owns the computer could have.",
}


def seal_journal(options: argparse.Namespace) -> int:
    """Seal the head of the chain; what to keep elsewhere is the answer."""
    db = context.database(options)
    context.note("the device is asked to sign the head of the journal: approve it there")
    if trader_pid(db) is not None:
        document = context.ask_trader(db, {"op": "seal"}, timeout_s=_PATIENCE_S)
    else:
        document = _alone(db, context.settings(options))
    by = f"{document['address']} ({document['signer']})"
    lines = [
        f"Sealed: row {document['seq']}, {when(document['sealed_ms'])} UTC, by {by}.",
        *document["text"].split("\n"),
        f"signature {document['signature']}",
        "Keep this elsewhere: whoever could rewrite the journal could leave the seal out of it.",
    ]
    lines += [_WEAK[document["signer"]]] if document["signer"] in _WEAK else []
    context.emit(options, "journal-seal", document, lines)
    return 0


def _alone(db: Path, loaded: Loaded) -> dict[str, Any]:
    with reader(db) as data:
        profile = str(data.value("SELECT value FROM meta WHERE key = 'profile'") or loaded.settings.profile)
    database = open_for_trading(db, profile)
    try:
        return asyncio.run(_seal(database, db, profile, loaded)).document()
    finally:
        database.close()


async def _seal(database: TraderDatabase, db: Path, profile: str, loaded: Loaded) -> Sealed:
    settings, wall, looks = loaded.settings.signer, WallClock(), Reader(connect(db, read_only=True))
    devices, writer = Devices(settings, attended=False), None
    try:
        kind, data = await devices.chosen(), (looks, database.connection)
        account = await devices.account(kind, Chain.EVM, data, wall.now_ms(), context.note)
        run = str(looks.value("SELECT id FROM runs ORDER BY rowid DESC LIMIT 1") or "0" * 32)
        writer = Writer(database.connection, db)
        writer.start(asyncio.get_running_loop())
        of = (profile, run, wall.now_ms())
        found = await seal(writer.head, of, devices.of(kind), account, settings.deadline_s)
        await writer.submit(Commit(alone.market_ms(database), KIND, str(found.seal.seq), rows=(found.row(),)))
        return found
    finally:
        devices.close()
        if writer is not None:
            writer.stop()
        looks.connection.close()
