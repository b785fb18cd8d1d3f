"""Quotes to the unit. Truth: Uniswap's own contracts on anvil, asked by eth_call (Router02, QuoterV2) for many amounts,
and swapped in for fewer."""

from __future__ import annotations

import random
from typing import Any

import pytest

from app.practice.chain.node import NodeRefused, Reverted, calldata
from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.quotes import Hop, out_of, path_of, quote_in, quote_out
from app.venues.evm.pools.reader import PoolReader
from app.venues.evm.pools.state import Pool, Pools
from app.venues.evm.pools.taxes import measure
from app.venues.evm.pools.v2 import V2Pool
from app.venues.evm.pools.v3 import V3Pool
from app.venues.evm.routing.carry import carriage
from app.venues.evm.routing.gas import FREE
from app.venues.evm.routing.graph import Graph
from app.venues.evm.routing.split import best_split
from tests.evm.pools.world import TAX_BPS, DirectRpc, World

_DEADLINE = 2**60
IN_ONE = "quoteExactInputSingle((address,address,uint256,uint24,uint160))(uint256,uint160,uint32,uint256)"
OUT_ONE = "quoteExactOutputSingle((address,address,uint256,uint24,uint160))(uint256,uint160,uint32,uint256)"
IN_PATH = "quoteExactInput(bytes,uint256)(uint256,uint160[],uint32[],uint256)"
OUT_PATH = "quoteExactOutput(bytes,uint256)(uint256,uint160[],uint32[],uint256)"


async def everything(world: World, *, words: int = 2) -> tuple[PoolReader, Pools]:
    reader = PoolReader(world.chain, DirectRpc(world.node))
    at = await reader.head()
    return reader, await reader.read(await reader.discover([*world.tokens, world.taxed], at), at, words=words)


def asked(world: World, to: bytes, signature: str, *args: Any) -> Any:
    """What the contract answers; None where it reverts."""
    try:
        return world.node.call(to, signature, *args)
    except NodeRefused:
        return None


def some_amount(chance: random.Random) -> int:
    """Any size, now and then an absurd one."""
    if chance.random() < 0.05:
        return chance.choice([0, 1, 2, 2**112 - 1, 2**112, 2**128, 2**255 - 1, 2**255, 2**256 - 1])
    return int(10 ** chance.randint(0, 27)) * chance.randint(1, 10**6) // 10**6 + 1


async def test_v2_amounts_are_the_library_s(world: World) -> None:
    _, pools = await everything(world)
    chance, compared, refused = random.Random(1), 0, 0
    for pool in pools.pools.values():
        if not isinstance(pool, V2Pool) or pool.dex != "fork":
            continue
        router = world.dex("fork").router
        for _ in range(12):
            amount, forward = some_amount(chance), chance.random() < 0.5
            sides = (pool.token0, pool.token1) if forward else (pool.token1, pool.token0)
            out = asked(world, router, "getAmountsOut(uint256,address[])(uint256[])", amount, sides)
            need = asked(world, router, "getAmountsIn(uint256,address[])(uint256[])", amount, sides)
            room = 2**112 - 1 - (pool.reserve0 if forward else pool.reserve1)
            # The library reckons where the pair would refuse: an output of 0, more than a pair can hold.
            expected = (
                out[1] if out and out[1] and amount <= room else None,
                need[0] if need and need[0] <= room else None,
            )
            assert (
                _or_none(pool, forward, amount, "exact_in"),
                _or_none(pool, forward, amount, "exact_out"),
            ) == expected
            compared, refused = compared + 2, refused + expected.count(None)
    assert compared > 300
    assert 0 < refused < compared // 2


def _or_none(pool: Pool, forward: bool, amount: int, which: str) -> int | None:
    try:
        return pool.exact_in(forward, amount) if which == "exact_in" else pool.exact_out(forward, amount)
    except NoQuote:
        return None


def counted(ours: int, theirs: int) -> bool:
    """QuoterV2 counts the ticks between before and after, not those that were crossed: with `PoolTicksCounter` the one
    that the price stops short of may be among them."""
    return abs(ours - theirs) <= 1


