"""What may be taken from an account, and by whom: all as it is at one block.

Of every token of the settings what every contract of theirs may take; and of every token what those may take to whom
the account ever gave leave, as its Approval events tell, as far back as was looked. An event only says where to look:
what is told is what the token answers at that block. Permit2 keeps leave of its own, given to third parties: that too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.venues.evm import abi
from app.venues.evm.chain import MAX_UINT256, Chain
from app.venues.evm.pools.batch import Batch, Call
from app.venues.evm.pools.reads import read_log
from app.venues.evm.pools.state import At, Log
from app.venues.evm.rpc import Rpc, RpcDown, RpcRefused
from signers.evm import keccak

APPROVAL: Final = keccak(b"Approval(address,address,uint256)")
INNER_APPROVAL: Final = keccak(b"Approval(address,address,address,uint160,uint48)")
PERMIT: Final = keccak(b"Permit(address,address,address,uint160,uint48,uint48)")
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
    """

    token: bytes
    spender: bytes
    amount: int
    inner: bool = False
    expires: int | None = None
    told: bool = False

    @property
    def unlimited(self) -> bool:
        """Whatever the account will ever have."""
        return self.amount >= (_MOST_160 if self.inner else MAX_UINT256) // _HALF


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


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """Of whom it is asked what they may take of what; `inner`: through Permit2."""

    token: bytes
    spender: bytes
    inner: bool = False


def spenders_of(chain: Chain) -> tuple[bytes, ...]:
    """What the settings name that takes tokens, but for Permit2."""
    named = (each for dex in chain.dexes for each in (dex.router, dex.positions, dex.universal))
    return tuple(dict.fromkeys(each for each in named if each is not None))


class AllowanceReader:
    """Of one chain."""

    def __init__(self, chain: Chain, rpc: Rpc) -> None:
        self._chain, self._rpc = chain, rpc
        self._own = {token.address for token in chain.tokens}
        self._batch = Batch(rpc, chain.multicall)

    async def of(self, account: bytes, at: At, now: int) -> Allowances:
        """All that is allowed.

        Args:
            now: seconds since 1970: what Permit2 allowed until before then can not be used any more.

        Raises:
            RpcDown, RpcRefused: no node told.
        """
        known = dict.fromkeys(self.known())
        events, since = await self.told(account, 0, at)
        told = [pair for pair in events if pair not in known]
        asked = [*known, *told[:MOST]]
        answers = await self._batch.read([self.call(account, pair) for pair in asked], at)
        live = [
            allowance
            for pair, answer in zip(asked, answers, strict=True)
            if (allowance := allowed(pair, answer, now, told=pair not in known)) is not None
        ]
        return Allowances(at, tuple(live), since, max(0, len(told) - MOST))

    async def one(self, account: bytes, token: bytes, spender: bytes, at: At, *, inner: bool) -> int:
        """What one spender may take of one token, base units; 0 also where the contract does not answer as a token.

        Raises:
            RpcDown, RpcRefused: no node told.
        """
        pair = Pair(token, spender, inner)
        (answer,) = await self._batch.read([self.call(account, pair)], at)
        found = allowed(pair, answer, 0, told=True)
        return 0 if found is None else found.amount

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

    async def told(self, account: bytes, first: int, at: At, *, at_once: bool = True) -> tuple[list[Pair], int | None]:
        """To whom the account gave leave in blocks from `first` on, by what the chain tells of it, the newest first;
        and from which block on it was looked: None where no node told of any.

        Args:
            at_once: try all blocks with one question first, which a weak node may search for long.
        """
        try:
            if at_once or at.number - first < SPAN:
                return self._pairs(await self._between(account, first, at.number)), first
        except (RpcRefused, RpcDown):
            pass  # more than these nodes tell at once: by spans, the newest first
        found: list[Log] = []
        since: int | None = None
        for number in range(SPANS):
            last = at.number - number * SPAN
            begin = max(first, last - SPAN + 1)
            if last < first:
                break
            try:
                found = [*await self._between(account, begin, last), *found]
            except (RpcRefused, RpcDown):
                break  # told as what it is: not looked at
            since = begin
        return self._pairs(found), since

    def _pairs(self, logs: Sequence[Log]) -> list[Pair]:
        found: dict[Pair, None] = {}
        for log in reversed(logs):
            if log.topics[0] == APPROVAL and len(log.topics) == 3:
                found[Pair(log.address, log.topics[2][12:])] = None
            elif log.address == self._chain.permit2 and len(log.topics) == 4:
                found[Pair(log.topics[2][12:], log.topics[3][12:], inner=True)] = None
        return list(found)

    def call(self, account: bytes, pair: Pair) -> Call:
        """What asks for it; `allowed` reads the answer."""
        if pair.inner:
            assert self._chain.permit2 is not None
            return Call(self._chain.permit2, abi.INNER_ALLOWANCE.encode(account, pair.token, pair.spender))
        return Call(pair.token, abi.ALLOWANCE.encode(account, pair.spender), hostile=pair.token not in self._own)

    async def _between(self, account: bytes, first: int, last: int) -> list[Log]:
        """Of tokens, and of Permit2, whose events have other arguments and the same owner in the same place.

        Raises:
            RpcRefused: the node does not tell of so many.
            RpcDown: no answer, or nonsense.
        """
        wanted: dict[str, Any] = {
            "topics": [
                [abi.hexed(each) for each in (APPROVAL, INNER_APPROVAL, PERMIT)],
                abi.hexed(account.rjust(32, b"\0")),
            ],
            "fromBlock": abi.quantity(first),
            "toBlock": abi.quantity(last),
        }
        answer = await self._rpc.call("eth_getLogs", [wanted])
        if not isinstance(answer, list):
            raise RpcDown("chain.garbled", "The node answered eth_getLogs with something that is no list.")
        return [log for each in answer if len((log := read_log(each)).topics) > 1]


def allowed(pair: Pair, answer: bytes | None, now: int, *, told: bool) -> Allowance | None:
    """What a contract answered of `pair`: None where nothing is allowed, and where it does not answer as a token does.

    Args:
        now: seconds since 1970.
    """
    if answer is None or len(answer) < 32:
        return None
    amount, expires = int.from_bytes(answer[:32]), None
    if pair.inner:
        try:
            amount, expires, _ = abi.INNER_ALLOWANCE.result(answer)
        except ValueError:
            return None
    if not amount or (expires is not None and expires < now):
        return None
    return Allowance(pair.token, pair.spender, amount, pair.inner, expires, told)
