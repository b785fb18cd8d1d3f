"""From a plan to transactions that can be signed: approval where one is missing, gas, fees, nonces, and a simulation of
all of it at the block of the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.errors import VenueRefused
from app.venues.evm import abi
from app.venues.evm.chain import Chain, DexKind
from app.venues.evm.fees import Fee, FeeRules, caps_of, data_fee, propose, read_market
from app.venues.evm.nonces import Nonces
from app.venues.evm.planner import Plan
from app.venues.evm.pools.state import At
from app.venues.evm.routing.gas import CROSSING, TRANSACTION, V2_HOP, V3_HOP
from app.venues.evm.rpc import Rpc
from app.venues.evm.simulate import COIN, Simulation, simulate
from app.venues.evm.swap import Approval, Call, Swap, encode
from signers.evm import EvmFields
from signers.evm import encode as unsigned_of

_ROOM: Final = 130
"""Percent of the simulated gas that a transaction may use: a refund (at most a fifth, EIP-3529) is paid back only at
its end, and a tick more than in the simulation may be crossed."""
_MORE: Final = 20_000
_APPROVAL: Final = 60_000
_TICKS: Final = 4
"""Initialised ticks that a swap nobody could run is taken to cross in each V3 pool."""
_RULES: Final = FeeRules()


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction that is to be signed."""

    act: Approval | Swap
    fields: EvmFields
    unsigned: bytes
    fee: Fee


@dataclass(frozen=True, slots=True)
class Assembled:
    """Everything of one trade, in the order in which it is sent."""

    plan: Plan
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

    async def assemble(self, plan: Plan, coin_price: Decimal | None, ours: Iterable[int]) -> Assembled:
        """The transactions of a plan.

        Args:
            coin_price: account currency per coin, for the cap in money.
            ours: nonces that signed transactions of ours have taken.

        Raises:
            SafetyError: gas is above a cap.
            VenueRefused: the simulation fails, or does something else than was planned, or two nodes contradict one
                another about it.
            VenueError: a node did not answer.
        """
        acts: list[Approval | Swap] = [*await self._approvals(plan.swap), plan.swap]
        simulation = await self.simulate(acts, plan.at)
        if (why := contradiction(plan, simulation)) is not None:
            raise VenueRefused("chain.simulation", f"The simulation contradicts the trade: {why}")
        market = await read_market(self._rpc, self._chain, _RULES)
        caps, block_ms = caps_of(self._chain, coin_price, "dollars"), self._chain.block_ms
        made = []
        nonces = await self._nonces.free(ours, len(acts))
        for act, outcome, nonce in zip(acts, simulation.outcomes, nonces, strict=True):
            gas = (outcome.gas or _unseen(act)) * _ROOM // 100 + _MORE
            fee = propose(market, gas, caps, _RULES, block_ms)
            extra = await data_fee(self._rpc, self._chain, self._fields(act, fee, nonce)[1], gas, _RULES)
            fee = propose(market, gas, caps, _RULES, block_ms, data_fee=extra) if extra else fee
            made.append(Transaction(act, *self._fields(act, fee, nonce), fee))
        return Assembled(plan, tuple(made), simulation)

    async def simulate(self, acts: Sequence[Approval | Swap], at: At) -> Simulation:
        """What `acts` would do on top of the block `at`.

        Raises:
            VenueError: as `app.venues.evm.simulate.simulate`.
        """
        swaps = [act for act in acts if isinstance(act, Swap)]
        tokens = dict.fromkeys(token for swap in swaps for token in (swap.token_in, swap.token_out))
        spenders = [(act.token, act.spender) for act in acts if isinstance(act, Approval)]
        calls = [encode(act) for act in acts]
        return await simulate(self._rpc, self._account, calls, tokens=list(tokens), spenders=spenders, at=at)

    async def next_nonces(self, ours: Iterable[int], count: int) -> list[int]:
        """What the next transactions of the account would have."""
        return await self._nonces.free(ours, count)

    async def _approvals(self, swap: Swap) -> list[Approval]:
        """What the router must still be allowed to take: exactly what the swap pays at most."""
        if swap.coin_in:
            return []
        call = Call(swap.token_in, abi.ALLOWANCE.encode(self._account, swap.router))
        answer = await self._rpc.call("eth_call", [{"to": abi.hexed(call.to), "input": abi.hexed(call.data)}, "latest"])
        allowed = int(answer, 16) if answer not in {"0x", ""} else 0
        return [] if allowed >= swap.amount_in else [Approval(swap.token_in, swap.router, swap.amount_in)]

    def _fields(self, act: Approval | Swap, fee: Fee, nonce: int) -> tuple[EvmFields, bytes]:
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


def _unseen(act: Approval | Swap) -> int:
    """Units of gas for what no node could run: more than such a transaction takes (`app.venues.evm.routing.gas`), as
    one that runs out of it costs all of it and does nothing."""
    if isinstance(act, Approval):
        return _APPROVAL
    hops = [
        V2_HOP if s.kind is DexKind.V2 else V3_HOP + _TICKS * CROSSING
        for p in act.parts
        for s in p.segments
        for _ in s.tokens[1:]
    ]
    return len(act.parts) * TRANSACTION + 2 * sum(hops)


def contradiction(plan: Plan, simulation: Simulation) -> str | None:
    """Why a simulation is not what was planned, or None. One that does not tell what moves contradicts nothing, and is
    shown as what it is."""
    swap = plan.swap
    if simulation.fails or not simulation.complete:
        return f"it would fail: {simulation.why}." if simulation.fails else None
    if simulation.others:
        return "it would move tokens that the trade does not name."
    paid = -simulation.changes[COIN if swap.coin_in else swap.token_in]
    received = simulation.changes[COIN if swap.coin_out else swap.token_out]
    if swap.token_in == swap.token_out and swap.coin_in == swap.coin_out:
        return None if -paid >= swap.amount_out - swap.amount_in else "it would bring less than it says."
    if paid > swap.amount_in:
        return f"it would take {paid} units where at most {swap.amount_in} were meant."
    if received < swap.amount_out:
        return f"it would bring {received} units where at least {swap.amount_out} were meant."
    return None
