"""What every table of the settings has in common, and the one table that is read by others before the schema loads."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.config.values import read_amount

Amount = Annotated[Decimal, BeforeValidator(read_amount)]
"""An exact decimal, written as quoted text so that no digit is lost on the way."""


class Section(BaseModel):
    """A table of the settings file: no unknown key, no silent conversion, no change after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)


class TerminalSettings(Section):
    """How the screen looks. The terminal reads these two before anything else loads: `app.tui.looks`."""

    theme: Literal["dark", "midnight", "light", "colour-blind", "ansi"] = Field(
        default="dark", description="colours; ansi takes the terminal's own"
    )
    ascii: bool = Field(default=False, description="plain ASCII characters, as with --ascii")
