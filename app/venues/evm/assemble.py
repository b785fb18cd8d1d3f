"""From acts to transactions that can be signed: approval where one is missing, gas, fees, nonces, and a simulation of
all of it on one block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.errors import VenueRefused
from app.venues.evm import abi
from app.venues.evm.acts import Act, Approval, InnerApproval, Plain, Swap, encode
from app.venues.evm.chain import Chain, DexKind
from app.venues.evm.effects import contradiction, least, paid, tokens
from app.venues.evm.fees import Caps, Fee, FeeRules, Market, bump, caps_of, data_fee, gwei, propose, read_market
from app.venues.evm.nonces import Nonces
from app.venues.evm.planner import Plan
from app.venues.evm.pools.batch import block_parameter
from app.venues.evm.pools.state import At
from app.venues.evm.routing.gas import CROSSING, TRANSACTION, V2_HOP, V3_HOP
from app.venues.evm.rpc import Rpc
from app.venues.evm.simulate import Simulation, simulate
from signers.evm import EvmFields
from signers.evm import encode as unsigned_of

CONTRADICTED: Final = "chain.simulation"
"""Code of the refusal of what a simulation says otherwise."""
_ROOM: Final = 130
"""Percent of the simulated gas that a transaction may use: a refund (at most a fifth, EIP-3529) is paid back only at
its end, and a tick more than in the simulation may be crossed."""
_MORE: Final = 20_000
_PLAIN: Final = 60_000
"""Units of gas for an approval, or for nothing, that no node could run."""
_LIQUIDITY: Final = 900_000
_TICKS: Final = 4
"""Initialised ticks that a swap nobody could run is taken to cross in each V3 pool."""
USUAL: Final = FeeRules()
STANDING: Final = FeeRules(human_ms=120_000, most_room=10)
"""For what is signed today and sent on a later day: the base fee may be 3.2 times today's, as far as the caps allow."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done on the chain, approvals not counted.

    Attributes:
        at: the block that it was reckoned on.
        bounds: by how much the balance of each asset may change at worst; `app.venues.evm.effects.least`.
        watched: tokens whose balance is followed, beside those that the act names.
    """

    act: Act
    at: At
    bounds: Mapping[bytes, int]
    watched: tuple[bytes, ...] = ()


def wish_of(plan: Plan) -> Wish:
    """A planned swap."""
    return Wish(plan.swap, plan.at, least(plan.swap))


@dataclass(frozen=True, slots=True)
class Place:
    """Of the transaction that another one takes the place of.

    Attributes:
        fee: its max fee and priority fee.
    """

    nonce: int
    fee: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction that is to be signed."""

    act: Act
    fields: EvmFields
    unsigned: bytes
    fee: Fee


@dataclass(frozen=True, slots=True)
class Assembled:
    """Everything of one trade, in the order in which it is sent."""

    transactions: tuple[Transaction, ...]
    simulation: Simulation

    @property
    def highest_gas(self) -> int:
        """Wei that all of them can cost."""
        return sum(each.fee.highest for each in self.transactions)


