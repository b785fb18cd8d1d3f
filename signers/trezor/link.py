"""One client on one device, and every conversation with it: opened, bounded in time, and brought back in step after
whatever went wrong. All on the device's thread but `stop`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from signers.base import DeviceInfo, DeviceState, Person, SignerKind
from signers.faults import DeviceFault, NotReady, SignerFault
from signers.payloads import Chain
from signers.trezor import find, pairing
from signers.trezor.channel import Channel
from signers.trezor.errors import fault_of, gone, settled
from signers.trezor.hands import Hands
from signers.trezor.library import TransportException, client, exceptions, messages, protocol_v1
from signers.trezor.options import Options

R = TypeVar("R")

_NAMES: Final = {"1": "Trezor Model One", "T": "Trezor Model T"}


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. `first`: for the first answer of all; `answer`: for one that needs no person; `person`: for a whole
    operation, the person's part included; `resync`: to get back in step."""

    first: float = 3.0
    answer: float = 15.0
    person: float = 600.0
    resync: float = 2.0


class Link:
    """What is known of the device at `url` and of the wallet that is open on it; nothing, before it was spoken to."""

    def __init__(self, url: str, options: Options, patience: Patience) -> None:
        self._url, self._options, self._patience = url, options, patience
        self._hands = Hands()
        self._channel: Channel | None = None
        self._client: Any = None
        self._session: Any = None
        self._forget = False

    # -- conversations ------------------------------------------------------------------------------------------------

    def converse(self, person: Person, talk: Callable[[], R]) -> R:
        """`talk` to the device, connected first; whatever goes wrong comes out as a fault, and the device and this
        side are in step afterwards or forget each other.

        An odd answer to the first questions may be a late one to an earlier conversation, which ended well and left it
        behind. It is had once more, in step, when neither the device nor this program has troubled the person yet.

        Raises:
            SignerFault: see `signers.trezor.errors`.
        """
        known = self._client is not None
        try:
            return self._once(person, talk)
        except SignerFault as fault:
            late = known and self._client is not None and fault.state is DeviceState.BAD_ANSWER
            if not late or self._hands.troubled:
                raise
        return self._once(person, talk)

    def _once(self, person: Person, talk: Callable[[], R]) -> R:
        self._hands.begin(person)
        fault: SignerFault
        try:
            with ExitStack() as stack:
                self._connect(stack)
                assert self._channel is not None
                self._channel.begin(self._patience.person)
                return talk()
        except SignerFault as found:
            fault = found
        except Exception as error:  # noqa: BLE001 -- the library's, libusb's and the system's errors have no common root
            fault = self._hands.fault or fault_of(error, connecting=self._client is None)
            self._mend(error)
        except BaseException:
            self.forget()
            raise
        fault.__context__ = None  # the maker's error can hold bytes of a message
        raise fault

    def stop(self) -> None:
        """End the wait for the device, which is told to drop what it shows. From any thread."""
        channel = self._channel
        if channel is not None:
            channel.stop()

    def leave(self) -> None:
        """Stop, and begin anew the next time. From any thread."""
        self._forget = True
        self.stop()

    def forget(self) -> None:
        """Begin anew the next time."""
        self._channel = self._client = self._session = None
        self._hands.channel = None

    # -- what it is; within a conversation -----------------------------------------------------------------------------

    @property
    def session(self) -> Any:
        """The library's session of the open wallet."""
        return self._session

    @property
    def features(self) -> messages.Features:
        """What it last told of itself."""
        found: messages.Features = self._client.features
        return found

    @property
    def model(self) -> str:
        """T1B1, T3T1, ..."""
        return str(self._client.model.internal_name)

    def refreshed(self) -> DeviceInfo:
        """What it is now."""
        self._client.refresh_features()
        return self.info()

    def info(self) -> DeviceInfo:
        """What it last told of itself, for the screen."""
        features, model = self.features, self._client.model
        return DeviceInfo(
            SignerKind.TREZOR,
            _NAMES.get(model.name, f"Trezor {model.name}"),
            ".".join(map(str, self._client.version)),
            real=True,
            model=model.internal_name,
            emulator=find.is_emulator(self._url),
            serial=features.device_id or "",
        )

    def usable_for(self, chain: Chain) -> None:
        """Pair where that is needed, and refuse what can hold no wallet for `chain` as it is.

        Raises:
            NotReady: it was not paired, its firmware is missing or too old, it was never set up, or it does not know
                the chain.
        """
        pairing.pair(self._client, self._hands, self._options)
        if self.features.bootloader_mode:
            raise NotReady(DeviceState.UNSUPPORTED, "It is in its bootloader: install its firmware, or restart it.")
        if self._client.is_outdated():
            least = ".".join(map(str, self._client.model.minimum_version))
            raise NotReady(DeviceState.TOO_OLD, f"It has {self.info().version}; at least {least} is needed.")
        if self.features.initialized is False:
            raise NotReady(DeviceState.UNSUPPORTED, "It holds no wallet yet: set it up with its maker's program.")
        needed = messages.Capability.Solana if chain is Chain.SOLANA else messages.Capability.Ethereum
        if self.features.capabilities and needed not in self.features.capabilities:
            raise NotReady(DeviceState.UNSUPPORTED, f"A {self.info().name} knows nothing of {needed.name}.")

    # -- the wallet; within a conversation -----------------------------------------------------------------------------

    def open_wallet(self) -> None:
        """Resume the wallet, or open it, and unlock the device.

        Raises:
            NotReady: the passphrase can not be had, or not that way.
        """
        if self._session is not None:
            try:
                self.resume()
            except exceptions.InvalidSessionError:
                self._session = None
            else:
                return
        self._hands.unlocking = True
        self._session = self._client.get_session(self._passphrase())
        self._hands.unlocking = False

    def resume(self) -> None:
        """Make sure that the device works with this wallet and no other program's, and that it is unlocked.

        Raises:
            InvalidSessionError: of the library; it was restarted, or has forgotten this wallet.
            DeviceFault: the same session is another wallet now.
        """
        if not isinstance(self._session, protocol_v1.SessionV1):
            return  # a session of the newer protocol belongs to this program's own encrypted channel
        if self._session.initialize().unlocked is not False:
            return
        self._hands.unlocking = True
        key = self._session.call(client.GET_ROOT_FINGERPRINT_MESSAGE, expect=messages.PublicKey)
        self._hands.unlocking = False
        if key.node.fingerprint.to_bytes(4) != self._session.get_root_fingerprint():
            self._session = None
            raise DeviceFault("The device changed its wallet.", "Nothing was sent.", state=DeviceState.WRONG_DEVICE)

    def _passphrase(self) -> Any:
        if self._options.passphrase == "none":  # noqa: S105 -- a way to enter it
            return ""
        if self.features.passphrase_protection is False:
            raise NotReady(DeviceState.PASSPHRASE, "Passphrases are switched off on the device.")
        if self._options.passphrase == "ask":  # noqa: S105 -- as above
            return self._hands.passphrase()
        if messages.Capability.PassphraseEntry not in self.features.capabilities:
            raise NotReady(DeviceState.UNSUPPORTED, "No passphrase can be entered on this model.")
        return client.PassphraseSetting.ON_DEVICE

    # -- in and out of step --------------------------------------------------------------------------------------------

    def _connect(self, stack: ExitStack) -> None:
        """Open the device until `stack` ends: the one that was spoken to before, or a new one."""
        if self._forget:
            self._forget = False
            self.forget()
        if self._client is not None and self._reopened(stack):
            return
        self.forget()
        channel = Channel(find.transport(self._url), self._patience.answer)
        self._hands.channel = self._channel = channel
        app = client.AppManifest(
            app_name="countersign",
            button_callback=self._hands.button,
            pin_callback=self._hands.pin,
            credentials=self._options.load_credentials,
        )
        stack.enter_context(channel)
        channel.begin(self._patience.first)
        found = client.get_client(app, channel)
        if isinstance(found, protocol_v1.TrezorClientV1):
            _ = found.features  # asked for here, where silence means that it is locked
        self._client = found

    def _reopened(self, stack: ExitStack) -> bool:
        """Whether the device could be opened again; one that was plugged in again has to be found anew."""
        assert self._channel is not None
        try:
            stack.enter_context(self._channel)
        except TransportException as error:
            if fault_of(error).state is DeviceState.UNPLUGGED:
                return False
            raise
        return True

    def _mend(self, error: Exception) -> None:
        if settled(error):
            return
        if gone(error) or self._client is None or self._channel is None:
            self.forget()
            return
        self._session = None if isinstance(error, exceptions.InvalidSessionError) else self._session
        if not self._in_step():
            self.forget()

    def _in_step(self) -> bool:
        """Take back what the device shows and drop what it still has to say."""
        assert self._channel is not None
        self._channel.begin(self._patience.resync)
        try:
            if not isinstance(self._client, protocol_v1.TrezorClientV1):
                self._client.cancel()
                return False  # in the newer protocol a new channel is sure to be in step; unproven
            protocol_v1.sync_responses(self._channel)
        except Exception:  # noqa: BLE001 -- as in `converse`; the device is forgotten, and drained when it is found again
            return False
        return True
