"""The part of ``countersign doctor`` for networks: what each endpoint is, how far it is, what it can do, and whether
the contracts of the settings are there. Hosts are named; what else an endpoint's URL holds is not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from app.chain_plan import nodes_of
from app.config.chain_facts import Configured, all_configured
from app.config.schema import Settings
from app.engine.clock import WallClock
from app.errors import CountersignError
from app.launch import secret
from app.venues.evm.chain import Chain, FeeKind
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.nodes.settings import NodeSettings, NodesSettings
from app.venues.evm.nodes.wire import Unreadable, quantity
from app.venues.evm.rpc import RpcDown, RpcRefused
from app.venues.resilience.endpoint import shown

Check = tuple[str, str, str]

_NOBODY: Final = "0x" + "00" * 20
_NO_METHOD: Final = -32601
_NO_METHOD_WORDS: Final = (
    "not found",
    "not supported",
    "not available",
    "does not exist",
    "unsupported",
    "not allowed",
)
_CALL: Final = {"from": _NOBODY, "to": _NOBODY}
_METHODS: Final[tuple[tuple[str, list[Any]], ...]] = (
    ("eth_feeHistory", ["0x1", "latest", [50]]),
    ("eth_simulateV1", [{"blockStateCalls": [{"calls": [_CALL]}]}, "latest"]),
    ("debug_traceCall", [_CALL, "latest", {"tracer": "callTracer"}]),
)
"""Beside what every node has: fees need the first; a trade is shown beforehand by the second, or less well by the
third."""
_OLD_BLOCKS: Final = 10
"""Blocks' time without a new one that is a head too old; as the nodes' own rule."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one endpoint said.

    Attributes:
        trouble: why it can not be used; "" where it can.
        missing: methods that it does not have.
        bare: contracts of the settings without code there.
    """

    host: str
    trouble: str = ""
    head: int = 0
    age_s: int = 0
    missing: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()


def checks(settings: Settings) -> list[Check]:
    """A line for each endpoint of each network, and one for each network."""
    return [line for found in all_configured(settings.chains).values() for line in _of(found)]


def _of(found: Configured) -> list[Check]:
    name = f"chain {found.name}"
    if not found.rpcs:
        return [
            (name, "warn", f"{found.title}, chain {found.chain.chain_id}: no endpoint; set chains.{found.name}.rpcs")
        ]
    try:
        nodes = nodes_of(found, secret)
    except CountersignError as error:
        return [(name, "FAIL", error.what)]
    answers = asyncio.run(_ask_all(found.chain, nodes))
    well = [each for each in answers if not each.trouble]
    highest = max((each.head for each in well), default=0)
    lines = [(name, *_words(each, highest, found.chain, nodes)) for each in answers]
    state = "ok" if len(well) >= nodes.needed else "FAIL"
    agree = f"{len(well)} of {len(answers)} endpoints can be used, {nodes.needed} must agree"
    return [(name, state, f"{found.title}, chain {found.chain.chain_id}: {agree}"), *lines]


async def _ask_all(chain: Chain, nodes: NodesSettings) -> list[Answer]:
    return list(await asyncio.gather(*(_ask(chain, nodes, node) for node in nodes.nodes)))


async def _ask(chain: Chain, nodes: NodesSettings, node: NodeSettings) -> Answer:
    clock, host = WallClock(), shown(node.url)
    one = Nodes(replace(nodes, nodes=(replace(node, ws_url=""),), quorum=1), clock)
    try:
        block = await one.call("eth_getBlockByNumber", ["latest", False])
        head, age_s = quantity(block["number"]), clock.now_ms() // 1000 - quantity(block["timestamp"])
        lacks = [method for method, parameters in _METHODS if not await _has(one, method, parameters)]
        bare = [what for what, address in _contracts(chain) if not await _code(one, address)]
        return Answer(host, head=head, age_s=age_s, missing=tuple(lacks), bare=tuple(bare))
    except (RpcDown, RpcRefused) as error:
        return Answer(host, error.what)
    except (Unreadable, KeyError, TypeError):
        return Answer(host, "answers, and not as a node does")
    finally:
        await one.close()


async def _has(nodes: Nodes, method: str, parameters: list[Any]) -> bool:
    """Whether a node knows a method: what else it may say against the question is no matter."""
    try:
        await nodes.call(method, parameters)
    except RpcRefused as refused:
        words = refused.message.lower()
        return refused.rpc_code != _NO_METHOD and not any(each in words for each in _NO_METHOD_WORDS)
    return True


async def _code(nodes: Nodes, address: bytes) -> bool:
    return await nodes.call("eth_getCode", [f"0x{address.hex()}", "latest"]) not in {"0x", None}


def _contracts(chain: Chain) -> Iterator[tuple[str, bytes]]:
    yield f"wrapped {chain.native.symbol}", chain.native.address
    for token in chain.tokens:
        if token.address != chain.native.address:
            yield f"tokens.{token.symbol}", token.address
    for key, address in (("multicall", chain.multicall), ("permit2", chain.permit2)):
        if address is not None:
            yield key, address
    for dex in chain.dexes:
        parts = (
            ("factory", dex.factory),
            ("router", dex.router),
            ("quoter", dex.quoter),
            ("positions", dex.positions),
            ("universal_router", dex.universal),
        )
        yield from ((f"dexes.{dex.name}.{key}", address) for key, address in parts if address is not None)


def _words(answer: Answer, highest: int, chain: Chain, nodes: NodesSettings) -> tuple[str, str]:
    if answer.trouble:
        return "FAIL", f"{answer.host}: {answer.trouble}"
    lag = highest - answer.head
    told = [f"{answer.host}: block {answer.head}, {answer.age_s} s old"]
    state = "ok"
    if lag:
        told.append(f"{lag} behind the highest")
    if lag > nodes.lag_allowed or answer.age_s * 1000 > _OLD_BLOCKS * chain.block_ms:
        state = "warn"
    if answer.missing:
        told.append(f"does not have {', '.join(answer.missing)}")
        state = "FAIL" if "eth_feeHistory" in answer.missing and chain.fee_kind is FeeKind.EIP1559 else "warn"
    if answer.bare:
        told.append(f"nothing is at {', '.join(answer.bare)} of the settings")
        state = "FAIL"
    return state, "; ".join(told)
