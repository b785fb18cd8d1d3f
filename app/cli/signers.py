"""``countersign signers``: what can countersign and how it is; an address, shown on the device and registered; a test
text, signed and verified.

While a trader runs, it alone talks to the devices: two programs on one take each other's answers. Then it is asked.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.cli import context, streams
from app.cli.devices import ask, asks_trader, run_here
from app.cli.watch import when
from app.errors import UsageError
from storage.database import reader

if TYPE_CHECKING:
    from app.accounts import Account
    from app.config.schema import Settings
    from app.trial_signature import Trial
    from app.wallets import Which

_LOOK_S: Final = 90.0
"""For a trader that looks for every kind: twice the 20 s that each question may take, and some."""


def signers(options: argparse.Namespace) -> int:
    """One of list, address, test."""
    _check_words(options)
    db = context.database(options)
    if options.action == "list":
        return _list(options, db)
    settings = context.settings(options).settings
    one = _which(options, settings, db)
    if options.action == "test":
        return _test(options, settings, db, one)
    return _register(options, settings, db, one) if options.register else _address(options, settings, db, one)


def _check_words(options: argparse.Namespace) -> None:
    action = options.action
    given = {
        "--register": options.register, "--show": options.show, "--no-show": options.no_show, "--signs": options.signs,
        "--path": options.path is not None, "--account": options.account is not None,
        "--scheme": options.scheme is not None, "--signer": options.signer is not None,
    }  # fmt: skip
    account = {"--signer", "--path", "--account", "--scheme"}
    allowed = {
        "list": {"--signs"},
        "address": {*account, "--register", "--show", "--no-show"},
        "test": account,
    }[action]
    if wrong := [name for name, used in given.items() if used and name not in allowed]:
        raise UsageError("signers.words", f"signers {action} takes no {wrong[0]}.")
    if options.path is not None and (options.account is not None or options.scheme is not None):
        raise UsageError("signers.path", "Either --path, or --account with --scheme.")
    if options.register and options.no_show:
        raise UsageError(
            "signers.register", "An address is registered once you approved it on the device: no --no-show."
        )


def _which(options: argparse.Namespace, settings: Settings, db: Path) -> Which:
    """The account that is meant; for "auto" the signer that a session would use."""
    from app.wallets import which  # noqa: PLC0415 -- asyncio and the signers, when they are wanted
    from signers.paths import of_scheme  # noqa: PLC0415 -- as above

    signer = settings.signer
    kind = options.signer or (signer.kind if signer.kind != "auto" else _chosen(settings, db))
    path = options.path or (signer.evm_path if options.chain == "evm" else signer.solana_path)
    if options.account is not None or options.scheme is not None:
        scheme, number = options.scheme or "bip44", options.account or 0
        if (options.chain, scheme) == ("solana", "legacy") and number:
            raise UsageError("signers.account", "The legacy scheme of Solana has account 0 only.")
        path = str(of_scheme(options.chain, scheme, number))
    return which(kind, options.chain, path)


def _chosen(settings: Settings, db: Path) -> str:
    if asks_trader(db):
        found = context.ask_trader(db, {"op": "signers"})["signers"]
        return str(next(each["kind"] for each in found if each["chosen"]))
    return run_here(settings, lambda devices: devices.chosen()).value


# -- list -----------------------------------------------------------------------------------------------------------


def _list(options: argparse.Namespace, db: Path) -> int:
    from app.cli.signers_list import known, lines  # noqa: PLC0415 -- the signers, when they are wanted

    settings = context.settings(options).settings
    runs = asks_trader(db)
    if runs:
        from app.devices import LISTED  # noqa: PLC0415 -- as above

        found = context.ask_trader(db, {"op": "signers", "look": list(LISTED)}, _LOOK_S)
    else:
        registered, stands = _stored(db), settings.signer
        found = run_here(settings, lambda devices: known(devices, registered, stands))
    document = {"database": str(db), "running": runs, "setting": settings.signer.kind, **found}
    if options.signs:
        from app.cli.signers_list import with_signs  # noqa: PLC0415 -- as above

        with_signs(document, settings.signer)
    context.emit(options, "signers", document, lines(document, when))
    return 0


def _stored(db: Path) -> tuple[Account, ...]:
    from app.accounts import stored  # noqa: PLC0415 -- as above

    if not db.exists():
        return ()
    with reader(db) as data:
        return stored(data.rows)


# -- address --------------------------------------------------------------------------------------------------------


def _address(options: argparse.Namespace, settings: Settings, db: Path, one: Which) -> int:
    from app.devices import HARDWARE  # noqa: PLC0415 -- as above
    from app.wallets import address_of  # noqa: PLC0415 -- as above

    shows, tell = not options.no_show and one.kind in HARDWARE, partial(_compare, one)
    if asks_trader(db, one.kind):
        address = str(ask(settings, db, "signer_address", one)["address"])
        if shows:
            tell(address)
            _same(one, address, str(ask(settings, db, "signer_address", one, show=True)["address"]))
    else:
        address = run_here(settings, lambda devices: address_of(devices, one, show=shows, tell=tell))
    known = _known(db, one)
    document = {
        **_named(one), "address": address, "shown": shows, "registered": None if known is None else known.address,
    }  # fmt: skip
    words = [f"{address}  {one}"]
    if known is not None and known.address != address:
        words.append(f"WARNING: registered is {known.address}: another device, seed or passphrase.")
    elif shows:
        words.append("Approved on the device.")
    context.emit(options, "signer-address", document, words)
    return 0


def _compare(one: Which, address: str) -> None:
    from app.devices import to_compare  # noqa: PLC0415 -- asyncio and the signers, when they are wanted

    streams.tell_line(to_compare(one.kind, one.path, address))


def _same(one: Which, address: str, shown: str) -> None:
    from app.devices import check_same  # noqa: PLC0415 -- as above

    check_same(one.kind, address, shown)


def _register(options: argparse.Namespace, settings: Settings, db: Path, one: Which) -> int:
    """Into this database, which must be there: nobody is asked to approve what is then written nowhere."""
    from app.cli.alone import change  # noqa: PLC0415 -- the writer, only to change something
    from app.devices import HARDWARE  # noqa: PLC0415 -- as above
    from app.wallets import register  # noqa: PLC0415 -- as above
    from storage.journal import canonical  # noqa: PLC0415 -- with it

    with reader(db):
        known = _known(db, one)
    agree = partial(_agree, one, known)
    if asks_trader(db, one.kind):
        address = str(ask(settings, db, "signer_address", one)["address"])
        replaced = "" if known is None or known.address == address else agree(address)
        if one.kind in HARDWARE and (known is None or replaced):
            _compare(one, address)
        answer = ask(settings, db, "signer_register", one, replaces=replaced)
        _same(one, address, str(answer["address"]))
        changed = bool(answer["changed"])
    else:
        tell = partial(_compare, one)
        account, made = run_here(settings, lambda devices: register(devices, one, known, agree, _now_ms(), tell))
        address, changed = account.address, made is not None
        if made is not None:
            body = canonical({"set": [list(made.change)]})
            change(db, made.kind, made.subject, body, lambda _: [made.statement])
    before = known.address if known is not None and changed else None
    document = {**_named(one), "address": address, "changed": changed, "replaced": before}
    words = "registered" if changed else "registered before; nothing was changed"
    context.emit(options, "signer-register", document, [f"{address}  {one}: {words}."])
    return 0


def _agree(one: Which, known: Account | None, address: str) -> str:
    """The registered address, once the word was typed for its end; "" when it was not."""
    from app.wallets import WORD  # noqa: PLC0415 -- as above

    before = "" if known is None else known.address
    prompt = f"{one}: {before} -> {address}. What the old one signed counts no more. Type {WORD} and Enter: "
    return before if before and streams.typed_line(prompt) == WORD else ""


def _known(db: Path, one: Which) -> Account | None:
    key = (one.kind, one.chain, one.path)
    return next((each for each in _stored(db) if (each.signer, each.chain, each.path) == key), None)


# -- test -----------------------------------------------------------------------------------------------------------


def _test(options: argparse.Namespace, settings: Settings, db: Path, one: Which) -> int:
    from app.engine.clock import WallClock  # noqa: PLC0415 -- as above
    from app.trial_signature import trial  # noqa: PLC0415 -- as above

    if asks_trader(db, one.kind):
        done = ask(settings, db, "signer_trial", one)
    else:
        found = _known(db, one)
        address = None if found is None else found.address
        made = run_here(settings, lambda devices: trial(devices, one, address, WallClock()))
        done = {**made.document(), "registered": found is not None}
        if found is not None:
            _used(db, one, made, settings)
    ready, person, check = (_ms(done[name]) for name in ("ready_us", "person_us", "check_us"))
    text = str(done["text"]).replace("\n", " / ")
    lines = [
        f"Signed by {done['address']} ({one}) and verified: {text}",
        f"device      {done['device']}; it showed the text {done['clarity'].lower()}",
        f"took        {ready} ms until it asked, {person} ms with you, {check} ms to verify",
    ]
    context.emit(options, "signer-test", done, lines)
    return 0


def _used(db: Path, one: Which, made: Trial, settings: Settings) -> None:
    from app.accounts import USED  # noqa: PLC0415 -- as above
    from app.cli.alone import change  # noqa: PLC0415 -- as above
    from app.gate_records import SIGNER_TESTED, signed_test  # noqa: PLC0415 -- as above
    from storage.journal import canonical  # noqa: PLC0415 -- as above

    now_ms = _now_ms()
    body = canonical({"set": [list(signed_test(made, settings.signer, now_ms))]})
    row = (now_ms, one.kind.value, one.chain.value, str(one.path))
    change(db, SIGNER_TESTED, str(one), body, lambda _: [(USED, row)])


def _now_ms() -> int:
    from app.engine.clock import WallClock  # noqa: PLC0415 -- as above

    return WallClock().now_ms()


def _ms(micros: int) -> str:
    return f"{micros / 1000:.1f}"


def _named(one: Which) -> dict[str, Any]:
    return {"signer": one.kind.value, "chain": one.chain.value, "path": str(one.path)}
