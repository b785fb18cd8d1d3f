"""The driver with the real apps on Ledger's emulator, where they are at hand: `COUNTERSIGN_SPECULOS_ETH_APP` and
`COUNTERSIGN_SPECULOS_SOL_APP` name their ELF files for a Nano S Plus, and `speculos` is on the path. Blind signing is
off there; its default phrase is that of `tests.devices.keys`."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from signers.base import DeviceState, SignRequest
from signers.faults import NotReady, RefusedOnDevice
from signers.ledger import LedgerSigner
from signers.payloads import Chain
from signers.verify import verify
from tests.devices.cases import Case, cases
from tests.devices.keys import address
from tests.devices.ledger_replay import shown_text
from tests.unit.signers.told import Told

ELVES = {Chain.EVM: "COUNTERSIGN_SPECULOS_ETH_APP", Chain.SOLANA: "COUNTERSIGN_SPECULOS_SOL_APP"}
HOME = ("is ready", "app is ready")
SIGNS = ("Sign transaction", "Sign message", "Approve", "Confirm", "sign transaction")
REFUSES = ("Reject", "Reject transaction", "Reject message", "Cancel")
STEP_S = 0.3
"""A screen changes up to 0.4 s after a press: it is read until two reads are equal."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@dataclass(slots=True)
class Hand:
    """Reads the screen and presses until the review is over."""

    api: str
    approve: bool
    screens: list[tuple[str, ...]] = field(default_factory=list)
    _ends: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> list[tuple[str, ...]]:
        threading.Thread(target=self._run, daemon=True).start()
        return self.screens

    def __exit__(self, *_: object) -> None:
        self._ends.set()

    def _run(self) -> None:
        before: tuple[str, ...] = ()
        while not self._ends.wait(STEP_S):
            screen = self._screen()
            if screen != before or not screen or screen[-1] in HOME:
                before = screen
                continue
            self.screens.append(screen)
            wanted = SIGNS if self.approve else REFUSES
            self._press("both" if screen[-1] in wanted or screen[0] == "Blind signing ahead" else "right")
            before = ()

    def _screen(self) -> tuple[str, ...]:
        with urllib.request.urlopen(f"{self.api}/events?currentscreenonly=true", timeout=5) as answer:
            events = json.load(answer)["events"]
        return tuple(each["text"] for each in sorted(events, key=lambda each: (each["y"], each["x"])))

    def _press(self, button: str) -> None:
        body = json.dumps({"action": "press-and-release"}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.api}/button/{button}", body), timeout=5).close()


@dataclass(slots=True)
class Speculos:
    url: str
    api: str


def serve(chain: Chain) -> Iterator[Speculos]:
    elf, program = os.environ.get(ELVES[chain]), shutil.which("speculos")
    if not elf or not program:
        pytest.skip(f"Speculos or {ELVES[chain]} absent")
    apdu, api = free_port(), free_port()
    process = subprocess.Popen(
        [program, "--model", "nanosp", "--display", "headless", "--apdu-port", str(apdu), "--api-port", str(api), elf],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    served = Speculos(f"tcp://127.0.0.1:{apdu}", f"http://127.0.0.1:{api}")
    try:
        for _ in range(100):
            try:
                LedgerSigner(served.url).probe()
                break
            except NotReady:
                threading.Event().wait(0.2)
        yield served
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def ethereum() -> Iterator[Speculos]:
    yield from serve(Chain.EVM)


@pytest.fixture(scope="module")
def solana() -> Iterator[Speculos]:
    yield from serve(Chain.SOLANA)


def served(case: Case, request: pytest.FixtureRequest) -> Speculos:
    found: Speculos = request.getfixturevalue("ethereum" if case.payload.chain is Chain.EVM else "solana")
    return found


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_the_real_app_signs_and_shows_what_was_announced(case: Case, request: pytest.FixtureRequest) -> None:
    speculos = served(case, request)
    signer, person, chain = LedgerSigner(speculos.url), Told(), case.payload.chain
    info = signer.open(chain, person)
    account = signer.address(chain, case.path, person)
    assert account == address(chain, case.path)
    asked = SignRequest(case.payload, case.path)
    shown = signer.shown(asked, account, info)
    if not case.clear:
        assert shown.refuses is DeviceState.BLIND_SIGNING_OFF
        return
    with Hand(speculos.api, approve=True) as screens:
        verify(case.payload, signer.sign(asked, person), account)
    pages, _ = shown_text(screens)
    assert "".join(pages) == "".join("".join((line.label + line.value).split()) for line in shown.lines)


@pytest.mark.parametrize("name", ["eip1559_transfer", "personal", "sol_transfer_v0"])
def test_the_real_app_s_refusal_is_understood(name: str, request: pytest.FixtureRequest) -> None:
    case = next(each for each in cases() if each.name == name)
    speculos = served(case, request)
    with Hand(speculos.api, approve=False), pytest.raises(RefusedOnDevice):
        LedgerSigner(speculos.url).sign(SignRequest(case.payload, case.path), Told())
