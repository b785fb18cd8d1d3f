"""Trades that are signed as a chain's transactions: the plan becomes bytes, the words on the screen are decoded from
the bytes, and the orders are made from the signed bytes and checked against the intent once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.errors import SafetyError, VenueError, VenueRefused
from app.execution.chain_account import Account
from app.execution.chain_liquidity import ChainLiquidity
from app.execution.desk import Desk
from app.execution.fatigue import unsimulated
from app.execution.mempool import seen
from app.execution.records import Order, Payload, Role, Trade
from app.execution.standing_terms import words
from app.execution.standing_view import nonces_sent, own_nonce
from app.execution.states import PayloadState
from app.execution.token_check import TokenCheck
from app.execution.transaction_terms import role_of, unlike
from app.execution.transactions_sent import nonces_landed
from app.execution.wishes import Wished, Wishes
from app.ids import payload_id
from app.money import to_text
from app.venues.base import OrderKind, OrderRequest, OrderState, SignedTransaction
from app.venues.evm.assemble import CONTRADICTED, STANDING, USUAL, Assembled, Assembler, Place
from app.venues.evm.chain import Chain
from app.venues.evm.fees import FeeRules
from app.venues.evm.naming import instant
from app.venues.evm.planner import Plan, Planner
from app.venues.evm.rpc import Rpc
from app.venues.evm.safety.findings import Safety, SafetyRules
from app.venues.evm.simulate import COIN, Simulation
from app.venues.evm.swap import Exact, InnerApproval
from app.venues.evm.words import act_of, transaction_words
from signers.evm import checksum
from signers.evm import decode as fields_of
from signers.faults import SignerFault
from signers.payloads import EvmTransaction
from signers.verify import verify_raw
from storage.journal import canonical
from strategies.model import Intent

_AGAIN_MS: Final = 250
"""Between two questions for a block that no node has yet that answers."""
_WAITS: Final = frozenset({OrderState.OPEN, OrderState.UNKNOWN})
"""States of an order whose transaction waits to be taken into a block."""
_TO_SEND: Final = frozenset({PayloadState.CONFIRMED, PayloadState.SIGNED})
"""States of a payload in which its nonce is taken, and nothing was sent yet."""
_SAFETY: Final = SafetyRules()
_SENT: Final = frozenset({PayloadState.SENT, PayloadState.LANDED, PayloadState.UNKNOWN, PayloadState.DEAD})


@dataclass(frozen=True, slots=True)
class Draft:
    """What was put together, how it was reckoned, what speaks against what it buys (None: not looked at), and who sees
    it before it is mined (`app.execution.mempool.seen`)."""

    made: Assembled
    plan: Plan | None
    safety: Safety | None
    seen: Mapping[str, Any]


class ChainPreparation:
    """`Preparation` for one account on one chain.

    Args:
        planner: knows the pools already: the market is made of them.
    """

    def __init__(
        self,
        desk: Desk,
        chain: Chain,
        rpc: Rpc,
        account: bytes,
        planner: Planner,
        positions: ChainLiquidity,
        safety: SafetyRules = _SAFETY,
    ) -> None:
        self._desk, self._chain, self._account = desk, chain, Account(chain, account)
        self._planner = planner
        self._wishes = Wishes(self._account, planner, positions, desk.instruments, desk.terms.slippage_bps)
        self._positions = positions
        self._assembler = Assembler(chain, rpc, account)
        self._check = TokenCheck(desk, chain, rpc, safety)

    async def until_read(self) -> None:
        """Until a node that answers has the newest block that something of ours is booked of, or two blocks' time is
        over: one address may stand for many nodes, of which not the same one answers each time."""
        clock = self._desk.clock
        until = clock.now_ms() + 2 * self._chain.block_ms
        while True:
            try:
                await self._planner.head()
            except VenueError:
                if clock.now_ms() >= until:
                    return  # whoever asks next is told why
            else:
                return
            with self._desk.activity.parked():
                await clock.sleep_until(clock.now_ms() + _AGAIN_MS)

    async def draft(self, trade: Trade) -> Draft | str:
        """Quote, look at what would be bought, simulate, put together; or why not.

        Raises:
            VenueError: a node did not answer.
        """
        intent = trade.intent
        rules = STANDING if trade.standing else USUAL
        try:
            place = self._place(intent)
            wished = await self._wishes.of(intent, self._valid_until(trade) // 1000)
            safety = await self._check.of(intent, wished.wish.at)
            if safety is not None and (why := self._check.refusal(safety)) is not None:
                return why
            wished, made = await self._made(trade, wished, place, rules)
        except (VenueRefused, SafetyError) as error:
            return error.what
        most = self._chain.native.amount(made.highest_gas)
        if most > intent.max_gas:
            coin = self._chain.native.symbol
            return f"Its gas can cost {to_text(most)} {coin}; the intent allows {to_text(intent.max_gas)}."
        sight = await seen(self._account, made, wished.plan, self._desk.valuation.last_rate)
        return Draft(made, wished.plan, safety, sight)

    async def _made(
        self, trade: Trade, wished: Wished, place: Place | None, rules: FeeRules
    ) -> tuple[Wished, Assembled]:
        """Put together; once more where a simulation contradicts it because a token takes a share of each transfer.

        Raises:
            VenueRefused, SafetyError, VenueError: as `Assembler.assemble`.
        """
        rate, taken = self._desk.valuation.last_rate(self._chain.native.symbol), self._taken(trade)
        try:
            return wished, await self._assembler.assemble(wished.wish, rate, taken, place, rules)
        except VenueRefused as error:
            if error.code != CONTRADICTED or wished.plan is None or not await self._planner.learn(wished.plan):
                raise
        wished = await self._wishes.of(trade.intent, self._valid_until(trade) // 1000)
        return wished, await self._assembler.assemble(wished.wish, rate, taken, place, rules)

    def _place(self, intent: Intent) -> Place | None:
        """Of the transaction that the intent replaces.

        Raises:
            VenueRefused: it is not ours, or does not wait any more.
        """
        if not intent.replaces:
            return None
        found = self._desk.state.find_order(intent.replaces)
        payload = None if found is None else found[0].payload_of(found[1])
        if found is None or payload is None or found[1].state not in _WAITS:
            what = f"No transaction {intent.replaces[:10]} of ours waits to be taken into a block."
            raise VenueRefused("chain.replaced", what, next_step="See what waits: countersign orders")
        fields = fields_of(payload.body)
        return Place(fields.nonce, (fields.max_fee, fields.priority_fee))

    def payloads(self, trade: Trade, draft: object) -> tuple[Payload, ...] | str:
        """One payload for each transaction."""
        if not isinstance(draft, Draft):
            return draft if isinstance(draft, str) else "It was not prepared."
        of, until = len(draft.made.transactions), self._valid_until(trade)
        if trade.standing and draft.plan is not None:
            until = draft.plan.swap.deadline * 1000  # it is kept: what is told is when its bytes end
        preview = canonical(self._preview(trade, draft))
        made = []
        for number, each in enumerate(draft.made.transactions, 1):
            role = role_of(trade.intent) if number == of else Role.APPROVE
            payload = Payload(payload_id(trade.id, number), "", preview, until, body=each.unsigned, role=role)
            payload.text = self._words(trade, payload, number, of)
            made.append(payload)
        # The last look before anybody is asked to read it: a mistake of ours ends here.
        why = next((why for each in made if (why := self._unlike(trade, each, made)) is not None), None)
        return tuple(made) if why is None else f"What was prepared is not the trade: {why}."

    def orders(self, trade: Trade, payload: Payload) -> tuple[Order, ...]:
        """The one order that a signed transaction is.

        Raises:
            SafetyError: its bytes do something else than the trade.
            ValueError: they can not be read.
        """
        assert isinstance(payload.signed, SignedTransaction)
        if (why := self._unlike(trade, payload, trade.payloads)) is not None:
            raise SafetyError("transaction.refused", f"The signed transaction is not the trade's: {why}.")
        plain = payload.role is Role.APPROVE or payload.role is Role.ACT  # these neither buy nor sell
        request = OrderRequest(
            client_id=payload.signed.hash,
            symbol=trade.intent.symbol,
            side=trade.intent.side,
            kind=OrderKind.TRANSACTION,
            quantity=Decimal(0) if plain else trade.intent.quantity,
            valid_until_ms=payload.valid_until_ms,
            limit_price=None if plain else trade.intent.worst_price,
            stop_price=trade.intent.exits.stop if trade.standing and not plain and trade.intent.exits else None,
            reduce_only=trade.intent.reduce_only,
        )
        assert payload.role is not None
        return (Order(request, trade.id, payload.role),)

    def unlike_signed(self, trade: Trade, payload: Payload) -> str | None:
        """Why what would be sent is not what was confirmed and signed, or None."""
        signed = payload.signed
        if not isinstance(signed, SignedTransaction):
            return "there is no signature of a transaction"
        mine = checksum(self._account.address)
        try:
            verify_raw(EvmTransaction(payload.body), signed.raw, mine)
            words = self._words(trade, payload, trade.payloads.index(payload) + 1, len(trade.payloads))
            checks = (
                (signed.address != mine or mine not in self._desk.terms.addresses, "it is by another account"),
                (words != payload.text, "its words are not those that were confirmed"),
                ([o.request.client_id for o in trade.orders_of(payload)] != [signed.hash], "its order is not its own"),
            )
            why = next((words for wrong, words in checks if wrong), None)
            return why or self._unlike(trade, payload, trade.payloads)
        except SignerFault as fault:
            return fault.what
        except ValueError as error:
            return str(error)

    async def worse(self, trade: Trade, payload: Payload) -> str | None:
        """Whether its nonces are still next, and a simulation on the newest block still does what was confirmed; of a
        standing exit that was signed long ago also whether its fee is enough.

        Raises:
            VenueError: a node did not answer, or two contradict one another.
        """
        left = [each for each in trade.payloads if each.state not in _SENT]
        read = [act_of(each.body) for each in left]
        nonces = [fields.nonce for fields, _ in read]
        try:
            place = self._place(trade.intent) if left[0] is trade.payloads[0] else None
            wanted = await self._assembler.next_nonces(self._taken(trade), len(left), place)
        except VenueRefused as error:
            return error.what
        if nonces != wanted:
            return f"Another transaction of this account took its nonce: it has {nonces[0]}, the next is {wanted[0]}."
        if trade.armed and (why := await self._assembler.too_dear(read[0][0])) is not None:
            return why
        watched = self._account.tokens_of(self._desk.instruments[trade.intent.symbol])
        simulation = await self._assembler.simulate([act for _, act in read], await self._planner.head(), watched)
        return _contradicts(simulation, payload)

    async def stands(self, trade: Trade) -> str | None:
        """Whether its nonce is the account's next one, or will be once what is signed before it was sent."""
        nonce = own_nonce(trade)
        (free,) = await self._assembler.next_nonces(self._taken(trade), 1)
        if free > nonce:
            return f"Another transaction of this account has its nonce, {nonce}."
        before = set(range(free, nonce)) - self._taken(trade, to_send=True)
        return f"It waits for nonce {min(before)}, which nothing has." if before else None

    def _unlike(self, trade: Trade, payload: Payload, payloads: Sequence[Payload]) -> str | None:
        """Why a transaction is not what its trade wants, or None.

        Raises:
            ValueError: the bytes can not be read.
        """
        return unlike(self._account, self._desk.instruments[trade.intent.symbol], trade.intent, payloads, payload)

    def _words(self, trade: Trade, payload: Payload, number: int, of: int) -> str:
        """
        Raises:
            ValueError: its bytes can not be read.
        """
        instrument, mine = self._desk.instruments[trade.intent.symbol], self._account
        base, positions = mine.token(instrument.base).address, self._positions.positions
        text = transaction_words(self._chain, mine.address, payload.body, number, of, base=base, positions=positions)
        if not trade.standing or payload.role is Role.APPROVE:
            return text
        return "\n".join([*words(trade.intent, instrument, payload.valid_until_ms), text])

    def _valid_until(self, trade: Trade) -> int:
        terms = self._desk.terms
        lasts = terms.standing.validity_ms if trade.standing else terms.authorisation_validity_ms
        until = self._desk.clock.now_ms() + lasts
        return until - until % 1000

    def _taken(self, without: Trade, *, to_send: bool | None = None) -> set[int]:
        """Nonces of transactions that were confirmed or signed, but for those of one trade, of what it replaces, and of
        what that has replaced, if it still waits too: one of them all lands at most. A standing exit takes none until
        it is sent, and one that is armed makes way only for what was sent, not for what is `to_send`."""
        state, left_out, replaces = self._desk.state, {without.id}, without.intent.replaces
        while replaces and (found := state.find_order(replaces)) is not None and found[0].id not in left_out:
            left_out.add(found[0].id)
            replaces = found[0].intent.replaces
        # (whoever is asked may not have the blocks yet of what has landed)
        taken = nonces_sent(self._desk, left_out) | nonces_landed(state)
        waits = not without.armed if to_send is None else to_send
        for trade in state.trades.values() if waits else ():
            if trade.id not in left_out and not trade.kept:
                taken |= {fields_of(each.body).nonce for each in trade.payloads if each.body and each.state in _TO_SEND}
        return taken

    def _preview(self, trade: Trade, draft: Draft) -> dict[str, Any]:
        """What is shown beside the words; amounts as text."""
        made, coin = draft.made, self._chain.native
        simulation, rate = made.simulation, self._desk.valuation.last_rate(coin.symbol)
        changes = []
        for address, change in simulation.changes.items():
            if change:
                token = coin if address == COIN else self._account.named(address)
                changes.append([token.symbol, token.text(change)])
        spent = sum(each.fee.expected for each in made.transactions)
        inner = [each.act for each in made.transactions if isinstance(each.act, InnerApproval)]
        ends = {(each.token, each.spender): (instant(each.expires),) for each in inner}
        return {
            "chain": self._chain.name,
            "block": simulation.block,
            "transactions": len(made.transactions),
            "simulated": simulation.complete,
            "not_simulated": "; ".join(simulation.missing),
            "method": simulation.method.value,
            "nodes": list(simulation.nodes),
            "alone": simulation.alone,
            "changes": changes,
            **({} if draft.plan is None else self._quoted(draft.plan)),
            "gas": coin.text(spent),
            "gas_most": coin.text(made.highest_gas),
            "gas_asset": coin.symbol,
            "gas_rate": None if rate is None else to_text(rate),
            "allowances": [
                [
                    self._account.named(token).symbol,
                    checksum(spender),
                    self._account.named(token).text(left),
                    *ends.get((token, spender), ()),
                ]
                for (token, spender), left in simulation.allowances.items()
            ],
            "safety": None if draft.safety is None else draft.safety.as_json(),
            "covered": trade.intent.reduce_only or trade.intent.act is not None,
            **draft.seen,
            "stop": to_text(trade.intent.exits.stop) if trade.intent.exits else None,
            "standing": trade.standing,
        }

    def _quoted(self, plan: Plan) -> dict[str, Any]:
        """The price of a swap."""
        swap, coin = plan.swap, self._chain.native
        pays = swap.exact is Exact.OUT
        quoted, bound = (plan.amount_in, swap.amount_in) if pays else (plan.amount_out, swap.amount_out)
        of = self._account.named(swap.token_in if pays else swap.token_out)
        of = coin if (swap.coin_in if pays else swap.coin_out) else of
        return {
            "quoted": of.text(quoted),
            "quoted_asset": of.symbol,
            "bound": of.text(bound),
            "bound_is": "most" if pays else "least",
            "impact_bps": str(max((quote.impact_bps for quote in plan.quotes), default=0)),
            "unread_pools": plan.unread,
            "pool_fee_bps": str(max((quote.fee_bps for quote in plan.quotes), default=0)),
        }


def _contradicts(simulation: Simulation, payload: Payload) -> str | None:
    """Why a simulation of now is not what was confirmed, or None."""
    if simulation.fails:
        return f"It would fail now: {simulation.why}."
    if simulation.others:
        return "It would move tokens now that the trade does not name."
    if not simulation.complete and not unsimulated(payload.preview):
        return f"It was simulated when it was confirmed; now {'; '.join(simulation.missing)}."
    return None