class Assembler:
    """For one account on one chain."""

    def __init__(self, chain: Chain, rpc: Rpc, account: bytes) -> None:
        self._chain, self._rpc, self._account = chain, rpc, account
        self._nonces = Nonces(rpc, account)

    async def assemble(
        self,
        wish: Wish,
        coin_price: Decimal | None,
        ours: Iterable[int],
        place: Place | None = None,
        rules: FeeRules = USUAL,
    ) -> Assembled:
        """The transactions of a wish.

        Args:
            coin_price: account currency per coin, for the cap in money.
            ours: nonces that signed transactions of ours have taken.
            place: of the transaction that waits and is to be replaced by the first of these.

        Raises:
            SafetyError: gas is above a cap.
            VenueRefused: the simulation fails, or does something else than was wished, or two nodes contradict one
                another about it; or what was to be replaced does not wait any more.
            VenueError: a node did not answer.
        """
        acts: list[Act] = [*await self._approvals(wish), wish.act]
        simulation = await self.simulate(acts, wish.at, wish.watched)
        if (why := contradiction(wish.bounds, simulation)) is not None:
            raise VenueRefused(CONTRADICTED, f"The simulation contradicts the trade: {why}")
        market = await read_market(self._rpc, self._chain, rules)
        caps = caps_of(self._chain, coin_price, "dollars")
        nonces, made = await self.next_nonces(ours, len(acts), place), []
        for act, outcome, nonce in zip(acts, simulation.outcomes, nonces, strict=True):
            gas = (outcome.gas or _unseen(act)) * _ROOM // 100 + _MORE
            instead = place if place is not None and nonce == place.nonce else None
            fee = self._fee(market, gas, caps, instead, rules)
            extra = await data_fee(self._rpc, self._chain, self._fields(act, fee, nonce)[1], gas, rules)
            fee = self._fee(market, gas, caps, instead, rules, extra) if extra else fee
            made.append(Transaction(act, *self._fields(act, fee, nonce), fee))
        return Assembled(tuple(made), simulation)

    def _fee(self, market: Market, gas: int, caps: Caps, place: Place | None, rules: FeeRules, extra: int = 0) -> Fee:
        block_ms = self._chain.block_ms
        if place is None:
            return propose(market, gas, caps, rules, block_ms, data_fee=extra)
        return bump(place.fee, market, gas, caps, rules, block_ms, data_fee=extra)

    async def simulate(self, acts: Sequence[Act], at: At, watched: Sequence[bytes] = ()) -> Simulation:
        """What `acts` would do on top of the block `at`.

        Args:
            watched: tokens whose balance is followed, beside those that the acts name.

        Raises:
            VenueError: as `app.venues.evm.simulate.simulate`.
        """
        named = dict.fromkeys([*(token for act in acts for token in tokens(act)), *watched])
        allowed = [act for act in acts if isinstance(act, Approval | InnerApproval)]
        calls = [encode(act) for act in acts]
        return await simulate(self._rpc, self._account, calls, tokens=list(named), allowed=allowed, at=at)

    async def too_dear(self, fields: EvmFields) -> str | None:
        """Why no block would take a transaction now for what it offers, or None.

        Raises:
            VenueError: a node did not answer.
        """
        market = await read_market(self._rpc, self._chain, USUAL)
        asks = market.base_fee or market.now
        if asks <= fields.max_fee:
            return None
        return f"Gas costs {gwei(asks)} gwei now, and it was signed with {gwei(fields.max_fee)} at most."

    async def next_nonces(self, ours: Iterable[int], count: int, place: Place | None = None) -> list[int]:
        """What the next transactions of the account would have.

        Args:
            ours: nonces that signed transactions of ours have taken, but for those that are to be replaced.

        Raises:
            VenueRefused: the place is taken: what was to be replaced is in a block.
            VenueError: a node did not answer.
        """
        if place is None:
            return await self._nonces.free(ours, count)
        if await self._nonces.mined() > place.nonce:
            what = f"A transaction of nonce {place.nonce} is in a block already: nothing waits that could be replaced."
            raise VenueRefused("chain.replaced", what, next_step="See what became of it: countersign orders")
        wanted = list(range(place.nonce, place.nonce + count))
        if taken := sorted(set(wanted) & set(ours)):
            what = f"It needs nonce {taken[0]} too, which another transaction of this account has."
            raise VenueRefused("chain.replaced", what, next_step="Replace that one first.")
        return wanted

    async def _approvals(self, wish: Wish) -> list[Approval | InnerApproval]:
        """What must still be allowed for it: exactly what it pays at most.

        Raises:
            VenueRefused: Permit2 can not be allowed that.
        """
        try:
            wanted = paid(wish.act, self._chain.permit2)
        except ValueError as error:
            raise VenueRefused("chain.permit2", f"It can not be allowed: {error}.") from error
        return [each for each in wanted if not await self._allowed(each, wish.at)]

    async def _allowed(self, wanted: Approval | InnerApproval, at: At) -> bool:
        """Whether that much may be taken already at that block, at Permit2 also for that long."""
        call = wanted.left(self._account)
        asked = {"to": abi.hexed(call.to), "input": abi.hexed(call.data)}
        said = await self._rpc.call("eth_call", [asked, block_parameter(at)])
        answer = bytes.fromhex(str(said).removeprefix("0x"))
        amount, expires = int.from_bytes(answer[:32]), int.from_bytes(answer[32:64])
        return amount >= wanted.amount and (isinstance(wanted, Approval) or expires >= wanted.expires)

    def _fields(self, act: Act, fee: Fee, nonce: int) -> tuple[EvmFields, bytes]:
        call = encode(act)
        legacy = self._chain.fee_kind == "legacy"
        fields = EvmFields(
            type=0 if legacy else 2,
            chain_id=self._chain.chain_id,
            nonce=nonce,
            max_fee=fee.max_fee,
            priority_fee=fee.priority_fee,
            gas=fee.gas,
            to=call.to,
            value=call.value,
            data=call.data,
        )
        return fields, unsigned_of(fields)


def _unseen(act: Act) -> int:
    """Units of gas for what no node could run: more than such a transaction takes (`app.venues.evm.routing.gas`), as
    one that runs out of it costs all of it and does nothing."""
    if not isinstance(act, Swap):
        return _PLAIN if isinstance(act, Plain) else _LIQUIDITY
    hops = [
        V2_HOP if s.kind is DexKind.V2 else V3_HOP + _TICKS * CROSSING
        for p in act.parts
        for s in p.segments
        for _ in s.tokens[1:]
    ]
    return len(act.parts) * TRANSACTION + 2 * sum(hops)
