"""Permit2, as it stands on every chain at the same address.

Nobody publishes it as a package. Optimism's package has it, byte for byte as on Ethereum, among what its chains begin
with; two constants of its domain (EIP-712) are filled in for each chain.
"""

from __future__ import annotations

import re
from typing import Final

from eth_hash.auto import keccak

from app.practice.chain.node import Node, hex_of
from app.practice.chain.parts import NO_CONTRACTS, Parts, PartsMissing
from app.venues.evm.known_parts import PERMIT2

SOURCE: Final = "@eth-optimism/contracts-bedrock/src/libraries/Preinstalls.sol"
_TEMPLATE: Final = re.compile(r'bytes internal constant Permit2TemplateCode =\s*hex"([0-9a-f]+)";')
_CHAIN_AT: Final = 6945
_DOMAIN_AT: Final = 6983
"""Where each constant is: `getPermit2Code` of the same file."""
_DOMAIN: Final = b"EIP712Domain(string name,uint256 chainId,address verifyingContract)"


def permit2_code(parts: Parts, chain_id: int) -> bytes:
    """Its code on one chain.

    Raises:
        PartsMissing: the package is not there, or has none.
    """
    found = _TEMPLATE.search(parts.source(SOURCE))
    if found is None:
        raise PartsMissing(f"{NO_CONTRACTS} ({SOURCE} has no Permit2).")
    code, chain = bytearray.fromhex(found[1]), chain_id.to_bytes(32)
    domain = keccak(keccak(_DOMAIN) + keccak(b"Permit2") + chain + PERMIT2.rjust(32, b"\0"))
    for at, word in ((_CHAIN_AT, chain), (_DOMAIN_AT, domain)):
        code[at : at + 32] = word
    return bytes(code)


def place_permit2(node: Node, parts: Parts) -> bytes:
    """Put it where it is on every chain; its address.

    Raises:
        ChainFault: it can not be had, or the node does not take it.
    """
    code = permit2_code(parts, node.number("eth_chainId"))
    node.rpc("anvil_setCode", hex_of(PERMIT2), f"0x{code.hex()}")
    return PERMIT2
