"""Private transactions: what the trader confirmed as private reaches no public node before the trader's own choice.

A fault proxy stands before the public node (anvil) and remembers everything that it was asked; the private endpoint
(`tests.evm.relay`) reaches anvil by a way of its own. Anvil says what became of each transaction.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.chain_commands import WORD, chain_handlers, publication
from app.errors import SafetyError, UsageError
from app.execution.chain_preview import lines
from app.execution.publication import KIND
from app.execution.records import Trade
from app.snapshots.chain import chain as chain_view
from app.venues.evm.private.reputation import Reputation
from app.venues.evm.private.way import Fallback, PrivateKind, PrivateWay
from tests.evm.chain import LocalChain
from tests.evm.faults import DropRequest, Exchange, Lie, Nothing, Reply
from tests.evm.proxy import ALWAYS, FaultProxy
from tests.evm.relay import Does, FakeRelay
from tests.evm.rig import ChainRig, chain_rig

SENDS = "eth_sendRawTransaction"


@dataclass(frozen=True)
class Stage:
    """A chain with a public and a private way to it."""

    folder: Path
    anvil: LocalChain
    proxy: FaultProxy
    relay: FakeRelay

    def way(
        self, kind: PrivateKind = PrivateKind.RPC, blocks: int = 3, fallback: Fallback = Fallback.ASK
    ) -> PrivateWay:
        return PrivateWay(self.relay.url, kind, blocks, fallback, f"{self.relay.url}/tx")

    @asynccontextmanager
    async def session(self, private: PrivateWay | None, **options: Any) -> AsyncIterator[ChainRig]:
        urls = ((self.proxy.url, self.proxy.ws_url),)
        async with chain_rig(self.folder, self.anvil, urls=urls, private=private, **options) as rig:
            await rig.quoted()
            yield rig

    def nothing_public(self) -> None:
        """Neither the public node was given anything, nor does a pool have it."""
        assert self.proxy.raw() == []
        assert self.anvil.rpc("txpool_status") == {"pending": "0x0", "queued": "0x0"}


@pytest.fixture
def stage(tmp_path: Path, anvil: LocalChain) -> Iterator[Stage]:
    with FaultProxy(anvil.url, anvil.ws_url) as proxy, FakeRelay(anvil.url) as relay:
        yield Stage(tmp_path, anvil, proxy, relay)


def alerts(rig: ChainRig) -> list[str]:
    return [row["text"] for row in rig.rows("SELECT text FROM alerts WHERE kind = 'private.overdue'")]


def published(rig: ChainRig) -> list[str]:
    return [row["subject"] for row in rig.rows("SELECT subject FROM journal WHERE kind = ?", KIND)]


async def publish(rig: ChainRig, client_id: str, word: str = WORD) -> dict[str, Any]:
    return await chain_handlers(rig.session)["publish"]({"id": client_id, "word": word})


async def waits(rig: ChainRig, stage: Stage, trade: Trade, state: str = "OPEN") -> str:
    """Until its first transaction is with the private endpoint, and in no block; its hash."""
    await rig.until(lambda: rig.orders(trade)[:1] == [("approve", state)], lambda: str(rig.told(trade)))
    stage.nothing_public()
    (order,) = [each for each in trade.orders.values() if each.role == "approve"]
    return order.request.client_id


async def blocks(rig: ChainRig, stage: Stage, count: int) -> None:
    """Some, one after the other, each looked at."""
    for _ in range(count):
        head = stage.anvil.mine()
        await rig.until(lambda: rig.venue.heads().tip is not None and rig.venue.heads().tip.number >= head, "the block")  # type: ignore[union-attr]  # noqa: B023 -- awaited at once


async def overdue(rig: ChainRig, stage: Stage, count: int = 3) -> str:
    """Until the trader was told that no block took it; the words."""
    await blocks(rig, stage, count)
    await rig.until(lambda: bool(alerts(rig)), "an alert")
    (text,) = alerts(rig)
    return text


@pytest.mark.parametrize("kind", list(PrivateKind))
async def test_a_trade_goes_privately_and_nowhere_else(tmp_path: Path, anvil: LocalChain, kind: PrivateKind) -> None:
    with FaultProxy(anvil.url, anvil.ws_url) as proxy, FakeRelay(anvil.url, kind) as relay:
        stage = Stage(tmp_path, anvil, proxy, relay)
        async with stage.session(stage.way(kind, blocks=7)) as rig:
            head = anvil.number()
            trade = await rig.propose()
            await rig.reached(trade, "FILLED")
            stage.nothing_public()
            assert rig.sent() == 2
            assert len(relay.given) == 2
            shape = relay.given[0].params[0]
            signers = {each.signer for each in relay.given}
            if kind is PrivateKind.RELAY:
                assert head + 7 <= int(shape["maxBlockNumber"], 16) <= anvil.number() + 7
            if kind is PrivateKind.BUNDLE:
                assert head + 1 <= int(shape["blockNumber"], 16) <= anvil.number() + 1
            # One throwaway name for the session, and never the trader's own.
            assert len(signers) == 1
            assert (signers == {""}) is (kind is PrivateKind.RPC)
            assert rig.desk.terms.signer_address not in signers
            await rig.assert_agrees()


async def test_every_session_has_another_name_at_the_relay() -> None:
    one, other = Reputation(), Reputation()
    assert one.address != other.address
    assert one.header(b"{}") != other.header(b"{}")
    assert repr(one) == f"Reputation({one.address})"


async def test_a_wrong_signature_is_refused_and_nothing_is_sent(tmp_path: Path, anvil: LocalChain) -> None:
    with FaultProxy(anvil.url, anvil.ws_url) as proxy, FakeRelay(anvil.url, PrivateKind.RELAY) as relay:
        stage = Stage(tmp_path, anvil, proxy, relay)
        async with stage.session(stage.way(PrivateKind.RELAY)) as rig:
            client: Any = rig.venue.private._client
            header = client.reputation.header
            client._node.headers = lambda body: header(body + b" ")
            trade = await rig.propose()
            # The relay says no without a reply to the request: nobody knows, so it is looked up and never concluded.
            await rig.reached(trade, "SUBMITTED")
            await rig.until(lambda: bool(relay.refused), "it was refused")
            assert relay.given == []
            stage.nothing_public()
            client._node.headers = header
            await rig.reached(trade, "FILLED")
            stage.nothing_public()
            await rig.assert_agrees()


async def test_what_the_relay_refuses_is_not_shown_to_the_public(stage: Stage) -> None:
    stage.relay.does = Does.REFUSE
    async with stage.session(stage.way()) as rig:
        trade = await rig.propose()
        await rig.reached(trade, "REJECTED")
        assert "not for us" in trade.reason
        stage.nothing_public()
        assert rig.sent() == 0
        assert not rig.desk.state.purse.holds
        await rig.assert_agrees()


async def test_an_endpoint_that_is_not_there_ends_the_trade(stage: Stage) -> None:
    async with stage.session(PrivateWay("http://127.0.0.1:9", PrivateKind.RPC, 3)) as rig:
        trade = await rig.propose()
        await rig.reached(trade, "FAILED")
        assert "Nothing was sent" in trade.reason
        stage.nothing_public()
        await rig.assert_agrees()


async def test_an_endpoint_of_another_chain_gets_nothing(stage: Stage) -> None:
    stage.relay.chain_id = "0x1"
    async with stage.session(stage.way()) as rig:
        trade = await rig.propose()
        await rig.reached(trade, "FAILED")
        assert "another chain" in trade.reason
        assert stage.relay.given == []
        stage.nothing_public()


@pytest.mark.parametrize("does", [Does.LOSE_REPLY, Does.LOSE_REQUEST, Does.HANG])
async def test_a_lost_answer_is_maybe_sent_and_the_chain_tells(stage: Stage, does: Does) -> None:
    stage.relay.does = does
    async with stage.session(stage.way()) as rig:
        trade = await rig.propose()
        await rig.reached(trade, "SUBMITTED")
        states = [row["to_state"] for row in rig.rows("SELECT to_state FROM order_events ORDER BY seq")]
        assert "UNKNOWN" in states
        stage.relay.does = Does.INCLUDE
        await rig.reached(trade, "FILLED")
        stage.nothing_public()
        assert rig.sent() == 2, "each landed once"
        assert len(set(stage.relay.raw())) == 2, "other bytes than those that were signed"
        await rig.assert_agrees()


async def test_never_stays_private_whatever_happens(stage: Stage) -> None:
    stage.relay.does = Does.HOLD
    async with stage.session(stage.way(fallback=Fallback.NEVER)) as rig:
        trade = await rig.propose()
        client_id = await waits(rig, stage, trade)
        await blocks(rig, stage, 2)
        assert len(stage.relay.given) == 1, "it is not given to it anew while it is tried"
        text = await overdue(rig, stage, 1)
        assert "no block has taken the approve transaction" in text
        assert "once another transaction of nonce 0 has landed" in text
        assert "Nothing publishes it" in text
        assert "publish " not in text
        with pytest.raises(SafetyError, match="stays private"):
            await publish(rig, client_id)
        stage.anvil.mine(5)
        await rig.until(lambda: len(stage.relay.given) > 1, "then it is")
        stage.nothing_public()
        assert published(rig) == []
        # It may land all the while.
        stage.relay.does = Does.INCLUDE
        stage.relay.include(stage.relay.raw()[0])
        await rig.reached(trade, "FILLED")
        stage.nothing_public()
        await rig.assert_agrees()


async def test_asked_the_trader_publishes_the_same_bytes(stage: Stage) -> None:
    stage.relay.does = Does.HOLD
    async with stage.session(stage.way()) as rig:
        trade = await rig.propose()
        client_id = await waits(rig, stage, trade)
        assert [each.request.client_id for _, each in publication(rig.session).waiting()] == [client_id]  # type: ignore[union-attr]
        text = await overdue(rig, stage)
        assert text.endswith(f"countersign publish {client_id[:10]}")
        stage.anvil.mine(4)
        stage.nothing_public()
        with pytest.raises(UsageError, match="PUBLISH"):
            await publish(rig, client_id, "publish")
        stage.nothing_public()
        stage.anvil.automine(on=False)
        answer = await publish(rig, client_id[:10])
        await rig.until(lambda: stage.anvil.nonce(rig.me, "pending") == 1, "it waits in the public pool")
        stage.relay.does = Does.INCLUDE  # the swap that follows
        stage.anvil.automine(on=True)
        stage.anvil.mine()
        assert answer == {"client_id": client_id, "trade_id": trade.id, "symbol": "ETH-USDC", "role": "approve"}
        await rig.reached(trade, "FILLED")
        assert set(stage.proxy.raw()) == {stage.relay.raw()[0]}, "the approval's very bytes, and not the swap"
        assert published(rig) == [client_id]
        assert rig.sent() == 2
        with pytest.raises(SafetyError, match="was published already"):
            await publish(rig, client_id)
        await rig.assert_agrees()


async def test_public_is_published_by_itself_where_that_was_confirmed(stage: Stage) -> None:
    stage.relay.does = Does.HOLD
    async with stage.session(stage.way(fallback=Fallback.PUBLIC)) as rig:
        trade = await rig.propose()
        client_id = await waits(rig, stage, trade)
        text = await overdue(rig, stage)
        assert "It is published, as you confirmed" in text
        await rig.until(lambda: bool(stage.proxy.raw()), "it is published")
        assert stage.proxy.raw()[0] == stage.relay.raw()[0]
        assert published(rig)[0] == client_id
        # The swap that follows was given to the endpoint alone as well, and no block takes it either.
        await rig.until(lambda: rig.orders(trade)[1:] == [("entry", "OPEN")], lambda: str(rig.told(trade)))
        assert len(set(stage.proxy.raw())) == 1
        stage.anvil.mine(4)
        await rig.reached(trade, "FILLED")
        assert rig.sent() == 2
        assert len(published(rig)) == 2
        await rig.assert_agrees()


async def test_what_was_confirmed_as_ask_is_not_published_by_later_settings(stage: Stage) -> None:
    stage.relay.does = Does.HOLD
    async with stage.session(stage.way(fallback=Fallback.ASK)) as rig:
        await waits(rig, stage, await rig.propose())
    async with stage.session(stage.way(fallback=Fallback.PUBLIC)) as again:
        await again.until(lambda: len(stage.relay.given) > 1, "it is handed over again")
        assert "It stays private" in await overdue(again, stage)
        stage.nothing_public()


async def test_a_restart_hands_the_same_bytes_to_the_same_endpoint(stage: Stage) -> None:
    stage.relay.does = Does.HOLD
    async with stage.session(stage.way()) as rig:
        trade = await rig.propose()
        await waits(rig, stage, trade)
    stage.relay.does = Does.INCLUDE
    async with stage.session(stage.way()) as again:
        await again.reached(trade, "FILLED")
        assert stage.relay.raw()[0] == stage.relay.raw()[1]
        stage.nothing_public()
        assert again.sent() == 2
        await again.assert_agrees()


@pytest.mark.parametrize("instead", ["none", "another"])
async def test_without_its_endpoint_it_goes_nowhere_until_it_is_published(stage: Stage, instead: str) -> None:
    """The settings changed while it waited: what was confirmed as private is neither leaked nor told to others."""
    stage.relay.does = Does.HOLD
    async with stage.session(stage.way()) as rig:
        trade = await rig.propose()
        client_id = await waits(rig, stage, trade)
    with FakeRelay(stage.anvil.url) as other:
        way = PrivateWay(other.url) if instead == "another" else None
        async with stage.session(way) as again:
            gone = "SELECT what FROM errors WHERE code = 'chain.private_gone'"
            await again.until(lambda: bool(again.rows(gone)), "it can not be handed over")
            assert stage.relay.host in again.rows(gone)[0]["what"]
            stage.anvil.mine(4)
            stage.nothing_public()
            assert other.given == []
            await publish(again, client_id)
            await again.until(lambda: stage.anvil.nonce(again.me) == 1, "it landed")
            # The same bytes may be sent again until a block has them.
            assert set(stage.proxy.raw()) == set(stage.relay.raw()[:1])


async def test_what_was_published_goes_on_in_public_after_a_restart(stage: Stage) -> None:
    stage.relay.does = Does.HOLD
    stage.proxy.script(SENDS, DropRequest(), times=ALWAYS)
    async with stage.session(stage.way()) as rig:
        trade = await rig.propose()
        client_id = await waits(rig, stage, trade)
        await publish(rig, client_id)
        await rig.until(lambda: stage.proxy.count(SENDS) > 0, "it is sent")
        assert rig.sent() == 0
    stage.proxy.clear()
    stage.relay.does = Does.INCLUDE
    async with stage.session(stage.way()) as again:
        await again.reached(trade, "FILLED")
        assert set(stage.proxy.raw()) == {stage.relay.raw()[0]}
        assert again.sent() == 2
        await again.assert_agrees()


async def test_the_emergency_stop_publishes_no_entry(stage: Stage) -> None:
    stage.relay.does = Does.HOLD
    async with stage.session(stage.way(fallback=Fallback.PUBLIC)) as rig:
        client_id = await waits(rig, stage, await rig.propose())
        rig.desk.stop.create("test")
        text = await overdue(rig, stage)
        assert "It stays private" in text
        with pytest.raises(SafetyError, match="emergency stop"):
            await publish(rig, client_id)
        stage.nothing_public()
        # What lands in spite of it is booked.
        stage.relay.include(stage.relay.raw()[0])
        await rig.until(lambda: rig.booked("ETH") == rig.on_chain("ETH"), "its gas is booked")


@dataclass(frozen=True, slots=True)
class _UntilAsked:
    """Nothing is known yet, until the node was asked something else once more."""

    proxy: FaultProxy
    method: str
    before: int

    async def run(self, exchange: Exchange) -> Reply | None:
        fault = Lie(None) if self.proxy.count(self.method) == self.before else Nothing()
        return await fault.run(exchange)


async def test_mined_between_two_questions_is_mined_and_not_dead(stage: Stage) -> None:
    """Its receipt is not there yet, and a moment later its nonce is used: by itself."""
    stage.relay.does = Does.HOLD
    async with stage.session(stage.way()) as rig:
        trade = await rig.propose()
        await waits(rig, stage, trade)
        stage.relay.does = Does.INCLUDE
        late = _UntilAsked(stage.proxy, "eth_getTransactionCount", stage.proxy.count("eth_getTransactionCount"))
        stage.proxy.script("eth_getTransactionReceipt", late, times=1000)
        stage.proxy.script("eth_getTransactionByHash", late, times=1000)
        stage.relay.include(stage.relay.raw()[0])
        await rig.reached(trade, "FILLED")
        await rig.assert_agrees()


async def test_under_a_stop_what_was_given_before_a_restart_is_followed(stage: Stage) -> None:
    """It is not handed over again, and may land all the same."""
    stage.relay.does = Does.HOLD
    async with stage.session(stage.way()) as rig:
        trade = await rig.propose()
        await waits(rig, stage, trade)
        rig.desk.stop.create("test")
    async with stage.session(stage.way()) as again:
        assert len(stage.relay.given) == 1
        stage.relay.include(stage.relay.raw()[0])
        await again.until(lambda: again.orders(trade)[0] == ("approve", "FILLED"), "it is booked")
        assert again.booked("ETH") == again.on_chain("ETH")


async def test_what_was_public_from_the_start_can_not_be_published(stage: Stage) -> None:
    async with stage.session(None) as rig:
        trade = await rig.propose()
        await rig.reached(trade, "FILLED")
        with pytest.raises(SafetyError, match="public mempool at once"):
            await publish(rig, next(iter(rig.rows("SELECT client_id FROM orders")))["client_id"])
        with pytest.raises(UsageError, match="No transaction begins"):
            await publish(rig, "0xffffffff")
        assert stage.relay.given == []


async def test_what_is_shown(stage: Stage) -> None:
    """The confirmation says who sees it, and what a sandwich could take; health says what waits and what the status
    page says of it, which concludes nothing."""
    stage.relay.does = Does.HOLD
    async with stage.session(stage.way()) as rig:
        trade = await rig.propose(quantity="4.5", symbol="WBTC-USDC")
        client_id = await waits(rig, stage, trade)
        said = [each.text for each in lines(json.loads(trade.payloads[0].preview))]
        assert f"Sent privately through {stage.relay.host}: not visible to others before it is mined." in said
        assert "If no block of the next 3 takes it: it stays private, you are told, and may publish it." in said
        assert any(each.startswith("Were it seen, a sandwich could take up to ") for each in said), said
        stage.relay.status[client_id] = {"status": "FAILED", "hash": client_id, "simError": "SimErrorNonceTooHigh"}

        def told() -> bool:
            seen = chain_view(rig.session)
            assert seen is not None
            assert seen.private is not None
            assert (seen.private.host, seen.private.kind) == (stage.relay.host, "rpc")
            (wait,) = seen.private.waiting
            return wait.client_id == client_id and wait.status == "FAILED (SimErrorNonceTooHigh)"

        await rig.until(told, "the status page was asked")
        assert rig.orders(trade)[0] == ("approve", "OPEN"), "it is told and not believed"


async def test_a_public_trade_says_so(stage: Stage) -> None:
    async with stage.session(None) as rig:
        trade = await rig.propose(quantity="4.5", symbol="WBTC-USDC")
        await rig.until(lambda: bool(trade.payloads), "it is prepared")
        said = {each.text: each.role for each in lines(json.loads(trade.payloads[0].preview))}
        assert said["Sent to the public mempool: others can see it before it is mined."] == "warn"
        (words,) = [each for each in said if each.startswith("A sandwich could take up to ")]
        assert said[words] == "warn"
        assert words.endswith(" after gas.")
        await rig.reached(trade, "FILLED")
