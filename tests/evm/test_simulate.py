"""What a simulation says is what the mined transactions then do, to the last unit, by every method that can tell; where
a node can not, that is said. The truth is anvil with Uniswap's contracts; nodes that lack a method are anvil behind a
proxy that answers as such nodes do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from app.errors import VenueRefused
from app.venues.evm import abi
from app.venues.evm.acts import Act, encode
from app.venues.evm.assemble import Assembler, wish_of
from app.venues.evm.chain import DexKind
from app.venues.evm.effects import contradiction, least
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.planner import Planner, Wanted
from app.venues.evm.pools.state import At
from app.venues.evm.rpc import RpcRefused
from app.venues.evm.simulate import COIN, Method, Simulation, simulate
from app.venues.evm.swap import Approval, Call, Exact, Part, RouterKind, Segment, Swap
from tests.evm.chain import LocalChain
from tests.evm.faults import Lie, Refused
from tests.evm.nodes.harness import pool
from tests.evm.pools.world import DirectRpc
from tests.evm.proxy import ALWAYS, FaultProxy

GONE = Refused(-32601, "the method does not exist/is not available")
LACKING = {Method.SIMULATE: (), Method.TRACE: ("eth_simulateV1",), Method.CALL: ("eth_simulateV1", "debug_traceCall")}
FAR = 2**40


def at(chain: LocalChain) -> At:
    block = chain.block()
    return At(int(block["number"], 16), bytes.fromhex(block["hash"][2:]))


@pytest.fixture
def fronts(anvil: LocalChain) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def front(fronts: ExitStack, chain: LocalChain, method: Method) -> FaultProxy:
    """The chain behind a node that has nothing better than `method`."""
    proxy = fronts.enter_context(FaultProxy(chain.url, chain.ws_url))
    for each in LACKING[method]:
        proxy.script(each, GONE, times=ALWAYS)
    return proxy


@asynccontextmanager
async def lacking(fronts: ExitStack, chain: LocalChain, *methods: Method) -> AsyncIterator[Nodes]:
    async with pool(*(front(fronts, chain, each).url for each in methods)) as nodes:
        yield nodes


class Trader:
    """An account of the node's own, which needs no key."""

    def __init__(self, chain: LocalChain, rpc: Any) -> None:
        self.chain, self.rpc, self.me = chain, rpc, chain.accounts[2]
        chain.deal(chain.token("WETH").address, self.me, 100 * 10**18)
        chain.mine()  # the state's last block may be long ago, and the next one's time is reckoned from it

    def acts(self, swap: Swap) -> list[Approval | Swap]:
        return [swap] if swap.coin_in else [Approval(swap.token_in, swap.router, swap.amount_in), swap]

    async def simulated(self, acts: Sequence[Approval | Swap]) -> Simulation:
        swap = acts[-1]
        assert isinstance(swap, Swap)
        allowed = [each for each in acts if isinstance(each, Approval)]
        calls, tokens = [encode(each) for each in acts], list(dict.fromkeys((swap.token_in, swap.token_out)))
        return await simulate(self.rpc, self.me, calls, tokens=tokens, allowed=allowed, at=at(self.chain))

    def happens(self, acts: Sequence[Act], tokens: Sequence[bytes]) -> tuple[dict[bytes, int], list[int]]:
        """Sent and mined: by how much balances changed, gas not counted, and what each took of gas."""
        before, gas, paid = self._balances(tokens), [], 0
        for act in acts:
            call = encode(act)
            self.chain.next_timestamp(int(self.chain.block()["timestamp"], 16) + 12)
            name = self.chain.rpc(
                "eth_sendTransaction",
                {"from": hexed(self.me), "to": hexed(call.to), "data": hexed(call.data), "value": hex(call.value),
                 "gas": hex(3_000_000)},
            )  # fmt: skip
            self.chain.mine()
            receipt = self.chain.receipt(bytes.fromhex(name[2:]))
            assert receipt is not None
            assert receipt["status"] == "0x1"
            gas.append(int(receipt["gasUsed"], 16))
            paid += gas[-1] * int(receipt["effectiveGasPrice"], 16)
        after = self._balances(tokens)
        changes = {token: after[token] - before[token] for token in after}
        changes[COIN] += paid
        return changes, gas

    def _balances(self, tokens: Sequence[bytes]) -> dict[bytes, int]:
        return {COIN: self.chain.balance(self.me)} | {each: self.chain.held(each, self.me) for each in tokens}


