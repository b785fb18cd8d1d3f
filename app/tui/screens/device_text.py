"""What a device will show, and what it is doing, as lines: pure, so that it can be read without a screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.execution.device_view import DeviceView
from app.text import escape_untrusted
from app.tui.widgets.lines import Line, line, wrapped
from signers.base import Clarity, DeviceLine, DeviceState, SignerKind
from signers.pages import Page
from signers.words import meanwhile, next_step_of, what_of

ROLES: Final = {Clarity.CLEAR: "ok", Clarity.PARTLY: "warn", Clarity.BLIND: "error"}
_SAYS: Final = {
    Clarity.CLEAR: "CLEAR: its screen shows all of this, in this order:",
    Clarity.PARTLY: "PARTLY: its screen shows only this, in this order:",
    Clarity.BLIND: "BLIND: its screen shows no more than this. Compare every character:",
}
_ENDED: Final = frozenset({DeviceState.SIGNED, DeviceState.REJECTED, DeviceState.TIMED_OUT})
HAND: Final = frozenset(
    {
        DeviceState.READY,
        DeviceState.WAIT_BUTTON,
        DeviceState.OPENING_APP,
        DeviceState.PIN,
        DeviceState.PASSPHRASE,
        DeviceState.PAIRING,
        DeviceState.LOCKED,
        DeviceState.WRONG_APP,
    }
)
"""The person's hand is what it waits for: no fault."""


def expected(device: DeviceView, pages: Sequence[Sequence[Page]], width: int, *, named: bool = True) -> list[Line]:
    """What will be on the device's screen."""
    if pages:
        return _pages(device, pages, width)
    if device.kind is SignerKind.KEYRING:
        return hot(width)
    lines = wrapped(f"{escape_untrusted(device.name)} signs.", width, "label") if named else []
    if device.shown is None:
        return [*lines, *wrapped(escape_untrusted(device.words), width, "warn", "  ")]
    for number, shown in enumerate(device.each, 1):
        lines += part(number, len(device.each))
        lines += wrapped(_SAYS[shown.clarity], width, ROLES[shown.clarity], "  ")
        if shown.why:
            lines += wrapped(escape_untrusted(shown.why), width, "warn", "  ")
        if shown.refuses is not None:
            lines += wrapped(f"{what_of(shown.refuses)} {next_step_of(shown.refuses)}", width, "error", "  ")
        lines += fields(shown.lines, width)
    return lines


def part(number: int, of: int) -> list[Line]:
    """Which transaction it is, where a trade has several."""
    return [line((f"Transaction {number} of {of}", "key"))] if of > 1 else []


def hot(width: int) -> list[Line]:
    """What is said of every trade that a hot key signs."""
    return wrapped(
        "HOT KEY: the key in this computer's keyring signs what you read here, at once. No device shows it again.",
        width,
        "error",
        "  ",
    )


def fields(shown: Sequence[DeviceLine], width: int) -> list[Line]:
    """The device's fields, label and value."""
    lines: list[Line] = []
    for number, each in enumerate(shown, 1):
        label, value = escape_untrusted(each.label), escape_untrusted(each.value)
        head = f"  {number:>2} "
        text = f"{label}: {value}" if label and value else label or value
        first, *more = wrapped(text, max(width - len(head), 8), "title" if value else "")
        lines.append(line((head, "dim"), *first.pieces))
        lines += [line(" " * len(head), *each_line.pieces) for each_line in more]
    return lines


def doing(device: DeviceView, state: DeviceState, elapsed_s: int, width: int) -> list[Line]:
    """What the device is doing now, and the way on."""
    role = "ok" if state is DeviceState.SIGNED else "warn" if state in HAND else "error"
    lines = [line((escape_untrusted(device.name), "title")), *wrapped(what_of(state), width, role)]
    ended = state in _ENDED
    if step := next_step_of(state):
        lines += wrapped(step if ended else meanwhile(step), width)
    if ended:
        return lines
    return [*lines, line((f"Waiting {elapsed_s} s.", "label"))]


def _pages(device: DeviceView, pages: Sequence[Sequence[Page]], width: int) -> list[Line]:
    name = "The demo device (no hardware wallet)"
    lines: list[Line] = []
    if len(pages) > 1:
        lines = wrapped(f"{name} asks for {len(pages)} signatures, one after the other:", width, "label")
    for which, (each, shown) in enumerate(zip(pages, device.each, strict=True), 1):
        lines += part(which, len(pages))
        if shown.clarity is not Clarity.CLEAR:
            lines += wrapped(f"{shown.clarity.value.upper()}: {escape_untrusted(shown.why)}", width, "warn", "  ")
        shows = f"{name} will show" if len(pages) == 1 else "It will show"
        lines.append(line((f"{shows} {len(each) + 1} pages; the last one asks:", "label")))
        for number, page in enumerate(each, 1):
            first, *more = wrapped(" / ".join(page), max(width - 5, 8))
            lines.append(line((f"  {number:>2} ", "dim"), *first.pieces))
            lines += [line(" " * 5, *more_of_it.pieces) for more_of_it in more]
    return lines
