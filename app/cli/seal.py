"""``countersign journal seal``: through the running trader, which has the device; else this command opens it."""

from __future__ import annotations

import argparse
import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.cli import alone, context
from app.cli.devices import asks_trader, run_here
from app.cli.watch import when
from app.engine.clock import WallClock
from app.sealing import KIND, Sealed, seal
from app.wallets import registration
from signers.payloads import Chain
from storage.database import Reader, TraderDatabase, connect, open_for_trading, reader, trader_pid
from storage.journal import canonical
from storage.writer import Commit, Writer

if TYPE_CHECKING:
    from app.config.schema import Settings
    from app.devices import Devices

_PATIENCE_S: Final = 3_660.0
"""For the trader's answer: longer than any device may take."""
_ASKED: Final = "the device is asked to sign the head of the journal: approve it there"
_WEAK: Final = {
    "demo": "The demo device's key is public: to others this seal proves nothing. With a hardware wallet it does: "
    "countersign config set signer.kind auto, then seal again.",
    "keyring": "HOT: a key on this computer signed it, by itself: whoever owns the computer could have.",
}


def seal_journal(options: argparse.Namespace) -> int:
    """Seal the head of the chain; what to keep elsewhere is the answer."""
    db = context.database(options)
    if trader_pid(db) is not None:
        context.note(_ASKED)
        document = context.ask_trader(db, {"op": "seal"}, timeout_s=_PATIENCE_S)
    else:
        document = _alone(db, context.settings(options).settings)
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


def _alone(db: Path, settings: Settings) -> dict[str, Any]:
    """On this command's own device.

    Raises:
        SafetyError: a trader on another database may hold it.
    """
    kind = settings.signer.kind
    asks_trader(db, "" if kind == "auto" else kind)
    with reader(db) as data:
        profile = str(data.value("SELECT value FROM meta WHERE key = 'profile'") or settings.profile)
    database = open_for_trading(db, profile)
    try:
        return run_here(settings, partial(_seal, database, db, profile, settings)).document()
    finally:
        database.close()


async def _seal(database: TraderDatabase, db: Path, profile: str, settings: Settings, devices: Devices) -> Sealed:
    wall, looks, writer = WallClock(), Reader(connect(db, read_only=True)), None
    try:
        kind, data = await devices.chosen(), (looks, database.connection)
        account = await devices.account(kind, Chain.EVM, data, wall.now_ms(), context.note)
        run = str(looks.value("SELECT id FROM runs ORDER BY rowid DESC LIMIT 1") or "0" * 32)
        writer, now_ms = Writer(database.connection, db), alone.market_ms(database)
        writer.start(asyncio.get_running_loop())
        if devices.fresh is not None:  # approved just now: a seal by an address that is not registered is none
            made = registration(devices.fresh, None)
            body = canonical({"set": [list(made.change)]})
            await writer.submit(Commit(now_ms, made.kind, made.subject, body, statements=(made.statement,)))
        of = (profile, run, wall.now_ms())
        if writer.head.seq:
            context.note(_ASKED)
        found = await seal(writer.head, of, devices.of(kind), account, settings.signer.deadline_s)
        await writer.submit(Commit(now_ms, KIND, str(found.seal.seq), rows=(found.row(),)))
        return found
    finally:
        if writer is not None:
            writer.stop()
        looks.connection.close()
