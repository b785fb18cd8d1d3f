"""From what was asked for (flags, settings, a recording) to what a session starts with. Command line and terminal start
sessions the same way, so they do it here. Heavy imports wait until a session is really wanted."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app import paths
from app.engine.clock import WallClock
from app.errors import ConfigError, SafetyError, StorageError, UsageError

if TYPE_CHECKING:
    from app.config.load import Loaded
    from app.market.events import MarketSource
    from app.session_plan import ChainPlan, SessionPlan

PAST_BARS: Final = 400
"""Bars of the practice market's past; the momentum module needs 360."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for.

    Attributes:
        settings: reads the settings, flags included; called again when they may have changed.
        db: the database that was named, or None for the market's own.
        profile: that was named by flag or environment, or None.
        speed: market seconds per second or "max", as typed; None for the default.
        attended: a person sees the demo device's screen and approves there.
    """

    settings: Callable[[], Loaded]
    db: Path | None = None
    replay: str | None = None
    instrument: str | None = None
    timeframe: str | None = None
    speed: str | None = None
    auto_confirm: bool = False
    attended: bool = False
    chain: str | None = None
    profile: str | None = None

    @property
    def mode(self) -> str:
        """The profile, as far as it is known before the settings are read: live is named, or it is none."""
        return self.profile or ("paper" if self.chain is None else "testnet")

    @property
    def database(self) -> Path:
        """Where a session of the profile has its database, unless the settings file names another profile."""
        return self.db or paths.database(self.mode)

    @property
    def exits(self) -> str:
        """What guards a position while nothing runs here."""
        if self.chain is None:
            return "Exits rest at the venue."
        return "Nothing rests on a chain: standing exits go only while countersign runs."

    @property
    def market(self) -> str:
        """Where prices come from, in words."""
        if self.chain is not None:
            return f"chain {self.chain}"
        return "practice market" if self.replay is None else f"replay {self.replay}"


@dataclass(frozen=True, slots=True)
class Launch:
    """What a session starts with. `speed` None is as fast as it goes."""

    loaded: Loaded
    source: MarketSource
    plan: SessionPlan
    speed: Decimal | None

    @property
    def db(self) -> Path:
        """The session's database."""
        return self.plan.db


def prepare(request: Request) -> Launch:
    """Read the settings, open the market, choose the database. Nothing is written.

    Raises:
        ConfigError, UsageError, DataError: bad input, in words.
        SafetyError: the database belongs to another market, or the profile may not confirm by itself.
        StorageFault: the database is none.
    """
    from app.market.events import event_time  # noqa: PLC0415 -- see the module's docstring
    from app.session_plan import SessionPlan  # noqa: PLC0415 -- as above

    loaded = request.settings()
    _check_hot(loaded)
    if loaded.settings.profile != "paper" or request.chain is not None:
        return _on_chain(request, loaded)
    speed = _speed(request, loaded)
    source, db = _market(request, loaded)
    first = next(iter(source.events()), None)
    plan = SessionPlan(
        db=db,
        loaded=loaded,
        source_id=source.source_id,
        instruments=source.instruments,
        start_ms=event_time(first) if first is not None else 0,
        auto_confirm=request.auto_confirm,
        lockstep=speed is None,
        first_event=_past(source),
        reload=request.settings,
        attended=request.attended,
    )
    return Launch(loaded, source, plan, speed)


