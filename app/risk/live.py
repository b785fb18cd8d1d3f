"""What must be on record before real money is traded, and whether it is. Pure: what is on record is read elsewhere
(`app.live_gate`), here it is judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from app.text import counted, escape_untrusted, lasting

DAY_MS: Final = 86_400_000
FRESH_MS: Final = 30 * DAY_MS
"""How long a drill, a test alert and a word in a condition's place count."""
CLOCK_FRESH_MS: Final = DAY_MS
PAPER_TRADES: Final = 100
_AHEAD_MS: Final = 60_000
"""A record from further in the future than this is not believed: the clock was set back since, or it was made up."""
LIMITS: Final = ("risk.position", "risk.exposure", "risk.daily_loss")
"""What a trader sets before going live, if only to the default."""


class Name(StrEnum):
    """The conditions. The last two are asked of each module: ``judgement:momentum``."""

    SIGNER = "signer"
    LIMITS = "limits"
    DRILL = "stop-drill"
    ALERT = "test-alert"
    CLOCK = "clock"
    JUDGEMENT = "judgement"
    PAPER = "paper-trades"


OF_MODULES: Final = (Name.JUDGEMENT, Name.PAPER)


class State(StrEnum):
    """How a condition stands."""

    ON_RECORD = "ON RECORD"
    MISSING = "MISSING"
    OVERRIDDEN = "OVERRIDDEN"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition.

    Attributes:
        name: as `Name`, with ``:MODULE`` where it is a module's.
        words: the evidence, what is missing, or whose word stands in its place.
        next_step: how to get it on record; "" where it is.
        at_ms: wall time of the evidence or the word, None where there is none or it has no single time.
    """

    name: str
    state: State
    words: str
    next_step: str = ""
    at_ms: int | None = None

    @property
    def holds(self) -> bool:
        """It does not stand in the way."""
        return self.state is not State.MISSING


# -- what is on record ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Registered:
    """An account of a hardware wallet whose address its person compared on the device."""

    signer: str
    chain: str
    path: str
    address: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class SignerTest:
    """A test text that such an account signed; `emulator`: no device did."""

    signer: str
    chain: str
    path: str
    address: str
    device: str
    emulator: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class Setting:
    """A limit as it is in force and where that comes from; `journaled`: the journal's row in which the trader set it to
    this very value, or None."""

    key: str
    value: str
    source: str
    journaled: int | None


@dataclass(frozen=True, slots=True)
class Drill:
    """An emergency stop that was put in force (journal row `stopped`) and lifted (row `lifted`)."""

    stopped: int
    lifted: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class AlertTest:
    """A test alert that a channel took."""

    channel: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class ClockCheck:
    """This computer's clock was compared: it is off by at most `worst_ms`, by these sources."""

    worst_ms: int
    sources: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Word:
    """A trader's typed word in the place of a condition."""

    condition: str
    by: str
    reason: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything on record.

    Attributes:
        emulators: kinds of signers for which the settings name an emulator.
        channels: channels that alerts are sent to now.
        clock_now: what a comparison right now came to, where one was made and was no success; "" otherwise.
        paper: filled entries of each module on the paper profile, and `paper_source` where they were made.
        hot: the settings have a key of this computer sign in the place of a device.
    """

    registered: tuple[Registered, ...] = ()
    tests: tuple[SignerTest, ...] = ()
    emulators: frozenset[str] = frozenset()
    limits: tuple[Setting, ...] = ()
    drills: tuple[Drill, ...] = ()
    alerts: tuple[AlertTest, ...] = ()
    channels: frozenset[str] = frozenset()
    clocks: tuple[ClockCheck, ...] = ()
    clock_now: str = ""
    paper: Mapping[str, int] = field(default_factory=dict)
    paper_source: str = ""
    words: tuple[Word, ...] = ()
    hot: bool = False


# -- the judgement --------------------------------------------------------------------------------------------------


def names(modules: Iterable[str]) -> tuple[str, ...]:
    """Every condition there is for these modules."""
    machine = [name.value for name in Name if name not in OF_MODULES]
    return (*machine, *(f"{name}:{module}" for module in modules for name in OF_MODULES))


def judge(evidence: Evidence, modules: Iterable[str], now_ms: int) -> tuple[Condition, ...]:
    """Every condition, in order; those of the machine first."""
    found = [
        _signer(evidence, now_ms),
        _limits(evidence),
        _drill(evidence, now_ms),
        _alert(evidence, now_ms),
        _clock(evidence, now_ms),
    ]
    for module in modules:
        found += [_judgement(module), _paper(evidence, module)]
    return tuple(_or_word(each, evidence.words, now_ms) for each in found)


def refusal(conditions: Iterable[Condition]) -> str:
    """Why live is refused, in one sentence, or ""."""
    missing = [f"{each.name} ({each.words})" for each in conditions if not each.holds]
    if not missing:
        return ""
    return f"Live is refused: {counted(len(missing), 'condition')} not on record: {'; '.join(missing)}."


def _or_word(condition: Condition, words: Iterable[Word], now_ms: int) -> Condition:
    """What is on record needs no word; the newest word that still counts stands in the place of what is not."""
    if condition.holds:
        return condition
    mine = [each for each in words if each.condition == condition.name and _fresh(each.at_ms, now_ms)]
    if not mine:
        return condition
    word = max(mine, key=lambda each: each.at_ms)
    reason = escape_untrusted(word.reason, 200)
    words_of = f"by {escape_untrusted(word.by, 40)}: {reason} (instead of: {condition.words})"
    return Condition(condition.name, State.OVERRIDDEN, words_of, at_ms=word.at_ms)


def _fresh(at_ms: int, now_ms: int, limit_ms: int = FRESH_MS) -> bool:
    return -_AHEAD_MS <= now_ms - at_ms <= limit_ms


def _record(name: Name, words: str, at_ms: int | None) -> Condition:
    return Condition(name.value, State.ON_RECORD, words, at_ms=at_ms)


def _missing(name: Name, words: str, step: str) -> Condition:
    return Condition(name.value, State.MISSING, words, step)


def _signer(evidence: Evidence, now_ms: int) -> Condition:
    """A device's own account, compared on it, and a signature of it after that."""
    step = "countersign signers address --register; then: countersign signers test"
    if evidence.hot:
        step = "countersign config set signer.kind ledger; or your word: countersign doctor --live --override signer"
        return _missing(Name.SIGNER, "a HOT key of this computer signs: there is no device to verify", step)
    real = _compared(evidence)
    if not real:
        emulated = f"; the settings name an emulator of: {', '.join(sorted(evidence.emulators))}"
        more = emulated if evidence.emulators else ""
        return _missing(Name.SIGNER, f"no hardware wallet's address was compared on it{more}", step)
    good = _signed(evidence, now_ms)
    if not good:
        one = real[-1]
        what = (
            f"{one.signer} {one.path} ({one.address}) is registered and has signed no test since, on the device itself"
        )
        return _missing(Name.SIGNER, what, "countersign signers test")
    best = max(good, key=lambda each: each.at_ms)
    return _record(
        Name.SIGNER, f"{best.device} signed a test as {best.address} ({best.signer} {best.path})", best.at_ms
    )


