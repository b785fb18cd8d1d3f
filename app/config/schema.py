"""The one tree of settings. Each field says what it is, its default and its bounds; nothing else holds a default.

Only what this version can do is here: a setting that nothing reads would be a promise.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.config.alerts import Alerts, ClockSettings
from app.config.chains import Chains
from app.config.exits import Exits
from app.config.section import (
    MAX_AMOUNT,
    Amount,
    AssetName,
    Names,
    Section,
    Step,
    Symbol,
    TerminalSettings,
)
from app.config.signer import Signer
from app.config.values import read_list, read_param, read_speed
from app.execution.fatigue import Fatigue
from app.money import to_text, total
from app.risk.model import Limits, Sizing, SizingMethod
from strategies.base import MANUAL

DAY_MS = 86_400_000

Speed = Annotated[str, BeforeValidator(read_speed), '"max" or a quoted amount above 0 to 1000000']

SymbolOrAll = Annotated[str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9]{1,20}(-[A-Za-z0-9]{1,20}){1,2})$")]


def _no_module(name: str) -> str:
    if name == MANUAL:
        raise ValueError(f"{MANUAL} is the trader's own hand")
    return name


ModuleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$"), AfterValidator(_no_module)]
ParamName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
ParamValue = Annotated[
    Any, PlainValidator(read_param), "a finite number, true or false, quoted text, or a list of these"
]


class InstrumentSettings(Section):
    """What the data can not say about an instrument."""

    tick: Step = Field(default=None, gt=0, le=MAX_AMOUNT, description="smallest price step, quote units")
    lot: Step = Field(default=None, gt=0, le=MAX_AMOUNT, description="smallest quantity step, base units")


class Market(Section):
    """Where prices come from. A recorded market is chosen per run with --replay."""

    source: Literal["practice"] = Field(default="practice", description="market source")
    seed: int = Field(default=7, ge=0, le=2**63 - 1, description="seed of the practice market")
    speed: Speed = Field(default="60", description="market seconds per second, or max")
    speed_waiting: Speed = Field(
        default="5",
        description="the same on the terminal while a proposal waits for you; 1 while you read or write one",
    )
    timeframe: Annotated[
        str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}[smhd]$"), 'a number and s, m, h or d, such as "1m"'
    ] = Field(default="1m", description="bar length")
    spread_bps: Amount = Field(
        default=Decimal(5), ge=0, le=1000, description="spread of the synthetic book, basis points"
    )
    depth_share: Amount = Field(
        default=Decimal("0.10"), gt=0, le=1, description="share of a bar's volume shown as depth"
    )
    levels: int = Field(default=10, ge=1, le=100, description="price levels per side of the synthetic book")
    instruments: Annotated[Mapping[Symbol, InstrumentSettings], AfterValidator(Names)] = Field(
        default_factory=dict, description="tick and lot of an instrument"
    )


class Paper(Section):
    """The paper venue's account."""

    cash_per_quote: Amount = Field(
        default=Decimal(10_000), ge=0, le=MAX_AMOUNT, description="opening balance of each quote asset, in that asset"
    )
    cash: Annotated[Mapping[AssetName, Annotated[Amount, Field(ge=0, le=MAX_AMOUNT)]], AfterValidator(Names)] = Field(
        default_factory=dict, description="opening balance of one asset"
    )
    taker_fee_bps: Amount = Field(
        default=Decimal(10), ge=0, le=1000, description="fee of an order that takes, basis points"
    )
    maker_fee_bps: Amount = Field(
        default=Decimal(10), ge=0, le=1000, description="fee of an order that rests, basis points"
    )


class Trade(Section):
    """The bounds put into each trade."""

    slippage_bps: Amount = Field(default=Decimal(50), ge=0, le=100, description="worst price's distance from the touch")
    quote_age_ms: int = Field(default=10_000, ge=100, le=3_600_000, description="oldest quote a trade is prepared on")
    time_in_force_ms: int = Field(
        default=60_000, ge=1_000, le=DAY_MS, description="life of an order, from its submission"
    )
    proposal_expiry_ms: int = Field(default=600_000, ge=1_000, le=DAY_MS, description="life of an unconfirmed proposal")
    authorisation_validity_ms: int = Field(
        default=900_000, ge=1_000, le=DAY_MS, description="life of a signed authorisation"
    )


def _rates() -> dict[str, Decimal]:
    stable = {name: Decimal(1) for name in ("USD", "USDT", "USDC", "DAI", "BUSD")}
    return stable | {"BTC": Decimal(50_000), "ETH": Decimal(2_500)}


