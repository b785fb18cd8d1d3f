"""Many random pools on a real chain: Uniswap's own contracts on anvil, from a seed.

Eight tokens of different decimals, one of them taxed; two exchanges of V2 pairs; V3 pools of three fee tiers, each with
several positions, so that swaps cross ticks.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isqrt
from typing import Any, Final

from app.practice.chain.node import Node, NodeRefused, constructor
from app.practice.chain.parts import HERE, ChainFault, Parts
from app.venues.evm.chain import Chain, Dex, DexKind, Token
from app.venues.evm.rpc import RpcDown, RpcRefused
from signers.evm import keccak

TIERS: Final = {500: 10, 3000: 60, 10_000: 200}
MOST: Final = 2**256 - 1
_DEADLINE: Final = 2**60
DECIMALS: Final = (18, 6, 8, 18, 18, 6, 18)
WORTH: Final = (2500, 1, 50_000, 1, 7, 1, 300)
"""Of one whole token of each, in a common money: pools are about in line, as arbitrage leaves them."""
TAX_BPS: Final = 137


class DirectRpc:
    """The test chain asked over one connection: no fail-over, no budget, no deadline of our own."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.calls: list[str] = []

    async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        self.calls.append(method)
        try:
            return self.node.rpc(method, *params)
        except NodeRefused as refused:
            raise RpcRefused(method, refused.code, refused.message, refused.data) from refused
        except ChainFault as fault:
            raise RpcDown("chain.down", str(fault)) from fault

    async def agreed(self, method: str, params: Sequence[Any] = ()) -> Any:
        return await self.call(method, params)

    async def send_raw(self, raw: bytes) -> None:
        await self.call("eth_sendRawTransaction", [f"0x{raw.hex()}"])


@dataclass(frozen=True, slots=True)
class World:
    """What was built.

    Attributes:
        tokens: plain ones. taxed: the one that burns `TAX_BPS` of each transfer.
        trader: an unlocked account that holds all of them and has approved every router.
        routers: Router02 of the two V2 exchanges, `uni` and `fork`.
    """

    chain: Chain
    node: Node
    tokens: tuple[bytes, ...]
    taxed: bytes
    trader: bytes
    manager: bytes
    quoter: bytes
    routers: tuple[bytes, bytes]

    def dex(self, name: str) -> Dex:
        return next(each for each in self.chain.dexes if each.name == name)


def decimals_of(number: int) -> int:
    """Of the token of that number."""
    return DECIMALS[number % len(DECIMALS)]


def worth_of(number: int) -> int:
    """Of one whole token of that number."""
    return WORTH[number % len(WORTH)]


def build(node: Node, parts: Parts, seed: int = 7, crowd: int = 0) -> World:
    """Deploy it all; a few seconds. `crowd` more plain tokens make more pools."""
    chance = random.Random(seed)
    trader = node.accounts()[0]

    def create(contract: str, *args: Any) -> bytes:
        return node.create(trader, constructor(parts.artifact(contract), args))

    def do(to: bytes, signature: str, *args: Any) -> None:
        node.transact(trader, to, signature, *args)

    weth = create("WETH9")
    v2, v2b, v3 = (
        create("UniswapV2Factory", trader),
        create("UniswapV2Factory", trader),
        create("UniswapV3Factory"),
    )
    routers = [create("UniswapV2Router02", factory, weth) for factory in (v2, v2b)]
    manager = create("NonfungiblePositionManager", v3, weth, bytes(20))
    swapper = create("SwapRouter02", v2, v3, manager, weth)
    quoter, multicall = create("QuoterV2", v3, weth), create("UniswapInterfaceMulticall")
    made = parts.compile(HERE.joinpath("contracts", "PracticeToken.sol"))["PracticeToken"]
    tokens = []
    decimals = [decimals_of(i) for i in range(len(DECIMALS) + crowd)]
    for i, places in enumerate((*decimals, 18)):
        args = (f"Token {i}", f"T{i}", places, 10**15 * 10**places, TAX_BPS if i == len(decimals) else 0)
        tokens.append(node.create(trader, constructor(made, args)))
        for spender in (*routers, manager, swapper):
            do(tokens[-1], "approve(address,uint256)", spender, MOST)
    hashes = [keccak(parts.artifact(each).code) for each in ("UniswapV2Pair", "UniswapV3Pool")]
    dexes = (
        # SwapRouter02 swaps in the first exchange's pairs as well.
        Dex("uni", DexKind.V2, v2, swapper, hashes[0]),
        Dex("fork", DexKind.V2, v2b, routers[1], hashes[0]),
        Dex("uni3", DexKind.V3, v3, swapper, hashes[1], fee_tiers=tuple(TIERS), quoter=quoter, positions=manager),
    )
    chain = Chain(
        "anvil", 31337, Token("ETH", weth, 18, native=True), (node.url,), 1, 1000, 10**11, Decimal(10),
        tokens=tuple(Token(f"T{i}", each, d) for i, (each, d) in enumerate(zip(tokens, decimals, strict=False))),
        dexes=dexes, multicall=multicall,
    )  # fmt: skip
    world = World(chain, node, tuple(tokens[:-1]), tokens[-1], trader, manager, quoter, (routers[0], routers[1]))
    for i in range(len(decimals)):
        for j in range(i):
            _pair(world, chance, routers, i, j)
            for fee in TIERS:
                if chance.random() < 0.6:
                    _pool(world, chance, fee, i, j)
    for router in routers:
        _add(world, router, (tokens[-1], 10**24), (tokens[0], 10**22))
    return world


