"""The table of settings about standing exits: sales on a chain that are signed beforehand and sent when a price is
reached."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from app.config.section import Amount, Section
from app.execution.standing_terms import StandingRules


class Exits(Section):
    """What a standing exit on a chain may be."""

    slippage_bps: Amount = Field(
        default=Decimal(300),
        ge=0,
        le=2_000,
        description="how far below its stop a standing exit may still sell; below that it can not go",
    )
    hours: int = Field(default=168, ge=1, le=720, description="life of a standing exit, from its proposal")

    def rules(self) -> StandingRules:
        """As the keeper of exits reads them."""
        return StandingRules(slippage_bps=self.slippage_bps, validity_ms=self.hours * 3_600_000)
