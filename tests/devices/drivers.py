"""Every driver with a device to drive, for the suite that they share: doubles of the hardware over their real sockets,
keys in memory, and the makers' own apps and firmware where they are at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

from signers.base import Signer, SignerKind
from signers.demo import DemoSigner
from signers.hot import KeyringSigner
from signers.ledger import LedgerSigner
from signers.payloads import Chain
from signers.trezor.driver import TrezorSigner
from tests.devices.keyring_double import EVM_KEY, SOLANA_KEY
from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator
from tests.devices.test_ledger_speculos import Hand, serve
from tests.devices.trezor_emulator import TrezorDevice

BOTH: Final = frozenset(Chain)
EVM: Final = frozenset({Chain.EVM})


@dataclass(frozen=True)
class Driven:
    """One driver and its device.

    Attributes:
        chains: what its device works for.
        ready: prepares the device for a chain, as its person would.
        acts: while it is entered, the person approves (True) or refuses whatever the device shows.
        asks: its person is asked at all.
        emulator: live trading must refuse it as no hardware.
        accounts: a path chooses the key.
    """

    signer: Signer
    kind: SignerKind
    chains: frozenset[Chain] = BOTH
    ready: Callable[[Chain], None] = lambda _: None
    acts: Callable[[bool], AbstractContextManager[Any]] = lambda _: nullcontext()
    asks: bool = True
    emulator: bool = True
    accounts: bool = True


@contextmanager
def demo() -> Iterator[Driven]:
    yield Driven(DemoSigner(), SignerKind.DEMO, asks=False)


@contextmanager
def hot() -> Iterator[Driven]:
    keys = {Chain.EVM: EVM_KEY, Chain.SOLANA: SOLANA_KEY}
    yield Driven(KeyringSigner(keys.__getitem__), SignerKind.KEYRING, asks=False, emulator=False, accounts=False)


@contextmanager
def ledger() -> Iterator[Driven]:
    with LedgerEmulator(LedgerDevice()) as emulator:

        def ready(chain: Chain) -> None:
            emulator.device.app = "Ethereum" if chain is Chain.EVM else "Solana"

        def acts(approve: bool) -> AbstractContextManager[Any]:
            emulator.device.human = Human.APPROVE if approve else Human.REFUSE
            return nullcontext()

        yield Driven(LedgerSigner(emulator.url), SignerKind.LEDGER, ready=ready, acts=acts)


@contextmanager
def trezor(model: Any) -> Iterator[Driven]:
    with TrezorDevice(model) as device:

        def acts(approve: bool) -> AbstractContextManager[Any]:
            device.human = "approve" if approve else "refuse"
            return nullcontext()

        chains = EVM if model == "T1B1" else BOTH
        yield Driven(TrezorSigner(device.url), SignerKind.TREZOR, chains, acts=acts)


@contextmanager
def speculos(chain: Chain) -> Iterator[Driven]:
    """Skips by name where the app or the emulator is absent."""
    with contextmanager(serve)(chain) as served:

        def acts(approve: bool) -> AbstractContextManager[Any]:
            return Hand(served.api, approve=approve)

        yield Driven(LedgerSigner(served.url), SignerKind.LEDGER, frozenset({chain}), acts=acts)


DRIVERS: Final[dict[str, Callable[[], AbstractContextManager[Driven]]]] = {
    "demo": demo,
    "keyring": hot,
    "Ledger": ledger,
    "Trezor Safe 5": lambda: trezor("T3T1"),
    "Trezor Model One": lambda: trezor("T1B1"),
    "Speculos, Ethereum": lambda: speculos(Chain.EVM),
    "Speculos, Solana": lambda: speculos(Chain.SOLANA),
}