def hexed(data: bytes) -> str:
    return f"0x{data.hex()}"


def swap_of(chain: LocalChain, kind: str, me: bytes) -> Swap:
    """One swap of each kind that the encoder writes."""
    weth, usdc, dai, tax = (chain.token(each).address for each in ("WETH", "USDC", "DAI", "TAX"))
    v2, v3 = chain.contract("UniswapV2Router02"), chain.contract("SwapRouter02")
    eth = 3 * 10**18
    straight = Segment(DexKind.V2, (weth, usdc)), Segment(DexKind.V3, (weth, usdc), (500,))
    back = Segment(DexKind.V2, (usdc, weth)), Segment(DexKind.V3, (usdc, weth), (500,))
    made = {
        "v2": Swap(v2, RouterKind.V2, Exact.IN, (Part((straight[0],), eth, 0),), me, FAR),
        "v3": Swap(v3, RouterKind.MANY, Exact.IN, (Part((straight[1],), eth, 0),), me, FAR),
        "v2 exact out": Swap(v2, RouterKind.V2, Exact.OUT, (Part((back[0],), 10**10, 10**18),), me, FAR),
        "v3 exact out": Swap(v3, RouterKind.MANY, Exact.OUT, (Part((back[1],), 10**10, 10**18),), me, FAR),
        "split": Swap(
            v3, RouterKind.MANY, Exact.IN, (Part((straight[0],), eth, 0), Part((straight[1],), 2 * eth, 0)), me, FAR
        ),
        "v2 then v3": Swap(
            v3, RouterKind.MANY, Exact.IN,
            (Part((Segment(DexKind.V2, (dai, usdc)), back[1]), 5_000 * 10**18, 0),), me, FAR,
        ),
        "coin in": Swap(v2, RouterKind.V2, Exact.IN, (Part((straight[0],), eth, 0),), me, FAR, coin_in=True),
        "coin in, exact out": Swap(
            v3, RouterKind.MANY, Exact.OUT, (Part((straight[1],), eth, 10**9),), me, FAR, coin_in=True
        ),
        "coin out": Swap(v3, RouterKind.MANY, Exact.IN, (Part((back[1],), 10**10, 0),), me, FAR, coin_out=True),
        "taxed": Swap(
            v2, RouterKind.V2, Exact.IN, (Part((Segment(DexKind.V2, (tax, weth)),), 10**20, 0),), me, FAR, taxed=True
        ),
        "taxed for the coin": Swap(
            v2, RouterKind.V2, Exact.IN, (Part((Segment(DexKind.V2, (tax, weth)),), 10**20, 0),), me, FAR,
            coin_out=True, taxed=True,
        ),
    }  # fmt: skip
    return made[kind]


KINDS = (
    "v2", "v3", "v2 exact out", "v3 exact out", "split", "v2 then v3", "coin in", "coin in, exact out", "coin out",
    "taxed", "taxed for the coin",
)  # fmt: skip


@pytest.mark.parametrize("method", [Method.SIMULATE, Method.TRACE])
async def test_what_is_simulated_is_what_is_mined(anvil: LocalChain, fronts: ExitStack, method: Method) -> None:
    async with lacking(fronts, anvil, method) as nodes:
        for kind in KINDS:
            trader = Trader(anvil, nodes)
            acts = trader.acts(swap_of(anvil, kind, trader.me))
            said = await trader.simulated(acts)
            assert (said.method, said.complete, said.why) == (method, True, ""), kind
            swap = acts[-1]
            assert isinstance(swap, Swap)
            changes, gas = trader.happens(acts, [swap.token_in, swap.token_out])
            assert said.changes == changes, kind
            assert [outcome.gas for outcome in said.outcomes] == gas, kind
            assert not said.others
            left = {pair: anvil.call(pair[0], "allowance(address,address)(uint256)", trader.me, pair[1])
                    for pair in said.allowances}  # fmt: skip
            assert said.allowances == left, kind


async def test_a_bare_call_says_only_whether_it_goes_through(anvil: LocalChain, fronts: ExitStack) -> None:
    async with lacking(fronts, anvil, Method.CALL) as nodes:
        trader = Trader(anvil, nodes)
        (act,) = trader.acts(swap_of(anvil, "coin in", trader.me))
        said = await trader.simulated([act])
        assert (said.method, said.complete, said.changes, said.ok) == (Method.CALL, False, {}, True)
        assert "can not say what it moves" in said.missing[0]
        _, gas = trader.happens([act], [])
        assert gas[0] <= said.outcomes[0].gas


