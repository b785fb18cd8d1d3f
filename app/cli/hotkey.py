"""``countersign hotkey``: the keys of the hot signer. They are typed hidden or made here, go into the operating
system's keyring and are never shown; each change needs a typed word."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app import hot_keys
from app.accounts import REGISTER, stored
from app.cli import alone, context, streams
from app.cli.secrets import hidden, refused
from app.engine.clock import WallClock
from app.errors import DatabaseInUse, SafetyError, UsageError
from app.hot_drain import Held, KeyState, may_retire, may_rotate, obligations, on_chains, state_of
from signers import hot_key
from signers.base import SignerKind
from signers.hot import TITLE
from signers.hot_key import BadKey
from signers.payloads import Chain
from storage.database import reader, trader_pid
from storage.identity import is_there
from storage.journal import canonical
from storage.secrets import SecretsError, SecretStore

WORDS: Final = {
    "generate": "HOT", "import": "HOT", "register": "HOT", "rotate": "ROTATE", "retire": "RETIRE",
    "abandon": "ABANDON",
}  # fmt: skip
"""What is typed to do it."""
_OFF: Final = "It signs nothing until the hot signer is switched on: countersign config set signer.hot.enabled true"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a command works."""

    keyring: SecretStore
    chain: Chain
    db: Path

    def held(self) -> Held:
        """What the keyring holds."""
        return Held(
            hot_keys.address_in(self.keyring, self.chain), hot_keys.address_in(self.keyring, self.chain, old=True)
        )

    def obligations(self, address: str) -> list[Any]:
        """In this database and in those of the newest sessions."""
        return list(obligations([self.db, *context.recent()], self.chain, address))


def hotkey(options: argparse.Namespace) -> int:
    """One of list, generate, import, register, rotate, retire."""
    place = _Place(hot_keys.store(), Chain(options.chain), context.database(options))
    try:
        if options.action == "list":
            return _list(options, place)
        if (pid := trader_pid(place.db)) is not None:
            raise DatabaseInUse(
                "hotkey.running",
                f"A trader (pid {pid}) runs on {place.db}, and what it signs with does not change under it.",
                next_step="Nothing was changed. Stop it first: countersign stop",
            )
        address, lines = _ACTIONS[options.action](place)
    except SecretsError as error:
        raise refused(error) from None
    except BadKey as error:
        raise UsageError("hotkey.key", str(error), next_step="Nothing was stored.") from None
    context.emit(
        options, "hotkey", {"chain": place.chain, "address": address, "done": options.action, "hot": True}, lines
    )
    return 0


def _list(options: argparse.Namespace, place: _Place) -> int:
    documents: list[dict[str, Any]] = []
    for chain in Chain:
        here = _Place(place.keyring, chain, place.db)
        held = here.held()
        known = [each.address for each in _registered(here)]
        for address in dict.fromkeys(each for each in (*known, held.old, held.active) if each is not None):
            left = here.obligations(address) if address == held.old else []
            state = state_of(address, held, left)
            documents.append(
                {
                    "chain": chain.value,
                    "address": address,
                    "state": state.value,
                    "registered": address in known,
                    "needed_by": [f"{each.words} ({each.database})" for each in left],
                }
            )
    lines = [f"{TITLE}: {len(documents)} known"] if documents else ["There is no hot key."]
    for each in documents:
        lines.append(f"  {each['chain']:<6} {each['address']}  {each['state']}{_unregistered(each)}")
        lines += [f"         needed: {words}" for words in each["needed_by"]]
    context.emit(options, "hotkeys", {"keys": documents}, lines)
    return 0


def _unregistered(each: dict[str, Any]) -> str:
    return "" if each["registered"] or each["state"] != KeyState.ACTIVE else ", not registered in this database"


def _generate(place: _Place) -> tuple[str, list[str]]:
    _none_yet(place)
    _word("generate", f"A HOT {place.chain} key is made and kept in this computer's keyring.")
    return _stored(place, hot_key.generate(place.chain), "Made")


def _import(place: _Place) -> tuple[str, list[str]]:
    _none_yet(place)
    _word("import", f"A {place.chain} key becomes HOT: whoever gets into this computer can take what it holds.")
    key = hot_key.read(place.chain, hidden(f"Private key for {place.chain} (not shown): "))
    address = hot_key.address(place.chain, key)
    for each in _registered(place, hot=False):
        if each.address == address and each.signer is not SignerKind.DEMO:
            raise SafetyError(
                "hotkey.hardware",
                f"That is the key of {address}, which is registered for the {each.signer}.",
                next_step="Nothing was stored. A hardware wallet's key belongs in no computer: use another.",
            )
    return _stored(place, key, "Imported")