def _compared(evidence: Evidence) -> list[Registered]:
    return [each for each in evidence.registered if each.signer not in evidence.emulators]


def _signed(evidence: Evidence, now_ms: int) -> list[SignerTest]:
    """Tests of such accounts, signed after they were compared, by the device itself."""
    accounts = {(each.signer, each.chain, each.path, each.address): each.at_ms for each in _compared(evidence)}
    return [
        test
        for test in evidence.tests
        if not test.emulator
        and test.at_ms <= now_ms + _AHEAD_MS
        and test.at_ms >= accounts.get((test.signer, test.chain, test.path, test.address), test.at_ms + 1)
    ]


def verified(evidence: Evidence, now_ms: int) -> frozenset[tuple[str, str, str, str]]:
    """Signer, chain, path and address of every account that condition `signer` accepts."""
    return frozenset((each.signer, each.chain, each.path, each.address) for each in _signed(evidence, now_ms))


def _limits(evidence: Evidence) -> Condition:
    found = {each.key: each for each in evidence.limits}
    unset = [key for key in LIMITS if key not in found or not _chosen(found[key])]
    if unset:
        step = f"set it, to its default if that is meant: countersign config set {unset[0]} VALUE"
        return _missing(Name.LIMITS, f"never set by the trader: {', '.join(unset)}", step)
    words = (f"{each.key} = {each.value} ({_origin(each)})" for each in (found[key] for key in LIMITS))
    return _record(Name.LIMITS, ", ".join(words), None)


