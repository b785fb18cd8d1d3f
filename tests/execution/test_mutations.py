"""What is confirmed is what is signed is what is sent: any difference, in any field or in any one bit, is refused and
journaled with its reason, and nothing goes out."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from signers import softkey
from signers.base import SignRequest
from signers.demo import DemoSigner
from signers.payloads import PersonalMessage
from strategies.model import Side
from tests.execution.harness import Rig, rig

Change = Callable[[str], str]


def line(pattern: str, replacement: str) -> Change:
    return lambda text: re.sub(pattern, replacement, text, count=1, flags=re.MULTILINE)


FIELDS: dict[str, Change] = {
    "side": line("^BUY", "SELL"),
    "quantity": line("^BUY 1 ", "BUY 2 "),
    "instrument": line(" ETH-USDT$", " ETB-USDT"),
    "an instrument that looks alike": line(" ETH-USDT$", " E\u0422H-USDT"),
    "venue": line("^on paper$", "on papre"),
    "worst price": line("^at 100.5 ", "at 100.6 "),
    "worst price, a digit more": line("^at 100.5 ", "at 1100.5 "),
    "fee": line("^fee up to (.)", r"fee up to 9\1"),
    "bound": line("^pay up to ", "pay up to 1"),
    "stop": line("^stop 90,", "stop 80,"),
    "stop taken out": line("^stop 90, sell at market\n", ""),
    "target": line("^target 120,", "target 12,"),
    "time in force": line("^open for (.)", r"open for 9\1"),
    "validity": line("^valid until (.)", r"valid until 3"),
    "trade id": line("^trade (....)(.)", r"trade 0000\2"),
    "a line more": lambda text: text + "\nreduce only",
    "white space": lambda text: text.replace("\n", " "),
    "upper case": str.upper,
    "nothing of it": lambda _: "countersign",
}


class Changing(DemoSigner):
    """A device that signs something else than it was asked for, whatever it showed."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change = change

    def sign(self, request: SignRequest, person: Any) -> bytes:
        assert isinstance(request.payload, PersonalMessage)
        text = self.change(request.payload.text)
        assert text != request.payload.text, "the mutation changes nothing"
        super().sign(request, person)
        return softkey.signature(_Any(text), self._key(request.path))  # type: ignore[arg-type] # bytes no payload would take


class _Any:
    """What a device could be made to sign, whatever our own payloads refuse."""

    def __init__(self, text: str) -> None:
        data = text.encode()
        self.signed = b"\x19Ethereum Signed Message:\n" + str(len(data)).encode() + data


async def is_refused(r: Rig) -> None:
    trade = await r.trade()
    assert r.states(trade)[-1] == "FAILED"
    assert r.sent() == []
    assert r.rows("SELECT * FROM orders WHERE state <> 'CANCELLED'") == []
    (error,) = r.rows("SELECT code, what, sent FROM errors")
    assert (error["code"], error["sent"]) == ("signature.refused", "no")
    assert r.stored(trade)["reason"] == error["what"]
    assert r.journal(trade)[-1] == "trade.failed"
    assert [row["kind"] for row in r.rows("SELECT kind FROM alerts")][:1] == ["signature.refused"]
    assert r.hold(trade) == ("0", "RELEASED")
    r.assert_sound()


@pytest.mark.parametrize("field", FIELDS)
async def test_a_field_changed_between_confirmation_and_signature(tmp_path: Path, field: str) -> None:
    async with rig(tmp_path) as r:
        r.session.device._signer = Changing(FIELDS[field])
        await is_refused(r)


@pytest.mark.parametrize("seed", range(6))
async def test_one_bit_changed_between_confirmation_and_signature(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)

    def flip(text: str) -> str:
        data = bytearray(text.encode())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(7)
        return data.decode()

    async with rig(tmp_path) as r:
        r.session.device._signer = Changing(flip)
        await is_refused(r)


async def after_the_signature(r: Rig, change: Callable[[Any], None]) -> None:
    """Something changes the trade in memory once it is signed and written."""
    commit = r.desk.commit

    def changed(transition: Any, kind: str, subject: str) -> Any:
        committed = commit(transition, kind, subject)
        if kind == "trade.signed":
            change(r.desk.state.trades[subject])
        return committed

    r.desk.commit = changed
    trade = await r.trade()
    assert r.sent() == []
    assert r.states(trade)[-1] == "FAILED"
    (error,) = r.rows("SELECT code, what, sent FROM errors")
    assert (error["code"], error["sent"]) == ("signature.refused", "no")
    assert "not what was signed" in r.stored(trade)["reason"]


def entry(**terms: Any) -> Callable[[Any], None]:
    def change(trade: Any) -> None:
        order = trade.orders["entry"]
        order.request = replace(order.request, **terms)

    return change


ORDERS: dict[str, Callable[[Any], None]] = {
    "quantity": entry(quantity=Decimal(2)),
    "price": entry(limit_price=Decimal("100.6")),
    "validity": entry(valid_until_ms=2_000_000_000_000),
    "reduce only": entry(reduce_only=True),
    "side": entry(side=Side.SELL),
    "instrument": entry(symbol="BTC-USDT"),
    "client id": entry(client_id="0" * 32),
    "an order more": lambda trade: trade.orders.update(extra=replace(trade.orders["entry"])),
    "an exit less": lambda trade: trade.orders.pop("stop"),
    "the text": lambda trade: setattr(trade.payload, "text", trade.payload.text.replace("100.5", "100.6")),
    "the signed text": lambda trade: signed(trade, text=trade.payload.text.replace("100.5", "100.6")),
    "the signature": lambda trade: signed(trade, signature=bytes(65)),
    "one bit of it": lambda trade: signed(trade, signature=flipped(trade.payload.signed.signature)),
    "the address": lambda trade: signed(trade, address="0x" + "11" * 20),
}


def signed(trade: Any, **terms: Any) -> None:
    trade.payload.signed = replace(trade.payload.signed, **terms)


def flipped(signature: bytes) -> bytes:
    return bytes([signature[0] ^ 1]) + signature[1:]


@pytest.mark.parametrize("field", ORDERS)
async def test_an_order_changed_between_signature_and_submission(tmp_path: Path, field: str) -> None:
    async with rig(tmp_path) as r:
        await after_the_signature(r, ORDERS[field])