async def test_with_an_approval_missing_nobody_knows_and_it_can_be_sent_all_the_same(
    anvil: LocalChain, fronts: ExitStack
) -> None:
    """A value, not an exception: and the gas that nobody measured is enough."""
    async with lacking(fronts, anvil, Method.CALL) as nodes:
        chain, me = anvil.chain, anvil.accounts[2]
        wanted = Wanted(anvil.token("USDC"), anvil.token("WBTC"), Exact.IN, 10**9, 1, 50, me, FAR)
        plan = await Planner(chain, nodes).plan(wanted)
        made = await Assembler(chain, nodes, me).assemble(wish_of(plan), Decimal(2500), ())
        first, second = made.simulation.outcomes
        assert (first.ok, second.ok, made.simulation.fails) == (True, None, False)
        assert "nobody knows what it would do" in made.simulation.missing[0]
        assert contradiction(least(plan.swap), made.simulation) is None
        _, gas = Trader(anvil, nodes).happens([each.act for each in made.transactions], [])
        assert all(used < each.fields.gas for used, each in zip(gas, made.transactions, strict=True))


class Deaf(DirectRpc):
    """A node without eth_simulateV1, whose traces pass over what should be laid over the state."""

    async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        if method == "eth_simulateV1":
            raise RpcRefused(method, -32601, "Method not found")
        if method == "debug_traceCall":
            params = [*params[:2], {key: each for key, each in params[2].items() if key != "stateOverrides"}]
        return await super().call(method, params)


async def test_traces_that_pass_over_an_approval_are_not_believed(anvil: LocalChain) -> None:
    trader = Trader(anvil, Deaf(anvil.node))
    said = await trader.simulated(trader.acts(swap_of(anvil, "v3", trader.me)))
    assert (said.method, said.complete, said.fails) == (Method.CALL, False, False)


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"amount_out": 10**30}, "the price moved beyond the bound of the trade (Too little received)"),
        ({"amount_in": 10**30}, "too little of it, no approval, or it refuses the transfer (STF)"),
    ],
)
async def test_why_it_fails_in_the_traders_words(
    anvil: LocalChain, fronts: ExitStack, method: Method, part: dict[str, int], words: str
) -> None:
    async with lacking(fronts, anvil, method) as nodes:
        trader = Trader(anvil, nodes)
        good = swap_of(anvil, "v3", trader.me)
        amounts = {"amount_in": 10**18, "amount_out": 0} | part
        bad = Swap(good.router, good.kind, Exact.IN, (Part(good.parts[0].segments, **amounts),), trader.me, FAR)
        anvil.transact(bad.token_in, "approve(address,uint256)", bad.router, 10**18, sender=trader.me)
        said = await trader.simulated([bad])
        assert said.fails
        assert words in said.why


async def test_a_transaction_too_late_and_one_through_an_empty_pair(anvil: LocalChain) -> None:
    trader = Trader(anvil, DirectRpc(anvil.node))
    good = swap_of(anvil, "coin in", trader.me)
    late = Swap(good.router, good.kind, good.exact, good.parts, trader.me, 1, coin_in=True)
    assert (await trader.simulated([late])).why == "its deadline has passed (UniswapV2Router: EXPIRED)"


async def test_two_nodes_say_the_same_and_are_named(anvil: LocalChain, fronts: ExitStack) -> None:
    async with lacking(fronts, anvil, Method.SIMULATE, Method.TRACE) as nodes:
        trader = Trader(anvil, nodes)
        said = await trader.simulated(trader.acts(swap_of(anvil, "split", trader.me)))
        assert (len(said.nodes), said.alone, said.complete) == (2, "", True)
    async with lacking(fronts, anvil, Method.CALL, Method.TRACE, Method.CALL) as nodes:
        trader = Trader(anvil, nodes)
        said = await trader.simulated(trader.acts(swap_of(anvil, "split", trader.me)))
        assert (len(said.nodes), said.method, said.complete) == (3, Method.TRACE, True)


