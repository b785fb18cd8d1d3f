"""Prices on the local chain, put where a test wants them: by what pairs hold, and by real swaps in V3's pools."""

from __future__ import annotations

from math import isqrt
from typing import Final

from app.practice.chain.deploy import MOST
from app.venues.evm.chain import DexKind
from tests.evm.chain import LocalChain

_SWAP: Final = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))(uint256)"
_SLOT0: Final = "slot0()(uint160,int24,uint16,uint16,uint16,uint8,bool)"
_PLENTY: Final = 10**30


def move(anvil: LocalChain, symbol: str, percent: int) -> None:
    """Every pool of a token gives `percent` of what it gave for it before: 80 is a fall by a fifth."""
    token = anvil.token(symbol).address
    anvil.set_balance(anvil.contract("WETH9"), _PLENTY)  # what is dealt can be unwrapped
    kinds = {dex.name: dex.kind for dex in anvil.chain.dexes}
    for pool in anvil.described["pools"]:
        sides = [bytes.fromhex(pool[side][2:]) for side in ("token0", "token1")]
        if token not in sides:
            continue
        address, first = bytes.fromhex(pool["address"][2:]), sides[0] == token
        if kinds[pool["dex"]] is DexKind.V2:
            anvil.deal(token, address, anvil.held(token, address) * 100 // percent)
            anvil.transact(address, "sync()")
        else:
            _swap(anvil, address, pool["fee"], token, sides[1 if first else 0], percent if first else -percent)


def _swap(anvil: LocalChain, pool: bytes, fee: int, token: bytes, other: bytes, percent: int) -> None:
    """Until the pool is there; a negative percent: the token is its second one, so that its price is turned over."""
    whale, router = anvil.accounts[1], anvil.dex("uniswap-v3").router
    root = anvil.call(pool, _SLOT0)[0]
    limit = isqrt(root * root * percent // 100) if percent > 0 else isqrt(root * root * 100 // -percent)
    pays, gets = (token, other) if abs(percent) < 100 else (other, token)
    anvil.deal(pays, whale, _PLENTY)
    anvil.transact(pays, "approve(address,uint256)", router, MOST, sender=whale)
    anvil.transact(router, _SWAP, (pays, gets, fee, whale, _PLENTY // 10**6, 0, limit), sender=whale)
