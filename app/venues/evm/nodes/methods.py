"""What is known of JSON-RPC methods: which block a call is at, what an answer must look like, and how answers of
several nodes are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from app.venues.evm.nodes import agreement
from app.venues.evm.nodes.agreement import Judge
from app.venues.evm.nodes.health import Block
from app.venues.evm.nodes.wire import Unreadable, octets, quantity

READS: Final = (
    "eth_get",
    "eth_call",
    "eth_chainId",
    "eth_blockNumber",
    "eth_estimateGas",
    "eth_createAccessList",
    "eth_feeHistory",
    "eth_gasPrice",
    "eth_maxPriorityFeePerGas",
    "eth_blobBaseFee",
    "eth_simulateV1",
    "eth_syncing",
    "debug_trace",
    "net_",
    "web3_",
    "txpool_",
)
"""How methods begin that change nothing."""
_BLOCK_AT: Final = {
    "eth_call": 1,
    "eth_createAccessList": 1,
    "eth_estimateGas": 1,
    "eth_feeHistory": 1,
    "eth_getBalance": 1,
    "eth_getBlockByNumber": 0,
    "eth_getBlockReceipts": 0,
    "eth_getBlockTransactionCountByNumber": 0,
    "eth_getCode": 1,
    "eth_getProof": 2,
    "eth_getStorageAt": 2,
    "eth_getTransactionByBlockNumberAndIndex": 0,
    "eth_getTransactionCount": 1,
    "eth_simulateV1": 1,
    "debug_traceBlockByNumber": 0,
    "debug_traceCall": 1,
}
"""Which parameter names the block."""
_PINNED: Final = frozenset(
    {"eth_call", "eth_getBalance", "eth_getCode", "eth_getStorageAt", "eth_getBlockByNumber", "eth_getProof"}
)
"""Methods whose answer at "latest" differs between nodes that are a block apart: asked at one block instead."""


def block_needed(method: str, params: Sequence[Any]) -> int | None:
    """The number of the block that a node must have to answer, None where any node will do (or the block is named by
    its hash: a node that lacks it says so).

    Raises:
        ValueError: a block that is neither number, tag nor hash.
    """
    if method == "eth_getLogs":
        wanted = [params[0].get(end) for end in ("fromBlock", "toBlock")] if params else []
        # A node behind answers with the logs that it has, as if there were no more.
        return max((number for each in wanted if (number := _number(each)) is not None), default=None)
    at = _BLOCK_AT.get(method)
    return _number(params[at]) if at is not None and at < len(params) else None


def _number(block: object) -> int | None:
    if isinstance(block, Mapping):
        block = block.get("blockNumber")
    if block is None or not isinstance(block, str) or not block.startswith("0x") or len(block) == 66:
        return None
    return int(block, 16)


def pinned(method: str, params: Sequence[Any], head: int) -> tuple[Any, ...]:
    """`params` at block `head` where they say "latest" or nothing."""
    at = _BLOCK_AT.get(method)
    if method not in _PINNED or at is None or at > len(params):
        return tuple(params)
    if at == len(params):
        return (*params, hex(head))
    return tuple(hex(head) if number == at and each == "latest" else each for number, each in enumerate(params))


def asks_for_latest(method: str, params: Sequence[Any]) -> bool:
    """Whether `pinned` would change `params`."""
    return pinned(method, params, 0) != tuple(params)


_JUDGES: Final[dict[str, Judge]] = {
    "eth_blockNumber": agreement.head,
    "eth_getBlockByHash": agreement.block,
    "eth_getBlockByNumber": agreement.block,
    "eth_getTransactionByHash": agreement.transaction,
    "eth_getTransactionCount": agreement.highest_nonce,
    "eth_getTransactionReceipt": agreement.receipt,
}


def judge(method: str) -> Judge:
    """How answers to `method` are compared."""
    return _JUDGES.get(method, agreement.same)


def check_shape(method: str, params: Sequence[Any], result: Any) -> None:
    """That what will be compared is there.

    Raises:
        Unreadable: it is not, or it answers for something else than was asked.
    """
    checks: dict[str, Callable[[Any], object]] = {
        "eth_blockNumber": quantity,
        "eth_chainId": quantity,
        "eth_getTransactionCount": quantity,
        "eth_getBlockByHash": lambda found: _block_asked(found, octets(params[0], 32)),
        "eth_getBlockByNumber": lambda found: _block_asked(found, _number(params[0])),
        "eth_getTransactionByHash": lambda found: _transaction(found, str(params[0])),
        "eth_getTransactionReceipt": lambda found: _receipt(found, str(params[0])),
    }
    check = checks.get(method)
    if check is None:
        return
    try:
        check(result)
    except (KeyError, TypeError, AttributeError):
        raise Unreadable.shape("a field is missing") from None


def read_block(found: Mapping[str, Any]) -> Block:
    """A block as `eth_getBlockBy...` and newHeads tell it.

    Raises:
        Unreadable: a field is missing or of a wrong form.
    """
    try:
        fee = found.get("baseFeePerGas")
        return Block(
            quantity(found["number"]), octets(found["hash"], 32), octets(found["parentHash"], 32),
            quantity(found["timestamp"]), None if fee is None else quantity(fee),
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError):
        raise Unreadable.shape("no block") from None


def _block_asked(found: Any, asked: bytes | int | None) -> None:
    if found is None:
        return
    block = read_block(found)
    if asked is not None and asked not in {block.number, block.hash}:
        raise Unreadable.shape("another block than asked for")


def _transaction(found: Any, asked: str) -> None:
    if found is None:
        return
    if found["hash"].lower() != asked.lower():
        raise Unreadable.shape("another transaction than asked for")
    if found.get("blockHash") is not None:
        octets(found["blockHash"], 32)


def _receipt(found: Any, asked: str) -> None:
    if found is None:
        return
    if found["transactionHash"].lower() != asked.lower():
        raise Unreadable.shape("another transaction's receipt")
    octets(found["blockHash"], 32)
    quantity(found["blockNumber"])
    quantity(found["gasUsed"])
    if quantity(found["status"]) > 1:
        raise Unreadable.shape("a status that is neither 0 nor 1")
    for log in found["logs"]:
        octets(log["address"], 20)
        if not all(octets(topic, 32) for topic in log["topics"]) or not log["data"].startswith("0x"):
            raise Unreadable.shape("a log of a wrong form")