async def test_nodes_that_contradict_one_another_stop_the_trade_with_both_answers(
    anvil: LocalChain, fronts: ExitStack
) -> None:
    honest, liar = (front(fronts, anvil, Method.SIMULATE) for _ in range(2))
    weth = anvil.token("WETH").address
    # before: WETH, USDC; then approve, swap; after: WETH, USDC; allowance
    much = "0x" + (10**25).to_bytes(32).hex()
    for lie in (Lie(much, (0, "calls", 5, "returnData")), Lie("0x0", (0, "calls", 3, "status"))):
        liar.clear()
        liar.script("eth_simulateV1", lie, times=ALWAYS)
        async with pool(honest.url, liar.url) as nodes:
            trader = Trader(anvil, nodes)
            with pytest.raises(VenueRefused, match="contradict") as refused:
                await trader.simulated(trader.acts(swap_of(anvil, "v2", trader.me)))
            assert f"0x{weth.hex()} -{3 * 10**18}" in refused.value.what
            assert refused.value.what.count("127.0.0.1") == 2


async def test_a_bare_call_can_contradict_too(anvil: LocalChain, fronts: ExitStack) -> None:
    """What one node could run, another one says would fail."""
    full, bare = front(fronts, anvil, Method.SIMULATE), front(fronts, anvil, Method.CALL)
    bare.script("eth_call", Refused(3, "execution reverted", "0x"), times=ALWAYS)
    async with pool(full.url, bare.url) as nodes:
        trader = Trader(anvil, nodes)
        with pytest.raises(VenueRefused, match="it fails"):
            await trader.simulated(trader.acts(swap_of(anvil, "coin in", trader.me)))


async def test_a_second_node_that_has_not_the_block_is_said_to_be_missing(anvil: LocalChain, fronts: ExitStack) -> None:
    good, lost = (front(fronts, anvil, Method.SIMULATE) for _ in range(2))
    for each in ("eth_simulateV1", "debug_traceCall", "eth_call"):
        lost.script(each, Refused(-32000, "header not found"), times=ALWAYS)
    async with pool(good.url, lost.url) as nodes:
        trader = Trader(anvil, nodes)
        said = await trader.simulated(trader.acts(swap_of(anvil, "coin in", trader.me)))
        assert (len(said.nodes), said.alone, said.complete) == (1, "no second node could run it on this block", True)


class Timeless(DirectRpc):
    """A node without eth_simulateV1, whose traces do not let the time be set."""

    async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        if method == "eth_simulateV1":
            raise RpcRefused(method, -32601, "Method not found")
        if method == "debug_traceCall":
            params = [*params[:2], {key: each for key, each in params[2].items() if key != "blockOverrides"}]
        return await super().call(method, params)


async def test_where_the_time_can_not_be_set_there_is_gas_enough(anvil: LocalChain) -> None:
    """A pool that was traded in this very block: the next one makes it account for the time, the trace does not."""
    for kind in ("v2", "v3"):
        trader = Trader(anvil, Timeless(anvil.node))
        acts = trader.acts(swap_of(anvil, kind, trader.me))
        trader.happens(acts, [])
        said = await trader.simulated(acts)
        assert (said.method, said.complete) == (Method.TRACE, True)
        _, gas = trader.happens(acts, [])
        assert all(used <= outcome.gas for used, outcome in zip(gas, said.outcomes, strict=True))


@pytest.mark.parametrize("method", [Method.SIMULATE, Method.TRACE])
async def test_it_is_run_on_its_block_and_no_other(anvil: LocalChain, fronts: ExitStack, method: Method) -> None:
    async with lacking(fronts, anvil, method) as nodes:
        trader = Trader(anvil, nodes)
        swap, then = swap_of(anvil, "coin in", trader.me), at(anvil)
        said = await trader.simulated([swap])
        trader.happens([swap], [])
        calls, tokens = [encode(swap)], [swap.token_in, swap.token_out]
        again = await simulate(nodes, trader.me, calls, tokens=tokens, at=then)
        assert again.changes == said.changes, "the block of then"
        assert (await simulate(nodes, trader.me, calls, tokens=tokens, at=at(anvil))).changes != said.changes
        anvil.reorg(2)
        with pytest.raises(RpcRefused):
            await simulate(nodes, trader.me, calls, tokens=tokens, at=At(anvil.number(), b"\x11" * 32))


async def test_tokens_that_move_beside_the_trade_are_seen_by_both_methods(anvil: LocalChain, fronts: ExitStack) -> None:
    dai = anvil.token("DAI").address
    for method in (Method.SIMULATE, Method.TRACE):
        async with lacking(fronts, anvil, method) as nodes:
            trader = Trader(anvil, nodes)
            call = Call(dai, abi.TRANSFER.encode(anvil.accounts[3], 5))
            said = await simulate(nodes, trader.me, [call], tokens=[], at=at(anvil))
            assert said.others == {dai}