def _chosen(setting: Setting) -> bool:
    return setting.source != "default" or setting.journaled is not None


def _origin(setting: Setting) -> str:
    return setting.source if setting.source != "default" else f"journal row {setting.journaled}"


def _drill(evidence: Evidence, now_ms: int) -> Condition:
    step = "with a paper session running: countersign stop --emergency; then: countersign stop --reset"
    if not evidence.drills:
        return _missing(Name.DRILL, "no emergency stop was put in force and lifted", step)
    last = max(evidence.drills, key=lambda each: each.at_ms)
    if not _fresh(last.at_ms, now_ms):
        return _missing(Name.DRILL, f"the last drill {_age(last.at_ms, now_ms)}", step)
    words = f"put in force (journal row {last.stopped}) and lifted (row {last.lifted})"
    return _record(Name.DRILL, words, last.at_ms)


def _alert(evidence: Evidence, now_ms: int) -> Condition:
    step = "countersign alerts test"
    if not evidence.channels:
        where = "countersign secrets set alert.NAME; countersign config set alerts.channels NAME"
        return _missing(Name.ALERT, "alerts are sent to no channel", f"{where}; {step}")
    mine = [each for each in evidence.alerts if each.channel in evidence.channels]
    if not mine:
        return _missing(Name.ALERT, "no test alert arrived over a channel in use", step)
    last = max(mine, key=lambda each: each.at_ms)
    if not _fresh(last.at_ms, now_ms):
        return _missing(Name.ALERT, f"the last test alert that arrived {_age(last.at_ms, now_ms)}", step)
    return _record(Name.ALERT, f"a test alert was delivered over {last.channel}", last.at_ms)


def _clock(evidence: Evidence, now_ms: int) -> Condition:
    step = "with the network there: countersign doctor --live"
    if evidence.clock_now:  # what is known now counts more than what was found before
        return _missing(Name.CLOCK, evidence.clock_now, step)
    fresh = [each for each in evidence.clocks if _fresh(each.at_ms, now_ms, CLOCK_FRESH_MS)]
    if not fresh:
        return _missing(Name.CLOCK, "not checked within a day", step)
    last = max(fresh, key=lambda each: each.at_ms)
    words = f"off by at most {last.worst_ms} ms, by {escape_untrusted(last.sources, 200)}"
    return _record(Name.CLOCK, words, last.at_ms)


def _judgement(module: str) -> Condition:
    """There is no judgement of modules yet, and nothing else passes for one."""
    name = f"{Name.JUDGEMENT}:{module}"
    step = f"countersign doctor --live --override {name}"
    return Condition(name, State.MISSING, "not built yet: needs the word", step)


def _paper(evidence: Evidence, module: str) -> Condition:
    name, count = f"{Name.PAPER}:{module}", evidence.paper.get(module, 0)
    words = f"{count} of {PAPER_TRADES} paper trades"
    if count < PAPER_TRADES:
        return Condition(name, State.MISSING, words, f"let {module} trade on paper: countersign run")
    source = f" ({escape_untrusted(evidence.paper_source, 200)})" if evidence.paper_source else ""
    return Condition(name, State.ON_RECORD, f"{words}{source}")


def _age(at_ms: int, now_ms: int) -> str:
    if at_ms > now_ms + _AHEAD_MS:
        return "is dated in the future: the clock was set back since"
    return f"was {lasting(now_ms - at_ms)} ago, and counts for {FRESH_MS // DAY_MS} days"
