"""Puts the contracts and their pools on an empty chain, always in the same order from the same account, so that every
address is the same every time, and describes the result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isqrt
from typing import Any, Final

from eth_hash.auto import keccak

from app.practice.chain import market
from app.practice.chain.market import POOLS, TIERS, TOKENS, V2, V2B, V3, WRAPPED, PlannedPair, PlannedPool
from app.practice.chain.node import Node, constructor, hex_of
from app.practice.chain.parts import HERE, Parts
from app.practice.chain.permit2 import place_permit2
from app.venues.evm.described import SCHEMA

NO_DEADLINE: Final = 2**63
MOST: Final = 2**256 - 1
TRADING: Final = 5
"""The node's own accounts that hold tokens, beside the deployer: those after it."""
_NOBODY: Final = bytes(20)
_TICKS: Final = 887_272

_ADD_LIQUIDITY: Final = "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"
_OPEN: Final = "createAndInitializePoolIfNecessary(address,address,uint24,uint160)(address)"
_MINT: Final = (
    "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
    "(uint256,uint128,uint256,uint256)"
)


def description(chain_id: int, block_s: int) -> dict[str, Any]:
    """What the file and the line on standard output say before anything is deployed.

    Shape: see `deploy`, `app.practice.chain.service` (which adds ``url`` and ``ws_url``) and the reader,
    `app.venues.evm.described`.
    """
    return {
        "schema": SCHEMA, "name": "anvil", "chain_id": chain_id, "block_ms": block_s * 1000, "native": {},
        "tokens": [], "dexes": [], "multicall": None, "permit2": None, "contracts": {}, "pools": [],
        "accounts": [], "funded": [],
    }  # fmt: skip