async def test_v3_amounts_prices_and_ticks_are_the_quoter_s(world: World) -> None:
    reader, pools = await everything(world)
    chance, compared, refused, crossings = random.Random(2), 0, 0, 0
    for address in [each.address for each in pools.pools.values() if isinstance(each, V3Pool)]:
        for _ in range(14):
            pool = pools.pools[address]
            assert isinstance(pool, V3Pool)
            amount, forward, exact_in = some_amount(chance), chance.random() < 0.5, chance.random() < 0.6
            sides = (pool.token0, pool.token1) if forward else (pool.token1, pool.token0)
            limit = _limit(chance, pool, forward)
            question = (*sides, amount, pool.fee_ppm, limit)
            truth = asked(world, world.quoter, IN_ONE if exact_in else OUT_ONE, question)

            def swapped(now: Pools) -> Any:
                here = now.pools[address]  # noqa: B023 -- called at once
                assert isinstance(here, V3Pool)
                done = here.swap(forward, amount, exact_in=exact_in, limit=limit or None)  # noqa: B023 -- the same
                # QuoterV2 asks for all of it, unless a limit says that less may be paid.
                if not exact_in and not limit and done.paid != amount:  # noqa: B023 -- the same
                    return None
                return done

            try:
                pools, done = await reader.until_loaded(pools, swapped)
            except NoQuote:
                done = None
            found = done and (done.paid if exact_in else done.taken, done.price)
            assert found == (truth and truth[:2]), question
            assert done is None or counted(done.crossed, truth[2])
            compared, refused, crossings = compared + 1, refused + (truth is None), crossings + bool(truth and truth[2])
            if done and not limit and (not exact_in or done.taken == amount):
                short = pools.pools[address]
                through = short.through(forward, amount) if exact_in else short.through_out(forward, amount)
                assert through == (done.paid if exact_in else done.taken, done.crossed)
    assert compared > 400
    assert refused < compared // 2
    assert crossings > compared // 10


def _limit(chance: random.Random, pool: V3Pool, forward: bool) -> int:
    """Mostly none; else a price on either side, more often on the right one."""
    if chance.random() < 0.7:
        return 0
    away = chance.randint(1, 10**6) if forward is not (chance.random() < 0.1) else -chance.randint(1, 10**6)
    return pool.price - pool.price * away // (2 * 10**6)


async def test_the_fast_way_is_the_slow_way(world: World) -> None:
    """`exact_in` and `exact_out` look up what `swap` walks through."""
    _, pools = await everything(world, words=40)
    chance = random.Random(3)
    for pool in pools.pools.values():
        if isinstance(pool, V3Pool):
            for _ in range(40):
                amount, forward = some_amount(chance), chance.random() < 0.5
                for exact_in, which in ((True, "exact_in"), (False, "exact_out")):
                    try:
                        done = pool.swap(forward, amount, exact_in=exact_in)
                        whole = done.taken == amount if exact_in else done.paid == amount
                        slow = (done.paid if exact_in else done.taken) if whole else None
                    except NoQuote:
                        slow = None
                    assert _or_none(pool, forward, amount, which) == slow


