"""A transaction to several nodes. The truth is anvil's chain: what is on it afterwards, whatever the answers were."""

from __future__ import annotations

import asyncio

import pytest

from app.errors import VenueUnknown
from app.venues.evm.nodes.refusals import SendAnswer, classify
from app.venues.evm.nodes.settings import NodeSettings
from app.venues.evm.rpc import RpcDown, RpcRefused
from tests.evm.chain import LocalChain
from tests.evm.conftest import StartChain
from tests.evm.nodes.harness import Sender, hash_of, pool
from tests.evm.nodes.server import HALF_OPEN, HANG_UP, Behaviour, FakeNode, Said, error, faked, http, raw, result

SEND = "eth_sendRawTransaction"


@pytest.fixture
def chain(start_chain: StartChain) -> LocalChain:
    """A bare chain on which transactions wait for `mine`."""
    found = start_chain(deployed=False)
    found.automine(on=False)
    return found


def mined(chain: LocalChain, raw_bytes: bytes) -> bool:
    chain.mine()
    return chain.receipt(bytes.fromhex(hash_of(raw_bytes)[2:])) is not None


def dropped_reply(fake: FakeNode) -> Behaviour:
    """The transaction is passed on, the answer is not."""

    async def behaviour(asked: dict[str, object]) -> Said:
        await fake.forward(asked)
        return Said(close=True)

    return behaviour


async def test_it_goes_to_every_node_once(chain: LocalChain) -> None:
    transaction = Sender(chain).transaction(0)
    async with faked(chain.url) as one, faked(chain.url) as two, pool(one.url, two.url) as nodes:
        await nodes.send_raw(transaction)
        await asyncio.gather(*nodes._broadcast._under_way)  # the other one goes on by itself
        assert (one.count(SEND), two.count(SEND)) == (1, 1)
        last = nodes.snapshot().last_send
        assert {name for name, _ in last} == {one.url, two.url}
        assert sorted(answer for _, answer in last) == ["accepted", "already known"]
    assert mined(chain, transaction)


async def test_a_reply_lost_after_it_was_taken_is_unknown_and_never_repeated(chain: LocalChain) -> None:
    transaction = Sender(chain).transaction(0)
    async with faked(chain.url) as fake, pool(fake.url) as nodes:
        fake.answers[SEND] = dropped_reply(fake)
        with pytest.raises(VenueUnknown) as caught:
            await nodes.send_raw(transaction)
        assert caught.value.sent == "unknown"
        assert fake.count(SEND) == 1
        found = await nodes.agreed("eth_getTransactionByHash", (hash_of(transaction),))
        assert found["hash"] == hash_of(transaction), "the look-up finds it"
    assert mined(chain, transaction)


@pytest.mark.parametrize(
    "behaviour",
    [
        HANG_UP, HALF_OPEN, raw(http("<html>", 502)), raw(http("{")), raw(http("", 429)),
        raw(http('{"jsonrpc":"2.0","id":99,"result":"0x"}')), error(-32603, "internal error"),
        error(-32000, "something that no client says"),
    ],
)  # fmt: skip
async def test_an_answer_that_says_nothing_is_unknown(behaviour: Behaviour, chain: LocalChain) -> None:
    async with (
        faked(chain.url, **{SEND: behaviour}) as fake,
        pool(NodeSettings(fake.url, timeout_ms=1_000)) as nodes,
    ):
        with pytest.raises(VenueUnknown):
            await nodes.send_raw(Sender(chain).transaction(0))
        assert fake.count(SEND) == 1


async def test_one_refusal_and_one_silence_are_unknown(chain: LocalChain) -> None:
    """The silent one may have taken what the other refused."""
    refuses = error(-32000, "insufficient funds for gas * price + value")
    async with (
        faked(chain.url, **{SEND: refuses}) as one,
        faked(chain.url, **{SEND: HANG_UP}) as two,
        pool(one.url, two.url) as nodes,
    ):
        with pytest.raises(VenueUnknown) as caught:
            await nodes.send_raw(Sender(chain).transaction(0))
        assert f"{one.url}: insufficient funds" in str(caught.value)
        assert f"{two.url}: no answer" in str(caught.value)


