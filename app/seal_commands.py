"""What a running trader answers about seals: it has the device, so it is the one to ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.accounts import Account
from app.errors import SafetyError
from app.execution.control import Handler
from app.sealing import KIND, seal
from signers.base import SignerKind
from signers.payloads import Chain

if TYPE_CHECKING:
    from app.session import Session
    from app.trader import Trader


def seal_handlers(trader: Trader) -> Mapping[str, Handler]:
    """The command by name."""
    turn = asyncio.Lock()

    async def sealed(_: dict[str, Any]) -> dict[str, Any]:
        async with turn:  # the second seals the row of the first
            return await seal_session(trader.session)

    return {"seal": sealed}


async def seal_session(session: Session) -> dict[str, Any]:
    """Seal what is on disk now, on the session's device, and journal it. Trades wait for the device meanwhile.

    Raises:
        UsageError, SignerError: as `app.sealing.seal`.
        SafetyError: the account is being read again from disk.
        StorageFault: the seal could not be written.
    """
    desk = session.desk
    if desk.stale:
        raise SafetyError("seal.stale", "The account is being read again from disk.", next_step="Try again.")
    terms, of = desk.terms, (session.settings.profile, session.run, session.wall.now_ms())
    account = Account(SignerKind(terms.signer), Chain.EVM, terms.signer_path, terms.signer_address, "", 0, None)
    found = await seal(session.writer.head, of, session.device, account, terms.device_deadline_s)
    transition = desk.transition()
    transition.sealed(found.row())
    await desk.commit(transition, KIND, str(found.seal.seq))
    return found.document()
