"""What a person asks of the devices of a running session, through its own commands: never in the way of a trade."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.device_commands import device_handlers
from app.device_watch import DeviceWatch
from app.errors import CountersignError, SafetyError, UsageError
from app.execution.states import TradeState
from signers.base import DeviceState, SignerKind
from tests.devices.ledger_device import Human
from tests.devices.trezor_emulator import TrezorDevice
from tests.execution.harness import Rig, rig
from tests.execution.test_signers import HAPPY, LEDGER_ADDRESS, TREZOR_ADDRESS, hands

OWN = {"signer": "ledger", "chain": "evm", "path": "m/44'/60'/0'/0/0"}
NEXT = {**OWN, "path": "m/44'/60'/0'/0/1"}


async def _ask(r: Rig, op: str, **request: Any) -> dict[str, Any]:
    return await device_handlers(r.session)[op]({"op": op, **request})


async def _until(happened: Any) -> None:
    for _ in range(5_000):
        if happened():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not happen")


async def test_only_the_signer_in_use_is_touched_until_somebody_looks(tmp_path: Path) -> None:
    with hands("ledger") as device, TrezorDevice("T3T1") as trezor:
        async with rig(tmp_path, settings={**device.settings, "signer.trezor": trezor.url}) as r:
            before = await _ask(r, "signers")
            assert [each["looked"] for each in before["signers"]] == [True, False, False, False]
            assert before["signers"][1]["words"] == "Nobody looked for one."
            assert trezor.heard == []
            after = await _ask(r, "signers", look=["trezor"])
            assert after["signers"][1]["device"]["version"] == "2.12.5"
            assert [each["chosen"] for each in after["signers"]] == [True, False, False, False]
            assert after["accounts"][0]["in_use"] is True
            with pytest.raises(UsageError, match="ledger, trezor"):
                await _ask(r, "signers", look=["wax"])


async def test_one_that_was_only_looked_for_is_not_asked_again_and_again(tmp_path: Path) -> None:
    with hands("ledger") as device, TrezorDevice("T3T1", initialized=True) as trezor:
        async with rig(tmp_path, settings={**device.settings, "signer.trezor": trezor.url}) as r:
            await _ask(r, "signers", look=["trezor"])
            watch, session = DeviceWatch(r.session.devices), r.session.devices.of(SignerKind.TREZOR)
            await watch.look(session)
            trezor.wire.close()
            heard = len(trezor.heard)
            session.last = None
            watch._asked_s.clear()
            await watch.look(session)
            assert len(trezor.heard) == heard
            assert session.last is None


async def test_while_a_trade_is_at_the_device_nothing_else_asks_it(tmp_path: Path) -> None:
    with hands("ledger") as device:
        async with rig(tmp_path, settings=device.settings) as r:
            device.emulator.device.human = Human.NEVER
            trading = asyncio.ensure_future(r.trade())
            await _until(lambda: device.emulator.device.review is not None)
            for op, more in (("signer_address", {"show": True}), ("signer_trial", {}), ("signer_register", {})):
                with pytest.raises(SafetyError, match="being asked for something else"):
                    await _ask(r, op, **OWN, **more)
            listed = await _ask(r, "signers", look=["ledger", "trezor", "demo"])
            assert (listed["signers"][0]["busy"], listed["signers"][0]["state"]) == (True, "READY")
            device.emulator.press(approve=True)
            assert r.states(await trading) == HAPPY


async def test_what_a_session_signs_with_is_not_replaced_under_it(tmp_path: Path) -> None:
    with hands("ledger") as device:
        async with rig(tmp_path, settings=device.settings) as r:
            r.session.database.connection.execute("UPDATE accounts SET address = '0x1'")
            with pytest.raises(SafetyError, match="This session signs with 0x1"):
                await _ask(r, "signer_register", **OWN, replaces="0x1")
            with pytest.raises(SafetyError, match=f"answers {LEDGER_ADDRESS} .* registered is 0x1"):
                await _ask(r, "signer_register", **OWN)


async def test_a_registered_address_is_replaced_by_the_word_for_exactly_that_one(tmp_path: Path) -> None:
    with hands("ledger") as device:
        async with rig(tmp_path, settings=device.settings) as r:
            assert (await _ask(r, "signer_register", **NEXT))["changed"] is True
            r.session.database.connection.execute("UPDATE accounts SET address = '0x1' WHERE path = ?", (NEXT["path"],))
            for replaces in ("", "0x2"):
                with pytest.raises(SafetyError, match="registered is 0x1"):
                    await _ask(r, "signer_register", **NEXT, replaces=replaces)
            assert (await _ask(r, "signer_register", **NEXT, replaces="0x1"))["changed"] is True
            kinds = [row["kind"] for row in r.rows("SELECT kind FROM journal") if row["kind"].startswith("account")]
            assert kinds == ["account.registered", "account.registered", "account.replaced"], "the session's own first"
            assert r.rows("SELECT address FROM accounts")[1]["address"] != "0x1"
            r.assert_sound()


async def test_bad_requests_are_words(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        for bad in ({}, {**OWN, "signer": "wax"}, {**OWN, "chain": 3}, {**OWN, "path": "m/x"}, {**OWN, "path": None}):
            with pytest.raises(UsageError):
                await _ask(r, "signer_address", **bad)


async def test_what_it_is_asked_for_and_does_is_known_meanwhile(tmp_path: Path) -> None:
    with hands("trezor") as device:
        async with rig(tmp_path, settings=device.settings) as r:
            device.device.human = "never"
            devices, one = r.session.devices, {**OWN, "signer": "trezor"}
            asked = asyncio.ensure_future(_ask(r, "signer_trial", **one))
            await _until(lambda: device.device.waits)
            await _until(lambda: devices.acts[SignerKind.TREZOR].state is DeviceState.WAIT_BUTTON)
            act = devices.acts[SignerKind.TREZOR]
            assert act.subject.startswith("countersign signer test")
            (_, listed, *_) = (await _ask(r, "signers"))["signers"]
            assert (listed["asked_for"], listed["state"]) == ("test", "WAIT_BUTTON")
            assert devices.of(SignerKind.TREZOR).give_up(act.payload)
            with pytest.raises(CountersignError, match="Given up at the terminal"):
                await asked
            assert devices.acts == {}
            device.device.human = "approve"
            assert (await _ask(r, "signer_trial", **one))["address"] == TREZOR_ADDRESS
            trade = await r.trade()
            assert trade.state is TradeState.FILLED
