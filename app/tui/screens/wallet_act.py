"""A device is asked for an address, or to sign a test text, outside of any trade. The answer is given on the device."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

from app.errors import CountersignError
from app.text import escape_untrusted
from app.tui.keys import keyed
from app.tui.screens.at_device import AtTheDevice
from app.tui.widgets.lines import Line, line, wrapped
from storage.faults import StorageFault

if TYPE_CHECKING:
    from app.devices import Act
    from app.tui.app import Terminal
    from app.wallets import Which


class WalletDialog(AtTheDevice):
    """One question; it stays until Escape, and the device goes on without it."""

    topic, frame = "wallets", "wallet"

    def __init__(self, what: Literal["address", "test"], one: Which) -> None:
        super().__init__()
        self._what, self._one = what, one
        self._answer: dict[str, Any] | None = None
        self._why = ""
        self._demo_shown = False

    def on_mount(self) -> None:
        """Ask at once: the key that opened this was the wish."""
        what = "address" if self._what == "address" else "test text"
        self.query_one("#wallet").border_title = f"{self._one.kind.capitalize()}: {what}"
        self.app.keep(_Asking(self, self.app, self._what, self._one).run())

    @property
    def waits(self) -> bool:
        """It was asked, and has not answered."""
        return self._answer is None and not self._why

    def draw(self) -> None:
        """Draw; the demo device's own screen comes when it asks."""
        super().draw()
        trader = self.host.trader
        review = None if trader is None or self._one.kind != "demo" else trader.session.devices.demo.review
        if review is not None and self.waits and not self._demo_shown:
            from app.tui.screens.device import DeviceDialog  # noqa: PLC0415 -- when it is wanted

            self._demo_shown = True
            self.app.push_screen(DeviceDialog())

    def done(self, answer: dict[str, Any] | None, why: str) -> None:
        """What came of it."""
        self._answer, self._why = answer, why
        self.refresh_view()

    def action_give_up(self) -> None:
        """Wait no longer. The device may go on showing it."""
        from app.wallets import give_up  # noqa: PLC0415 -- the engine behind it, after the first frame

        if self.host.trader is not None and self.waits:
            give_up(self.host.trader.session.devices, self._one.kind)

    # -- its lines --------------------------------------------------------------------------------------------------

    def lines(self, width: int) -> list[Line]:
        """What is asked and what the device does, or what came of it."""
        lines = [line((str(self._one), "label")), Line()]
        if self._why:
            return [*lines, *wrapped(self._why, width, "error")]
        if self._answer is not None:
            return [*lines, *self._result(self._answer, width)]
        trader = self.host.trader
        act = None if trader is None else trader.session.devices.acts.get(self._one.kind)
        return [*lines, *self._doing(act, width)]

    def _doing(self, act: Act | None, width: int) -> list[Line]:
        from signers.words import next_step_of, way_on, what_of  # noqa: PLC0415 -- as above

        if act is None:
            return wrapped("The device is about to be asked.", width, "dim")
        lines: list[Line] = []
        if act.subject:
            lines += [line((each, "title")) for part in act.subject.split("\n") for each in _parts(part, width)]
            lines.append(Line())
        if act.state is None:
            lines += wrapped("Finding the device.", width, "warn")
        else:
            lines += wrapped(what_of(act.state), width, "warn")
            lines += wrapped(way_on(next_step_of(act.state)), width)
        return [*lines, line((f"Waiting {int(asyncio.get_running_loop().time() - act.since_s)} s.", "label"))]

    def _result(self, answer: dict[str, Any], width: int) -> list[Line]:
        from app.tui import words  # noqa: PLC0415 -- as above

        address = escape_untrusted(str(answer["address"]))
        lines = [line((each, "title")) for each in _parts(address, width)]
        if self._what == "address":
            shown = "Approved on the device: it shows this address." if self._shows else "The demo device shows none."
            lines += [Line(), *wrapped(shown, width, "ok" if self._shows else "dim")]
            known = answer["registered"]
            if known is None:
                return lines + wrapped("It is not registered in this database.", width, "dim")
            same = known == answer["address"]
            text = "It is the registered one." if same else f"REGISTERED IS {known}: another seed or passphrase."
            return lines + wrapped(escape_untrusted(text), width, "ok" if same else "error")
        ready, person, check = (words.micros(int(answer[name])) for name in ("ready_us", "person_us", "check_us"))
        lines += [Line(), *wrapped("Signed by it, and verified:", width, "ok")]
        lines += [line(f"  {each}") for each in str(answer["text"]).split("\n")]
        lines += wrapped(f"The device shows this text {str(answer['clarity']).lower()}.", width)
        took = f"{ready} until it asked, {person} with you, {check} to verify."
        return [*lines, Line(), *wrapped(took, width, "label")]

    @property
    def _shows(self) -> bool:
        return self._one.kind != "demo"


class _Asking:
    """Asks, and tells whoever is there to hear of it."""

    def __init__(self, dialog: WalletDialog, app: Terminal, what: Literal["address", "test"], one: Which) -> None:
        self._dialog, self._app, self._what, self._one = dialog, app, what, one

    async def run(self) -> None:
        """Until the device has answered; with the dialog gone, a toast has the words."""
        op = "signer_address" if self._what == "address" else "signer_trial"
        handler = self._app.host.commands.get(op)
        one = {"signer": self._one.kind.value, "chain": self._one.chain.value, "path": str(self._one.path)}
        answer, why = None, ""
        try:
            if handler is None:
                why = "The engine does not run."
            else:
                answer = await handler({"op": op, **one, "show": True})
        except (CountersignError, StorageFault) as error:
            why = escape_untrusted(keyed(str(error)))
        if self._dialog.is_attached:
            self._dialog.done(answer, why)
        elif why:
            self._app.notify(f"{self._one}: {why}", severity="error", timeout=10)
        else:
            self._app.notify(
                f"{self._one}: {'approved on the device' if op == 'signer_address' else 'signed, verified'}"
            )


def _parts(text: str, width: int) -> list[str]:
    step = max(width, 8)
    shown = escape_untrusted(text)
    return [shown[start : start + step] for start in range(0, len(shown), step)] or [""]