class Risk(Section):
    """The gate's limits; amounts in account currency (US dollars)."""

    position: Amount = Field(default=Decimal(10), ge=0, le=MAX_AMOUNT, description="largest value of one position")
    position_pct: Amount = Field(
        default=Decimal(25), ge=0, le=100, description="the same, percent of equity; the tighter of both holds"
    )
    exposure: Amount = Field(
        default=Decimal(50), ge=0, le=MAX_AMOUNT, description="largest value of all positions together"
    )
    exposure_pct: Amount = Field(
        default=Decimal(100), ge=0, le=100, description="the same, percent of equity; the tighter of both holds"
    )
    asset_exposure: Amount = Field(
        default=Decimal(20), ge=0, le=MAX_AMOUNT, description="largest value of one base asset over all instruments"
    )
    venue_exposure: Amount = Field(
        default=Decimal(50), ge=0, le=MAX_AMOUNT, description="largest value of everything at one venue"
    )
    correlation: Amount = Field(
        default=Decimal("0.8"), ge=0, le=1, description="correlation from which positions count as one; unknown counts"
    )
    correlated_exposure: Amount = Field(
        default=Decimal(30), ge=0, le=MAX_AMOUNT, description="largest value of positions that are correlated"
    )
    open_positions: int = Field(default=5, ge=0, le=1000, description="most instruments held at once")
    daily_loss: Amount = Field(default=Decimal(50), ge=0, le=MAX_AMOUNT, description="largest loss since 00:00 UTC")
    daily_loss_pct: Amount = Field(
        default=Decimal(10), ge=0, le=100, description="the same, percent of equity at 00:00; the tighter holds"
    )
    drawdown_pct: Amount = Field(
        default=Decimal(20), gt=0, le=100, description="largest fall of equity from its peak, percent"
    )
    trades_per_day: int = Field(default=50, ge=0, le=100_000, description="most trades since 00:00 UTC")
    losses_in_row: int = Field(default=5, ge=1, le=1000, description="losing trades in a row that stop new ones")
    errors: int = Field(default=10, ge=0, le=100_000, description="most errors within `error_window_min`")
    error_window_min: int = Field(default=10, ge=1, le=1440, description="minutes an error counts, market time")
    spread_bps: Amount = Field(default=Decimal(100), gt=0, le=10_000, description="widest spread traded, basis points")
    volatility_pct: Amount = Field(
        default=Decimal(400), gt=0, le=100_000, description="highest annualised volatility traded, percent"
    )
    quote_age_ms: int = Field(default=10_000, ge=100, le=3_600_000, description="oldest quote the gate accepts")
    cool_down_min: int = Field(default=60, ge=0, le=525_600, description="pause per instrument after an entry or exit")
    slippage_bps: Amount = Field(default=Decimal(50), ge=0, le=100, description="largest worst-price distance admitted")
    adaptive: bool = Field(default=True, description="whether bad times tighten the limits by themselves")
    rates: Annotated[Mapping[AssetName, Annotated[Amount, Field(gt=0, le=MAX_AMOUNT)]], AfterValidator(Names)] = Field(
        default_factory=_rates, description="account currency per unit, where no market values the asset"
    )

    def limits(self) -> Limits:
        """As the gate reads them."""
        return Limits(
            position=self.position,
            position_pct=self.position_pct,
            exposure=self.exposure,
            exposure_pct=self.exposure_pct,
            asset_exposure=self.asset_exposure,
            venue_exposure=self.venue_exposure,
            correlation=self.correlation,
            correlated_exposure=self.correlated_exposure,
            open_positions=self.open_positions,
            daily_loss=self.daily_loss,
            daily_loss_pct=self.daily_loss_pct,
            drawdown_pct=self.drawdown_pct,
            trades_per_day=self.trades_per_day,
            losses_in_row=self.losses_in_row,
            errors=self.errors,
            error_window_ms=self.error_window_min * 60_000,
            spread_bps=self.spread_bps,
            volatility_pct=self.volatility_pct,
            quote_age_ms=self.quote_age_ms,
            cool_down_ms=self.cool_down_min * 60_000,
            slippage_bps=self.slippage_bps,
            adaptive=self.adaptive,
        )


class FatigueSettings(Section):
    """How much one person may confirm; minutes of wall time. Closes are neither counted nor held up."""

    confirmations: int = Field(
        default=20, ge=1, le=100_000, description="entries confirmed within the window that earn a pause"
    )
    window_min: int = Field(default=10, ge=1, le=1_440, description="minutes within which they are counted")
    pause_min: int = Field(default=5, ge=1, le=1_440, description="minutes of pause after the last of them")
    large_value: Amount = Field(
        default=Decimal(1_000),
        ge=0,
        le=MAX_AMOUNT,
        description="value from which an entry's quantity is read back, account currency",
    )

    def limits(self) -> Fatigue:
        """As the queue of proposals reads them."""
        return Fatigue(
            confirmations=self.confirmations,
            window_ms=self.window_min * 60_000,
            pause_ms=self.pause_min * 60_000,
            large_value=self.large_value,
        )


