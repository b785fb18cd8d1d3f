"""New pools: which were made, and how they are while they are young.

A pool is told when one of its tokens is among the chain's: what it holds of that one says how deep it is. Pools of two
strangers are passed over. The youngest `MOST` are looked at, each for `YOUNG` blocks; of those with something in them
the token is inspected at the ages `CHECKS`, as its owner may change it meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from app.market.chain.logs import PAIR_CREATED, POOL_CREATED, Entry, address_in
from app.market.chain.whales import Rate
from app.money import DOWN, mul, quantise
from app.venues.evm import abi
from app.venues.evm.chain import ZERO_ADDRESS, Chain, Dex, DexKind, Token
from app.venues.evm.pools.batch import Batch, Call
from app.venues.evm.pools.reader import PoolReader
from app.venues.evm.pools.reads import Found, word
from app.venues.evm.pools.state import At
from app.venues.evm.rpc import Rpc, RpcRefused
from app.venues.evm.safety.findings import SafetyRules, refusal
from app.venues.evm.safety.inspection import inspect
from strategies.base import NO_INSTRUMENT
from strategies.chain_messages import NewPair
from strategies.model import Instrument

MOST: Final = 64
YOUNG: Final = 1000
CHECKS: Final = (1, 3, 5, 10, 20, 50, 100, 200, 500)
_CHECKS_A_BLOCK: Final = 2
"""Inspections after one block: each asks some twenty things."""
_NAMELESS: Final = "(nothing)"
_RULES: Final = SafetyRules()


def created(chain: Chain, entries: Iterable[Entry]) -> list[Found]:
    """The pools that factories made, in order."""
    dexes: dict[bytes, Dex] = {dex.factory: dex for dex in chain.dexes}
    found = (_created(dexes[entry.log.address], entry) for entry in entries if entry.log.address in dexes)
    return [each for each in found if each is not None]


def _created(dex: Dex, entry: Entry) -> Found | None:
    """None for what the factory of that kind does not log."""
    topics, data = entry.log.topics, entry.log.data
    v2 = dex.kind is DexKind.V2
    if len(topics) != (3 if v2 else 4) or topics[0] != (PAIR_CREATED if v2 else POOL_CREATED) or len(data) != 64:
        return None
    token0, token1 = address_in(topics[1]), address_in(topics[2])
    pool = address_in(data[:32] if v2 else data[32:])
    if token0 is None or token1 is None or pool in {None, ZERO_ADDRESS}:
        return None
    assert pool is not None
    fee = dex.fee_bps * 100 if v2 else int.from_bytes(topics[3])
    return Found(pool, dex.name, dex.kind, token0, token1, fee)


@dataclass(frozen=True, slots=True)
class _Young:
    """A pool that is looked at: its message as it was last told, and what must be known to look again."""

    told: NewPair
    found: Found
    token: bytes
    against: Token


class Pairs:
    """Of one chain. What is asked is asked at one block; on the loop thread."""

    def __init__(self, chain: Chain, rpc: Rpc, instruments: Sequence[Instrument]) -> None:
        self._chain, self._rpc = chain, rpc
        self._instruments = instruments
        self._reader, self._batch = PoolReader(chain, rpc), Batch(rpc, chain.multicall)
        self._young: dict[bytes, _Young] = {}

    def made(self, block: int, found: Iterable[Found]) -> list[Found]:
        """Take the pools that a block made.

        Returns:
            Those between two of the chain's tokens: whoever trades can use them from now on.
        """
        ours = []
        for each in found:
            known = [token for token in self._tokens() if token.address in {each.token0, each.token1}]
            if len({token.address for token in known}) == 2:
                ours.append(each)
            for young in self._of(each, block):
                self._young.pop(each.address, None)
                self._young[each.address] = young
        while len(self._young) > MOST:
            del self._young[next(iter(self._young))]
        return ours

    def undo(self, block: int) -> None:
        """`block` and those after it are dropped: what they made is not there, what was looked at in them is not
        known."""
        kept = {key: each for key, each in self._young.items() if each.told.created < block}
        self._young = {
            key: each
            if (each.told.checked or 0) < block
            else replace(each, told=replace(each.told, checked=None, score=None, refused=""))
            for key, each in kept.items()
        }

    async def look(self, at: At, rate: Rate) -> list[NewPair]:
        """How the young ones are, the oldest first.

        Raises:
            VenueError: a node did not answer.
        """
        self._young = {key: each for key, each in self._young.items() if at.number - each.told.created <= YOUNG}
        young = list(self._young.values())
        calls = [Call(each.against.address, abi.BALANCE_OF.encode(each.found.address), hostile=True) for each in young]
        answers = await self._batch.read(calls, at) if calls else []
        checks = 0
        for each, answer in zip(young, answers, strict=True):
            held = word(answer, 0) if answer is not None and len(answer) >= 32 else 0
            told = replace(each.told, block=at.number, liquidity=_worth(each.against, held, rate))
            if not told.name:
                told = replace(told, name=await self._name(each.token, at))
            if held and checks < _CHECKS_A_BLOCK and _due(told):
                checks += 1
                told = await self._checked(told, each.token, at, rate)
            if each.found.address in self._young:  # not undone meanwhile
                self._young[each.found.address] = replace(each, told=told)
        return [each.told for each in self._young.values()]

    def _tokens(self) -> tuple[Token, ...]:
        return (self._chain.native, *self._chain.tokens)

    def _of(self, found: Found, block: int) -> Iterator[_Young]:
        """At most one: under its instrument, or under none where one side is a stranger."""
        ends = {found.token0, found.token1}
        for instrument in sorted(self._instruments, key=lambda each: each.symbol):
            base, quote = self._chain.token(instrument.base), self._chain.token(instrument.quote)
            if base is not None and quote is not None and ends == {base.address, quote.address}:
                yield self._made(found, block, instrument.symbol, base.address, quote)
                return
        strange = [token for token in (found.token0, found.token1) if token not in {t.address for t in self._tokens()}]
        other = next((token for token in self._tokens() if token.address in ends), None)
        if len(strange) == 1 and other is not None:
            yield self._made(found, block, NO_INSTRUMENT, strange[0], other)

    def _made(self, found: Found, block: int, symbol: str, token: bytes, against: Token) -> _Young:
        message = NewPair(
            symbol=symbol,
            block=block,
            created=block,
            pool=f"0x{found.address.hex()}",
            token=f"0x{token.hex()}",
            name="",
            against=against.symbol,
            dex=found.dex,
            fee_ppm=found.fee_ppm,
            liquidity=None,
        )
        return _Young(message, found, token, against)

    async def _name(self, token: bytes, at: At) -> str:
        found = (await self._reader.metadata([token], at))[token]
        return found.symbol or found.name or _NAMELESS

    async def _checked(self, told: NewPair, token: bytes, at: At, rate: Rate) -> NewPair:
        try:
            safety = await inspect(self._rpc, self._chain, token, at, rates_of(self._chain, rate), _RULES)
        except RpcRefused as error:
            return replace(told, checked=at.number, score=0, refused=f"Token safety: not known. {error.what}")
        refused = refusal(safety, _RULES, trusted=token in self._chain.trusted)
        return replace(told, checked=at.number, score=safety.score, refused=refused or "")


def _due(pair: NewPair) -> bool:
    """Whether an age at which it is inspected has come since the last time."""
    age, last = pair.block - pair.created, -1 if pair.checked is None else pair.checked - pair.created
    return any(last < check <= age for check in CHECKS)


def _worth(token: Token, amount: int, rate: Rate) -> Decimal | None:
    price = rate(token.symbol)
    return None if price is None else quantise(mul(token.amount(amount), price), 2, DOWN)


def rates_of(chain: Chain, rate: Rate) -> Mapping[bytes, Decimal]:
    """Account currency for one of each of the chain's tokens, where something values it."""
    tokens = (chain.native, *chain.tokens)
    return {each.address: found for each in tokens if (found := rate(each.symbol)) is not None}
