"""Pools: how fast they are read and quoted, routed through, and ranked again after a block.

    python -m tests.benchmarks.evm

Prints one JSON object. `quotes` needs the practice chain's parts and is null without them: 200 pools of V2 and V3 on
anvil with Uniswap's own contracts, asked one after the other by eth_call (Router02.getAmountsOut, QuoterV2), against

- `cold`: their whole state read by multicall, then quoted here;
- `block`: the pools known, one more block: its logs read, then quoted here;

the answers of all three are the same to the unit. Anvil is on this machine, so a request costs it the least that one
ever does. `router` and `cycles` are pure, timed by this process's own time; their markets are made up from a seed.
`missed` counts small markets on which brute force (every set of up to three routes, a grid of shares) beats the router
by more than a thousandth of what it found, and `worst_share` is the most; `sensible_...` are those of them where no
route loses more than a tenth to its own price impact.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from app.market.chain.cycles import Cycles
from app.practice.chain.anvil import Anvil
from app.practice.chain.parts import Parts, PartsMissing
from app.venues.evm.chain import Chain, Dex, DexKind, Token
from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.quotes import path_of, quote_in
from app.venues.evm.pools.reader import PoolReader
from app.venues.evm.pools.state import SWAP, SYNC, At, Log, Pool, Pools
from app.venues.evm.pools.ticks import tick_at_sqrt_ratio
from app.venues.evm.pools.v2 import V2Pool
from app.venues.evm.pools.v3 import V3Pool
from app.venues.evm.routing.best import best_in
from app.venues.evm.routing.cycles import CycleFinder
from app.venues.evm.routing.gas import FREE, GasPrice
from app.venues.evm.routing.graph import Graph
from app.venues.evm.routing.split import best_split
from strategies.chain_messages import Opportunity
from strategies.model import Instrument
from tests.evm.market import EXCHANGES, market, token
from tests.evm.pools.world import DirectRpc, World, build, decimals_of
from tests.unit.venues.test_routing import best_on_a_grid

ROUNDS: Final = 15
GAS_WEI: Final = 10**9
PRICE: Final = GasPrice(GAS_WEI)
GET_OUT: Final = "getAmountsOut(uint256,address[])(uint256[])"
ONE: Final = "quoteExactInputSingle((address,address,uint256,uint24,uint160))(uint256,uint160,uint32,uint256)"


def ms(work: Callable[[], Any]) -> float:
    """Milliseconds of this process's own time for one run: what else the machine does is left out."""
    started = time.process_time_ns()
    work()
    return (time.process_time_ns() - started) / 1e6


def quotes() -> dict[str, Any] | None:
    """Reading and quoting against asking."""
    try:
        parts = Parts()
        anvil = Anvil(parts, chain_id=31337)
        try:
            return asyncio.run(_quotes(build(anvil.node, parts, crowd=7)))
        finally:
            anvil.stop()
    except PartsMissing as missing:
        print(missing, file=sys.stderr)
        return None


async def _quotes(world: World) -> dict[str, Any]:
    rpc = DirectRpc(world.node)
    reader = PoolReader(world.chain, rpc)
    at = await reader.head()
    named = await reader.discover(world.tokens, at)
    amounts = {each.address: 10 ** max(decimals_of(world.tokens.index(each.token0)) - 3, 0) for each in named}
    known = await reader.read(named, at, words=1)
    # Some V3 pools hold nothing on the side that is asked for: neither way has a quote then.
    found = [each for each in named if _quotable(known.pools[each.address], amounts[each.address])][:200]

    def asked() -> list[int]:
        answers = []
        for each in found:
            sides = (each.token0, each.token1)
            if each.kind == "v2":
                router = world.routers[each.dex == "fork"]
                path = world.node.call(router, GET_OUT, amounts[each.address], sides)
                answers.append(path[1])
            else:
                question = (*sides, amounts[each.address], each.fee_ppm, 0)
                answers.append(world.node.call(world.quoter, ONE, question)[0])
        return answers

    def quoted(pools: Pools) -> list[int]:
        return [
            quote_in(path_of([pools.pools[each.address]], each.token0), amounts[each.address]).amount_out
            for each in found
        ]

    times: dict[str, list[float]] = {"loop": [], "cold": [], "block": []}
    for _ in range(7):
        gc.collect()
        started = time.perf_counter_ns()
        truth = asked()
        times["loop"].append((time.perf_counter_ns() - started) / 1e6)
        started = time.perf_counter_ns()
        pools = await reader.read(found, await reader.head(), words=1)
        cold = quoted(pools)
        times["cold"].append((time.perf_counter_ns() - started) / 1e6)
        world.node.rpc("anvil_mine", "0x1")
        started = time.perf_counter_ns()
        pools = (await reader.advance(pools, await reader.head())).pools
        block = quoted(pools)
        times["block"].append((time.perf_counter_ns() - started) / 1e6)
        assert truth == cold == block
    middle = {name: statistics.median(each) for name, each in times.items()}
    return {
        "pools": len(found),
        "v3": sum(each.kind == "v3" for each in found),
        **{f"{name}_ms": round(each, 2) for name, each in middle.items()},
        "cold_ratio": round(middle["loop"] / middle["cold"], 1),
        "block_ratio": round(middle["loop"] / middle["block"], 1),
    }


def _quotable(pool: Pool, amount: int) -> bool:
    try:
        return pool.exact_in(True, amount) > 0
    except NoQuote:
        return False


