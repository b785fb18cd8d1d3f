"""What is made of a block's logs and pools: pure parts of what modules are told. That chains log so is tests/evm's."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.chain.cycles import Cycles, assets
from app.market.chain.logs import PAIR_CREATED, POOL_CREATED, SWAP_V2, TRANSFER, Entry, merged, padded
from app.market.chain.pairs import created
from app.market.chain.whales import moves
from app.venues.evm.chain import Chain, Dex, DexKind, Token
from app.venues.evm.pools.state import At, Log, Pools
from app.venues.evm.pools.v2 import V2Pool
from strategies.chain_messages import MoveKind, Opportunity, OpportunityEnded
from strategies.model import Instrument, Side
from tests.evm.market import EXCHANGES, market, token

WETH, USDC, WHALE, ROUTER = token(1), token(2), token(77), token(901)
COIN = Token("ETH", WETH, 18, native=True)
DEXES = tuple(
    Dex(name, DexKind.V3 if name == "uni3" else DexKind.V2, token(910 + number), ROUTER, bytes(32))
    for number, name in enumerate((*EXCHANGES, "uni3"))
)
CHAIN = Chain(
    "made-up", 1, COIN, (), 1, 2000, 10**11, Decimal(5),
    tokens=(Token("WETH", WETH, 18), Token("USDC", USDC, 6)), dexes=DEXES, watched=((WHALE, "big"),),
)  # fmt: skip
STEP = Decimal("0.000001")
INSTRUMENTS = (Instrument("ETH-USDC", "ETH", "USDC", STEP, STEP),)
POOL = V2Pool(token(50), "uni", WETH, USDC, 30, 10**21, 2_500_000 * 10**6)
TX = bytes(31) + b"\1"


def transfer(index: int, of: bytes, one: bytes, other: bytes, amount: int, tx: bytes = TX) -> Entry:
    return Entry(index, Log(of, (TRANSFER, padded(one), padded(other)), amount.to_bytes(32)), tx)


def swapped(index: int, into: tuple[int, int], out: tuple[int, int], tx: bytes = TX) -> Entry:
    data = b"".join(each.to_bytes(32) for each in (*into, *out))
    return Entry(index, Log(POOL.address, (SWAP_V2, padded(ROUTER), padded(WHALE)), data), tx)


def told(transfers: list[Entry], swaps: list[Entry]) -> list[Any]:
    found = moves(CHAIN, INSTRUMENTS, 9, transfers, swaps, {POOL.address: POOL}, lambda _: Decimal(2500))
    return [(each.kind, each.side, each.amount, each.value) for each in found]


def test_a_swap_counts_what_came_out_of_the_pools() -> None:
    bought = [transfer(1, USDC, WHALE, POOL.address, 2500 * 10**6), transfer(2, WETH, POOL.address, WHALE, 10**18)]
    swap = [swapped(3, (0, 2500 * 10**6), (10**18, 0))]
    assert told(bought, swap) == [(MoveKind.SWAP, Side.BUY, Decimal(1), Decimal(2500))]
    assert told(bought[:1], swap) == [(MoveKind.SWAP, Side.BUY, Decimal(1), Decimal(2500))], "paid out as the coin"


def test_what_no_known_pool_was_in_is_a_transfer() -> None:
    assert told([transfer(1, WETH, WHALE, token(5), 3 * 10**18)], []) == [
        (MoveKind.TRANSFER, Side.SELL, Decimal(3), Decimal(7500))
    ]
    other = bytes(31) + b"\2"
    assert told([transfer(1, WETH, token(5), WHALE, 10**18)], [swapped(2, (0, 5), (5, 0), other)])[0][0] == "transfer"


def test_what_changes_nothing_or_is_of_others_is_not_told() -> None:
    there, back = transfer(1, WETH, WHALE, token(5), 7), transfer(2, WETH, token(5), WHALE, 7)
    assert told([there, back], []) == []
    assert told([transfer(1, WETH, token(4), token(5), 7)], []) == []
    nft = Entry(1, Log(WETH, (TRANSFER, padded(WHALE), padded(token(5)), bytes(32)), b""), TX)
    assert told([nft], []) == []


@given(st.permutations(range(6)))
def test_logs_are_told_once_and_in_the_block_s_order(order: list[int]) -> None:
    entries = [transfer(number, WETH, WHALE, token(5), number + 1) for number in order]
    assert [each.index for each in merged(entries[:4], entries[2:])] == sorted(order)


def test_pools_that_a_factory_made() -> None:
    pool = padded(token(60))
    v2 = Entry(1, Log(token(910), (PAIR_CREATED, padded(WETH), padded(USDC)), pool + bytes(32)), TX)
    fee = (500).to_bytes(32)
    v3 = Entry(2, Log(token(913), (POOL_CREATED, padded(WETH), padded(USDC), fee), (10).to_bytes(32) + pool), TX)
    strange = [
        replace(v2, log=replace(v2.log, address=token(4))),
        replace(v2, log=replace(v2.log, address=token(913))),
        replace(v2, log=replace(v2.log, data=bytes(64))),
        replace(v3, log=replace(v3.log, data=b"\1" * 64)),
    ]
    found = created(CHAIN, [v2, *strange, v3])
    assert [(each.dex, each.fee_ppm, each.address) for each in found] == [
        ("uni", 3000, token(60)),
        ("uni3", 500, token(60)),
    ]


def test_the_coin_stands_for_its_wrapped_form() -> None:
    more = (*INSTRUMENTS, Instrument("USDC-WETH", "USDC", "WETH", STEP, STEP))
    assert [(each.token.symbol, each.symbol) for each in assets(CHAIN, more)] == [
        ("ETH", "ETH-USDC"),
        ("USDC", "ETH-USDC"),
    ]


def at(number: int, chance: random.Random, pools: Pools | None = None) -> Pools:
    """A block in which some pools moved."""
    known = dict(pools.pools) if pools is not None else market(random.Random(5), 60, 6, noise_bps=80)
    for address in chance.sample(sorted(known), 6):
        pool = known[address]
        if isinstance(pool, V2Pool):
            known[address] = replace(pool, reserve0=pool.reserve0 * chance.randint(9_800, 10_200) // 10_000)
    return Pools(At(number, number.to_bytes(32)), known)


def run(cycles: Cycles, blocks: list[Pools]) -> list[list[Any]]:
    return [list(cycles.look(each, 10**9, lambda _: Decimal(2500))) for each in blocks]


def chain_of(count: int, seed: int = 1) -> list[Pools]:
    chance, found = random.Random(seed), list[Pools]()
    for number in range(1, count + 1):
        found.append(at(number, chance, found[-1] if found else None))
    return found


def test_the_same_blocks_tell_the_same_and_each_once() -> None:
    blocks = chain_of(12)
    one, other = run(Cycles(CHAIN, INSTRUMENTS), blocks), run(Cycles(CHAIN, INSTRUMENTS), blocks)
    assert one == other
    assert any(isinstance(each, Opportunity) for told_ in one for each in told_)
    again = Cycles(CHAIN, INSTRUMENTS)
    assert run(again, [blocks[0], blocks[0]])[1] == []


def test_a_life_is_counted_from_the_first_block_in_a_row() -> None:
    since: dict[tuple[str, tuple[str, ...]], int] = {}
    for told_ in run(Cycles(CHAIN, INSTRUMENTS), chain_of(30)):
        for each in told_:
            if isinstance(each, OpportunityEnded):
                assert each.blocks == each.block - since.pop((each.asset, each.pools))
            else:
                assert since.setdefault((each.asset, each.pools), each.since) == each.since
                assert 0 < each.net == each.gain - each.gas


@pytest.mark.parametrize("seed", range(20))
def test_after_dropped_blocks_the_others_are_told_as_if_those_had_never_been(seed: int) -> None:
    """What began before the fork may go on; what began in what was dropped never was."""
    stem, branch = chain_of(4), chain_of(8, seed)[4:]
    other = [replace(branch[-1], at=At(5, b"other".ljust(32))), at(6, random.Random(10), branch[-1])]
    forked, straight = Cycles(CHAIN, INSTRUMENTS), Cycles(CHAIN, INSTRUMENTS)
    run(forked, [*stem, *branch])
    run(straight, stem)
    forked.undo(5)
    one, two = run(forked, other), run(straight, other)
    opportunities = [[each for each in found if isinstance(each, Opportunity)] for found in (one[-1], two[-1])]
    branched, never = ([(each.pools, each.amount, each.net) for each in found] for found in opportunities)
    assert branched == never
    assert all(each.since <= 6 for each in opportunities[0])
