"""A passphrase that was misspelt opens another wallet: its person is asked for it again while the trade waits."""

from __future__ import annotations

import asyncio

from signers import verify
from signers.base import DeviceState, Question, SignRequest
from signers.payloads import Chain
from signers.session import DeviceSession
from tests.devices import trezor_cases as cases
from tests.devices.test_trezor_device import HELLO, signer_of
from tests.devices.trezor_emulator import TrezorDevice


async def test_a_misspelt_passphrase_is_asked_for_again_and_the_trade_goes_on() -> None:
    with TrezorDevice(passphrase=True) as device:
        session = DeviceSession(signer_of(device, passphrase="ask"), asyncio.get_running_loop())
        session.again_s = 0.02
        typed = ["right", "wrogn", "right"]
        asked: list[Question] = []

        async def answer(question: Question) -> str:
            asked.append(question)
            return typed.pop(0)

        session.on_ask = answer
        registered = await session.address(Chain.EVM, cases.PATH)
        session.signer.close()  # as at the next start
        states: list[DeviceState] = []
        signed = await session.sign(SignRequest(HELLO, cases.PATH), registered, states.append, 10)
        verify.verify(HELLO, signed.signature, registered)
        assert asked == [Question.PASSPHRASE] * 3
        assert DeviceState.WRONG_DEVICE in states
        session.close()
