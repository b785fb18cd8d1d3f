"""A Trezor as a signer. The library and all that needs it is imported when a device is first spoken to (0.1 s)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from signers.base import DeviceInfo, DeviceState, Person, Shown, SignerKind, SignRequest
from signers.faults import NotReady, RefusedOnDevice, SignerFault
from signers.paths import Path
from signers.payloads import Chain, OffchainMessage, Payload, SolanaMessage
from signers.person import Alone
from signers.trezor import clearsign, find
from signers.trezor.options import Credential, Definitions, Options, PassphraseWay

if TYPE_CHECKING:
    from signers.trezor.link import Link, Patience

R = TypeVar("R")


class TrezorSigner:
    """Any Trezor model that the library knows.

    Args:
        url: "" for the first one over USB; ``udp:host:port`` for an emulator.
        passphrase: "none"; "device" (typed there, where the model can); "ask" (typed on the computer).
        definitions: signed descriptions of tokens and chains, see `signers.trezor.options.Definitions`.
        load_credentials: what was stored when a Safe 7 was paired; without it, it is paired at every start.
        store_credential: keeps a new one, in the system's keyring: it holds a secret.
        patience: how long is waited for what.

    Raises:
        ValueError: `url` is none.
    """

    def __init__(
        self,
        url: str = "",
        *,
        passphrase: PassphraseWay = "none",  # noqa: S107 -- a way to enter it
        definitions: Definitions | None = None,
        load_credentials: Callable[[], Sequence[Credential]] | None = None,
        store_credential: Callable[[Credential], None] | None = None,
        patience: Patience | None = None,
    ) -> None:
        find.check_url(url)
        self._url, self._definitions, self._patience = url, definitions, patience
        kept: dict[str, Any] = {"load_credentials": load_credentials, "store_credential": store_credential}
        self._options = Options(passphrase, definitions=definitions, **{k: v for k, v in kept.items() if v})
        self._link: Link | None = None

    @property
    def kind(self) -> SignerKind:
        """A Trezor."""
        return SignerKind.TREZOR

    def plugged(self) -> tuple[str, ...]:
        """The Trezors on the USB, or the emulator's address."""
        return (self._url,) if find.is_emulator(self._url) else find.plugged()

    def probe(self) -> DeviceInfo:
        """See `signers.base.Signer.probe`. It makes the device drop what another program has on its screen."""
        link = self._known()
        return link.converse(Alone(), link.refreshed)

    def open(self, chain: Chain, person: Person) -> DeviceInfo:
        """See `signers.base.Signer.open`: unlocked, and the wallet of the passphrase open."""
        link = self._known()

        def talk() -> DeviceInfo:
            self._ready(link, chain)
            return link.info()

        return self._told(person, lambda: link.converse(person, talk))

    def address(self, chain: Chain, path: Path, person: Person, *, show: bool = False) -> str:
        """See `signers.base.Signer.address`."""
        link = self._known()

        def talk() -> str:
            self._ready(link, chain)
            return self._address(link, chain, path, show=show)

        return self._told(person, lambda: link.converse(person, talk))

    def shown(self, request: SignRequest, address: str, info: DeviceInfo) -> Shown:
        """See `signers.base.Signer.shown`."""
        return clearsign.shown(request, address, info, self._definitions)

    def sign(self, request: SignRequest, person: Person) -> bytes:
        """See `signers.base.Signer.sign`; `SIGNED` or `REJECTED` is told."""
        refuse_offchain(request.payload)
        link = self._known()

        def talk() -> bytes:
            if link.session is None:
                self._ready(link, request.payload.chain)
            else:
                link.resume()  # strictly: a wallet that is opened anew has to give its address first
            return self._signature(link, request)

        signature = self._told(person, lambda: link.converse(person, talk))
        person.told(DeviceState.SIGNED)
        return signature

    def cancel(self) -> None:
        """See `signers.base.Signer.cancel`."""
        if self._link is not None:
            self._link.stop()

    def close(self) -> None:
        """See `signers.base.Signer.close`. The handle is open during a conversation only."""
        if self._link is not None:
            self._link.leave()

    # -- on the device's thread ----------------------------------------------------------------------------------------

    def _known(self) -> Link:
        if self._link is None:
            from signers.trezor.link import Link, Patience  # noqa: PLC0415 -- trezorlib, 0.1 s

            self._link = Link(self._url, self._options, self._patience or Patience())
        return self._link

    def _ready(self, link: Link, chain: Chain) -> None:
        link.usable_for(chain)
        link.open_wallet()

    def _address(self, link: Link, chain: Chain, path: Path, *, show: bool) -> str:
        from signers.trezor import evm, solana  # noqa: PLC0415 -- trezorlib

        of = solana.address if chain is Chain.SOLANA else evm.address
        return of(link.session, list(path.levels), show=show)

    def _signature(self, link: Link, request: SignRequest) -> bytes:
        from signers.trezor import evm, solana  # noqa: PLC0415 -- trezorlib

        payload, path = request.payload, request.path
        if isinstance(payload, SolanaMessage):
            own = self._address(link, Chain.SOLANA, path, show=False)
            return solana.signature_of(link.session, list(path.levels), payload, own)
        assert not isinstance(payload, OffchainMessage)
        return evm.signature_of(link.session, list(path.levels), payload, self._definitions)

    def _told(self, person: Person, ask: Callable[[], R]) -> R:
        refused: SignerFault
        try:
            return ask()
        except RefusedOnDevice as fault:
            refused = fault
        person.told(DeviceState.REJECTED)
        raise refused


def refuse_offchain(payload: Payload) -> None:
    """Refuse Solana's off-chain messages in the form (version 0) that wallets verify: the library can only ask for
    version 1.

    Raises:
        NotReady: it is one.
    """
    if isinstance(payload, OffchainMessage):
        raise NotReady(DeviceState.UNSUPPORTED, clearsign.NO_OFFCHAIN)