def _on_chain(request: Request, loaded: Loaded) -> Launch:
    """A session on a chain; its pools are its market."""
    from app.chain_plan import PRACTICE, choices, network_plan, practice_plan  # noqa: PLC0415 -- see the module's docstring
    from app.session_plan import SessionPlan  # noqa: PLC0415 -- as above

    settings, name = loaded.settings, request.chain
    if settings.profile == "paper":
        raise UsageError("run.chain", "--chain trades on a chain.", next_step="Add --profile testnet.")
    if request.auto_confirm and settings.profile != "testnet":
        raise SafetyError(
            "run.auto_confirm",
            "Only the paper profile may confirm by itself, or a testnet on this machine with the demo device.",
            next_step="Nothing was started. Leave out --auto-confirm.",
        )
    if name is None:
        what = f"The {settings.profile} profile trades on a chain. {choices(settings)}"
        example = PRACTICE if settings.profile == "testnet" else "ethereum"
        raise UsageError("run.chain", what, next_step=f"Add --chain NAME, for example --chain {example}.")
    for flag, given in (("replay", request.replay), ("speed", request.speed)):
        if given is not None:
            raise UsageError(f"run.{flag}", f"--{flag} is for the paper profile: a chain has its own market and time.")
    if name == PRACTICE and settings.profile != "testnet":
        what = (
            f"{PRACTICE} is the practice chain, whose coins are worth nothing: not for the {settings.profile} profile."
        )
        raise SafetyError("run.chain", what, next_step="Nothing was started. Add --profile testnet.")
    chain = practice_plan(settings) if name == PRACTICE else network_plan(settings, name, secret)
    if request.auto_confirm:
        _may_confirm_itself(settings.signer.kind, chain)
    db = request.db or Path(os.path.realpath(paths.database(settings.profile)))
    _check_chain(db, chain.source.source_id)
    _check_live(loaded, db)
    plan = SessionPlan(
        db=db,
        loaded=loaded,
        source_id=chain.source.source_id,
        instruments=chain.source.instruments,
        start_ms=WallClock().now_ms(),
        auto_confirm=request.auto_confirm,
        lockstep=False,
        reload=request.settings,
        attended=request.attended,
        chain=chain,
    )
    return Launch(loaded, chain.source, plan, Decimal(1))


def _check_live(loaded: Loaded, db: Path) -> None:
    """Real money: the live gate, before a device is asked or a node is reached. The session looks again.

    Raises:
        SafetyError: something is missing.
    """
    if loaded.settings.profile != "live":
        return
    from app.live_rules import LiveRules  # noqa: PLC0415 -- see the module's docstring

    LiveRules(loaded, db, WallClock().now_ms).check()


def _may_confirm_itself(signer: str, chain: ChainPlan) -> None:
    from app.chain_plan import all_here  # noqa: PLC0415 -- see the module's docstring

    if signer != "demo":
        raise SafetyError(
            "run.auto_confirm", "On a testnet only the demo device may confirm by itself, on this machine."
        )
    if not all_here(chain):
        raise SafetyError(
            "run.auto_confirm",
            f"On a testnet only what stays on this machine is confirmed by itself, and {chain.name} has an endpoint "
            "elsewhere.",
            next_step="Nothing was started. Leave out --auto-confirm.",
        )


def _check_chain(db: Path, asked: str) -> None:
    """A database goes on with the chain that it began with: name it."""
    from app.session_plan import remembered  # noqa: PLC0415 -- see the module's docstring

    held = remembered(db, "source")
    if held is not None and held != asked and held.startswith("chain:"):
        raise SafetyError(
            "run.source",
            f"{db} holds a session on {_chain_words(held)}, not on {_chain_words(asked)}.",
            next_step="Nothing was changed. Choose another database with --db.",
        )


def _chain_words(source: str) -> str:
    _, name, *number = source.split(":")
    return f"{name} (chain {number[0]})" if number else name


def secret(name: str) -> str:
    """The value of a secret of the settings.

    Raises:
        ConfigError: the keyring has none of that name, or can not be used.
    """
    from storage.secrets import SecretsError, SecretStore  # noqa: PLC0415 -- keyring loads its backends

    try:
        return SecretStore().get(name).reveal()
    except SecretsError as error:
        raise ConfigError("config.secret", f"secret:{name}: {error.what}", next_step=error.next_step) from None


