"""What the live profile adds to every session's rules: nothing is traded before the live gate lets it, the first week
at pilot caps, and none of it by what is no hardware."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.accounts import Account
from app.errors import SafetyError
from app.execution.profile_rules import ProfileRules
from app.live_gate import LIVE, LiveGate, on_record
from app.money import to_text
from app.risk.live import Name, State
from app.risk.model import Limits
from app.risk.pilot import Pilot, pilot
from signers.base import SignerKind
from strategies.base import MANUAL

if TYPE_CHECKING:
    from app.config.load import Loaded

NOTHING: Final = "Nothing was started. What is missing and how to get it: countersign doctor --live"


class LiveRules(ProfileRules):
    """Of one session.

    Args:
        db: the session's database.
        now_ms: wall time.
    """

    real_only = True

    def __init__(self, loaded: Loaded, db: Path, now_ms: Callable[[], int]) -> None:
        self._loaded, self._db, self.now_ms = loaded, db, now_ms
        self._gate: LiveGate | None = None
        self._lost = ""
        self._given = loaded.settings.capital.total

    @property
    def given(self) -> Decimal:
        """What the settings give the modules of this session together, account currency."""
        return self._given

    def read(self) -> LiveGate:
        """As it is on record now. Cheap enough for once a minute, and to be done beside the loop.

        Raises:
            StorageError, StorageFault, sqlite3.Error: a database can not be read.
        """
        return on_record(self._loaded, self._db, self.now_ms())

    def take(self, gate: LiveGate) -> None:
        """Go by `gate` from now on."""
        self._gate, self._lost = gate, ""

    def lost(self, why: str) -> None:
        """What is on record can not be read: nothing new is traded by what it was."""
        self._lost = f"Live is refused: what is on record can not be read: {why}"

    # -- before the start -------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Whether a session may begin: the settings, the machine's conditions, and those of every enabled module. Where
        the live database holds something, what is not on record any more only bars new trades: who must close a
        position needs a session for it.

        Raises:
            SafetyError: it may not; each thing that is missing in words, with what to do.
        """
        gate = self.read()
        self.take(gate)
        wrong, missing = [*_of_settings(self._loaded)], [*_of_gate(gate, _modules(self._loaded))]
        if wrong or (missing and not gate.holds):
            raise SafetyError("live.refused", _told([*wrong, *missing]), next_step=NOTHING)

    def admit(self, account: Account) -> None:
        """The gate again, and the account: its device must have signed a test as this very address."""
        self.check()
        gate = self._gate
        assert gate is not None
        signer = next(each for each in gate.conditions if each.name == Name.SIGNER)
        if account.signer is SignerKind.KEYRING or signer.state is State.OVERRIDDEN or gate.holds:
            return  # the trader's word stands in the place of the test; what is held is that of a tested account
        named = (account.signer.value, account.chain.value, str(account.path), account.address)
        if named not in gate.accounts:
            what = (
                f"{account.address} ({account.signer} {account.path}) is no account that was compared on its device, "
                "and signed a test after that."
            )
            step = "Nothing was traded. countersign signers address --register; then: countersign signers test"
            raise SafetyError("live.account", what, next_step=step)

    # -- while it runs ----------------------------------------------------------------------------------------------

    @property
    def pilot(self) -> Pilot:
        """The caps in force; those of the first week where nothing was read yet."""
        limits, capital = self._loaded.settings.risk.limits(), self._loaded.settings.capital.total
        return self._pilot(limits, capital)

    def _pilot(self, limits: Limits, capital: Decimal) -> Pilot:
        if self._gate is None:
            return pilot(limits, capital, None, (), self.now_ms())
        return pilot(limits, capital, self._gate.first_live_ms, self._gate.words_ms, self.now_ms())

    @property
    def words(self) -> str:
        """The caps, as long as they bind."""
        found = self.pilot
        if not found.binds:
            return ""
        amounts = (found.limits.position, found.limits.exposure, found.limits.daily_loss)
        position, together, day = (to_text(each) for each in amounts)
        return f"PILOT ${position} a position, ${together} in all, ${day} loss a day"

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Pilot.reasons`."""
        return self.pilot.reasons

    def cap(self, limits: Limits) -> Limits:
        """The tighter of the settings and the pilot caps."""
        return self._pilot(limits, self._loaded.settings.capital.total).limits

    def capital(self, capital: Decimal) -> Decimal:
        """The same of what the modules have together: what percentages are of."""
        self._given = capital
        return self._pilot(self._loaded.settings.risk.limits(), capital).capital

    def barred(self, module: str = "") -> str:
        """What of the gate does not hold any more: the machine's conditions, and those of `module`."""
        if self._lost or self._gate is None:
            return self._lost or "Live is refused: the live gate was not read yet."
        return self._gate.refusal(*(() if module in {"", MANUAL} else (module,)))

    def may_ramp(self) -> None:
        """Whether a word would count now.

        Raises:
            SafetyError: not yet.
        """
        found = self._pilot(self._loaded.settings.risk.limits(), self._loaded.settings.capital.total)
        if found.next_ms is None or self.now_ms() < found.next_ms:
            why = found.reasons[-1] if found.reasons else "the settings are tighter than every cap"
            raise SafetyError("gate.ramp", f"The pilot caps stay: {why}.", next_step="Nothing was changed.")


def rules_of(loaded: Loaded, db: Path, now_ms: Callable[[], int]) -> ProfileRules:
    """What the profile of these settings adds."""
    return LiveRules(loaded, db, now_ms) if loaded.settings.profile == LIVE else ProfileRules()


def _modules(loaded: Loaded) -> list[str]:
    return [name for name, module in sorted(loaded.settings.modules.items()) if module.enabled]


def _of_settings(loaded: Loaded) -> Iterator[tuple[str, str]]:
    """What of the settings live refuses whatever is on record, each with what to do."""
    signer = loaded.settings.signer
    if signer.kind == "demo":
        yield "signer.kind: the demo device signs, whose key is public", "countersign config set signer.kind ledger"
    for kind, where in (("ledger", signer.ledger), ("trezor", signer.trezor)):
        if where:
            words = f"signer.{kind}: {where} is an emulator, no hardware ({loaded.sources[f'signer.{kind}']})"
            yield words, f'take it out of the settings, or: countersign config set signer.{kind} ""'
    if loaded.sources["market.source"] == "command line":
        yield "--market practice: live trades at the chain's own prices", "leave it out"


def _of_gate(gate: LiveGate, modules: Iterable[str]) -> Iterator[tuple[str, str]]:
    for each in gate.missing(*modules):
        step = each.next_step
        if ":" in each.name:
            module = each.name.partition(":")[2]
            step += f"; or trade without it: countersign config set modules.{module}.enabled false"
        yield f"{each.name}: {each.words}", step


def _told(missing: Iterable[tuple[str, str]]) -> str:
    found = list(missing)
    lines = [f"{what}\n    {step}" if step else what for what, step in found]
    return "\n".join(
        [f"Live is refused: {len(found)} of what it needs {'is' if len(found) == 1 else 'are'} missing.", *lines]
    )
