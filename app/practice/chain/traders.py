"""Background trading of the practice chain: the node's own accounts swap, so that prices move and gas has a price.

Every token has a reference value that walks at random; each swap takes a pool part of the way to it, or is small and of
no opinion. So the exchanges differ for a while and meet again, as they do. The same seed on the same chain does the
same in the same block.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import isqrt
from typing import Any, Final

from app.practice.chain.deploy import MOST, NO_DEADLINE, TRADING
from app.practice.chain.market import V2, V3
from app.practice.chain.node import Node, calldata

_WALK_BPS: Final = {"WETH": 8, "WBTC": 8, "PUP": 40, "TAX": 25}
"""Most that a reference value moves per turn; tokens that are not here are worth one dollar."""
_VALUED_IN: Final = (("WETH", "USDC"), ("WBTC", "WETH"), ("PUP", "WETH"), ("TAX", "WETH"))
"""Token, and the one its first value is read in, each after the one it needs."""
_DOLLAR: Final = 10**18
_TURN: Final = 3
"""Swaps per turn, at most."""
_MOST_BPS: Final = 100
"""Of a pool's side in one swap, at most."""
_FEES: Final = (2 * 10**9, 40 * 10**9)
_TIP: Final = 10**9
_SWAP_GAS: Final = 1_000_000
_V2_SWAP: Final = "swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256,uint256,address[],address,uint256)"
_V3_SWAP: Final = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))(uint256)"
_SLOT0: Final = "slot0()(uint160,int24,uint16,uint16,uint16,uint8,bool)"


@dataclass(frozen=True, slots=True)
class _Coin:
    symbol: str
    address: bytes
    decimals: int


@dataclass(frozen=True, slots=True)
class _Pool:
    dex: str
    address: bytes
    router: bytes
    coins: tuple[_Coin, _Coin]
    fee: int


class Traders:
    """The accounts and their opinions."""

    def __init__(self, node: Node, described: dict[str, Any], seed: int) -> None:
        """Approvals are given here, in blocks of their own.

        Raises:
            ChainFault: they can not be.
        """
        self._node, self._seed = node, seed
        self._accounts = [bytes.fromhex(each[2:]) for each in described["accounts"][1 : TRADING + 1]]
        routers = {each["name"]: bytes.fromhex(each["router"][2:]) for each in described["dexes"]}
        coins = {
            each["address"]: _Coin(each["symbol"], bytes.fromhex(each["address"][2:]), each["decimals"])
            for each in described["tokens"]
        }
        self._pools = [
            _Pool(
                each["dex"], bytes.fromhex(each["address"][2:]), routers[each["dex"]],
                (coins[each["token0"]], coins[each["token1"]]), each["fee"],
            )
            for each in described["pools"]
        ]  # fmt: skip
        self._fee = 8 * 10**9
        for account in self._accounts:
            for coin in coins.values():
                for router in routers.values():
                    if node.call(coin.address, "allowance(address,address)(uint256)", account, router) < MOST >> 1:
                        node.transact(account, coin.address, "approve(address,uint256)", router, MOST)
        self._values = dict.fromkeys((each.symbol for each in coins.values()), _DOLLAR)
        for symbol, other in _VALUED_IN:
            self._value(symbol, other)

    def owns(self, sender: bytes) -> bool:
        """Whether this is one of our accounts."""
        return sender in self._accounts

    def base_fee(self) -> int:
        """Of the next block, wei per unit of gas."""
        return self._fee

    def trade(self, number: int) -> None:
        """Post the swaps of block `number`.

        Raises:
            ChainFault: the node took one not.
        """
        chance = random.Random(f"{self._seed}:{number}")
        least, most = _FEES
        self._fee = min(most, max(least, self._fee * (10_000 + chance.randint(-1_200, 1_200)) // 10_000))
        for symbol, widest in _WALK_BPS.items():
            self._values[symbol] = self._values[symbol] * (10_000 + chance.randint(-widest, widest)) // 10_000
        for pool in chance.sample(self._pools, chance.randint(1, _TURN)):
            self._swap(pool, chance)

    def _value(self, symbol: str, other: str) -> None:
        """The reference value of one coin of `symbol`, as the first exchange has it now."""
        for pool in self._pools:
            if pool.dex == V2 and {each.symbol for each in pool.coins} == {symbol, other}:
                at = [each.symbol for each in pool.coins].index(symbol)
                mine, theirs, sides = pool.coins[at], pool.coins[1 - at], self._sides(pool)
                worth = self._values[other] * sides[1 - at] * 10**mine.decimals
                self._values[symbol] = worth // (sides[at] * 10**theirs.decimals)

    def _sides(self, pool: _Pool) -> tuple[int, int]:
        """What a pool has of both coins at its price; of V3, what it would have if it were V2 (virtual reserves)."""
        if pool.dex != V3:
            reserves = self._node.call(pool.address, "getReserves()(uint112,uint112,uint32)")
            return reserves[0], reserves[1]
        root = self._node.call(pool.address, _SLOT0)[0]
        liquidity = self._node.call(pool.address, "liquidity()(uint128)")
        return (liquidity << 96) // root, (liquidity * root) >> 96

    def _swap(self, pool: _Pool, chance: random.Random) -> None:
        sides = self._sides(pool)
        worth = [self._values[each.symbol] * 10 ** (36 - each.decimals) for each in pool.coins]
        # The product of both sides stays; the sides are as the values are when one of them is this.
        wanted = [isqrt(sides[0] * sides[1] * worth[1 - at] // worth[at]) for at in (0, 1)]
        at = 0 if wanted[0] > sides[0] else 1
        gap = wanted[at] - sides[at]
        if gap * 1_000_000 > sides[at] * pool.fee:
            amount = gap * chance.randint(20, 100) // 100
        else:
            at = chance.randint(0, 1)
            amount = sides[at] * chance.randint(1, 10) // 10_000
        amount = min(amount, sides[at] * _MOST_BPS // 10_000)
        sender, give, take = chance.choice(self._accounts), pool.coins[at], pool.coins[1 - at]
        held = self._node.call(give.address, "balanceOf(address)(uint256)", sender)
        if 0 < amount <= held:
            self._post(pool, sender, give.address, take.address, amount)

    def _post(self, pool: _Pool, sender: bytes, give: bytes, take: bytes, amount: int) -> None:
        if pool.dex == V3:
            data = calldata(_V3_SWAP, ((give, take, pool.fee, sender, amount, 0, 0),))
        else:
            data = calldata(_V2_SWAP, (amount, 0, (give, take), sender, NO_DEADLINE))
        self._node.post(
            sender, pool.router, data,
            gas=hex(_SWAP_GAS), maxFeePerGas=hex(2 * _FEES[1]), maxPriorityFeePerGas=hex(_TIP),
        )  # fmt: skip
