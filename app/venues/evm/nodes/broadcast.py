"""One signed transaction to several nodes, once each, and what their answers come to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.errors import VenueUnknown
from app.venues.evm.nodes.faults import NodeFault
from app.venues.evm.nodes.member import Member
from app.venues.evm.nodes.node import Op
from app.venues.evm.nodes.refusals import MAYBE, TAKEN, SendAnswer, classify
from app.venues.evm.rpc import RpcDown, RpcRefused

METHOD: Final = "eth_sendRawTransaction"
_TELLING: Final = (
    SendAnswer.NONCE_TOO_LOW,  # it may be ours that used the nonce
    SendAnswer.REPLACEMENT_UNDERPRICED,
    SendAnswer.INSUFFICIENT_FUNDS,
    SendAnswer.UNDERPRICED,
    SendAnswer.REFUSED,
)
"""Of several refusals the one that is told, first come first."""


@dataclass(frozen=True, slots=True)
class SendReport:
    """One node's answer.

    Attributes:
        words: its own, or what went wrong.
        refusal: its error, where it answered with one.
    """

    node: str
    answer: SendAnswer
    words: str = ""
    refusal: RpcRefused | None = None


class Broadcast:
    """
    Attributes:
        last: the answers to the last transaction, in the order they came.
    """

    def __init__(self) -> None:
        self.last: tuple[SendReport, ...] = ()
        self._latest: list[SendReport] = []
        self._under_way: set[asyncio.Task[SendReport]] = set()

    async def send(self, raw: bytes, members: Sequence[Member]) -> None:
        """See `Nodes.send_raw`."""
        reports: list[SendReport] = []
        self._latest = reports
        text = "0x" + raw.hex()
        tasks = [asyncio.create_task(self._give(each, text, reports)) for each in members]
        for task in tasks:
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        # Slower nodes go on by themselves when one has taken it: each makes it likelier to be seen.
        for first in asyncio.as_completed(tasks):
            if (await first).answer in TAKEN:
                return
        raise _verdict(reports)

    async def close(self) -> None:
        """Give up what is still on its way to slower nodes."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _give(self, member: Member, text: str, reports: list[SendReport]) -> SendReport:
        report = await _answer(member, text)
        reports.append(report)
        if reports is self._latest:  # else a straggler of the transaction before
            self.last = tuple(reports)
        return report


async def _answer(member: Member, text: str) -> SendReport:
    try:
        await member.check_chain(urgent=True)
    except NodeFault as fault:
        return SendReport(member.name, SendAnswer.NOT_ASKED, fault.what)
    try:
        # The result is the hash, which the caller knows and looks up anyway: no node is believed about it.
        await member.node.call(METHOD, (text,), op=Op.SEND)
    except RpcRefused as refused:
        answer = classify(refused.rpc_code, refused.message)
        return SendReport(member.name, answer, refused.message, refused)
    except NodeFault as fault:
        answer = SendAnswer.NOT_ASKED if fault.sent == "no" else SendAnswer.NO_ANSWER
        return SendReport(member.name, answer, fault.what)
    return SendReport(member.name, SendAnswer.ACCEPTED)


def _verdict(reports: Sequence[SendReport]) -> RpcRefused | RpcDown | VenueUnknown:
    """No node has taken it: refused, not given to any, or unknown."""
    words = "; ".join(f"{each.node}: {each.answer}" + (f" ({each.words})" if each.words else "") for each in reports)
    if any(each.answer in MAYBE for each in reports):
        return VenueUnknown("chain.send_unknown", f"Not every node answered to the transaction: {words}.")
    for answer in _TELLING:
        for each in reports:
            if each.answer is answer and each.refusal is not None:
                return each.refusal
    return RpcDown(
        "chain.not_sent",
        f"The transaction was given to no node: {words or 'none can be used'}.",
        next_step="See the nodes on the Health screen.",
    )