def _check_hot(loaded: Loaded) -> None:
    """The hot signer is what the settings file says, where a looser value asked for a typed word. A flag or a variable
    asks for none."""
    if loaded.settings.signer.kind != "keyring":
        return
    for key in ("enabled", "per_trade", "per_day"):
        source = loaded.sources[f"signer.hot.{key}"]
        if source not in {"default", str(loaded.path)}:
            raise SafetyError(
                "signer.hot",
                f"signer.hot.{key} comes from the {source}, which asks for no word.",
                next_step=f"Set it in the settings file: countersign config set signer.hot.{key} VALUE",
            )


def log_folder() -> Path:
    """The folder of the log files, made where absent.

    Raises:
        StorageError: it can not be made.
    """
    try:
        return paths.private_dir(paths.log_dir())
    except StorageError as error:
        raise StorageError(error.code, error.what, next_step="Make it writable, or set XDG_STATE_HOME.") from error


def _speed(request: Request, loaded: Loaded) -> Decimal | None:
    from app.config.values import read_speed  # noqa: PLC0415 -- as above
    from app.money import from_text  # noqa: PLC0415 -- as above

    text = request.speed if request.speed is not None else "max" if request.replay else loaded.settings.market.speed
    try:
        text = read_speed(text)
    except ValueError:
        raise UsageError(
            "run.speed", f"--speed {text}: expected a number above 0, at most 1000000, or max; for example --speed 60."
        ) from None
    return None if text == "max" else from_text(text)


def _market(request: Request, loaded: Loaded) -> tuple[MarketSource, Path]:
    """The market source, and the database of its session."""
    settings = loaded.settings
    if request.replay is not None:
        from app.market.replay import ReplaySource  # noqa: PLC0415 -- only a replay needs the readers

        ticks = {s: (i.tick, i.lot) for s, i in settings.market.instruments.items() if i.tick and i.lot}
        replay = ReplaySource(
            Path(request.replay), instrument=request.instrument, timeframe=request.timeframe, ticks=ticks
        )
        # A replay without --db has a database of its own, so that it never mixes with another market's past.
        short = replay.source_id.removeprefix("sha256:")[:12]
        return replay, request.db or Path(os.path.realpath(paths.data_dir() / f"replay-{short}.db"))
    return _practice(loaded, request.db or Path(os.path.realpath(paths.database(settings.profile))))


def _practice(loaded: Loaded, db: Path) -> tuple[MarketSource, Path]:
    """The practice market; its time line begins when its database does, and goes on where it stopped."""
    from app.market.naming import parse_timeframe  # noqa: PLC0415 -- as above
    from app.market.practice import PracticeSource  # noqa: PLC0415 -- as above
    from app.session_plan import remembered  # noqa: PLC0415 -- as above

    started = remembered(db, "start_ms")
    market = loaded.settings.market
    timeframe = parse_timeframe(market.timeframe)
    start_ms = int(started) if started is not None else WallClock().now_ms() - PAST_BARS * timeframe
    source = PracticeSource(market.seed, start_ms=start_ms, timeframe_ms=timeframe)
    _check_same(db, remembered(db, "source"), source.source_id, loaded)
    return source, db


def _check_same(db: Path, held: str | None, asked: str, loaded: Loaded) -> None:
    """A database goes on with the practice market that it began with: name what differs. Another kind of market is the
    session's to refuse."""
    before, now = (held or "").split(":"), asked.split(":")
    if held == asked or len(before) != len(now) or before[0] != now[0]:
        return
    seed, market = before[2], loaded.settings.market
    if seed != now[2]:
        what, step = f"seed {seed}, not {market.seed}", f"Use --seed {seed}"
    else:
        what, step = f"other bars than {market.timeframe} or of another version", "Use the former market.timeframe"
    raise SafetyError(
        "run.source",
        f"{db} holds a session on another market source: the practice market with {what}.",
        next_step=f"Nothing was changed. {step}, or choose another database with --db.",
    )


def _past(source: MarketSource) -> int:
    """Events of the practice market that lie before its first session, so that modules start warm."""
    from app.market.practice import PracticeSource  # noqa: PLC0415 -- as above

    return source.position_of(PAST_BARS) if isinstance(source, PracticeSource) else 0
