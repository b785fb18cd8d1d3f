"""One chain as a venue. An order is a transaction: its client id is the hash of the signed bytes, known before they are
sent, so that whatever an answer says or does not say, the chain itself can be asked what became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Final

from app import logs
from app.engine.clock import Clock
from app.errors import VenueError, VenueRefused, VenueUnknown
from app.venues.base import (
    Capabilities,
    OrderReport,
    OrderRequest,
    OrderState,
    Reading,
    Signed,
    SignedTransaction,
    VenueInfo,
)
from app.venues.evm import abi
from app.venues.evm.account import AccountReader
from app.venues.evm.chain import Chain, Token
from app.venues.evm.inclusion import Inclusion, Seen, behind
from app.venues.evm.nodes.branch import Reorganised
from app.venues.evm.nodes.heads import HeadEvent, Heads, HeadsView
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.private.sends import PrivateSends, Route
from app.venues.evm.receipts import Mined, read_receipt
from app.venues.evm.reports import Reports
from app.venues.evm.rpc import RpcRefused
from app.venues.evm.taken import taker
from app.venues.evm.words import act_of
from strategies.model import Instrument

_log = logs.get(__name__)

SECOND_LOOK_MS: Final = 600_000
"""What looks receipts up can be minutes behind what counts transactions, at one and the same address."""
Known = Callable[[str], tuple[OrderRequest, bytes] | None]
"""From a transaction's hash to the order it is and its unsigned bytes; None where it is not ours."""


