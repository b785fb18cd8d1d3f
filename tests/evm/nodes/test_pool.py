"""Several nodes as one. The truth is anvil, and what a lying, lagging or dead node beside it must not change."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.errors import ConfigError
from app.venues.evm.nodes.faults import Disagreement
from app.venues.evm.nodes.health import Mode
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.nodes.settings import NodeSettings
from app.venues.evm.rpc import RpcDown, RpcRefused
from tests.evm.chain import LocalChain
from tests.evm.conftest import StartChain
from tests.evm.nodes.harness import Sender, hash_of, pool
from tests.evm.nodes.server import HALF_OPEN, HANG_UP, Behaviour, FakeNode, block, error, faked, http, raw, result

LATEST = ("latest", False)
WHO = "0x" + "22" * 20


@pytest.fixture
def chain(start_chain: StartChain) -> LocalChain:
    """A chain with nothing on it but 20 blocks."""
    found = start_chain(deployed=False)
    found.mine(20)
    return found


def lying(method: str, value: Any) -> dict[str, Behaviour]:
    return {method: result(value)}


async def test_a_read_goes_to_the_next_node_when_one_does_not_answer(chain: LocalChain) -> None:
    async with faked(chain.url) as dead, pool(dead.url, chain.url) as nodes:
        for behaviour in (HANG_UP, HALF_OPEN, raw(http("<html>")), raw(http("", 429)), error(-32601, "not here")):
            dead.answers["eth_getBalance"] = behaviour
            nodes.reset()
            assert await nodes.call("eth_getBalance", (WHO, "latest")) == "0x0"


async def test_a_revert_is_the_answer_and_nobody_else_is_asked(chain: LocalChain) -> None:
    reverts = error(3, "execution reverted: no", "0x1234")
    async with faked(chain.url, eth_call=reverts) as first, faked(chain.url) as second:
        async with pool(first.url, second.url) as nodes:
            with pytest.raises(RpcRefused, match="reverted"):
                await nodes.call("eth_call", ({"to": WHO}, "latest"))
        assert second.count("eth_call") == 0


async def test_when_no_node_answers_each_is_named_with_its_trouble() -> None:
    async with (
        faked(eth_getX=HANG_UP) as one,
        faked(eth_getX=raw(http("<html>"))) as two,
        pool(one.url, two.url) as nodes,
    ):
        with pytest.raises(RpcDown) as caught:
            await nodes.call("eth_getX")
    assert f"{one.url} closed the connection" in str(caught.value)
    assert f"{two.url} answered with something that is not JSON" in str(caught.value)


async def test_a_node_of_another_chain_is_never_used(start_chain: StartChain, chain: LocalChain) -> None:
    other = start_chain(chain_id=1, deployed=False)
    async with faked(other.url) as foreign, pool(foreign.url, chain.url, quorum=1) as nodes:
        view = nodes.snapshot().nodes[0]
        assert (view.usable, view.trouble) == (False, "is on another chain: 1, not 31337")
        assert await nodes.call("eth_blockNumber") == "0x14"
        assert await nodes.agreed("eth_blockNumber") == "0x14"
        assert {name for _, name, _ in foreign.seen} == {"eth_chainId"}
        assert nodes.mode()[0] is Mode.NORMAL


async def test_a_read_at_a_block_goes_to_a_node_that_has_it(chain: LocalChain) -> None:
    """The first node stays three blocks behind, and answers for a block it lacks as if there were nothing."""
    async with faked(chain.url) as slow, faked(chain.url) as well:
        slow.answers["eth_getBlockByNumber"] = slow.lagging("0x11")
        slow.answers["eth_getLogs"] = result([])
        async with pool(slow.url, well.url) as nodes:
            await reads_at_blocks(chain, nodes, slow, well)


async def reads_at_blocks(chain: LocalChain, nodes: Nodes, slow: FakeNode, well: FakeNode) -> None:
    await nodes.call("eth_getLogs", ({"fromBlock": "0x1", "toBlock": "0x11"},))
    assert (slow.count("eth_getLogs"), well.count("eth_getLogs")) == (1, 0)
    await nodes.call("eth_getLogs", ({"fromBlock": "0x1", "toBlock": "0x14"},))
    assert (slow.count("eth_getLogs"), well.count("eth_getLogs")) == (1, 1)
    chain.mine()  # heads are asked for when nobody is known to have a block
    assert await nodes.call("eth_getBalance", (WHO, "0x15")) == "0x0"
    with pytest.raises(RpcDown, match=r"does not have that block yet \(block 100, it has"):
        await nodes.call("eth_getBalance", (WHO, "0x64"))


async def test_the_highest_nonce_counts(chain: LocalChain) -> None:
    asked = ("eth_getTransactionCount", (WHO, "pending"))
    async with faked(chain.url, **lying(asked[0], "0x2")) as one, pool(one.url, chain.url) as nodes:
        assert await nodes.agreed(*asked) == "0x2"
        one.answers[asked[0]] = result("0x200")
        with pytest.raises(Disagreement) as caught:
            await nodes.agreed(*asked)
        assert caught.value.nodes == (one.url, chain.url)
        assert nodes.mode() == (Mode.EXITS_ONLY, caught.value.what)
        one.answers.clear()
        assert await nodes.agreed(*asked) == "0x0"
        assert nodes.mode() == (Mode.NORMAL, "")


async def test_a_receipt_is_what_a_majority_says(chain: LocalChain) -> None:
    raw_bytes = Sender(chain).transaction(0)
    asked = ("eth_getTransactionReceipt", (hash_of(raw_bytes),))
    async with faked(chain.url) as one, faked(chain.url) as two, pool(one.url, two.url, chain.url) as nodes:
        assert await nodes.agreed(*asked) is None
        await nodes.send_raw(raw_bytes)
        chain.mine()
        true = chain.rpc(*asked[:1], *asked[1])
        assert (await nodes.agreed(*asked))["blockHash"] == true["blockHash"]
        one.answers[asked[0]] = result({**true, "status": "0x0"})
        assert (await nodes.agreed(*asked))["status"] == "0x1"
        assert nodes.snapshot().nodes[0].trouble == "said something else than the others"
        two.answers[asked[0]] = result(None)
        with pytest.raises(Disagreement) as caught:
            await nodes.agreed(*asked)
        assert "status 0x0" in caught.value.what
        one.answers[asked[0]] = result(None)
        assert await nodes.agreed(*asked) is None, "one node alone knows it: not yet"
        one.answers[asked[0]] = result({**true, "transactionHash": "0x" + "00" * 32})
        two.answers.clear()
        assert (await nodes.agreed(*asked))["status"] == "0x1", "another transaction's receipt is no answer"


async def test_what_a_quorum_must_say_is_asked_at_one_block(chain: LocalChain) -> None:
    asked = ("eth_getBalance", (WHO, "latest"))
    async with faked(chain.url, eth_blockNumber=result("0x13")) as behind, pool(behind.url, chain.url) as nodes:
        assert await nodes.agreed(*asked) == "0x0"
        assert [params for _, name, params in behind.seen if name == asked[0]] == [[WHO, "0x13"]]
        behind.answers[asked[0]] = result("0xffff")
        with pytest.raises(Disagreement) as caught:
            await nodes.agreed(*asked)
        assert caught.value.nodes == (behind.url, chain.url)


async def test_fewer_answers_than_a_quorum_are_no_agreement(chain: LocalChain) -> None:
    async with faked(chain.url, eth_getBalance=HANG_UP) as dead, pool(dead.url, chain.url) as nodes:
        with pytest.raises(RpcDown, match="1 answered, 2 must agree") as caught:
            await nodes.agreed("eth_getBalance", (WHO, "0x1"))
        assert not isinstance(caught.value, Disagreement)


async def test_a_node_that_hangs_does_not_hold_up_a_quorum(chain: LocalChain) -> None:
    slow = NodeSettings("", timeout_ms=20_000)
    async with faked(chain.url, eth_getBalance=HALF_OPEN) as fake:
        slow = NodeSettings(fake.url, timeout_ms=20_000)
        async with pool(slow, chain.url, NodeSettings(chain.url + "/", timeout_ms=5_000)) as nodes:
            async with asyncio.timeout(15):
                assert await nodes.agreed("eth_getBalance", (WHO, "0x1")) == "0x0"


async def test_two_chains_of_one_id_are_told_apart(start_chain: StartChain, chain: LocalChain) -> None:
    """The second has as many blocks, and other ones."""
    other = start_chain(deployed=False, options=("--timestamp", "1700000000"))
    other.mine(20)
    async with pool(chain.url, other.url) as nodes:
        mode, reason = nodes.mode()
        assert mode is Mode.DATA_ONLY
        assert reason.startswith(f"The nodes disagree about block 17: {chain.url} says 0x")
        assert other.url in reason
    async with pool(other.url, chain.url, chain.url + "/") as nodes:
        assert nodes.mode() == (Mode.NORMAL, "")
        assert [each.usable for each in nodes.snapshot().nodes] == [False, True, True]
        assert nodes.snapshot().nodes[0].trouble == "has other blocks than the others"
        assert (await nodes.call("eth_getBlockByNumber", ("0x11", False)))["hash"] == chain.block(17)["hash"]


async def test_modes_as_nodes_go_down_one_by_one(chain: LocalChain) -> None:
    async with faked(chain.url) as one, faked(chain.url) as two, pool(one.url, two.url, chain.url) as nodes:
        assert nodes.mode() == (Mode.NORMAL, "")
        for fake, mode in ((one, Mode.NORMAL), (two, Mode.DATA_ONLY)):
            fake.answers["eth_getBlockByNumber"] = HANG_UP
            for _ in range(3):
                await nodes._lookout.look()
            assert nodes.mode()[0] is mode
        assert nodes.mode()[1].startswith("1 of 3 nodes can be used, 2 must agree.")
        assert f"{one.url} closed the connection" in nodes.mode()[1]
        assert await nodes.call("eth_blockNumber") == "0x14", "reads work"
        chain.stop()
        for _ in range(3):
            await nodes._lookout.look()
        assert nodes.mode()[0] is Mode.STOPPED


async def test_a_chain_that_stands_still_is_for_exits_only(chain: LocalChain) -> None:
    async with pool(chain.url, block_ms=1_000, stale_blocks=1) as nodes:
        nodes._lookout._risen_ms -= nodes.settings.stale_ms  # as long ago
        await nodes._lookout.look()
        assert nodes.mode()[0] is Mode.EXITS_ONLY
        chain.mine()
        await nodes._lookout.look()
        assert nodes.mode()[0] is Mode.NORMAL


@pytest.mark.parametrize(("ahead", "words"), [(100, "is 100 blocks before the others"), (-15, "is 15 blocks behind")])
async def test_a_node_far_from_the_others_is_not_well(chain: LocalChain, ahead: int, words: str) -> None:
    lie = {"eth_getBlockByNumber": result(block(20 + ahead))}
    async with faked(chain.url, **lie) as odd, pool(chain.url, chain.url + "/", odd.url) as nodes:
        view = nodes.snapshot()
        assert view.nodes[2].trouble.startswith(words)
        assert [each.usable for each in view.nodes] == [True, True, False]
        assert (view.mode, view.head) == (Mode.NORMAL, 20)


async def test_order_by_health_prefers_who_answers(chain: LocalChain) -> None:
    async with faked(chain.url) as flaky, pool(flaky.url, chain.url) as nodes:
        flaky.answers["eth_getX"] = HANG_UP
        for _ in range(2):
            with pytest.raises(RpcRefused):  # anvil knows no such method
                await nodes.call("eth_getX")
        assert nodes.best()[0].name == chain.url


async def test_one_node_is_a_quorum_of_one_and_says_so(chain: LocalChain) -> None:
    key = "a8f5f167f44f4964e6c998dee827110c"
    async with faked(chain.url) as fake, pool(f"{fake.url}/{key}?token={key}") as nodes:
        view = nodes.snapshot()
        assert (view.needed, view.quorum) == (1, "1 of 1: no other node confirms what one says")
        assert view.mode is Mode.NORMAL
        (node,) = view.nodes
        assert (node.name, node.head, node.usable, node.chain_id) == (fake.url, 20, True, 31337)
        assert node.latency_us > 0
        assert key not in repr(view)
        assert key not in repr(nodes.settings)


@pytest.mark.parametrize(
    ("urls", "changes", "words"),
    [
        ((), {}, "nodes: none"),
        (("https://a.example", "https://a.example"), {}, "given twice"),
        (("http://a.example",), {}, "not encrypted"),
        (("https://a.example",), {"quorum": 2}, "quorum: 2"),
        (("https://a.example",), {"block_ms": 0}, "block_ms: 0"),
        ((NodeSettings("https://a.example", requests_per_s=0),), {}, r"nodes\[1\].requests_per_s: 0"),
        ((NodeSettings("https://a.example", ws_url="ws://a.example"),), {}, r"nodes\[1\].ws_url"),
    ],
)
async def test_settings_that_can_not_be_used_are_named(
    urls: tuple[str | NodeSettings, ...], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        async with pool(*urls, **changes):
            pass


async def test_who_lacks_what_was_asked_for_contradicts_nobody(chain: LocalChain) -> None:
    asked = ("eth_getTransactionReceipt", (f"0x{'77' * 32}",))
    async with faked(chain.url) as one, pool(one.url, chain.url) as nodes:
        one.answers[asked[0]] = error(-32000, "transaction indexing is in progress")
        with pytest.raises(RpcDown, match=r"1 answered, 2 must agree\. .* said: transaction indexing") as caught:
            await nodes.agreed(*asked)
        assert not isinstance(caught.value, Disagreement)
        assert nodes.mode()[0] is Mode.NORMAL


async def test_a_fork_is_over_when_its_other_side_is_gone_and_one_is_enough(chain: LocalChain) -> None:
    async with faked(chain.url) as one, pool(one.url, chain.url, quorum=1) as nodes:
        nodes._lookout.fork = "The nodes disagree about block 17."
        one.answers["eth_getBlockByNumber"] = HANG_UP
        await nodes._lookout.look()
        assert nodes.mode()[0] is Mode.NORMAL