def _pair(world: World, chance: random.Random, routers: Sequence[bytes], i: int, j: int) -> None:
    for router in routers:
        if chance.random() < 0.8:
            money = 10 ** chance.randint(2, 7)
            sides = [
                (world.tokens[k], money * 10 ** decimals_of(k) * chance.randint(980, 1020) // 1000 // worth_of(k))
                for k in (i, j)
            ]
            _add(world, router, *sides)


def _add(world: World, router: bytes, one: tuple[bytes, int], other: tuple[bytes, int]) -> None:
    world.node.transact(
        world.trader, router, "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)",
        one[0], other[0], one[1], other[1], 0, 0, world.trader, _DEADLINE,
    )  # fmt: skip


def _pool(world: World, chance: random.Random, fee: int, i: int, j: int) -> None:
    k, m = sorted((i, j), key=lambda each: world.tokens[each])
    # Of one unit of the lower token, in units of the higher one.
    above, below = (
        worth_of(k) * 10 ** decimals_of(m) * chance.randint(980, 1020),
        worth_of(m) * 10 ** decimals_of(k) * 1000,
    )
    root = isqrt((above << 192) // below)
    world.node.transact(
        world.trader, world.manager, "createAndInitializePoolIfNecessary(address,address,uint24,uint160)(address)",
        world.tokens[k], world.tokens[m], fee, root,
    )  # fmt: skip
    factory = world.dex("uni3").factory
    pool = world.node.call(factory, "getPool(address,address,uint24)(address)", world.tokens[k], world.tokens[m], fee)
    tick = world.node.call(pool, "slot0()(uint160,int24,uint16,uint16,uint16,uint8,bool)")[1]
    for _ in range(chance.randint(1, 5)):
        mint(world, chance, fee, (k, m), tick)


def mint(world: World, chance: random.Random, fee: int, sides: tuple[int, int], tick: int) -> None:
    """One position of a random range and size, around the price or beside it."""
    spacing, (k, m) = TIERS[fee], sides
    centre = tick // spacing + chance.randint(-300, 300) * 60 // spacing
    width = chance.randint(1, 600) * 60 // spacing + 1
    money = 10 ** chance.randint(2, 6)
    amounts = [money * 10 ** decimals_of(each) // worth_of(each) for each in (k, m)]
    open_position(
        world, fee, (k, m), ((centre - width) * spacing, (centre + width) * spacing), (amounts[0], amounts[1])
    )


def open_position(
    world: World, fee: int, sides: tuple[int, int], ticks: tuple[int, int], amounts: tuple[int, int]
) -> None:
    """A position between two ticks, of at most these base units of the tokens of those numbers."""
    signature = (
        "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
        "(uint256,uint128,uint256,uint256)"
    )
    world.node.transact(
        world.trader, world.manager, signature,
        (*(world.tokens[each] for each in sides), fee, *ticks, *amounts, 0, 0, world.trader, _DEADLINE),
    )  # fmt: skip
