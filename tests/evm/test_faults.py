"""Whatever goes wrong between us and a node: nothing is sent twice, nothing is lost, and the books are the chain's.

A fault proxy stands before anvil. It is scripted for one call of one method while a trade is under way, and its record
says what really left us; anvil says what became of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evm.chain import LocalChain
from tests.evm.faults import CutOff, DropReply, DropRequest, Duplicate, Fault, Hold, Http, Lie, Truncated, WrongId
from tests.evm.proxy import FaultProxy
from tests.evm.rig import ChainRig, chain_rig

BREAKS: dict[str, Fault] = {
    "the reply is lost": DropReply(),
    "the request is lost": DropRequest(),
    "sent twice on the way": Duplicate(),
    "half-open": Hold(),
    "429": Http(429, headers={"Retry-After": "1"}),
    "500": Http(500),
    "html": Http(200, body=b"<html>busy</html>"),
    "cut off": CutOff(),
    "truncated": Truncated(),
    "another id": WrongId(),
}
PATIENCE_MS = 1_500
"""Of our own with one request: half-open is nothing until it has passed; anvil answers within a few milliseconds."""
CASES = [
    *(("eth_sendRawTransaction", name) for name in BREAKS),
    *(("eth_getTransactionReceipt", name) for name in ("the reply is lost", "half-open", "truncated", "another id")),
    *(("eth_simulateV1", name) for name in ("the reply is lost", "429")),
    *(("eth_getTransactionCount", name) for name in ("html", "another id")),
    ("eth_feeHistory", "500"),
    ("eth_chainId", "cut off"),
]


@pytest.mark.parametrize(("method", "name"), CASES)
async def test_one_fault_while_a_trade_is_under_way(tmp_path: Path, anvil: LocalChain, method: str, name: str) -> None:
    with FaultProxy(anvil.url, anvil.ws_url) as proxy:
        urls = ((proxy.url, proxy.ws_url),)
        async with chain_rig(tmp_path, anvil, urls=urls, timeout_ms=PATIENCE_MS) as rig:
            await rig.quoted()
            proxy.script(method, BREAKS[name])
            trade = await rig.propose()
            await rig.reached(trade, "FILLED", "FAILED", "DENIED", "CANCELLED", "REJECTED")
            proxy.release()
            ended = rig.state(trade)
            if ended != "FILLED":
                assert_told(rig, ended, sent=anvil.nonce(rig.me, "pending"))
            await rig.until(lambda: anvil.nonce(rig.me, "pending") == anvil.nonce(rig.me), "nothing waits")
            assert rig.sent() == {"FILLED": 2}.get(ended, rig.sent())
            assert len(set(proxy.raw())) <= 2, "other bytes than those that were signed"
            await rig.assert_agrees()


def assert_told(rig: ChainRig, ended: str, sent: int) -> None:
    """Whoever reads why it ended knows whether anything was sent."""
    (row,) = rig.rows("SELECT reason FROM trades")
    assert row["reason"], ended
    if sent == 0 and ended == "FAILED":
        assert "othing was sent" in row["reason"]
    if sent:
        assert "approved only" in row["reason"] or ended in {"REJECTED", "CANCELLED"}


async def test_a_node_that_turns_out_to_be_of_another_chain_gets_nothing(tmp_path: Path, anvil: LocalChain) -> None:
    with FaultProxy(anvil.url, anvil.ws_url) as proxy:
        async with chain_rig(tmp_path, anvil, urls=((proxy.url, proxy.ws_url),)) as rig:
            await rig.quoted()
            proxy.script("eth_chainId", Lie("0x1"), times=1 << 30)
            trade = await rig.propose()
            await rig.reached(trade, "FAILED", "DENIED", "CANCELLED")
            assert proxy.count("eth_sendRawTransaction") == 0
            (row,) = rig.rows("SELECT reason FROM trades")
            assert "chain" in row["reason"]
            await rig.assert_agrees()
