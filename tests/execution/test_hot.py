"""The hot signer in a real session: what it may sign, what counts, and what it never lets out."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app import hot_keys
from app.errors import SignerError
from app.execution.hot_caps import HotDenied
from app.execution.records import Trade
from app.portfolio.equity import DAY_MS
from app.risk.hot import HotLimits, over
from signers import hot_key
from signers.base import SignerKind
from signers.faults import DeviceFault
from signers.payloads import Chain
from strategies.model import Side
from tests.devices.keyring_double import EVM_ADDRESS, EVM_KEY, HOT, kept_in, with_key
from tests.execution.acts import spy_on_signer
from tests.execution.harness import Rig, rig

HAPPY = ["RESERVED", "PREPARED", "CONFIRMED", "SIGNED", "FILLED"]
OTHER = bytes(range(2, 34))


@pytest.fixture(autouse=True)
def entries() -> Iterator[dict[str, str]]:
    with kept_in(with_key()) as kept:
        yield kept


def hot(**caps: str) -> dict[str, str]:
    return {**HOT, **{f"signer.hot.{name}": value for name, value in caps.items()}}


async def entry(r: Rig, quantity: str = "0.05", **terms: Any) -> Trade:
    """At most 5.025 unless told."""
    trade = await r.trade(quantity=quantity, target=None, **terms)
    await r.finished(trade)
    return trade


def reason(r: Rig, trade: Trade) -> str:
    assert r.states(trade)[-2:] == ["CONFIRMED", "DENIED"]
    return str(r.stored(trade)["reason"])


async def test_a_trade_is_signed_hot_verified_filled_and_marked(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=HOT) as r:
        trade = await entry(r)
        assert r.states(trade) == HAPPY
        (row,) = r.rows("SELECT a.address, a.signer, j.body FROM authorisations a JOIN journal j ON j.seq = a.seq")
        assert (row["address"], row["signer"]) == (EVM_ADDRESS, "keyring")
        assert ["hot", trade.id, "5.025"] in json.loads(row["body"])["set"]
        r.assert_sound()


async def test_an_entry_above_the_cap_is_denied_before_the_key_is_read_and_at_the_cap_it_is_not(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=HOT) as r:
        asked = spy_on_signer(r)
        trade = await entry(r, "0.1")
        assert "worth up to 10.05; signer.hot.per_trade allows 10" in reason(r, trade)
        assert asked == []
        assert r.sent() == []
        assert r.states(await entry(r, "0.1", worst="100")) == HAPPY
        r.assert_sound()


async def test_a_days_entries_count_over_a_restart_and_not_over_midnight(tmp_path: Path) -> None:
    settings = hot(per_day="12")
    async with rig(tmp_path, settings=settings) as r:
        for _ in range(2):
            assert r.states(await entry(r)) == HAPPY
        assert "10.05 was signed hot since 00:00 UTC" in reason(r, await entry(r))
    async with rig(tmp_path, settings=settings) as r:
        assert "signer.hot.per_day allows 12" in reason(r, await entry(r))
        r.session.desk.clock.advance(r.now - r.now % DAY_MS + DAY_MS - 1)  # type: ignore[attr-defined]  # a market clock
        await r.book("99.90", "100.00", after_ms=0)
        assert "10.05 was signed hot" in reason(r, await entry(r))
        await r.book("99.90", "100.00", after_ms=1)
        assert r.states(await entry(r)) == HAPPY
        r.assert_sound()


async def test_a_close_is_signed_whatever_the_caps_and_takes_nothing_of_them(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=hot(per_day="5.025")) as r:
        await entry(r)
        r.desk.hot.limits = HotLimits(Decimal(0), Decimal(0))
        assert r.states(await r.close_position("0.05"))[-1] == "FILLED"
        r.desk.hot.limits = HotLimits(Decimal(10), Decimal("10.05"))
        assert r.states(await entry(r)) == HAPPY
        r.assert_sound()
    async with rig(tmp_path, settings=hot(per_day="10.05")) as r:
        assert "10.05 was signed hot" in reason(r, await entry(r))


async def test_two_at_once_do_not_both_take_the_rest_of_the_day(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=hot(per_day="6"), auto_confirm=False, lockstep=False) as r:
        both = [await r.trade(quantity="0.05", target=None, module=module) for module in ("a", "b")]
        for trade in both:
            r.pipeline.proposals.confirm(trade.id)
        await asyncio.gather(*(r.finished(trade) for trade in both))
        assert sorted(r.states(trade)[-1] for trade in both) == ["DENIED", "FILLED"]
        r.assert_sound()


async def test_what_was_let_through_and_not_signed_is_given_back(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=hot(per_day="6")) as r:

        def fails(_chain: Chain) -> bytes:
            raise DeviceFault("The keyring is locked.", "Nothing was sent.")

        signer: Any = r.session.device.signer
        load, signer._load = signer._load, fails
        assert r.states(await entry(r))[-1] == "FAILED"
        signer._load = load
        assert r.states(await entry(r)) == HAPPY
        assert r.states(await entry(r))[-1] == "DENIED"


async def test_a_record_that_is_none_of_ours_lets_nothing_more_through(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=HOT) as r:
        await entry(r)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("UPDATE journal SET body = replace(body, '5.025', '-1000') WHERE kind = 'trade.signed'")
    async with rig(tmp_path, settings=HOT) as r:
        assert "can not be read" in reason(r, await entry(r))


async def test_the_caps_hold_over_any_sequence(tmp_path: Path) -> None:
    chance, most, signed = random.Random(7), Decimal(30), Decimal(0)
    async with rig(tmp_path, settings=hot(per_day="30")) as r:
        for _ in range(14):
            quantity = Decimal(chance.randrange(1, 12)) / 100
            value = quantity * Decimal("100.5")
            trade = await entry(r, str(quantity))
            fits = value <= 10 and signed + value <= most
            assert r.states(trade)[-1] == ("FILLED" if fits else "DENIED")
            signed += value if fits else 0
        assert most - 10 < signed <= most
        r.assert_sound()


async def test_an_entry_that_nothing_values_is_refused(tmp_path: Path) -> None:
    async with rig(tmp_path, settings=HOT) as r:
        desk: Any = r.desk
        desk.rate = lambda _asset: None
        with pytest.raises(HotDenied, match="nothing values"):
            desk.hot.check(desk, Trade(r.intent(quantity="0.01")))
        desk.hot.check(desk, Trade(r.intent(Side.SELL, quantity="0.01")))
    limits = HotLimits(Decimal(10), Decimal(50))
    assert "can not be read" in str(over(limits, Decimal(1), None))
    assert over(limits, Decimal(10), Decimal(40)) is None
    assert over(limits, Decimal(10), Decimal("40.01")) is not None


async def test_without_a_key_or_with_another_than_the_registered_one_no_session_begins(
    tmp_path: Path, entries: dict[str, str]
) -> None:
    key = entries.pop(hot_keys.name(Chain.EVM))
    with pytest.raises(SignerError, match="countersign hotkey generate"):
        async with rig(tmp_path, settings=HOT):
            pass
    entries[hot_keys.name(Chain.EVM)] = key
    async with rig(tmp_path, settings=HOT) as r:
        assert r.desk.terms.signer is SignerKind.KEYRING
        (account,) = r.rows("SELECT signer, chain, path, address FROM accounts")
        assert tuple(account.values()) == ("keyring", "evm", "m/1", EVM_ADDRESS)
    entries[hot_keys.name(Chain.EVM)] = hot_key.stored(OTHER)
    with pytest.raises(SignerError, match="countersign hotkey register"):
        async with rig(tmp_path, settings=HOT):
            pass


async def test_a_key_that_was_changed_meanwhile_signs_nothing(tmp_path: Path, entries: dict[str, str]) -> None:
    async with rig(tmp_path, settings=HOT) as r:
        r.session.device.again_s = 1000.0
        entries[hot_keys.name(Chain.EVM)] = hot_key.stored(OTHER)
        trade = await entry(r)
        assert r.states(trade)[-2:] == ["CONFIRMED", "FAILED"]
        assert r.sent() == []


@pytest.mark.parametrize("stored", ["", "zz" * 32, "00" * 32, "ff" * 32, EVM_KEY.hex()[:-2]])
async def test_a_key_that_is_none_is_said_and_not_repeated(
    tmp_path: Path, entries: dict[str, str], stored: str
) -> None:
    entries[hot_keys.name(Chain.EVM)] = stored
    with pytest.raises(SignerError) as caught:
        async with rig(tmp_path, settings=HOT):
            pass
    assert "is no private key" in caught.value.what
    assert not stored or stored not in str(caught.value)
