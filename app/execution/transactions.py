"""Trades that are signed as a chain's transactions: the plan becomes bytes, the words on the screen are decoded from
the bytes, and the orders are made from the signed bytes and checked against the intent once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.errors import SafetyError, VenueRefused
from app.execution.desk import Desk
from app.execution.fatigue import unsimulated
from app.execution.records import Order, Payload, Role, Trade
from app.execution.states import PayloadState
from app.execution.token_check import TokenCheck
from app.execution.transaction_terms import Account, role_of, unlike, wanted
from app.ids import payload_id
from app.money import to_text
from app.venues.base import OrderKind, OrderRequest, SignedTransaction
from app.venues.evm.assemble import Assembled, Assembler
from app.venues.evm.chain import Chain
from app.venues.evm.planner import Planner, Wanted
from app.venues.evm.rpc import Rpc
from app.venues.evm.safety.findings import Safety, SafetyRules
from app.venues.evm.simulate import COIN
from app.venues.evm.swap import Approval, Exact
from app.venues.evm.words import act_of, transaction_words
from signers.evm import checksum
from signers.evm import decode as fields_of
from signers.faults import SignerFault
from signers.payloads import EvmTransaction
from signers.verify import verify_raw
from storage.journal import canonical
from strategies.model import Intent

_TAKES: Final = frozenset(
    {PayloadState.CONFIRMED, PayloadState.SIGNED, PayloadState.SENT, PayloadState.UNKNOWN, PayloadState.LANDED}
)
"""States of a payload in which its nonce is taken."""
_SAFETY: Final = SafetyRules()
_SENT: Final = frozenset({PayloadState.SENT, PayloadState.LANDED, PayloadState.UNKNOWN, PayloadState.DEAD})


@dataclass(frozen=True, slots=True)
class Draft:
    """What was put together, and what speaks against what it buys; None: that was not looked at."""

    made: Assembled
    safety: Safety | None


class ChainPreparation:
    """`Preparation` for one account on one chain.

    Args:
        planner: knows the pools already: the market is made of them.
    """

    def __init__(
        self, desk: Desk, chain: Chain, rpc: Rpc, account: bytes, planner: Planner, safety: SafetyRules = _SAFETY
    ) -> None:
        self._desk, self._chain, self._account = desk, chain, Account(chain, account)
        self._planner = planner
        self._assembler = Assembler(chain, rpc, account)
        self._check = TokenCheck(desk, chain, rpc, safety)

    async def draft(self, trade: Trade) -> Draft | str:
        """Quote, look at what would be bought, simulate, put together; or why not.

        Raises:
            VenueError: a node did not answer.
        """
        desk, until = self._desk, self._valid_until()
        try:
            plan = await self._planner.plan(self._wanted(trade.intent, until // 1000))
            safety = await self._check.of(trade.intent, plan.at)
            if safety is not None and (why := self._check.refusal(safety)) is not None:
                return why
            rate = desk.valuation.last_rate(self._chain.native.symbol)
            made = await self._assembler.assemble(plan, rate, self._taken(trade))
        except (VenueRefused, SafetyError) as error:
            return error.what
        most = self._chain.native.amount(made.highest_gas)
        if most > trade.intent.max_gas:
            coin = self._chain.native.symbol
            return f"Its gas can cost {to_text(most)} {coin}; the intent allows {to_text(trade.intent.max_gas)}."
        return Draft(made, safety)

    def payloads(self, trade: Trade, draft: object) -> tuple[Payload, ...] | str:
        """One payload for each transaction."""
        if not isinstance(draft, Draft):
            return draft if isinstance(draft, str) else "It was not prepared."
        of, until = len(draft.made.transactions), self._valid_until()
        preview = canonical(self._preview(trade, draft))
        made = []
        for number, each in enumerate(draft.made.transactions, 1):
            role = Role.APPROVE if isinstance(each.act, Approval) else role_of(trade.intent)
            text = transaction_words(self._chain, self._account.address, each.unsigned, number, of)
            name = payload_id(trade.id, number)
            made.append(Payload(name, text, preview, until, body=each.unsigned, role=role))
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
        approves = payload.role is Role.APPROVE
        request = OrderRequest(
            client_id=payload.signed.hash,
            symbol=trade.intent.symbol,
            side=trade.intent.side,
            kind=OrderKind.TRANSACTION,
            quantity=Decimal(0) if approves else trade.intent.quantity,
            valid_until_ms=payload.valid_until_ms,
            limit_price=None if approves else trade.intent.worst_price,
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
            checks = (
                (signed.address != mine or mine not in self._desk.terms.addresses, "it is by another account"),
                (self._words(trade, payload) != payload.text, "its words are not those that were confirmed"),
                ([o.request.client_id for o in trade.orders_of(payload)] != [signed.hash], "its order is not its own"),
            )
            why = next((words for wrong, words in checks if wrong), None)
            return why or self._unlike(trade, payload, trade.payloads)
        except SignerFault as fault:
            return fault.what
        except ValueError as error:
            return str(error)

    async def worse(self, trade: Trade, payload: Payload) -> str | None:
        """Whether its nonces are still next, and a simulation on the newest block still does what was confirmed.

        Raises:
            VenueError: a node did not answer, or two contradict one another.
        """
        left = [each for each in trade.payloads if each.state not in _SENT]
        read = [act_of(each.body) for each in left]
        wanted = await self._assembler.next_nonces(self._taken(trade), len(left))
        nonces = [fields.nonce for fields, _ in read]
        if nonces != wanted:
            return f"Another transaction of this account took its nonce: it has {nonces[0]}, the next is {wanted[0]}."
        simulation = await self._assembler.simulate([act for _, act in read], await self._planner.head())
        if simulation.fails:
            return f"It would fail now: {simulation.why}."
        if simulation.others:
            return "It would move tokens now that the trade does not name."
        if not simulation.complete and not unsimulated(payload.preview):
            return f"It was simulated when it was confirmed; now {'; '.join(simulation.missing)}."
        return None

    def _unlike(self, trade: Trade, payload: Payload, payloads: Sequence[Payload]) -> str | None:
        """Why a transaction is not what its trade wants, or None.

        Raises:
            ValueError: the bytes can not be read.
        """
        return unlike(self._account, self._desk.instruments[trade.intent.symbol], trade.intent, payloads, payload)

    def _words(self, trade: Trade, payload: Payload) -> str:
        number = trade.payloads.index(payload) + 1
        return transaction_words(self._chain, self._account.address, payload.body, number, len(trade.payloads))

    def _wanted(self, intent: Intent, deadline: int) -> Wanted:
        instrument = self._desk.instruments[intent.symbol]
        return wanted(self._account, instrument, intent, self._desk.terms.slippage_bps, deadline)

    def _valid_until(self) -> int:
        until = self._desk.clock.now_ms() + self._desk.terms.authorisation_validity_ms
        return until - until % 1000

    def _taken(self, without: Trade) -> set[int]:
        """Nonces of transactions that were confirmed or signed, but for those of one trade."""
        trades = self._desk.state.trades.values()
        payloads = [each for trade in trades if trade is not without for each in trade.payloads]
        return {fields_of(each.body).nonce for each in payloads if each.body and each.state in _TAKES}

    def _preview(self, trade: Trade, draft: Draft) -> dict[str, Any]:
        """What is shown beside the words; amounts as text."""
        made = draft.made
        plan, simulation, coin = made.plan, made.simulation, self._chain.native
        changes = []
        for address, change in simulation.changes.items():
            if change:
                token = coin if address == COIN else self._account.named(address)
                changes.append([token.symbol, token.text(change)])
        spent = sum(each.fee.expected for each in made.transactions)
        impact = max((quote.impact_bps for quote in plan.quotes), default=0)
        pays = plan.swap.exact is Exact.OUT
        quoted, bound = (plan.amount_in, plan.swap.amount_in) if pays else (plan.amount_out, plan.swap.amount_out)
        of = self._account.named(plan.swap.token_in if pays else plan.swap.token_out)
        of = coin if (plan.swap.coin_in if pays else plan.swap.coin_out) else of
        rate = self._desk.valuation.last_rate(coin.symbol)
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
            "quoted": of.text(quoted),
            "quoted_asset": of.symbol,
            "bound": of.text(bound),
            "bound_is": "most" if pays else "least",
            "gas": coin.text(spent),
            "gas_most": coin.text(made.highest_gas),
            "gas_asset": coin.symbol,
            "gas_rate": None if rate is None else to_text(rate),
            "impact_bps": str(impact),
            "pool_fee_bps": str(max((quote.fee_bps for quote in plan.quotes), default=0)),
            "allowances": [
                [self._account.named(token).symbol, checksum(spender), self._account.named(token).text(left)]
                for (token, spender), left in simulation.allowances.items()
            ],
            "safety": None if draft.safety is None else draft.safety.as_json(),
            "covered": trade.intent.reduce_only,
        }
