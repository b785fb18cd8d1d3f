"""What every table of the settings has in common, and the one table that is read by others before the schema loads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from app.config.values import read_amount

V = TypeVar("V")

MAX_AMOUNT = Decimal(1_000_000_000)

Amount = Annotated[Decimal, BeforeValidator(read_amount)]
"""An exact decimal, written as quoted text so that no digit is lost on the way."""

Step = Annotated[Decimal | None, BeforeValidator(lambda value: value if value is None else read_amount(value))]
"""An amount that may be absent."""

AssetName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,20}$")]
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,20}(-[A-Za-z0-9]{1,20}){1,2}$")]


class Names(Mapping[str, V]):
    """A read-only dict, which unlike MappingProxyType can be copied and sent to another process."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V]) -> None:
        self._items = dict(items)

    def __getitem__(self, name: str) -> V:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)


class Section(BaseModel):
    """A table of the settings file: no unknown key, no silent conversion, no change after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)


class TerminalSettings(Section):
    """How the screen looks. The terminal reads these two before anything else loads: `app.tui.looks`."""

    theme: Literal["dark", "midnight", "light", "colour-blind", "ansi"] = Field(
        default="dark", description="colours; ansi takes the terminal's own"
    )
    ascii: bool = Field(default=False, description="plain ASCII characters, as with --ascii")