@dataclass(slots=True)
class Deployment:
    """One deployment under way. Addresses are 20 bytes until they are described."""

    node: Node
    parts: Parts
    contracts: dict[str, bytes] = field(default_factory=dict)
    tokens: dict[str, bytes] = field(default_factory=dict)
    pools: list[dict[str, Any]] = field(default_factory=list)
    deployer: bytes = b""

    def run(self, described: dict[str, Any]) -> None:
        """Deploy everything and write it into `described`.

        Raises:
            ChainFault: a part is missing, or a transaction failed.
        """
        self.deployer, *others = accounts = self.node.accounts()
        self._exchanges()
        self._coins()
        for pair in market.PAIRS:
            self._pair(pair)
        for pool in POOLS:
            self._pool(pool)
        for other in others[:TRADING]:
            for coin in (WRAPPED, *TOKENS):
                share = coin.base(market.WRAP) if coin is WRAPPED else coin.base(coin.supply // 100)
                if coin is WRAPPED:
                    self.node.transact(other, self.tokens["WETH"], "deposit()", value=share)
                else:
                    self._do(self.tokens[coin.symbol], "transfer(address,uint256)", other, share)
        self._universal()
        self._describe(described)
        described["accounts"] = [hex_of(each) for each in accounts]

    def _do(self, to: bytes, signature: str, *args: Any, value: int = 0) -> None:
        self.node.transact(self.deployer, to, signature, *args, value=value)

    def _create(self, name: str, contract: str, *args: Any) -> bytes:
        code = constructor(self.parts.artifact(contract), args)
        self.contracts[name] = self.node.create(self.deployer, code)
        return self.contracts[name]

    def _exchanges(self) -> None:
        weth = self.tokens["WETH"] = self._create("WETH9", "WETH9")
        for name in ("UniswapV2", "V2b"):
            factory = self._create(f"{name}Factory", "UniswapV2Factory", self.deployer)
            self._create(f"{name}Router02", "UniswapV2Router02", factory, weth)
        v3 = self._create("UniswapV3Factory", "UniswapV3Factory")
        self._do(v3, "enableFeeAmount(uint24,int24)", 100, TIERS[100])  # as governance did on the real one
        # The third address only makes pictures of positions.
        positions = self._create("NonfungiblePositionManager", "NonfungiblePositionManager", v3, weth, _NOBODY)
        self._create("SwapRouter02", "SwapRouter02", self.contracts["UniswapV2Factory"], v3, positions, weth)
        self._create("QuoterV2", "QuoterV2", v3, weth)
        self._create("TickLens", "TickLens")
        self._create("UniswapInterfaceMulticall", "UniswapInterfaceMulticall")

    def _coins(self) -> None:
        made = self.parts.compile(HERE.joinpath("contracts", "PracticeToken.sol"))["PracticeToken"]
        for coin in TOKENS:
            args = (coin.name, coin.symbol, coin.decimals, coin.base(coin.supply), coin.tax_bps)
            self.tokens[coin.symbol] = self.node.create(self.deployer, constructor(made, args))
        self._do(self.tokens["WETH"], "deposit()", value=WRAPPED.base(market.WRAP))
        for address in self.tokens.values():
            for spender in ("UniswapV2Router02", "V2bRouter02", "NonfungiblePositionManager"):
                self._do(address, "approve(address,uint256)", self.contracts[spender], MOST)

    def _pair(self, pair: PlannedPair) -> None:
        name = {V2: "UniswapV2", V2B: "V2b"}[pair.dex]
        (a, amount_a), (b, amount_b) = (
            (self.tokens[symbol], market.token(symbol).base(whole)) for symbol, whole in pair.sides
        )
        router = self.contracts[f"{name}Router02"]
        self._do(router, _ADD_LIQUIDITY, a, b, amount_a, amount_b, 0, 0, self.deployer, NO_DEADLINE)
        address = self.node.call(self.contracts[f"{name}Factory"], "getPair(address,address)(address)", a, b)
        self._note(pair.dex, address, a, b, 3000)

    def _pool(self, pool: PlannedPool) -> None:
        sides = sorted((self.tokens[symbol], market.token(symbol).base(whole)) for symbol, whole in pool.price)
        (low, amount_low), (high, amount_high) = sides
        manager = self.contracts["NonfungiblePositionManager"]
        root = isqrt((amount_high << 192) // amount_low)
        self._do(manager, _OPEN, low, high, pool.fee, root)
        factory = self.contracts["UniswapV3Factory"]
        address = self.node.call(factory, "getPool(address,address,uint24)(address)", low, high, pool.fee)
        tick = self.node.call(address, "slot0()(uint160,int24,uint16,uint16,uint16,uint8,bool)")[1]
        spacing = TIERS[pool.fee]
        near = tick // spacing * spacing
        for width, *whole in pool.positions:
            # Upwards of the price only the lower token is in a position, downwards only the higher: most of each.
            most = sorted(
                (self.tokens[symbol], market.token(symbol).base(amount))
                for (symbol, _), amount in zip(pool.price, whole, strict=True)
            )
            widest = _TICKS // spacing * spacing
            lower, upper = (near - width, near + width) if width else (-widest, widest)
            amounts = (most[0][1], most[1][1], 0, 0)
            self._do(manager, _MINT, (low, high, pool.fee, lower, upper, *amounts, self.deployer, NO_DEADLINE))
        self._note(V3, address, low, high, pool.fee)

    def _note(self, dex: str, address: bytes, a: bytes, b: bytes, fee: int) -> None:
        token0, token1 = (hex_of(each) for each in sorted((a, b)))
        self.pools.append({"dex": dex, "address": hex_of(address), "token0": token0, "token1": token1, "fee": fee})

    def _universal(self) -> None:
        """Last of all: what was there before it keeps its address. Without V4 pools, and without a bridge."""
        permit2 = self.contracts["Permit2"] = place_permit2(self.node, self.parts)
        there = [self.contracts[each] for each in ("WETH9", "UniswapV2Factory", "UniswapV3Factory")]
        hashes = [keccak(self.parts.artifact(each).code) for each in ("UniswapV2Pair", "UniswapV3Pool")]
        rest = (_NOBODY, self.contracts["NonfungiblePositionManager"], _NOBODY, _NOBODY)
        self._create("UniversalRouter", "UniversalRouter", (permit2, *there, *hashes, *rest))

    def _describe(self, described: dict[str, Any]) -> None:
        text = {name: hex_of(address) for name, address in self.contracts.items()}
        tokens = {symbol: hex_of(address) for symbol, address in self.tokens.items()}
        pair_code, pool_code = (
            f"0x{keccak(self.parts.artifact(each).code).hex()}" for each in ("UniswapV2Pair", "UniswapV3Pool")
        )
        described["native"] = {"symbol": "ETH", "address": text["WETH9"], "decimals": 18}
        described["tokens"] = [
            {"symbol": coin.symbol, "address": tokens[coin.symbol], "decimals": coin.decimals}
            for coin in (WRAPPED, *TOKENS)
        ]
        described["dexes"] = [
            {
                "name": dex, "kind": "v2", "factory": text[f"{name}Factory"], "router": text[f"{name}Router02"],
                "init_code_hash": pair_code, "fee_bps": 30,
            }
            for dex, name in ((V2, "UniswapV2"), (V2B, "V2b"))
        ]  # fmt: skip
        described["dexes"].append(
            {
                "name": V3, "kind": "v3", "factory": text["UniswapV3Factory"], "router": text["SwapRouter02"],
                "init_code_hash": pool_code, "fee_tiers": list(TIERS), "quoter": text["QuoterV2"],
                "positions": text["NonfungiblePositionManager"],
            }
        )  # fmt: skip
        for dex in described["dexes"]:
            if dex["name"] != V2B:
                dex["universal_router"] = text["UniversalRouter"]
        described["permit2"] = text["Permit2"]
        described["multicall"] = text["UniswapInterfaceMulticall"]
        described["contracts"] = text
        described["pools"] = self.pools


def fund(node: Node, described: dict[str, Any], who: bytes) -> None:
    """Give an address the chain's coin and every token, once: a chain that goes on gives nothing again.

    Raises:
        ChainFault: the deployer has no more.
    """
    if hex_of(who) in described["funded"]:
        return
    giver = bytes.fromhex(described["accounts"][0][2:])
    addresses = {each["symbol"]: bytes.fromhex(each["address"][2:]) for each in described["tokens"]}
    node.pay(giver, who, WRAPPED.base(market.NATIVE_GRANT))
    for coin in TOKENS:
        node.transact(giver, addresses[coin.symbol], "transfer(address,uint256)", who, coin.base(coin.grant))
    described["funded"].append(hex_of(who))
