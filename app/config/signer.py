"""The table of settings about what countersigns."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from app.config.section import Amount, Section
from app.risk.hot import HotLimits
from signers.paths import HARDENED, Path, of_scheme


def _path(text: str) -> str:
    path = Path.parse(text)
    if len(path.levels) < 2 or any(level < HARDENED for level in path.levels[:2]):
        raise ValueError("the first two levels are hardened (') in every wallet's scheme")
    return str(path)


PathText = Annotated[str, AfterValidator(_path), "a derivation path such as \"m/44'/60'/0'/0/0\""]


def _ledger(text: str) -> str:
    if text:
        from signers.ledger.driver import door_of  # noqa: PLC0415 -- only where an emulator is named

        door_of(text)  # reads it as the driver will
    return text


def _trezor(text: str) -> str:
    if text:
        from signers.trezor.find import check_url  # noqa: PLC0415 -- as above

        check_url(text)  # as above
    return text


LedgerUrl = Annotated[
    str,
    StringConstraints(pattern=r"^(tcp://[A-Za-z0-9.:\[\]-]+(\?model=[a-z_]+)?)?$"),
    AfterValidator(_ledger),
    '"" for USB, or an emulator such as "tcp://127.0.0.1:9999", with "?model=flex" or another',
]
TrezorUrl = Annotated[
    str,
    StringConstraints(pattern=r"^(udp:\S+)?$"),
    AfterValidator(_trezor),
    '"" for USB, or an emulator such as "udp:127.0.0.1:21324"',
]
Folder = Annotated[str, StringConstraints(max_length=1_000), 'a folder, or "" for none']


class Hot(Section):
    """The hot signer: a key in this computer's keyring signs what was confirmed, and no device is asked."""

    enabled: bool = Field(default=False, description="whether signer.kind may be keyring")
    per_trade: Amount = Field(
        default=Decimal(10), ge=0, le=1_000_000_000, description="largest entry signed hot, account currency"
    )
    per_day: Amount = Field(
        default=Decimal(50),
        ge=0,
        le=1_000_000_000,
        description="all entries signed hot since 00:00 UTC, account currency",
    )

    def limits(self) -> HotLimits:
        """As the pipeline reads them."""
        return HotLimits(per_trade=self.per_trade, per_day=self.per_day)


class Signer(Section):
    """What countersigns."""

    kind: Literal["auto", "ledger", "trezor", "keyring", "demo"] = Field(
        default="demo",
        description="signer; auto: a Ledger, else a Trezor plugged in, else the demo device; keyring: a HOT key",
    )
    ledger: LedgerUrl = Field(default="", description="where the Ledger is (COUNTERSIGN_LEDGER)")
    trezor: TrezorUrl = Field(default="", description="where the Trezor is (COUNTERSIGN_TREZOR)")
    evm_path: PathText = Field(
        default=str(of_scheme("evm", "bip44", 0)), description="account that signs authorisations and EVM transactions"
    )
    solana_path: PathText = Field(
        default=str(of_scheme("solana", "bip44", 0)), description="account that signs Solana transactions"
    )
    trezor_wallet: Literal["standard", "hidden-device", "hidden-typed"] = Field(
        default="standard",
        description="the Trezor's standard wallet, or a hidden one (passphrase there, or here)",
    )
    deadline_s: int = Field(default=120, ge=10, le=600, description="seconds a device may take, its person included")
    blind_value: Amount = Field(
        default=Decimal(0),
        ge=0,
        le=1_000_000_000,
        description="largest value signed without the device showing it, account currency; 0: none",
    )
    descriptors: Folder = Field(
        default="",
        description="folder of Ledger's token descriptors and filters (npm @ledgerhq/cryptoassets-evm-signatures)",
    )
    hot: Hot = Field(default_factory=Hot)

    @model_validator(mode="after")
    def _hot_is_switched_on(self) -> Signer:
        if self.kind == "keyring" and not self.hot.enabled:
            what = "a HOT key that signs without a hardware wallet, and signer.hot.enabled is false"
            raise PydanticCustomError("setting", what, {"key": "kind"})
        return self
