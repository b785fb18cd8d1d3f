"""How a session trades, from its plan and settings."""

from __future__ import annotations

from app.accounts import Account
from app.execution.desk import Terms
from app.money import total
from app.session_plan import SessionPlan


def terms_of(plan: SessionPlan, account: Account, venue: str, addresses: frozenset[str], config_version: int) -> Terms:
    """
    Args:
        account: whose device signs.
        addresses: every address that is registered here.
    """
    settings = plan.loaded.settings
    enabled = [module.allocation for module in settings.modules.values() if module.enabled]
    return Terms(
        venue=venue,
        slippage_bps=settings.slippage_bps,
        time_in_force_ms=settings.trade.time_in_force_ms,
        proposal_expiry_ms=settings.trade.proposal_expiry_ms,
        authorisation_validity_ms=settings.trade.authorisation_validity_ms,
        signer=account.signer,
        signer_path=account.path,
        signer_address=account.address,
        addresses=addresses,
        device_deadline_s=settings.signer.deadline_s,
        blind_value=settings.signer.blind_value,
        hot=settings.signer.hot.limits(),
        auto_confirm=plan.auto_confirm,
        lockstep=plan.lockstep,
        capital=total([settings.manual.allocation, *enabled]),
        config_version=config_version,
        fatigue=settings.fatigue.limits(),
        standing=settings.exits.rules(),
    )
