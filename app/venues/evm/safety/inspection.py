"""Reads everything about a token that `judge` wants to know, at one block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.money import DOWN, ZERO, add, mul, quantise
from app.venues.evm import abi
from app.venues.evm.chain import Chain, DexKind, Token
from app.venues.evm.pools.batch import Batch, Call, block_parameter
from app.venues.evm.pools.reader import PoolReader
from app.venues.evm.pools.reads import Found, read_address, word
from app.venues.evm.pools.state import At
from app.venues.evm.rpc import Rpc, RpcDown, RpcRefused
from app.venues.evm.safety.code import Code, proxy_slots, scan
from app.venues.evm.safety.findings import Safety, SafetyRules
from app.venues.evm.safety.holders import Holders, read_holders
from app.venues.evm.safety.judge import Facts, Lock, judge
from app.venues.evm.safety.lockers import BURNT, LOCKERS
from app.venues.evm.safety.trip import Held, Trip, travel

_TRIED: Final = 3
"""Pools that are bought and sold in, deepest first."""
_WHOLE: Final = 10_000
_TOTAL_SUPPLY: Final = abi.Function("totalSupply", (), ("uint256",))
_OWNERS: Final = (abi.Function("owner", (), ("address",)), abi.Function("getOwner", (), ("address",)))
_IMPLEMENTATION: Final = abi.Function("implementation", (), ("address",))
_RULES: Final = SafetyRules()


async def inspect(
    rpc: Rpc,
    chain: Chain,
    token: bytes,
    at: At,
    rates: Mapping[bytes, Decimal] | None = None,
    rules: SafetyRules = _RULES,
) -> Safety:
    """What speaks against buying `token`.

    Args:
        rates: account currency for one whole of the chain's other tokens, by address; those it has not are not valued.

    Raises:
        RpcDown, RpcRefused: a node did not answer, or does not know that block.
        ConfigError: as `PoolReader.discover`.
    """
    return judge(await _Inspection(rpc, chain, token, at, rates or {}).facts(), rules)


@dataclass(frozen=True, slots=True)
class _Inspection:
    rpc: Rpc
    chain: Chain
    token: bytes
    at: At
    rates: Mapping[bytes, Decimal]

    async def facts(self) -> Facts:
        batch = Batch(self.rpc, self.chain.multicall)
        reader = PoolReader(self.chain, self.rpc)
        metadata = (await reader.metadata([self.token], self.at))[self.token]
        codes, proxy = await self._codes()
        supply, owner = await self._stated(batch)
        if codes is not None and not codes[0].size:
            return Facts(self.token, self.at, metadata, self._ours(), codes)
        held = await self._held(batch, reader)
        mine = [each for each in held if self.token in _sides(each.found)]
        return Facts(
            token=self.token,
            at=self.at,
            metadata=metadata,
            ours=self._ours(),
            codes=codes,
            proxy=proxy,
            owner=owner,
            trips=await self._trips(mine, held),
            pools=len(mine),
            depth=self._depth(mine),
            lock=await self._lock(batch, mine),
            holders=await self._holders(batch, supply, mine),
        )

    def _ours(self) -> Token | None:
        return next((each for each in self.chain.tokens if each.address == self.token), None)

    # -- the contract -------------------------------------------------------------------------------------------------

    async def _codes(self) -> tuple[tuple[Code, ...] | None, tuple[str, bytes] | None]:
        """Its code and what it runs as a proxy."""
        own = await self._code(self.token)
        if own is None:
            return None, None
        proxy = ("minimal", own.target) if own.target is not None else await self._proxy()
        if proxy is None:
            return (own,), None
        runs = await self._code(await self._behind(proxy))
        return (own, *((runs,) if runs is not None else ())), proxy

    async def _behind(self, proxy: tuple[str, bytes]) -> bytes:
        """Whose code is run: a beacon is asked."""
        kind, target = proxy
        if kind != "beacon":
            return target
        call = Call(target, _IMPLEMENTATION.encode(), hostile=True)
        return read_address((await Batch(self.rpc, None).read([call], self.at))[0]) or target

    async def _code(self, address: bytes) -> Code | None:
        try:
            answer = await self.rpc.call("eth_getCode", [abi.hexed(address), block_parameter(self.at)])
            return scan(bytes.fromhex(answer[2:]))
        except RpcRefused:
            return None
        except (TypeError, ValueError) as error:
            raise RpcDown("chain.garbled", "The node answered eth_getCode with something that is no code.") from error

    async def _proxy(self) -> tuple[str, bytes] | None:
        """The first of the known slots that holds an address."""
        for name, slot in proxy_slots().items():
            asked = [abi.hexed(self.token), abi.hexed(slot), block_parameter(self.at)]
            try:
                answer = bytes.fromhex((await self.rpc.call("eth_getStorageAt", asked))[2:])
            except RpcRefused:
                return None
            except (TypeError, ValueError) as error:
                raise RpcDown("chain.garbled", "The node answered eth_getStorageAt with nonsense.") from error
            if (target := read_address(answer.rjust(32, b"\0"))) is not None:
                return name, target
        return None

    async def _stated(self, batch: Batch) -> tuple[int, bytes | None]:
        """Its supply, 0 where it does not say; and its owner, where it says."""
        functions = (_TOTAL_SUPPLY, *_OWNERS)
        calls = [Call(self.token, each.encode(), hostile=True) for each in functions]
        supply, *owners = await batch.read(calls, self.at)
        owner = next((each[12:32] for each in owners if each and len(each) == 32 and not any(each[:12])), None)
        return (word(supply, 0) if supply and len(supply) >= 32 else 0), owner

    # -- its pools ----------------------------------------------------------------------------------------------------

    async def _held(self, batch: Batch, reader: PoolReader) -> list[Held]:
        """Every pool between the chain's tokens and this one, and what it holds of its side that is not this one."""
        tokens = [self.chain.native.address, *(each.address for each in self.chain.tokens), self.token]
        found = await reader.discover(tokens, self.at)
        sides = [(each, side) for each in found for side in _sides(each) if side != self.token]
        calls = [Call(side, abi.BALANCE_OF.encode(each.address), hostile=True) for each, side in sides]
        answers = await batch.read(calls, self.at)
        held = [
            Held(each, side, word(answer, 0) if answer and len(answer) >= 32 else 0)
            for (each, side), answer in zip(sides, answers, strict=True)
        ]
        return sorted(held, key=lambda each: (-self._worth(each), -each.amount, each.found.address, each.quote))

    def _worth(self, held: Held) -> Decimal:
        """Account currency, rounded down to hundredths; 0 where nothing values it."""
        rate = self.rates.get(held.quote)
        known = next((t for t in (*self.chain.tokens, self.chain.native) if t.address == held.quote), None)
        return ZERO if rate is None or known is None else quantise(mul(known.amount(held.amount), rate), 2, DOWN)

    def _depth(self, mine: Sequence[Held]) -> Decimal | None:
        if not any(each.quote in self.rates for each in mine):
            return None
        total = ZERO
        for each in mine:
            total = add(total, self._worth(each))
        return total

    async def _trips(self, mine: Sequence[Held], held: Sequence[Held]) -> tuple[Trip, ...]:
        """Through the deepest pools; none more once one has let it be sold."""
        trips: list[Trip] = []
        for each in mine[:_TRIED]:
            lenders = (other for other in held if other.quote == each.quote and other.found != each.found)
            lender = max(lenders, key=lambda other: (other.amount, other.found.address), default=None)
            place = lender.found.address if lender is not None else None
            trips.append(await travel(self.rpc, self.chain, self.token, each, place, self.at))
            if trips[-1].sold:
                break
        return tuple(trips)

    async def _lock(self, batch: Batch, mine: Sequence[Held]) -> Lock | None:
        """Who holds the liquidity of the deepest V2 pool."""
        pool = next((each.found.address for each in mine if each.found.kind is DexKind.V2), None)
        if pool is None:
            return None
        burnt, lockers = sorted(BURNT), sorted(LOCKERS.get(self.chain.chain_id, {}))
        asked = [_TOTAL_SUPPLY.encode(), *(abi.BALANCE_OF.encode(who) for who in (*burnt, *lockers))]
        answers = await batch.read([Call(pool, data) for data in asked], self.at)
        numbers = [word(answer, 0) if answer else 0 for answer in answers]
        supply, kept = numbers[0], numbers[1:]
        if not supply:
            return None
        gone = sum(kept[: len(burnt)]) * _WHOLE // supply
        return Lock(pool, gone, sum(kept[len(burnt) :]) * _WHOLE // supply)

    async def _holders(self, batch: Batch, supply: int, mine: Sequence[Held]) -> Holders | None:
        besides = {*BURNT, *LOCKERS.get(self.chain.chain_id, {}), *(each.found.address for each in mine)}
        return await read_holders(self.rpc, batch, self.token, self.at, supply, besides)


def _sides(found: Found) -> tuple[bytes, bytes]:
    return found.token0, found.token1