async def test_one_acceptance_is_enough(chain: LocalChain) -> None:
    transaction = Sender(chain).transaction(0)
    refuses = error(-32000, "txpool is full")
    async with (
        faked(chain.url, **{SEND: refuses}) as one,
        faked(chain.url, **{SEND: HANG_UP}) as two,
        pool(one.url, two.url, chain.url) as nodes,
    ):
        await nodes.send_raw(transaction)
    assert mined(chain, transaction)


async def test_it_returns_at_the_first_acceptance(chain: LocalChain) -> None:
    async with faked(chain.url, **{SEND: HALF_OPEN}) as slow, pool(slow.url, chain.url) as nodes:
        start = nodes._clock.monotonic_ns()
        await nodes.send_raw(Sender(chain).transaction(0))
        assert nodes._clock.monotonic_ns() - start < 3_000_000_000, "nobody waits for the other"


async def test_refusals_are_told_apart_by_kind(chain: LocalChain) -> None:
    account = Sender(chain)
    poor = Sender(chain, 8)
    chain.set_balance(bytes.fromhex(poor.address[2:]), 1)
    async with pool(chain.url) as nodes:
        await nodes.send_raw(account.transaction(0))
        await nodes.send_raw(account.transaction(0))  # already known is taken
        for transaction, kind in (
            (account.transaction(0, tip=10**9 + 1), SendAnswer.REPLACEMENT_UNDERPRICED),
            (poor.transaction(0), SendAnswer.INSUFFICIENT_FUNDS),
            (account.transaction(1, chain_id=5), SendAnswer.REFUSED),
        ):
            with pytest.raises(RpcRefused) as caught:
                await nodes.send_raw(transaction)
            assert classify(caught.value.rpc_code, caught.value.message) is kind
            assert caught.value.sent == "no"
        chain.mine()
        with pytest.raises(RpcRefused) as caught:
            await nodes.send_raw(account.transaction(0))
        assert classify(caught.value.rpc_code, caught.value.message) is SendAnswer.NONCE_TOO_LOW


async def test_of_several_refusals_nonce_too_low_is_told(chain: LocalChain) -> None:
    async with (
        faked(chain.url, **{SEND: error(-32000, "txpool is full")}) as one,
        faked(chain.url, **{SEND: error(-32000, "nonce too low")}) as two,
        pool(one.url, two.url) as nodes,
    ):
        with pytest.raises(RpcRefused, match="nonce too low"):
            await nodes.send_raw(Sender(chain).transaction(0))


async def test_a_node_that_changed_its_chain_gets_nothing(chain: LocalChain) -> None:
    """Its name leads elsewhere since we started."""
    async with faked(chain.url) as fake, pool(fake.url) as nodes:
        fake.answers["eth_chainId"] = result("0x1")
        with pytest.raises(RpcDown, match=r"given to no node: .* is on another chain") as caught:
            await nodes.send_raw(Sender(chain).transaction(0))
        assert caught.value.sent == "no"
        assert fake.count(SEND) == 0
        with pytest.raises(RpcDown, match="given to no node: none can be used"):
            await nodes.send_raw(Sender(chain).transaction(0))
        fake.answers.clear()
        nodes.reset()
        await nodes.send_raw(Sender(chain).transaction(0))


async def test_nobody_there_means_that_nothing_was_sent(chain: LocalChain) -> None:
    transaction = Sender(chain).transaction(0)
    async with pool(chain.url) as nodes:
        chain.stop()
        with pytest.raises(RpcDown, match="can not be reached") as caught:
            await nodes.send_raw(transaction)
        assert caught.value.sent == "no"
        assert not isinstance(caught.value, VenueUnknown)


@pytest.mark.parametrize(
    "method", ["eth_sendRawTransaction", "eth_sendTransaction", "personal_sign", "anvil_setBalance"]
)
async def test_what_moves_money_is_no_read(chain: LocalChain, method: str) -> None:
    """`call` and `agreed` can not be used to go round the one way in which bytes are sent."""
    async with pool(chain.url) as nodes:
        with pytest.raises(ValueError, match="not known to only read"):
            await nodes.call(method, ["0x00"])
        with pytest.raises(ValueError, match="not known to only read"):
            await nodes.agreed(method, ["0x00"])
