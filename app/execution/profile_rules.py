"""What a profile adds to the rules that every session keeps to. Paper and testnet add nothing; what live adds is in
`app.live_rules`."""

from __future__ import annotations

from decimal import Decimal

from app.accounts import Account
from app.risk.model import Limits


class ProfileRules:
    """Nothing is added.

    Attributes:
        real_only: emulators and the demo device sign nothing.
    """

    real_only = False

    @property
    def words(self) -> str:
        """What the status line says of them, or ""."""
        return ""

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each limit that they tighten, and for what can be done about it."""
        return ()

    def admit(self, account: Account) -> None:
        """Before anything is opened for trading: whether `account` may sign for this session at all.

        Raises:
            SafetyError: it may not; says what is missing.
        """

    def cap(self, limits: Limits) -> Limits:
        """The limits of the settings, in no field looser."""
        return limits

    def capital(self, capital: Decimal) -> Decimal:
        """What the modules have together, account currency; never more than the settings'."""
        return capital

    def barred(self, module: str = "") -> str:  # noqa: ARG002 -- nobody is barred here
        """Why nobody, or this module, takes a new trade for now, or "". Exits are never asked about."""
        return ""

    def may_ramp(self) -> None:
        """Whether the trader's word would raise the caps now.

        Raises:
            SafetyError: it would not.
        """
