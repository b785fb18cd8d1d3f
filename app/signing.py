"""Which signer a session uses, and the addresses that its database knows."""

from __future__ import annotations

import sqlite3

from app.errors import SignerError
from signers.paths import Path
from signers.payloads import Chain
from signers.session import DeviceSession


async def registered(device: DeviceSession, path: Path, connection: sqlite3.Connection) -> str:
    """The signer's address; the database remembers the first and refuses another.

    Raises:
        SignerError: another address than the registered one.
        SignerFault: the device did not answer.
    """
    kind = device.signer.kind
    address = await device.address(Chain.EVM, path)
    key = f"signer:{kind}:{path}"
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    if row is not None and row[0] != address:
        raise SignerError(
            "signer.wrong_device",
            f"The signer answers {address}; registered for this database is {row[0]}.",
            next_step="Nothing was sent. Use the registered device or another database.",
        )
    if row is None:
        connection.execute("INSERT INTO meta VALUES (?, ?)", (key, address))
    return address