class SizingSettings(Section):
    """How large an entry is before the limits cut it."""

    method: Annotated[SizingMethod, Field(strict=False)] = Field(
        default=SizingMethod.FIXED, description="sizing method"
    )
    fixed: Amount = Field(default=Decimal(10), gt=0, le=MAX_AMOUNT, description="entry value, account currency")
    equity_pct: Amount = Field(default=Decimal(1), gt=0, le=100, description="entry value, percent of equity")
    volatility_pct: Amount = Field(
        default=Decimal(20), gt=0, le=1000, description="target annualised volatility, percent"
    )
    kelly_fraction: Amount = Field(default=Decimal("0.25"), gt=0, le=1, description="share of the full Kelly size")
    kelly_min_trades: int = Field(
        default=30, ge=1, le=100_000, description="closed trades before Kelly replaces `fixed`"
    )

    def sizing(self) -> Sizing:
        """As the sizer reads it."""
        return Sizing(
            method=self.method,
            fixed=self.fixed,
            equity_pct=self.equity_pct,
            volatility_pct=self.volatility_pct,
            kelly_fraction=self.kelly_fraction,
            kelly_min_trades=self.kelly_min_trades,
        )


class ModuleSettings(Section):
    """One trading module. A module that is installed but not named here is listed and stays off."""

    enabled: bool = Field(default=False, description="whether it trades")
    allocation: Amount = Field(default=Decimal(0), ge=0, le=MAX_AMOUNT, description="its capital, account currency")
    instruments: Annotated[
        tuple[SymbolOrAll, ...],
        BeforeValidator(read_list),
        Field(min_length=1),
        'a list such as ["ETH-BTC"], or ["*"] for all',
    ] = Field(default=("*",), description="what it may trade")
    log_level: Literal["default", "debug", "info", "warning", "error"] = Field(
        default="default", description="least severe record of this module written; default: as log.level"
    )
    params: Annotated[Mapping[ParamName, ParamValue], AfterValidator(Names)] = Field(
        default_factory=dict, description="the module's own parameters, checked when it starts"
    )

    @model_validator(mode="after")
    def _enabled_needs_capital(self) -> ModuleSettings:
        if self.enabled and not self.allocation:
            # `key`: the setting to change, below the table that is refused.
            raise PydanticCustomError("setting", "an enabled module needs capital", {"key": "allocation"})
        return self


class Manual(Section):
    """Trades by the trader's own hand: `countersign buy` and the ticket."""

    allocation: Amount = Field(
        default=Decimal(100), ge=0, le=MAX_AMOUNT, description="capital of trades by hand, account currency; 0: none"
    )


class Capital(Section):
    """What the modules may be given together."""

    total: Amount = Field(
        default=Decimal(10_000), gt=0, le=MAX_AMOUNT, description="capital for all enabled modules, account currency"
    )


class Metrics(Section):
    """How often the program looks at itself, seconds of its clock."""

    interval_s: int = Field(default=60, ge=1, le=86_400, description="seconds between two metrics rows")
    health_s: int = Field(default=30, ge=1, le=86_400, description="seconds between two health checks")


class ReconcileSettings(Section):
    """Whether the ledger says what the venue has; also compared at each start."""

    every_s: int = Field(default=60, ge=1, le=86_400, description="seconds between two comparisons with the venue")


class LogSettings(Section):
    """The log files."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severe record written"
    )


def _modules() -> dict[str, ModuleSettings]:
    return {name: ModuleSettings(enabled=True, allocation=Decimal(1000)) for name in ("mean_reversion", "momentum")}


class Settings(Section):
    """Everything a trader can set."""

    profile: Literal["paper", "testnet", "live"] = Field(default="paper", description="where orders go")
    market: Market = Field(default_factory=Market)
    paper: Paper = Field(default_factory=Paper)
    trade: Trade = Field(default_factory=Trade)
    risk: Risk = Field(default_factory=Risk)
    exits: Exits = Field(default_factory=Exits)
    fatigue: FatigueSettings = Field(default_factory=FatigueSettings)
    sizing: SizingSettings = Field(default_factory=SizingSettings)
    capital: Capital = Field(default_factory=Capital)
    modules: Annotated[Mapping[ModuleName, ModuleSettings], AfterValidator(Names)] = Field(
        default_factory=_modules, description="trading modules by name"
    )
    manual: Manual = Field(default_factory=Manual)
    chains: Chains = Field(default_factory=dict, description="networks to trade on")
    signer: Signer = Field(default_factory=Signer)
    alerts: Alerts = Field(default_factory=Alerts)
    clock: ClockSettings = Field(default_factory=ClockSettings)
    metrics: Metrics = Field(default_factory=Metrics)
    reconcile: ReconcileSettings = Field(default_factory=ReconcileSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    terminal: TerminalSettings = Field(default_factory=TerminalSettings)

    @model_validator(mode="after")
    def _allocated_within_capital(self) -> Settings:
        given = self.allocated
        if given > self.capital.total:
            names = ", ".join(name for name, module in self.modules.items() if module.enabled)
            what = (
                f"the enabled modules ({names}) have {to_text(given)} together, more than {to_text(self.capital.total)}"
            )
            raise PydanticCustomError("setting", what, {"key": "capital.total"})
        return self

    @property
    def allocated(self) -> Decimal:
        """Capital of the enabled modules together, account currency."""
        return total([module.allocation for module in self.modules.values() if module.enabled])

    @property
    def slippage_bps(self) -> Decimal:
        """What an intent's worst price may use: the gate would deny anything beyond its own limit."""
        return min(self.trade.slippage_bps, self.risk.slippage_bps)