def router() -> dict[str, Any]:
    """Routes and splits on 500 pools, and on small markets against brute force."""
    chance = random.Random(3)
    pools = market(chance, 500, 60)
    graph = Graph.of(pools)
    times: dict[str, list[float]] = {"best": [], "split": [], "fresh_split": []}
    for _ in range(ROUNDS):
        ends = (token(1), token(chance.randint(2, 20)))
        amount = 10 ** chance.randint(20, 23)
        # As just read from the chain: nothing of the way through a V3 pool is reckoned yet.
        fresh = Graph.of({key: _as_read(each) for key, each in pools.items()})
        times["fresh_split"].append(ms(lambda: best_split(fresh, *ends, amount, PRICE)))  # noqa: B023 -- run at once
        times["best"].append(ms(lambda: best_in(graph, *ends, amount, PRICE)))  # noqa: B023 -- as above
        times["split"].append(ms(lambda: best_split(graph, *ends, amount, PRICE)))  # noqa: B023 -- as above
    return {
        **{f"{name}_p50_ms": round(statistics.median(each), 1) for name, each in times.items()},
        **{f"{name}_max_ms": round(max(each), 1) for name, each in times.items()},
        **_against_brute_force(),
    }


def _against_brute_force() -> dict[str, Any]:
    """Markets of 2-9 pools; amounts from dust to what drains them, gas from free to worth more than the trade."""
    shares: list[tuple[float, bool]] = []
    for seed in range(2000):
        chance = random.Random(seed)
        graph = Graph.of(market(chance, chance.randint(2, 9), 3, noise_bps=100))
        amount = 10 ** chance.randint(15, 25) * chance.randint(1, 9)
        price = chance.choice([FREE, GasPrice(10**8), GasPrice(10**12), GasPrice(10**15, 7)])
        brute = best_on_a_grid(graph, token(1), token(2), amount, price)
        if brute is None:
            continue
        ours = best_split(graph, token(1), token(2), amount, price)
        share = 1.0 if ours is None else (brute - ours.net) / max(abs(brute), 1)
        # A trade that moves no price by more than a tenth: what a trader would do.
        sensible = ours is not None and all(
            quote_in(graph.hops(each.steps), each.amount_in).impact_bps <= 1_000 for each in ours.routes
        )
        shares.append((share, sensible))
    calm = [share for share, sensible in shares if sensible]
    return {
        "markets": len(shares),
        "missed": sum(share > 0.001 for share, _ in shares),
        "worst_share": round(max(share for share, _ in shares), 6),
        "sensible_markets": len(calm),
        "sensible_missed": sum(share > 0.001 for share in calm),
        "sensible_worst_share": round(max(calm), 6),
    }


def _as_read(pool: Pool) -> Pool:
    return replace(pool, _walks={}) if isinstance(pool, V3Pool) else pool


def cycles() -> dict[str, Any]:
    """1,000 pools, 60 of which change in each block: logs applied, cycles ranked again, and what modules are told made
    of those that one router carries."""
    chance = random.Random(5)
    pools = Pools(_at(0), market(chance, 1000, 120))
    chain, instruments = described()
    watch, finder = Cycles(chain, instruments), CycleFinder(pools.pools, token(1), PRICE)
    watch.look(pools, GAS_WEI, lambda _: Decimal(1))
    times, found, looked = [], 0, 0
    for number in range(1, 41):
        logs = [_log(chance, pools.pools[address]) for address in chance.sample(sorted(pools.pools), 60)]
        gc.collect()
        started = time.process_time_ns()
        pools, changed = pools.after(_at(number), logs)
        told = watch.look(pools, GAS_WEI, lambda _: Decimal(1))
        times.append((time.process_time_ns() - started) / 1e6)
        found += sum(isinstance(each, Opportunity) for each in told)
        looked += len({each for address in changed for each in finder.through(address)})
    return {
        "cycles": len(finder),
        "looked_at_per_block": looked // len(times),
        "told_per_block": round(found / len(times), 1),
        "p50_ms": round(statistics.median(times), 2),
        "max_ms": round(max(times), 2),
    }


def described() -> tuple[Chain, tuple[Instrument, ...]]:
    """A chain whose coin is the token that cycles begin with, one router for all its pools, and one instrument."""
    coin, other = Token("ETH", token(1), 18, native=True), Token("T", token(2), 18)
    kinds = {**dict.fromkeys(EXCHANGES, DexKind.V2), "uni3": DexKind.V3}
    dexes = tuple(Dex(name, kind, token(900), token(901), bytes(32)) for name, kind in kinds.items())
    chain = Chain("made-up", 1, coin, (), 1, 12_000, 10**11, Decimal(5), tokens=(other,), dexes=dexes)
    return chain, (Instrument("T-ETH", "T", "ETH", Decimal("0.01"), Decimal("0.01")),)


def _at(number: int) -> At:
    return At(number, number.to_bytes(32))


def _log(chance: random.Random, pool: Pool) -> Log:
    """A swap that moved the price by up to a thousandth."""
    if isinstance(pool, V2Pool):
        words = [pool.reserve0 * chance.randint(9_990, 10_010) // 10_000, pool.reserve1]
        return Log(pool.address, (SYNC,), b"".join(each.to_bytes(32) for each in words))
    price = pool.price * chance.randint(9_995, 10_005) // 10_000
    words = [0, 0, price, pool.liquidity, tick_at_sqrt_ratio(price) % 2**256]
    return Log(pool.address, (SWAP, b"", b""), b"".join(each.to_bytes(32) for each in words))


def main() -> int:
    """Print the figures."""
    print(json.dumps({"quotes": quotes(), "router": router(), "cycles": cycles()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
