"""What every driver promises, asked of each of them in the same words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from signers.base import Clarity, DeviceState, SignRequest
from signers.faults import NotReady, RefusedOnDevice, SignatureMismatch
from signers.paths import Path, of_scheme
from signers.payloads import Chain, OffchainMessage, Payload, PersonalMessage
from signers.session import DeviceSession
from signers.verify import verify
from tests.devices.cases import NESTED, PERMIT, SYSTEM, UNKNOWN, legacy, solana, transaction
from tests.devices.drivers import DRIVERS, Driven
from tests.unit.signers.told import Told

FORM = {Chain.EVM: re.compile(r"0x[0-9a-fA-F]{40}"), Chain.SOLANA: re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}")}
PATHS = {chain: [of_scheme(chain, "bip44", number) for number in range(3)] for chain in Chain}
TRANSFER = b"\x02\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"


def transfer(key: str, *, v0: bool) -> Payload:
    return solana((SYSTEM, [(key, True, True), (UNKNOWN, False, True)], TRANSFER), payer=key, v0=v0)


PAYLOADS: dict[str, tuple[Chain, Callable[[str], Payload]]] = {
    "message": (Chain.EVM, lambda _: PersonalMessage("countersign trade 1\nBUY 1 ETH-USDT\non paper")),
    "long message": (Chain.EVM, lambda _: PersonalMessage("a line of words\n" * 50)),
    "transaction": (Chain.EVM, lambda _: transaction()),
    "legacy transaction": (Chain.EVM, lambda _: legacy(56)),
    "calldata": (Chain.EVM, lambda _: transaction(data=bytes(range(256)) * 12, gas=400_000)),
    "typed data": (Chain.EVM, lambda _: PERMIT),
    "nested typed data": (Chain.EVM, lambda _: NESTED),
    "transfer, legacy": (Chain.SOLANA, lambda key: transfer(key, v0=False)),
    "transfer, v0": (Chain.SOLANA, lambda key: transfer(key, v0=True)),
    "unknown program": (Chain.SOLANA, lambda key: solana((UNKNOWN, [(key, True, True)], bytes(40)), payer=key)),
    "off-chain message": (Chain.SOLANA, lambda key: OffchainMessage("countersign seal 1", key)),
}


@pytest.fixture(params=DRIVERS)
def driven(request: pytest.FixtureRequest) -> Iterator[Driven]:
    with DRIVERS[request.param]() as found:
        yield found
        found.signer.close()


def account(driven: Driven, chain: Chain, number: int = 0) -> tuple[Path, str]:
    driven.ready(chain)
    path = PATHS[chain][number]
    return path, driven.signer.address(chain, path, Told())


def test_it_says_what_it_is(driven: Driven) -> None:
    driven.ready(next(iter(driven.chains)))
    info = driven.signer.probe()
    assert info.kind is driven.signer.kind is driven.kind
    assert info.name
    assert info.title.startswith(info.name)
    assert driven.signer.plugged() == driven.signer.plugged() != ()
    assert driven.emulator == (info.emulator or not info.real)


@pytest.mark.parametrize("chain", Chain)
def test_an_account_has_one_address_and_another_account_another(driven: Driven, chain: Chain) -> None:
    if chain not in driven.chains:
        driven.ready(chain)
        with pytest.raises(NotReady):
            driven.signer.open(chain, Told())
        return
    _, address = account(driven, chain)
    assert FORM[chain].fullmatch(address)
    assert account(driven, chain)[1] == address
    if driven.accounts:
        assert len({account(driven, chain, number)[1] for number in range(3)}) == 3


@pytest.mark.parametrize("name", PAYLOADS)
def test_it_signs_exactly_that_or_says_beforehand_that_it_does_not(driven: Driven, name: str) -> None:
    chain, make = PAYLOADS[name]
    if chain not in driven.chains:
        return
    path, address = account(driven, chain)
    payload, person = make(address), Told()
    request, info = SignRequest(payload, path), driven.signer.open(chain, Told())
    shown = driven.signer.shown(request, address, info)
    assert driven.signer.shown(request, address, info) == shown
    assert bool(shown.why) == (shown.clarity is not Clarity.CLEAR or shown.refuses is not None) or shown.why
    assert shown.lines or shown.refuses is not None
    if shown.refuses is not None:
        with pytest.raises(NotReady) as caught:
            driven.signer.sign(request, person)
        assert caught.value.state is shown.refuses
        assert caught.value.next_step
        assert DeviceState.WAIT_BUTTON not in person.states, "its person was asked in vain"
        return
    with driven.acts(True):
        signature = driven.signer.sign(request, person)
    verify(payload, signature, address)
    assert person.states[-1] is DeviceState.SIGNED
    assert (DeviceState.WAIT_BUTTON in person.states) or not driven.asks
    other = PersonalMessage("another") if chain is Chain.EVM else OffchainMessage("another", address)
    with pytest.raises(SignatureMismatch):
        verify(other, signature, address)


def test_a_trade_authorisation_is_shown_in_clear_by_every_signer(driven: Driven) -> None:
    if Chain.EVM not in driven.chains:
        return
    path, address = account(driven, Chain.EVM)
    info = driven.signer.open(Chain.EVM, Told())
    payload = PersonalMessage("countersign trade 1\nBUY 0.00016 BTC-USDT\non paper\nat 61928.77 or better")
    shown = driven.signer.shown(SignRequest(payload, path), address, replace(info, blind_signing=False))
    assert (shown.clarity, shown.refuses) == (Clarity.CLEAR, None)
    if driven.asks:
        text = " ".join(line.value for line in shown.lines)
        assert "".join(payload.text.split()) in "".join(text.split())


def test_a_refusal_is_one_and_the_next_request_is_signed(driven: Driven) -> None:
    if not driven.asks or Chain.EVM not in driven.chains:
        return
    path, address = account(driven, Chain.EVM)
    request, person = SignRequest(PersonalMessage("refuse me"), path), Told()
    with driven.acts(False), pytest.raises(RefusedOnDevice):
        driven.signer.sign(request, person)
    assert person.states[-1] is DeviceState.REJECTED
    with driven.acts(False), pytest.raises(RefusedOnDevice):
        driven.signer.address(Chain.EVM, path, Told(), show=True)
    with driven.acts(True):
        assert driven.signer.address(Chain.EVM, path, Told(), show=True) == address
        verify(request.payload, driven.signer.sign(request, Told()), address)


def test_it_can_be_let_go_of_and_taken_back_while_it_does_nothing(driven: Driven) -> None:
    chain = next(iter(driven.chains))
    _, address = account(driven, chain)
    driven.signer.cancel()
    assert account(driven, chain)[1] == address
    driven.signer.close()
    assert account(driven, chain)[1] == address


async def test_another_address_than_the_registered_one_is_found_before_its_person_is_asked(driven: Driven) -> None:
    if Chain.EVM not in driven.chains:
        return
    path, _ = account(driven, Chain.EVM)
    session, states = DeviceSession(driven.signer, asyncio.get_running_loop()), list[DeviceState]()
    session.again_s = 1_000
    with pytest.raises(NotReady) as caught:
        await session.sign(SignRequest(PersonalMessage("a"), path), "0x" + "11" * 20, states.append, 10)
    assert caught.value.state is DeviceState.WRONG_DEVICE
    assert DeviceState.WAIT_BUTTON not in states
    session.close()


async def test_live_takes_hardware_and_the_hot_key_alone(driven: Driven) -> None:
    session = DeviceSession(driven.signer, asyncio.get_running_loop(), real_only=True)
    chain = next(iter(driven.chains))
    driven.ready(chain)
    if driven.emulator:
        with pytest.raises(NotReady, match="Live trading refuses"):
            await session.address(chain, PATHS[chain][0])
    else:
        assert FORM[chain].fullmatch(await session.address(chain, PATHS[chain][0]))
    session.close()
