"""Who can be trusted to hold liquidity without taking it out: nobody at all, and contracts that give it back only when
their time is over. Until when is not read: it is shown as held, not as held for ever.

Source: UNCX, "liquidity locker univ2 contracts" (github.com/uncx-network/liquidity-locker-univ2-contracts, README,
"Latest deployments (April 2024)": lockerV2 of Uniswap V2 on each chain). Lockers of which no list of addresses
by their own publisher was found are left out.
"""

from __future__ import annotations

from typing import Final

BURNT: Final = frozenset(
    {bytes(20), bytes.fromhex("000000000000000000000000000000000000dead"), bytes.fromhex("dead" + 18 * "00")}
)
"""Addresses that nobody has a key of, by custom."""

LOCKERS: Final[dict[int, dict[bytes, str]]] = {
    1: {bytes.fromhex("59d7D55DdC58494FbBbca29904f108ece82Ac7FB"): "UNCX"},
    10: {bytes.fromhex("5923c3911d9424F7725CAd33Ed176A6b885484D6"): "UNCX"},
    137: {bytes.fromhex("939d71ADe0Bf94d3F8cf578413bF2a2f248BF58b"): "UNCX"},
    42161: {bytes.fromhex("63F4B2C082B1E0bbA38874567E053800379bF8D7"): "UNCX"},
}
"""By chain id."""
