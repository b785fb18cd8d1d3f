"""The demo device's own screen: pages, an answer on the last one, and a refusal from any."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signers.base import DeviceState, SignRequest
from signers.demo import DemoSigner
from signers.faults import DeviceFault, RefusedOnDevice
from signers.pages import COLUMNS, ROWS, pages, wrap
from signers.paths import of_scheme
from signers.payloads import Chain, PersonalMessage
from signers.verify import verify_text
from tests.unit.signers.told import Told

PATH = of_scheme("evm", "bip44", 0)
TEXT = "countersign trade 1\nBUY 0.00016 BTC-USDT\nat 61928.77 or better"


class Asked:
    """A request that is being shown, on a thread as the device session has one."""

    def __init__(self, device: DemoSigner) -> None:
        self.shown = threading.Event()
        self.states: list[DeviceState] = []
        self.result: bytes | Exception | None = None
        self._thread = threading.Thread(target=self._sign, args=(device,), daemon=True)
        self._thread.start()
        assert self.shown.wait(10)

    def _sign(self, device: DemoSigner) -> None:
        try:
            self.result = device.sign(SignRequest(PersonalMessage(TEXT), PATH), Told(self._tell))
        except (RefusedOnDevice, DeviceFault) as fault:
            self.result = fault

    def _tell(self, state: DeviceState) -> None:
        self.states.append(state)
        self.shown.set()

    def end(self) -> bytes | Exception | None:
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.result


def test_nothing_is_signed_before_every_page_was_seen() -> None:
    device = DemoSigner(attended=True)
    asked = Asked(device)
    assert not device.approve()
    assert device.review is not None
    for _ in range(len(device.review.pages)):
        assert not device.approve()
        device.turn(1)
    assert device.approve()
    signature = asked.end()
    assert isinstance(signature, bytes)
    verify_text(TEXT, signature, device.address(Chain.EVM, PATH, Told()))
    assert asked.states == [DeviceState.WAIT_BUTTON, DeviceState.SIGNED]
    assert device.review is None


@pytest.mark.parametrize("turn", [0, 1, 99])
def test_it_is_refused_from_any_page(turn: int) -> None:
    device = DemoSigner(attended=True)
    asked = Asked(device)
    device.turn(turn)
    assert device.refuse()
    assert isinstance(asked.end(), RefusedOnDevice)
    assert asked.states == [DeviceState.WAIT_BUTTON, DeviceState.REJECTED]


def test_a_request_that_is_taken_back_signs_nothing_and_the_next_one_works() -> None:
    device = DemoSigner(attended=True)
    first = Asked(device)
    device.cancel()
    assert isinstance(first.end(), DeviceFault)
    second = Asked(device)
    device.turn(99)
    assert device.approve()
    assert isinstance(second.end(), bytes)


@pytest.mark.parametrize("press", [DemoSigner.approve, DemoSigner.refuse])
def test_a_press_while_nothing_is_shown_is_not_kept_for_later(press: Callable[[DemoSigner], bool]) -> None:
    device = DemoSigner(attended=True)
    assert not press(device)
    device.cancel()
    asked = Asked(device)
    assert device.review is not None
    device.turn(99)
    assert device.approve()
    assert isinstance(asked.end(), bytes)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80))
def test_no_character_is_lost_on_the_way_to_the_pages(line: str) -> None:
    pieces = wrap(line)
    assert all(len(piece) <= COLUMNS for piece in pieces)
    assert "".join(pieces).replace(" ", "") == line.replace(" ", "")


@given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60), min_size=1, max_size=14))
def test_pages_hold_every_line_in_order(lines: list[str]) -> None:
    made = pages("\n".join(lines))
    assert all(1 <= len(page) <= ROWS for page in made)
    assert "".join(piece for page in made for piece in page) == "".join(lines)
