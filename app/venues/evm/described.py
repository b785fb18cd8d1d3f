"""The practice chain as a `Chain`: read from the description that its process prints and keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from app.errors import VenueError
from app.venues.evm.chain import Chain, Dex, DexKind, Token

SCHEMA: Final = "countersign.practice-chain/1"
_GAS_CAP: Final = 100 * 10**9
"""Wei per unit of gas: the practice chain's own gas stays well below it."""
_AT_ONCE_MS: Final = 1_000
"""Taken for the time between blocks where each transaction gets one at once."""
_GAS_CAP_VALUE: Final = Decimal(100)
_TRADERS: Final = 5
"""Accounts that trade there beside us: after the first, which deployed everything. Practice has these to watch."""


def chain_of(text: str) -> Chain:
    """The chain in a description; blocks are never taken back there, so that one is final.

    Raises:
        VenueError: the text is not a description.
    """
    try:
        read: dict[str, Any] = json.loads(text)
        tokens = tuple(_token(each) for each in _of_schema(read)["tokens"])
        return Chain(
            name=read["name"],
            chain_id=int(read["chain_id"]),
            native=_token(read["native"], native=True),
            rpcs=(read["url"],),
            confirmations=1,
            block_ms=int(read["block_ms"]) or _AT_ONCE_MS,
            gas_cap=_GAS_CAP,
            gas_cap_value=_GAS_CAP_VALUE,
            tokens=tokens,
            dexes=tuple(_dex(each) for each in read["dexes"]),
            multicall=_optional(read["multicall"]),
            permit2=_optional(read["permit2"]),
            trusted=frozenset(token.address for token in tokens),
            watched=tuple(
                (_bytes(each, 20), f"trader-{number}") for number, each in enumerate(read["accounts"]) if number
            )[:_TRADERS],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"The practice chain's description can not be read ({type(error).__name__}: {error})."
        raise VenueError("chain.description", what, next_step="Remove its folder to begin a new chain.") from error


def _of_schema(read: dict[str, Any]) -> dict[str, Any]:
    if read["schema"] != SCHEMA:
        raise ValueError(f"schema {read['schema']!r}")
    return read


def _token(read: Mapping[str, Any], *, native: bool = False) -> Token:
    return Token(read["symbol"], _bytes(read["address"], 20), int(read["decimals"]), native)


def _dex(read: Mapping[str, Any]) -> Dex:
    return Dex(
        name=read["name"],
        kind=DexKind(read["kind"]),
        factory=_bytes(read["factory"], 20),
        router=_bytes(read["router"], 20),
        init_code_hash=_bytes(read["init_code_hash"], 32),
        fee_bps=int(read.get("fee_bps", 0)),
        fee_tiers=tuple(int(each) for each in read.get("fee_tiers", ())),
        quoter=_optional(read.get("quoter")),
        positions=_optional(read.get("positions")),
        universal=_optional(read.get("universal_router")),
    )


def _optional(text: str | None) -> bytes | None:
    return None if text is None else _bytes(text, 20)


def _bytes(text: str, length: int) -> bytes:
    raw = bytes.fromhex(text.removeprefix("0x"))
    if len(raw) != length:
        raise ValueError(f"{text} is not {length} bytes")
    return raw
