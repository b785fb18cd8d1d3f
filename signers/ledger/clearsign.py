"""What the device will show of a payload: for the trader to read before the device asks, and for the engine to refuse
what the device would not show. Matches every recorded review; the parts that no recording has follow the apps' sources.

Settings of which the app does not tell add lines (Ethereum: nonce, transaction hash, raw messages; Solana: expert
mode); no line is missing because of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from signers.base import Clarity, DeviceInfo, DeviceLine, Shown
from signers.ledger.apps import APPS, Running, Version, dotted
from signers.ledger.transport import MODELS, Model
from signers.payloads import Payload, PersonalMessage

_NANO_WHITE: Final = str.maketrans("\n", " ")
"""Nano models show white space of any kind as a space (cmd_sign_message.c)."""


def model_of(info: DeviceInfo) -> Model:
    """Whose screens to expect; of a device that does not say, those of the Nano S Plus."""
    return MODELS.get(info.model, MODELS["nanosp"])


def message(payload: PersonalMessage, info: DeviceInfo) -> Shown:
    """A message is shown whole, with blind signing off."""
    touch = model_of(info).touch
    lines = (
        DeviceLine("Review message"),
        DeviceLine("Message", payload.text if touch else payload.text.translate(_NANO_WHITE)),
        DeviceLine("Sign message?" if touch else "Sign message"),
    )
    return Shown(Clarity.CLEAR, lines)


def with_version(shown: Shown, payload: Payload, info: DeviceInfo) -> Shown:
    """`shown`, saying so where the screens of this version were not recorded. Another major may show anything."""
    app = APPS[payload.chain]
    version = version_of(info)
    if version == app.recorded:
        return shown
    why = f"The screens of {app.name} {dotted(version)} were not recorded; these are those of {dotted(app.recorded)}."
    other = version[0] != app.recorded[0] and shown.clarity is Clarity.CLEAR
    clarity = Clarity.PARTLY if other else shown.clarity
    return replace(shown, clarity=clarity, why=f"{shown.why} {why}".lstrip())


def version_of(info: DeviceInfo) -> Version:
    """The app's version as numbers."""
    return Running(info.app, info.app_version).number()