class EvmVenue:
    """`Venue` of one account on one chain.

    Args:
        known: our own record of what was signed.
        private: knows what goes past the public mempool; None: nothing does.
    """

    def __init__(
        self,
        chain: Chain,
        nodes: Nodes,
        instruments: tuple[Instrument, ...],
        account: bytes,
        clock: Clock,
        known: Known,
        private: PrivateSends | None = None,
    ) -> None:
        self.chain, self.nodes, self.account = chain, nodes, account
        self._instruments, self._clock, self._known = instruments, clock, known
        self._reports = Reports(chain, instruments, account, clock)
        self.private = private or PrivateSends(nodes, None, lambda _: Route())
        self.reader = AccountReader(chain, nodes, account)
        self._heads = Heads(nodes, clock, self._on_head)
        self._handlers: list[Callable[[OrderReport], None]] = []
        self.on_head: Callable[[HeadEvent], None] = lambda _: None
        """Told of each new block, after its transactions of ours were looked up."""
        self.on_missing: Callable[[str], None] = lambda _: None
        """Told of a transaction that was sent, and is in no block and no pool any more."""
        self._watched: dict[str, Inclusion | None] = {}
        """Transactions that are not final, and the block that each was last seen in."""
        self._taken: dict[str, tuple[int, int]] = {}
        """Transactions whose nonce is used up, and nobody shows by what: the newest block when that was first seen, and
        when (ms)."""
        self._asking = asyncio.Lock()  # one look-up at a time: what was asked for earlier must not count as newer
        self._tasks: list[asyncio.Task[None]] = []
        self._look = asyncio.Event()

    # -- session ------------------------------------------------------------------------------------------------------

    async def connect(self) -> VenueInfo:
        """Ask every node; follow the chain from now on.

        Raises:
            VenueError: no node answers, or they are of another chain.
        """
        view = await self.nodes.start()
        others = [node for node in view.nodes if node.chain_id not in {None, self.chain.chain_id}]
        if len(view.nodes) - len(others) < view.needed:
            said = ", ".join(f"{node.name} is of chain {node.chain_id}" for node in others)
            what = f"{self.chain.name} is chain {self.chain.chain_id}, and {said}."
            raise VenueError("chain.id", what, next_step=f"Correct chains.{self.chain.name}.rpcs, or its chain_id.")
        await self.nodes.agreed("eth_chainId")
        if not self._tasks:
            running = (self._heads.run(), self.nodes.watch(), self._follow(), self.private.run(self._clock))
            self._tasks = [asyncio.create_task(each) for each in running]
        return VenueInfo(
            name=self.chain.name,
            capabilities=Capabilities(transactions=True),
            instruments=self._instruments,
            taker_fee_bps=Decimal(0),  # a pool's fee is in its price
            maker_fee_bps=Decimal(0),
            gas_asset=self.chain.native.symbol,
            gas_cap=self.chain.gas_cap_value,
        )

    async def ready(self) -> None:
        """Nothing must go first.

        Raises:
            VenueError: what a transaction needs to know can not be agreed on, as things are.
        """
        mode, why = self.nodes.mode()
        if not mode.sends:
            raise VenueError("chain.mode", f"{self.chain.name} is {mode}: {why}", next_step="See its nodes on Health.")

    async def close(self) -> None:
        """Stop following. What was sent stays sent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self.private.close()
        await self.nodes.close()

    @property
    def following(self) -> bool:
        """Whether blocks and transactions are followed; what ends that is a fault of ours."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    def heads(self) -> HeadsView:
        """How the chain is followed."""
        return self._heads.view()

    def subscribe(self, handler: Callable[[OrderReport], None]) -> None:
        """Called on the loop thread for each change of a transaction."""
        self._handlers.append(handler)

    # -- orders -------------------------------------------------------------------------------------------------------

    async def submit(self, orders: tuple[OrderRequest, ...], authorisation: Signed | None) -> tuple[OrderReport, ...]:
        """Send one transaction, to the nodes or, where it was confirmed as private, to the private endpoint alone. A
        refusal is believed only after the chain was asked for its hash.

        Raises:
            VenueRefused: it is in no block and no pool, and the nodes say no.
            VenueUnknown: no answer.
            VenueError: it was given to no node.
        """
        if len(orders) != 1 or not isinstance(authorisation, SignedTransaction):
            raise VenueRefused("chain.order", "A chain takes one signed transaction at a time.")
        (order,) = orders
        if order.client_id != authorisation.hash:
            raise VenueRefused("chain.order", "The order is not the transaction that was signed.")
        opened = self._reports.waiting(order)  # before it is sent: what a block says of it meanwhile is newer
        try:
            await self.private.give(order.client_id, authorisation.raw)
        except RpcRefused as error:
            if (report := await self._after_refusal(order, error)) is None:
                raise
            return (report,)
        self.watch(order.client_id)
        self._look.set()
        return (opened,)

    async def _after_refusal(self, order: OrderRequest, error: RpcRefused) -> OrderReport | None:
        """A node that says "nonce too low" may mean this very transaction, mined meanwhile.

        Raises:
            VenueUnknown: the look-up was not answered.
        """
        try:
            return await self.order(order.client_id)
        except VenueError as fault:
            raise VenueUnknown("chain.unknown", f"{error.what} Whether it was sent before is not known.") from fault

    async def cancel(self, client_id: str) -> OrderReport:
        """Not possible without a signature.

        Raises:
            VenueRefused: always, unless it has come to its end.
        """
        report = await self.order(client_id)
        if report is not None and report.state is not OrderState.OPEN:
            return report
        raise VenueRefused(
            "chain.cancel",
            "A transaction that was sent can only be replaced by another one of the same nonce, which must be signed.",
            next_step=f"Sign it: countersign cancel {client_id[:10]}. It ends at its deadline at the latest.",
        )

    async def order(self, client_id: str) -> OrderReport | None:
        """What the chain says of a transaction: mined, waiting, or proven dead because another one has its nonce. None:
        in no block and no pool, and still able to land. What is with the private endpoint waits, though no pool has it.

        Raises:
            VenueError: no node answered, or they disagree.
        """
        async with self._asking:
            return await self._order(client_id)

    async def _order(self, client_id: str) -> OrderReport | None:
        known = self._known(client_id)
        if known is None:
            return None
        request, unsigned = known
        mined = await self._mined(client_id)
        if mined is not None:
            # Also where no answer to its sending came: its block may be undone.
            self.watch(client_id, Inclusion(mined.block, mined.block_hash, told=False))
            return self._reports.mined(request, unsigned, mined)
        if (place := self._watched.get(client_id)) is not None and not await place.gone(self.nodes):
            raise behind(client_id, place)
        if await self.nodes.call("eth_getTransactionByHash", [client_id]) is not None:
            self._watched.setdefault(client_id, None)
            return self._reports.waiting(request)
        report = await self._if_dead(request, unsigned)
        if report is None and self.private.follows(client_id):
            self._watched.setdefault(client_id, None)
            return self._reports.waiting(request) if self.private.waits(client_id, self._head()) else None
        return report

    async def _mined(self, client_id: str) -> Mined | None:
        receipt = await self.nodes.agreed("eth_getTransactionReceipt", [client_id])
        try:
            return None if receipt is None else read_receipt(receipt)
        except ValueError as error:
            raise VenueError("chain.receipt", f"A node told of {client_id[:10]} by {error}.") from error

    async def open_orders(self) -> tuple[OrderReport, ...]:
        """A chain lists nobody's orders; what of ours waits is looked up by its hash."""
        return ()

    async def balances(self) -> dict[str, Decimal]:
        """Of the coin and every token of the settings, at the newest block; what is not there is left out."""
        return dict((await self.reading()).balances)

    async def reading(self, *, sure: bool = False) -> Reading:
        """Balances, nonce and what others want to know (`reader.beside`), of the newest block enough nodes have."""
        return await self.reader.read(sure=sure)

    # -- what becomes of them -----------------------------------------------------------------------------------------

    def watch(self, client_id: str, place: Inclusion | None = None) -> None:
        """Follow a transaction until it is final. `place`: where it was last seen."""
        self._watched[client_id] = self._watched.get(client_id) or place

    async def _if_dead(self, request: OrderRequest, unsigned: bytes) -> OrderReport | None:
        """Dead once another transaction of its nonce is as deep as the chain's confirmations. Where that one can not be
        found any more, once a second look, as many blocks and `SECOND_LOOK_MS` later, does not know it either."""
        name, nonce = request.client_id, act_of(unsigned)[0].nonce
        head = int(await self.nodes.agreed("eth_blockNumber"), 16)
        deep = max(head - self.chain.confirmations + 1, 0)
        counted = [abi.hexed(self.account), abi.quantity(deep)]
        if int(await self.nodes.call("eth_getTransactionCount", counted), 16) <= nonce:
            self._taken.pop(name, None)
            return None
        # It may have been itself, mined since its receipt was asked for: no pool shows what came privately.
        if (late := await self._mined(name)) is not None:
            self._taken.pop(name, None)
            self.watch(name, Inclusion(late.block, late.block_hash, told=False))
            return self._reports.mined(request, unsigned, late)
        other, now = await taker(self.nodes, self.account, nonce, deep), self._clock.now_ms()
        first, since = self._taken.setdefault(name, (head, now))
        early = head < first + self.chain.confirmations or now < since + SECOND_LOOK_MS
        if other == name or (other is None and early):
            self._watched.setdefault(name, None)
            return self._reports.waiting(request)  # who was asked for it is behind, or may be
        self._taken.pop(name)
        self._watched.pop(name, None)
        self.private.ended(name)
        reason = f"Another transaction of nonce {nonce} was taken into a block: this one can never land."
        return self._reports.dead(request, reason)

    def token(self, symbol: str) -> Token:
        """A token of an instrument."""
        return self._reports.token(symbol)

    def _on_head(self, event: HeadEvent) -> None:
        if isinstance(event, Reorganised):
            _log.warning("chain.reorganised", chain=self.chain.name)
        self._look.set()
        self.on_head(event)

    async def _follow(self) -> None:
        """After each block, and now and then without one, ask for what has not come to its end."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(2 * self.chain.block_ms / 1000):
                    await self._look.wait()
            self._look.clear()
            with suppress(VenueError):  # asked again after the next block; the nodes' health says what is wrong
                await self.look()

    async def look(self) -> None:
        """Ask for every transaction that is not final, and tell what changed: what was undone, the last first, then
        what is in a block now, the first first. A sale is so taken back before the purchase that it needed, and told
        after it, also where one reorganisation had both.

        Raises:
            VenueError: of one or more of them no node told, or none that can be read, or they disagree. The others were
                told, unless one of these was undone: then it takes all to know in which order.
        """
        async with self._asking:
            seen, faults = list[Seen](), list[VenueError]()
            for client_id, known in self._following():
                try:
                    seen.append(await self._seen(client_id, *known))
                except VenueError as error:
                    faults.append(error)
            lowest = min((each.before.number for each in seen if each.undone and each.before is not None), default=None)
            if lowest is None or not faults:
                self._tell_undone(seen, lowest)
                faults += [fault for each in seen if (fault := self._tell_seen(each)) is not None]
        self.private.look(self._head())
        if faults:
            raise faults[0]

    def _following(self) -> list[tuple[str, tuple[OrderRequest, bytes]]]:
        """What is not final, in the order in which blocks take it."""
        found = {client_id: known for client_id in self._watched if (known := self._known(client_id)) is not None}
        for client_id in self._watched.keys() - found.keys():
            self._watched.pop(client_id)  # it is not ours any more
        return sorted(found.items(), key=lambda each: act_of(each[1][1])[0].nonce)

    async def _seen(self, client_id: str, request: OrderRequest, unsigned: bytes) -> Seen:
        """Look a transaction up; nothing is told yet."""
        before = self._watched[client_id]
        mined = await self._mined(client_id)
        if mined is not None:
            place = Inclusion(mined.block, mined.block_hash)
            moved = before is not None and (before.number, before.hash) != (place.number, place.hash)
            return Seen(client_id, request, unsigned, before, mined, undone=moved)
        if before is not None:
            return Seen(client_id, request, unsigned, before, undone=await before.gone(self.nodes))
        return Seen(client_id, request, unsigned, None, waits=True, report=await self._order(client_id))

    def _tell_undone(self, seen: Sequence[Seen], lowest: int | None) -> None:
        """Whatever was in block `lowest` or a later one is undone with it, also what a node that had not heard of that
        still told of where it was; where it is now is told again."""
        for each in reversed(seen):
            if lowest is not None and each.before is not None and each.before.number >= lowest:
                self._watched[each.client_id] = None
                self._tell(self._reports.waiting(each.request, "The block that it was in is no longer in the chain."))

    def _tell_seen(self, seen: Seen) -> VenueError | None:
        client_id, mined = seen.client_id, seen.mined
        if mined is not None:
            before, place = self._watched.get(client_id), Inclusion(mined.block, mined.block_hash)
            self.private.ended(client_id)
            if place != before:
                try:
                    self._tell(self._reports.mined(seen.request, seen.unsigned, mined))
                except VenueError as fault:
                    return fault
            self._watched[client_id] = place
            if self._head() - mined.block + 1 >= self.chain.confirmations:
                self._watched.pop(client_id, None)
        elif seen.waits and seen.report is None:
            self.on_missing(client_id)
        elif seen.report is not None and seen.report.state is not OrderState.OPEN:
            self._tell(seen.report)
        return None

    def _head(self) -> int:
        tip = self._heads.view().tip
        return 0 if tip is None else tip.number

    def _tell(self, report: OrderReport) -> None:
        for handler in self._handlers:
            handler(report)