def _stored(place: _Place, key: bytes, done: str) -> tuple[str, list[str]]:
    hot_keys.keep(place.keyring, place.chain, key)
    address = hot_key.address(place.chain, key)
    _register(place, address)
    return address, [f"{done}: {address} ({place.chain}, HOT).", _OFF]


def _registering(place: _Place) -> tuple[str, list[str]]:
    address = place.held().active
    if address is None:
        raise SafetyError("hotkey.none", "There is no key.", next_step="Make one: countersign hotkey generate")
    _word("register", f"{address} signs HOT for {place.db} from now on.")
    _register(place, address)
    return address, [f"Registered: {address} ({place.chain}, HOT)."]


def _rotate(place: _Place) -> tuple[str, list[str]]:
    before = may_rotate(place.held())
    _word("rotate", f"A new HOT {place.chain} key takes the place of {before}.")
    key = hot_key.generate(place.chain)
    hot_keys.set_aside(place.keyring, place.chain)
    hot_keys.keep(place.keyring, place.chain, key)
    address = hot_key.address(place.chain, key)
    _register(place, address, before)
    left = place.obligations(before)
    lines = [f"{address} signs from now on. {before} is {state_of(before, Held(address, before), left)}."]
    lines += [f"  needed: {each.words} ({each.database})" for each in left]
    return address, [*lines, "Once nothing needs the old key: countersign hotkey retire"]


def _retire(place: _Place) -> tuple[str, list[str]]:
    held = place.held()
    address = may_retire(held, [] if held.old is None else place.obligations(held.old))
    if address == held.active:
        place.keyring.delete(hot_keys.name(place.chain, old=True))
        return address, ["The copy that a rotation made before it was cut off is gone; the key in use stays."]
    what = f"The key of {address} is deleted for good. What is sent to it later is lost."
    if there := on_chains([place.db, *context.recent()], address):
        _word("abandon", f"{what} SO IS WHAT IT HOLDS NOW, by the ledger: {'; '.join(there)}. Send it away first.")
    else:
        _word("retire", what)
    if is_there(place.db):
        alone.journal(place.db, "signer.retired", _body(place.chain, address, KeyState.RETIRED), address)
    place.keyring.delete(hot_keys.name(place.chain, old=True))
    return address, [f"Retired: {address}."]


_ACTIONS: Final = {
    "generate": _generate, "import": _import, "register": _registering, "rotate": _rotate, "retire": _retire,
}  # fmt: skip


def _none_yet(place: _Place) -> None:
    active = place.held().active
    if active is not None:
        raise SafetyError(
            "hotkey.there",
            f"There is a key already: {active}.",
            next_step="Nothing was changed. Replace it: countersign hotkey rotate",
        )


def _word(action: str, what: str) -> None:
    if streams.typed_line(f"{what} Type {WORDS[action]} and Enter: ") != WORDS[action]:
        raise SafetyError("hotkey.kept", "Nothing was changed.")


def _registered(place: _Place, *, hot: bool = True) -> list[Any]:
    """Accounts of the chain in this database: the hot ones, or the others."""
    if not is_there(place.db):
        return []
    with reader(place.db) as data:
        return [a for a in stored(data.rows) if a.chain is place.chain and (a.signer is SignerKind.KEYRING) is hot]


def _register(place: _Place, address: str, before: str | None = None) -> None:
    """In this database, as the newest of its hot keys; the first session registers it where there is none yet."""
    known = _registered(place)
    if not is_there(place.db) or (known and known[-1].address == address):
        return
    path = str(hot_keys.numbered(len(known) + 1))
    row = (SignerKind.KEYRING.value, place.chain.value, path, address, TITLE, WallClock().now_ms())
    body = _body(place.chain, address, KeyState.ACTIVE, before)
    alone.change(place.db, "signer.registered", address, body, lambda _now_ms: [(REGISTER, row)])


def _body(chain: Chain, address: str, state: KeyState, before: str | None = None) -> str:
    changes = [["hot_key", chain.value, address, state.value]]
    if before is not None:
        changes.append(["hot_key", chain.value, before, KeyState.DRAINING.value])
    return canonical({"set": changes})
