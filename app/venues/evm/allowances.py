"""What may be taken from an account, and by whom: all as it is at one block.

Of every token of the settings what every contract of theirs may take; and of every token what those may take to whom
the account ever gave leave, as its Approval events tell, as far back as was looked. An event only says where to look:
what is told is what the token answers at that block. Permit2 keeps leave of its own, given to third parties: that too.
So do the contracts of positions of liquidity that the settings name, over one position or over all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.venues.evm import abi
from app.venues.evm.chain import MAX_UINT256, ZERO_ADDRESS, Chain
from app.venues.evm.liquidity.leave import EVERY
from app.venues.evm.pools.batch import Batch, Call
from app.venues.evm.pools.reads import read_log
from app.venues.evm.pools.state import At, Log
from app.venues.evm.rpc import Rpc, RpcDown, RpcRefused
from signers.evm import keccak

APPROVAL: Final = keccak(b"Approval(address,address,uint256)")
INNER_APPROVAL: Final = keccak(b"Approval(address,address,address,uint160,uint48)")
PERMIT: Final = keccak(b"Permit(address,address,address,uint160,uint48,uint48)")
OPERATOR: Final = keccak(b"ApprovalForAll(address,address,bool)")
SPAN: Final = 10_000
"""Blocks that are asked for at once where a node refuses all at once; most nodes allow that many."""
SPANS: Final = 10
"""How many of those are asked for: what is older is not looked at, and that is told."""
MOST: Final = 500
"""Pairs of token and spender that are looked at beside those of the settings. Anybody can write a token that tells of
approvals which nobody gave."""
_MOST_160: Final = 2**160 - 1
_HALF: Final = 2
"""From half of the largest number on nobody means an amount: some tokens count down even what is unlimited."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one spender may take of one token.

    Attributes:
        amount: base units; never 0.
        inner: through Permit2, which has its own leave.
        expires: of an inner one, seconds since 1970.
        told: it was found by an event of the token, not by the settings.
        position: where `token` is a contract of positions of liquidity: the one that may be taken, or `EVERY`.
    """

    token: bytes
    spender: bytes
    amount: int
    inner: bool = False
    expires: int | None = None
    told: bool = False
    position: int | None = None

    @property
    def unlimited(self) -> bool:
        """Whatever the account will ever have."""
        return self.position == EVERY or self.amount >= (_MOST_160 if self.inner else MAX_UINT256) // _HALF


@dataclass(frozen=True, slots=True)
class Allowances:
    """Of one account at one block.

    Attributes:
        since: the first block whose events were looked at; None: no node told of any.
        left_out: pairs that events told of, beyond `MOST`.
    """

    at: At
    live: tuple[Allowance, ...]
    since: int | None
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Pair:
    """Of whom it is asked what they may take of what; `inner` and `position` as in `Allowance`."""

    token: bytes
    spender: bytes
    inner: bool = False
    position: int | None = None


def spenders_of(chain: Chain) -> tuple[bytes, ...]:
    """What the settings name that takes tokens, but for Permit2."""
    named = (each for dex in chain.dexes for each in (dex.router, dex.positions, dex.universal))
    return tuple(dict.fromkeys(each for each in named if each is not None))


class AllowanceReader:
    """Of one chain."""

    def __init__(self, chain: Chain, rpc: Rpc) -> None:
        self._chain, self._rpc = chain, rpc
        self._own = {token.address for token in chain.tokens}
        self._managers = {dex.positions for dex in chain.dexes if dex.positions is not None}
        self._batch = Batch(rpc, chain.multicall)

    async def of(self, account: bytes, at: At, now: int) -> Allowances:
        """All that is allowed.

        Args:
            now: seconds since 1970: what Permit2 allowed until before then can not be used any more.

        Raises:
            RpcDown, RpcRefused: no node told.
        """
        known = dict.fromkeys(self.known())
        events, since = await self.told(account, at)
        told = [pair for pair in events if pair not in known]
        asked = [*known, *told[:MOST]]
        answers = await self._batch.read([call for pair in asked for call in self.calls(account, pair)], at)
        live = tuple(each for _, each in self.live(account, asked, answers, now, known))
        return Allowances(at, live, since, max(0, len(told) - MOST))

    async def allows(self, account: bytes, pair: Pair, at: At) -> bool:
        """Whether anything is allowed of it; False also where the contract does not answer as it should.

        Raises:
            RpcDown, RpcRefused: no node told.
        """
        answers = await self._batch.read(self.calls(account, pair), at)
        return any(self.live(account, (pair,), answers, 0, ()))

    def live(
        self,
        account: bytes,
        asked: Iterable[Pair],
        answers: Iterable[bytes | None],
        now: int,
        known: Collection[Pair],
    ) -> Iterator[tuple[Pair, Allowance]]:
        """What is allowed, by what the `calls` of all `asked` answered, one after the other.

        Args:
            now: seconds since 1970.
            known: those that the settings name.
        """
        left = iter(answers)
        for pair in asked:
            mine = [next(left) for _ in self.calls(account, pair)]
            found = _allowed(account, pair, mine, now, told=pair not in known)
            if found is not None:
                yield pair, found

    def known(self) -> Iterable[Pair]:
        """Every token and every contract of the settings."""
        spenders = spenders_of(self._chain)
        permit2 = self._chain.permit2
        for token in self._chain.tokens:
            for spender in spenders:
                yield Pair(token.address, spender)
                if permit2 is not None:
                    yield Pair(token.address, spender, inner=True)
            if permit2 is not None:
                yield Pair(token.address, permit2)

    async def told(self, account: bytes, at: At) -> tuple[list[Pair], int | None]:
        """To whom the account gave leave up to a block, by what the chain tells of it, the newest first; and from which
        block on it was looked: None where no node told of any."""
        try:
            return self._pairs(await self._between(account, 0, at.number)), 0
        except (RpcRefused, RpcDown):
            pass  # more than these nodes tell at once: by spans, the newest first
        found: list[Log] = []
        since: int | None = None
        for number in range(SPANS):
            last = at.number - number * SPAN
            begin = max(0, last - SPAN + 1)
            if last < 0:
                break
            try:
                found = [*await self._between(account, begin, last), *found]
            except (RpcRefused, RpcDown):
                break  # told as what it is: not looked at
            since = begin
        return self._pairs(found), since

    async def told_between(self, account: bytes, first: int, last: int) -> list[Pair] | None:
        """The same of these blocks, at most `SPAN`; None where no node told."""
        try:
            return self._pairs(await self._between(account, first, last))
        except (RpcRefused, RpcDown):
            return None

    def _pairs(self, logs: Sequence[Log]) -> list[Pair]:
        found: dict[Pair, None] = {}
        for log in reversed(logs):
            if log.topics[0] == APPROVAL and len(log.topics) == 3:
                found[Pair(log.address, log.topics[2][12:])] = None
            elif log.address in self._managers:
                found |= _over_positions(log)
            elif log.address == self._chain.permit2 and len(log.topics) == 4:
                found[Pair(log.topics[2][12:], log.topics[3][12:], inner=True)] = None
        return list(found)

    def calls(self, account: bytes, pair: Pair) -> list[Call]:
        """What asks for it; `live` reads the answers."""
        if pair.inner:
            assert self._chain.permit2 is not None
            return [Call(self._chain.permit2, abi.INNER_ALLOWANCE.encode(account, pair.token, pair.spender))]
        if pair.position is None:
            data = abi.ALLOWANCE.encode(account, pair.spender)
            return [Call(pair.token, data, hostile=pair.token not in self._own)]
        if pair.position == EVERY:
            return [Call(pair.token, abi.IS_OPERATOR.encode(account, pair.spender))]
        return [Call(pair.token, each.encode(pair.position)) for each in (abi.APPROVED, abi.OWNER_OF)]

    async def _between(self, account: bytes, first: int, last: int) -> list[Log]:
        """Of tokens, and of Permit2, whose events have other arguments and the same owner in the same place.

        Raises:
            RpcRefused: the node does not tell of so many.
            RpcDown: no answer, or nonsense.
        """
        wanted: dict[str, Any] = {
            "topics": [
                [abi.hexed(each) for each in (APPROVAL, INNER_APPROVAL, PERMIT, OPERATOR)],
                abi.hexed(account.rjust(32, b"\0")),
            ],
            "fromBlock": abi.quantity(first),
            "toBlock": abi.quantity(last),
        }
        answer = await self._rpc.call("eth_getLogs", [wanted])
        if not isinstance(answer, list):
            raise RpcDown("chain.garbled", "The node answered eth_getLogs with something that is no list.")
        return [log for each in answer if len((log := read_log(each)).topics) > 1]


def _over_positions(log: Log) -> dict[Pair, None]:
    """Whose leave an event of a contract of positions tells of."""
    if len(log.topics) == 3 and log.topics[0] == OPERATOR:
        return {Pair(log.address, log.topics[2][12:], position=EVERY): None}
    if len(log.topics) == 4 and log.topics[0] == APPROVAL and (spender := log.topics[2][12:]) != ZERO_ADDRESS:
        return {Pair(log.address, spender, position=int.from_bytes(log.topics[3])): None}
    return {}


def _allowed(account: bytes, pair: Pair, answers: Sequence[bytes | None], now: int, *, told: bool) -> Allowance | None:
    """None where nothing is allowed, and where a contract does not answer as a token does."""
    whole = [answer for answer in answers if answer is not None and len(answer) >= 32]
    if len(whole) < len(answers):
        return None
    if pair.position is not None:
        taken = any(whole[0]) if pair.position == EVERY else [each[12:32] for each in whole] == [pair.spender, account]
        return Allowance(pair.token, pair.spender, 1, told=told, position=pair.position) if taken else None
    (answer,) = whole
    amount, expires = int.from_bytes(answer[:32]), None
    if pair.inner:
        try:
            amount, expires, _ = abi.INNER_ALLOWANCE.result(answer)
        except ValueError:
            return None
    if not amount or (expires is not None and expires < now):
        return None
    return Allowance(pair.token, pair.spender, amount, pair.inner, expires, told)