async def test_paths_are_the_quoter_s(world: World) -> None:
    reader, pools = await everything(world)
    chance, compared = random.Random(4), 0
    by_token: dict[bytes, list[bytes]] = {}
    for pool in pools.pools.values():
        if isinstance(pool, V3Pool):
            for token in (pool.token0, pool.token1):
                by_token.setdefault(token, []).append(pool.address)
    for _ in range(120):
        start = token = chance.choice(world.tokens)
        chosen: list[bytes] = []
        for _ in range(chance.choice([2, 3])):
            here = [each for each in by_token.get(token, []) if each not in chosen]
            if not here:
                break
            chosen.append(chance.choice(here))
            token = _other(pools.pools[chosen[-1]], token)
        if len(chosen) < 2:
            continue
        amount = some_amount(chance)
        hops = path_of([pools.pools[each] for each in chosen], start)
        there = b"".join(hop.token_in + hop.pool.fee_ppm.to_bytes(3) for hop in hops) + token
        back = token + b"".join(hop.pool.fee_ppm.to_bytes(3) + hop.token_in for hop in reversed(hops))
        for signature, packed, ask in ((IN_PATH, there, quote_in), (OUT_PATH, back, quote_out)):
            truth = asked(world, world.quoter, signature, packed, amount)
            try:
                pools, quote = await reader.until_loaded(
                    pools,
                    lambda now, ask=ask: ask(path_of([now.pools[each] for each in chosen], start), amount),  # type: ignore[misc]  # noqa: B023 -- called at once
                )
            except NoQuote:
                # The quoter does not mind that a pool takes only a part of what the one before pays.
                assert truth is None or ask is quote_in
                continue
            assert truth is not None
            assert (quote.amount_out if ask is quote_in else quote.amount_in) == truth[0]
            ticks = truth[2] if ask is quote_in else truth[2][::-1]
            assert all(map(counted, quote.crossed, ticks))
            compared += 1
    assert compared > 60


def _other(pool: Pool, token: bytes) -> bytes:
    return pool.token1 if token == pool.token0 else pool.token0


def calls_of(hops: tuple[Hop, ...], world: World, amount: int, recipient: bytes) -> list[bytes]:
    """SwapRouter02's calls for one route: V2 and V3 pools one after the other, each paying the router but the last."""
    made = []
    for i, hop in enumerate(hops):
        to = recipient if i == len(hops) - 1 else b"\0" * 19 + b"\2"  # ADDRESS_THIS
        sent = amount if i == 0 else 0  # CONTRACT_BALANCE
        if isinstance(hop.pool, V2Pool):
            path = (hop.token_in, hop.token_out)
            made.append(calldata("swapExactTokensForTokens(uint256,uint256,address[],address)", [sent, 0, path, to]))
        else:
            args = (hop.token_in, hop.token_out, hop.pool.fee_ppm, to, sent, 0, 0)
            signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
            made.append(calldata(signature, [args]))
    return made


def swapped(world: World, routes: list[tuple[tuple[Hop, ...], int]]) -> int:
    """What arrives when SwapRouter02 carries all of it in one transaction."""
    token = routes[0][0][-1].token_out
    before = world.node.call(token, "balanceOf(address)(uint256)", world.trader)
    calls = [call for hops, amount in routes for call in calls_of(hops, world, amount, world.trader)]
    world.node.transact(world.trader, world.dex("uni3").router, "multicall(uint256,bytes[])(bytes[])", _DEADLINE, calls)
    return int(world.node.call(token, "balanceOf(address)(uint256)", world.trader)) - int(before)


async def test_what_was_quoted_is_received_and_logs_tell_the_rest(world: World) -> None:
    """Real swaps over one to three pools of both kinds, one after the other; at the end, the state that was kept up by
    their logs is the state read afresh."""
    reader, pools = await everything(world, words=40)
    chance, done = random.Random(5), 0
    graph = Graph.of({key: each for key, each in pools.pools.items() if each.dex != "fork"})
    while done < 60:
        start = token = chance.choice(world.tokens)
        steps: list[tuple[bytes, bool]] = []
        for _ in range(chance.randint(1, 3)):
            ways = [
                step
                for other, there in graph.ways[token].items()
                if other in world.tokens and other != start
                for step in there
                if step[0] not in {at for at, _ in steps}
            ]
            if not ways:
                break
            steps.append(chance.choice(ways))
            token = _other(pools.pools[steps[-1][0]], token)
        hops = path_of([pools.pools[at] for at, _ in steps], start)
        amount = 10 ** chance.randint(3, 20) * chance.randint(1, 9)
        try:
            quote = quote_in(hops, amount)
        except NoQuote:
            continue
        if quote.amount_out == 0:
            continue
        assert swapped(world, [(hops, amount)]) == quote.received == quote.amount_out == out_of(hops, amount)
        advanced = await reader.advance(pools, await reader.head())
        assert not advanced.afresh
        assert advanced.changed == {at for at, _ in steps}
        pools = advanced.pools
        done += 1
    afresh = await reader.read(await reader.discover([*world.tokens, world.taxed], pools.at), pools.at, words=40)
    assert {key: _seen(each) for key, each in pools.pools.items()} == {
        key: _seen(each) for key, each in afresh.pools.items()
    }


