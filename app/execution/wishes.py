"""From an intent to what is to be done on the chain: one act, and by how much the account may change at worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.errors import VenueRefused
from app.execution.act_terms import cycle_bounds, plain, range_of
from app.execution.chain_account import Account
from app.execution.chain_liquidity import ChainLiquidity
from app.execution.standing_terms import is_standing
from app.execution.transaction_terms import wanted
from app.venues.evm.acts import Act
from app.venues.evm.assemble import Wish, wish_of
from app.venues.evm.cycle_plan import CycleWanted, plan_cycle
from app.venues.evm.effects import least
from app.venues.evm.liquidity.plans import Terms, collect_act, open_act, withdraw_act
from app.venues.evm.naming import percent
from app.venues.evm.planner import Plan, Planner
from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.pools.state import At, Pools
from app.venues.evm.pools.v3 import V3Pool
from strategies.acts import Collect, Cycle, Provide, Withdraw
from strategies.model import Instrument, Intent

_ANY_BPS: Final = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Wished:
    """A wish, and how it was reckoned: the plan of a swap."""

    wish: Wish
    plan: Plan | None = None


class Wishes:
    """Of one account on one chain."""

    def __init__(
        self,
        account: Account,
        planner: Planner,
        positions: ChainLiquidity,
        instruments: Mapping[str, Instrument],
        slippage_bps: Decimal,
    ) -> None:
        self._account, self._planner, self._instruments = account, planner, instruments
        self._positions = positions
        self._slippage_bps = slippage_bps

    async def of(self, intent: Intent, deadline: int) -> Wished:
        """What an intent wishes for now.

        Args:
            deadline: seconds since 1970 UTC.

        Raises:
            VenueRefused: it can not be done, or not within its bounds.
            VenueError: a node did not answer.
        """
        act = intent.act
        if act is None:
            instrument = self._instruments[intent.symbol]
            # When a standing exit goes, today's quote says nothing: its worst price is all that bounds it.
            slippage = _ANY_BPS if is_standing(intent) else self._slippage_bps
            plan = await self._planner.plan(wanted(self._account, instrument, intent, slippage, deadline))
            return Wished(wish_of(plan), plan)
        if isinstance(act, Cycle):
            plan = await self._cycle(act, deadline)
            return Wished(wish_of(plan), plan)
        if (made := plain(self._account, act)) is not None:
            return Wished(Wish(made, await self._planner.head(), {}))
        assert isinstance(act, Provide | Collect | Withdraw)
        made, at = await self._liquidity(intent, act, deadline)

        watched = self._account.tokens_of(self._instruments[intent.symbol])
        return Wished(Wish(made, at, least(made), watched))

    async def _liquidity(self, intent: Intent, act: Provide | Collect | Withdraw, deadline: int) -> tuple[Act, At]:
        account, instrument = self._account, self._instruments[intent.symbol]
        coin = account.chain.native.symbol in {instrument.base, instrument.quote}
        terms = Terms(int(self._slippage_bps), account.address, deadline, coin)
        pools = await self._planner.pools()
        try:
            if isinstance(act, Provide):
                pool = _pool(pools, account, instrument, act.fee_ppm)
                ticks, most = range_of(account, instrument, act, pool.spacing)
                return open_act(account.chain, pool, ticks, most, terms)[0], pools.at
            held = (await self._positions.read(pools.at)).get(act.position)
            if held is None:
                raise VenueRefused("chain.position", f"The account has no position of liquidity {act.position}.")
            if isinstance(act, Collect):
                return collect_act(account.chain, held, terms), pools.at
            return withdraw_act(account.chain, held, terms), pools.at
        except (ValueError, NoQuote) as error:
            raise VenueRefused("chain.liquidity", f"It can not be done: {error}.") from error

    async def _cycle(self, act: Cycle, deadline: int) -> Plan:
        token, amount, least_back = cycle_bounds(self._account, act)
        wanted = CycleWanted(
            token=token,
            amount=amount,
            least=least_back,
            pools=tuple(bytes.fromhex(pool.removeprefix("0x")) for pool in act.pools),
            slippage_bps=int(self._slippage_bps),
            recipient=self._account.address,
            deadline=deadline,
        )
        return await plan_cycle(self._planner, wanted)


def _pool(pools: Pools, account: Account, instrument: Instrument, fee_ppm: int) -> V3Pool:
    """The pool of an instrument with that fee, of the first exchange that has a manager of positions.

    Raises:
        ValueError: there is none.
    """
    ends = set(account.tokens_of(instrument))
    managed = [dex.name for dex in account.chain.dexes if dex.positions is not None]
    found = [
        pool
        for pool in pools.pools.values()
        if isinstance(pool, V3Pool)
        and {pool.token0, pool.token1} == ends
        and pool.fee_ppm == fee_ppm
        and pool.dex in managed
    ]
    if not found:
        raise ValueError(f"no exchange has a pool of {instrument.symbol} with a fee of {percent(fee_ppm)}")
    return min(found, key=lambda pool: managed.index(pool.dex))
