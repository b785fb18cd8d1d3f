"""A running chain as a table of settings, as its trader would write it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from signers.evm import checksum
from tests.evm.chain import LocalChain


def chain_toml(chain: LocalChain, name: str = "mychain", *, rpcs: Sequence[str] | None = None, **changed: Any) -> str:
    """`[chains.NAME]` with everything that a network of one's own needs.

    Args:
        changed: settings in the place of the usual ones; None leaves one out.
    """
    known = chain.chain
    values: dict[str, Any] = {
        "rpcs": [chain.url] if rpcs is None else list(rpcs),
        "chain_id": known.chain_id,
        "testnet": True,
        "native": known.native.symbol,
        "wrapped": checksum(known.native.address),
        "multicall": checksum(known.multicall) if known.multicall else None,
        "permit2": checksum(known.permit2) if known.permit2 else None,
        "confirmations": 1,
        "block_ms": 1_000,
        "gas_cap_gwei": "100",
        "gas_cap": "100",
        "instruments": ["ETH-USDC", "WBTC-USDC"],
    } | changed
    lines = [f"[chains.{name}]", *_lines(values)]
    for token in known.tokens:
        lines += [f"[chains.{name}.tokens.{token.symbol}]"]
        lines += _lines({"address": checksum(token.address), "decimals": token.decimals})
    for dex in known.dexes:
        v3 = dex.kind.value == "v3"
        lines += [f"[chains.{name}.dexes.{dex.name}]"]
        lines += _lines(
            {
                "kind": dex.kind.value,
                "factory": checksum(dex.factory),
                "router": checksum(dex.router),
                "init_code_hash": f"0x{dex.init_code_hash.hex()}",
                "fee_tiers": list(dex.fee_tiers) if v3 else None,
                "fee_bps": None if v3 else dex.fee_bps,
                "quoter": checksum(dex.quoter) if dex.quoter else None,
                "positions": checksum(dex.positions) if dex.positions else None,
                "universal_router": checksum(dex.universal) if dex.universal else None,
            }
        )
    return "\n".join(lines) + "\n"


def _lines(values: dict[str, Any]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]