def _seen(pool: Pool) -> Any:
    """All but how far it was read: the price has moved, so `words` around it differ."""
    if isinstance(pool, V2Pool):
        return pool
    return (pool.price, pool.tick, pool.liquidity, dict(pool.ticks))


async def test_a_split_brings_what_was_quoted_in_one_transaction(world: World) -> None:
    reader, pools = await everything(world, words=40)
    several = 0
    for i, (one, other) in enumerate([(0, 1), (2, 1), (0, 3), (5, 6), (4, 2), (6, 0)]):
        amount = 10 ** (18 + i % 3) if one not in {1, 2, 5} else 10 ** (9 + i % 3)
        own = {key: each for key, each in pools.pools.items() if each.dex != "fork"}
        graph = Graph.of(own)
        split = best_split(graph, world.tokens[one], world.tokens[other], amount, FREE)
        assert split is not None
        assert carriage(world.chain, own, [each.steps for each in split.routes]).atomic
        several += len(split.routes) > 1
        got = swapped(world, [(graph.hops(each.steps), each.amount_in) for each in split.routes])
        assert got == split.amount_out
        pools = (await reader.advance(pools, await reader.head())).pools
    assert several >= 3


@pytest.mark.parametrize("selling", [True, False])
async def test_a_taxed_token_brings_what_was_quoted(world: World, selling: bool) -> None:
    reader, pools = await everything(world)
    pool = next(
        each for each in pools.pools.values() if world.taxed in {each.token0, each.token1} and each.dex == "fork"
    )
    tax = await measure(DirectRpc(world.node), world.taxed, pool.address, pools.at)
    assert tax is not None
    assert tax.buy is not None
    assert (tax.buy.bps, tax.buy.regular, tax.buy) == (TAX_BPS, True, tax.sell)
    chance = random.Random(6)
    tokens = (world.taxed, world.tokens[0]) if selling else (world.tokens[0], world.taxed)
    for _ in range(15):
        hops = path_of([pools.pools[pool.address]], tokens[0])
        amount = 10 ** chance.randint(4, 20) * chance.randint(1, 10**6) // 10**3
        quote = quote_in(hops, amount, {world.taxed: tax})
        before = world.node.call(tokens[1], "balanceOf(address)(uint256)", world.trader)
        world.node.transact(
            world.trader, world.dex("fork").router,
            "swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256,uint256,address[],address,uint256)",
            amount, 0, tokens, world.trader, _DEADLINE,
        )  # fmt: skip
        assert world.node.call(tokens[1], "balanceOf(address)(uint256)", world.trader) - before == quote.received
        assert quote.received < quote_in(hops, amount).received
        pools = (await reader.advance(pools, await reader.head())).pools
    with pytest.raises(NoQuote, match="share of each transfer"):
        quote_out(path_of([pool], tokens[0]), 10**6, {world.taxed: tax})


async def test_what_the_pool_refuses_reverts(world: World) -> None:
    """An output of 0 from a pair; an amount that a pool can take only in part is taken in part and so not quoted."""
    _, pools = await everything(world, words=40)
    pair = next(each for each in pools.pools.values() if isinstance(each, V2Pool) and each.dex == "uni")
    hops = path_of([pair], pair.token0 if pair.reserve0 > pair.reserve1 else pair.token1)
    with pytest.raises(NoQuote, match="pay 0"):
        quote_in(hops, 1)
    with pytest.raises(Reverted):
        swapped(world, [(hops, 1)])
