"""The addresses that this database knows: what a signer must answer for a chain and a derivation path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from app.errors import StorageError
from signers.base import SignerKind
from signers.paths import Path
from signers.payloads import Chain

_COLUMNS: Final = "signer, chain, path, address, device, registered_ms, used_ms"
REGISTER: Final = f"INSERT INTO accounts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL)"  # noqa: S608 -- our own names
REPLACE: Final = f"INSERT OR REPLACE INTO accounts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL)"  # noqa: S608 -- as above
USED: Final = "UPDATE accounts SET used_ms = ? WHERE signer = ? AND chain = ? AND path = ?"

Rows = Callable[[str, tuple[Any, ...]], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Account:
    """One registered address. Times are ms UTC; `used_ms` None: never signed."""

    signer: SignerKind
    chain: Chain
    path: Path
    address: str
    device: str
    registered_ms: int
    used_ms: int | None


def accounts(rows: Rows) -> tuple[Account, ...]:
    """Every registered account, in the order of registration."""
    found = rows(f"SELECT {_COLUMNS} FROM accounts ORDER BY registered_ms, rowid", ())  # noqa: S608 -- as above
    return tuple(
        Account(
            signer=SignerKind(row["signer"]),
            chain=Chain(row["chain"]),
            path=Path.parse(row["path"]),
            address=row["address"],
            device=row["device"],
            registered_ms=row["registered_ms"],
            used_ms=row["used_ms"],
        )
        for row in found
    )


def registered(rows: Rows, signer: SignerKind, chain: Chain, path: Path) -> Account | None:
    """The account of this signer, chain and path."""
    return next((a for a in accounts(rows) if (a.signer, a.chain, a.path) == (signer, chain, path)), None)


def stored(rows: Rows) -> tuple[Account, ...]:
    """`accounts` of a database that no session of this version may have opened yet.

    Raises:
        StorageError: a row is none of ours.
    """
    if not rows("SELECT name FROM sqlite_master WHERE name = 'accounts'", ()):
        return ()
    try:
        return accounts(rows)
    except (ValueError, TypeError, AttributeError) as error:
        raise StorageError(
            "accounts.row",
            f"Table accounts has a row that can not be read: {error}.",
            next_step="Somebody wrote it by hand: restore a backup.",
        ) from error


def newest(rows: Rows, signer: SignerKind, chain: Chain) -> Account | None:
    """The one that was registered last of this signer and chain."""
    return next((a for a in reversed(accounts(rows)) if (a.signer, a.chain) == (signer, chain)), None)
