"""The tables of settings about alerts that leave this computer, and about whether its clock is right."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from app.alerts.model import CHANNEL, Policy
from app.config.section import Section
from app.config.values import read_list
from app.errors import Severity

ChannelName = Annotated[str, StringConstraints(pattern=CHANNEL)]
TimeSource = Annotated[
    str,
    StringConstraints(
        pattern=r"^(https://[A-Za-z0-9.-]{1,200}|http://(127\.0\.0\.1|localhost))(:[0-9]{1,5})?(/[A-Za-z0-9._/-]{0,200})?$"
    ),
]


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("one of these is there twice")
    return names


class Alerts(Section):
    """Alerts sent to the trader. What a channel's URL holds is a secret: it is in the keyring, and here is its name."""

    enabled: bool = Field(default=True, description="whether alerts are sent to the channels")
    channels: Annotated[
        tuple[ChannelName, ...],
        BeforeValidator(read_list),
        Field(max_length=10),
        AfterValidator(_once),
        'a list of at most 10 names such as ["phone"]: lower-case letters, digits, _ and -, beginning with a letter',
    ] = Field(default=(), description="where to; the URL of NAME is stored by: countersign secrets set alert.NAME")
    least: Literal["low", "medium", "high", "critical"] = Field(
        default="high", description="least severity that is sent"
    )
    cool_down_s: int = Field(
        default=3_600,
        ge=0,
        le=604_800,
        description="seconds in which an alert of one kind and subject is not sent again; critical ones always are",
    )

    def policy(self) -> Policy:
        """As delivery reads them."""
        channels = self.channels if self.enabled else ()
        return Policy(channels=channels, least=Severity(self.least.upper()), cool_down_ms=self.cool_down_s * 1000)


class ClockSettings(Section):
    """Whose time this computer's clock is compared with."""

    sources: Annotated[
        tuple[TimeSource, ...],
        BeforeValidator(read_list),
        Field(max_length=9),
        AfterValidator(_once),
        'a list of at most 9 https addresses, such as ["https://example.com"]',
    ] = Field(
        default=("https://www.cloudflare.com", "https://www.google.com", "https://www.wikipedia.org"),
        description="asked for the time by `doctor --live` and by a live session, and by nothing else",
    )
