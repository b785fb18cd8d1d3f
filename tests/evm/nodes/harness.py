"""Several nodes as one, and transactions signed by an account of this test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from eth_account import Account

from app.engine.clock import WallClock
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.nodes.settings import NodeSettings, NodesSettings
from app.venues.resilience.breaker import BreakerRules
from signers.evm import keccak
from tests.evm.chain import CHAIN_ID, LocalChain


@asynccontextmanager
async def pool(*urls: str | NodeSettings, **changes: Any) -> AsyncIterator[Nodes]:
    """A started `Nodes` of these endpoints, as fast as one another so far: the first is asked first; other settings by
    name. Answers may take long, and so may blocks: who tests a silence says how long it is waited for."""
    found = tuple(each if isinstance(each, NodeSettings) else NodeSettings(each, timeout_ms=5_000) for each in urls)
    values: dict[str, Any] = {"block_ms": 1_000, "breaker": BreakerRules(pause_ms=200), "chain_id": CHAIN_ID}
    nodes = Nodes(NodesSettings(nodes=found, **(values | changes)), WallClock())
    await nodes.start()
    for member in nodes._members:
        member.node.health.latency_us = 1_000
    try:
        yield nodes
    finally:
        await nodes.close()


class Sender:
    """An account with a key, funded on a chain.

    Attributes:
        address: 0x text.
    """

    def __init__(self, chain: LocalChain, seed: int = 7) -> None:
        self._account = Account.from_key(seed.to_bytes(32))
        self.address = str(self._account.address)
        chain.set_balance(bytes.fromhex(self.address[2:]), 10**20)

    def transaction(self, nonce: int, *, max_fee: int = 10**10, tip: int = 10**9, chain_id: int = CHAIN_ID) -> bytes:
        """A signed transfer of 1 wei to nobody in particular."""
        fields = {
            "type": 2, "chainId": chain_id, "nonce": nonce, "to": "0x" + "11" * 20, "value": 1, "gas": 21_000,
            "maxFeePerGas": max_fee, "maxPriorityFeePerGas": tip, "data": b"",
        }  # fmt: skip
        return bytes(self._account.sign_transaction(fields).raw_transaction)


def hash_of(raw: bytes) -> str:
    """0x text."""
    return "0x" + keccak(raw).hex()
