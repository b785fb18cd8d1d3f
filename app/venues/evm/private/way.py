"""Where a chain's transactions go in private, as the settings say it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from app.venues.resilience.endpoint import shown

MOST_BLOCKS: Final = 25
"""For how many blocks Flashbots tries one hand-over at most; it cuts what asks for more, without a word."""


class PrivateKind(StrEnum):
    """What an endpoint takes."""

    RPC = "rpc"
    """What any node takes: Flashbots Protect, MEV Blocker."""
    RELAY = "relay"
    """One transaction in the form of Flashbots' relay, signed."""
    BUNDLE = "bundle"
    """A bundle of one transaction for one block, signed, and made anew for each."""


class Fallback(StrEnum):
    """What becomes of a transaction that no block took in the time that was given to it."""

    NEVER = "never"
    """It stays private; nothing publishes it."""
    ASK = "ask"
    """It stays private until the trader publishes it."""
    PUBLIC = "public"
    """It is published by itself."""


@dataclass(frozen=True, slots=True)
class PrivateWay:
    """One chain's way past the public mempool.

    Attributes:
        url: may hold a key.
        blocks: how many a transaction is waited for before `fallback`.
        status: what answers what became of a hash, asked as ``status/0x...``; "" where nothing does.
    """

    url: str = field(repr=False)
    kind: PrivateKind = PrivateKind.RPC
    blocks: int = MOST_BLOCKS
    fallback: Fallback = Fallback.ASK
    status: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        """What is shown of it, and what a confirmation names: ``rpc.flashbots.net``."""
        return shown(self.url).partition("://")[2] or shown(self.url)


_STATUS: Final = {
    "rpc.flashbots.net": "https://protect.flashbots.net/tx",
    "relay.flashbots.net": "https://protect.flashbots.net/tx",
    "rpc-sepolia.flashbots.net": "https://protect-sepolia.flashbots.net/tx",
    "relay-sepolia.flashbots.net": "https://protect-sepolia.flashbots.net/tx",
    "rpc.mevblocker.io": "https://rpc.mevblocker.io/tx",
}
"""Sources: flashbots-docs @272fd13 (2025-11-17) status-api.md; docs.cow.fi, MEV Blocker, Transaction Status."""


def status_of(host: str) -> str:
    """Where a known endpoint tells what became of a transaction; "" of any other."""
    return _STATUS.get(host, "")
