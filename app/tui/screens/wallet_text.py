"""Columns, rows and lines of the Wallets screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.accounts import Account
from app.devices import HARDWARE
from app.snapshots.signers import SWITCHED_OFF, SignerView, Signs
from app.text import escape_untrusted
from app.tui import words
from app.tui.screens.device_text import HAND, ROLES, hot
from app.tui.screens.facts import fact, heading
from app.tui.widgets.lines import Line, Piece, line, wrapped
from app.tui.widgets.table import Column, Row
from signers.base import DeviceState, SignerKind

DEVICES: Final = (
    Column("signer", 8),
    Column("state", 18),
    Column("device", 22, rank=1),
    Column("runs", 18, rank=2),
    Column("blind", 5, rank=3),
    Column("apps", 4, right=True, rank=5),
    Column("what", 0, rank=4, least=40),
)
ACCOUNTS: Final = (
    Column("signer", 8),
    Column("chain", 6),
    Column("path", 18, rank=3),
    Column("address", 0, least=44),
    Column("last signed", 14, rank=1),
    Column("registered", 14, rank=2),
)
_KINDS: Final = {
    SignerKind.LEDGER: "A Ledger: a hardware wallet with an app for each chain.",
    SignerKind.TREZOR: "A Trezor: a hardware wallet.",
    SignerKind.KEYRING: "A hot key in this computer's keyring: no second screen to compare on.",
    SignerKind.DEMO: "The demo device stands where a hardware wallet stands. Its key is public: it protects nothing.",
}


def state(seen: SignerView) -> Piece:
    """Its state in a word or two."""
    if seen.act is not None:
        return ("asking you", "warn") if seen.act.state in HAND else ("working", "warn")
    if seen.words == SWITCHED_OFF:
        return "off", "dim"
    if seen.state is None:
        return ("not looked for", "dim") if not seen.looked else ("not asked yet", "dim")
    role = "ok" if seen.state is DeviceState.READY else "warn" if seen.state in HAND else "error"
    if seen.state is DeviceState.NO_DEVICE and not seen.chosen:
        role = "dim"
    return str(seen.state).lower().replace("_", " "), role


def device(seen: SignerView) -> Row:
    """One kind of signer."""
    real = seen.info is None or seen.info.real
    return Row(
        seen.kind.value,
        (
            (f"{seen.kind}{'*' if seen.chosen else ''}", "title"),
            state(seen),
            (escape_untrusted(seen.name) if seen.info is not None else "-", "" if real else "dim"),
            (escape_untrusted(seen.runs), "label"),
            (seen.blind, "warn" if seen.blind == "on" else "dim"),
            (str(seen.switches) if seen.kind is SignerKind.LEDGER and seen.looked else "", "dim"),
            (escape_untrusted("" if seen.state is DeviceState.READY else f"{seen.words} {seen.step}".rstrip()), "dim"),
        ),
    )


def account(each: Account, *, in_use: bool) -> Row:
    """One registered address."""
    return Row(
        key(each),
        (
            (f"{each.signer}{'*' if in_use else ''}", "title"),
            (each.chain.value, "label"),
            (str(each.path), "dim"),
            (escape_untrusted(each.address), ""),
            ("never" if each.used_ms is None else words.clock(each.used_ms), "dim" if each.used_ms is None else ""),
            (words.clock(each.registered_ms), "dim"),
        ),
    )


def key(each: Account) -> str:
    """What an account is told apart by."""
    return f"{each.signer} {each.chain} {each.path}"


def account_lines(each: Account, width: int, *, in_use: bool) -> list[Line]:
    """All of one registered address."""
    lines = [line((escape_untrusted(each.address), "title"))]
    if in_use:
        lines += wrapped("This session signs with it.", width, "ok")
    for label, text in (
        ("signer", each.signer.value),
        ("chain", each.chain.value),
        ("path", str(each.path)),
        ("device", each.device),
        ("registered", f"{words.clock(each.registered_ms)} UTC"),
        ("last signed", "never" if each.used_ms is None else f"{words.clock(each.used_ms)} UTC"),
    ):
        lines += fact(label, text, width)
    words_ = "A signature counts only when it is by this address: another seed or passphrase answers another one."
    return [*lines, Line(), *wrapped(words_, width, "label")]


def device_lines(seen: SignerView, found: Sequence[Signs] | None, width: int) -> list[Line]:
    """All that is known of one kind of signer."""
    text, role = state(seen)
    lines = [line((escape_untrusted(seen.name), "title"))]
    lines += wrapped(escape_untrusted(f"{text}: {seen.words}"), width, role)
    lines += wrapped(escape_untrusted(seen.step), width, "key") if seen.step else []
    lines += wrapped(escape_untrusted(seen.doubt), width, "warn") if seen.doubt else []
    lines += wrapped(_KINDS[seen.kind], width, "label")
    if not seen.looked and seen.kind in HARDWARE:
        lines += wrapped("l looks for every kind; from then on this one is watched too.", width, "key")
    if seen.chosen:
        lines += wrapped("This session signs with it.", width, "ok")
    lines += _facts(seen, width)
    if seen.kind is SignerKind.KEYRING:
        return [*lines, Line(), *hot(width)]
    return [*lines, *heading("What it shows of what it would sign"), *_signs(seen, found, width)]


def _facts(seen: SignerView, width: int) -> list[Line]:
    info = seen.info
    facts = [("on the bus", ", ".join(seen.plugged)), ("it said", seen.raw)]
    if info is not None:
        blind = {
            "on": "signing on: signs what it can not show",
            "off": "signing off: refuses what it can not show",
        }
        facts += [
            ("model", info.model),
            ("runs", seen.runs),
            ("blind", blind.get(seen.blind, "")),
            ("serial", info.serial),
            ("emulator", "yes: on paper only, live trading refuses it" if info.emulator else ""),
            ("app switches", str(seen.switches) if seen.kind is SignerKind.LEDGER else ""),
        ]
    lines: list[Line] = []
    for label, text in facts:
        lines += fact(label, text, width) if text else []
    return lines


def _signs(seen: SignerView, found: Sequence[Signs] | None, width: int) -> list[Line]:
    if seen.info is None:
        return wrapped(
            "Unknown until it answers: that depends on its model, its version and its settings.", width, "dim"
        )
    if found is None:
        return wrapped("being worked out", width, "dim")
    lines: list[Line] = []
    for each in found:
        word, role = ("NO", "dim") if each.clarity is None else (each.clarity.value, ROLES[each.clarity])
        lines.append(line((f"{word:<7}", role), (f"{each.chain:<7}", "dim"), each.what))
        notes = [
            ("Refused as it is set now.", each.refuses is not None),
            ("UNPROVEN.", word != "NO" and not each.proven),
        ]
        text = " ".join([*(note for note, holds in notes if holds), *([each.why] if each.why else [])])
        if text:
            lines += [line("  ", *more.pieces) for more in wrapped(escape_untrusted(text), max(width - 2, 8), "dim")]
    return lines
