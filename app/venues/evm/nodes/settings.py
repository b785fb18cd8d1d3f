"""What the settings say of a chain's nodes. Plain values: the section of the settings file is made elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.errors import ConfigError
from app.venues.resilience.breaker import BreakerRules
from app.venues.resilience.endpoint import check_url


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """One endpoint.

    Attributes:
        url: http or https; holds keys, so it is shown nowhere (and not by `repr`).
        ws_url: ws or wss of the same node, for new blocks; "" polls.
        requests_per_s, burst: our rate budget at it.
        timeout_ms: of one request, the wait for its place in the budget included.
        most_reply_bytes: what is read of one answer at most.
    """

    url: str = field(repr=False)
    ws_url: str = field(default="", repr=False)
    requests_per_s: int = 20
    burst: int = 40
    timeout_ms: int = 5_000
    most_reply_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class NodesSettings:
    """All endpoints of one chain, in the trader's order of preference.

    Attributes:
        chain_id: what each of them must say.
        block_ms: expected time between blocks.
        confirmations: blocks after which nodes on one chain must have the same block.
        quorum: how many must agree; 0 is a majority of the endpoints configured (1 of 1, 2 of 2, 2 of 3).
        most_lag: blocks that a node may be off the head of the quorum and still count as well; 0 is 3 blocks, or 6 s of
            them where that is more.
        stale_blocks: no new block for this many times `block_ms` is a chain that stands still.
        secure_only: refuse plain http and ws beyond this machine.
        breaker: of each endpoint, one for reading and one for sending.
    """

    chain_id: int
    nodes: tuple[NodeSettings, ...]
    block_ms: int
    confirmations: int = 3
    quorum: int = 0
    most_lag: int = 0
    stale_blocks: int = 10
    secure_only: bool = True
    breaker: BreakerRules = field(default_factory=BreakerRules)

    @property
    def needed(self) -> int:
        """How many nodes must agree."""
        return self.quorum or len(self.nodes) // 2 + 1

    @property
    def lag_allowed(self) -> int:
        """Blocks off the quorum's head with which a node still counts as well."""
        return self.most_lag or max(3, -(-6_000 // self.block_ms))

    @property
    def stale_ms(self) -> int:
        """No new block for so long is a chain that stands still: never less than two looks at all nodes, at one a
        second, take where a node hangs."""
        return max(self.stale_blocks * self.block_ms, 1_000 + 2 * max(node.timeout_ms for node in self.nodes))

    def check(self) -> None:
        """
        Raises:
            ConfigError: no endpoint, one twice, a URL that can not be used, a number out of range.
        """
        if not self.nodes:
            raise ConfigError("config.value", "nodes: none is given. At least one endpoint is needed.")
        for number, node in enumerate(self.nodes, 1):
            where = f"nodes[{number}]"
            check_url(node.url, ("https", "http"), secure_only=self.secure_only, setting=f"{where}.url")
            if node.ws_url:
                check_url(node.ws_url, ("wss", "ws"), secure_only=self.secure_only, setting=f"{where}.ws_url")
            for name, value in (
                ("requests_per_s", node.requests_per_s),
                ("burst", node.burst),
                ("timeout_ms", node.timeout_ms),
                ("most_reply_bytes", node.most_reply_bytes),
            ):
                if value < 1:
                    raise ConfigError("config.value", f"{where}.{name}: {value}. Allowed: 1 and more.")
        if len({node.url for node in self.nodes}) < len(self.nodes):
            raise ConfigError("config.value", "nodes: one endpoint is given twice; it would agree with itself.")
        if not 0 <= self.quorum <= len(self.nodes):
            raise ConfigError(
                "config.value",
                f"quorum: {self.quorum}. Allowed: 1 to {len(self.nodes)}, the number of nodes, or 0 for a majority.",
            )
        for name, value in (
            ("chain_id", self.chain_id),
            ("block_ms", self.block_ms),
            ("stale_blocks", self.stale_blocks),
        ):
            if value < 1:
                raise ConfigError("config.value", f"{name}: {value}. Allowed: 1 and more.")
