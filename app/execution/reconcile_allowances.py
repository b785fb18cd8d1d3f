"""May anybody take what this program did not allow?

A transaction of another wallet with the same key is found by the account's nonce. A permit that was signed elsewhere
(EIP-2612, Permit2) needs none of the account's: whoever has the signature brings it to the chain, which is how a
phishing page works. So does what was allowed before this ledger began. It stops no trade, as no trade makes it worse.
"""

from __future__ import annotations

from typing import Final

from app.execution.desk import Desk
from app.execution.reconcile import Difference
from app.execution.state import State
from app.execution.transactions_sent import landed
from app.venues.base import Reading
from app.venues.evm import abi, allowances
from app.venues.evm.allowances import MOST, Allowance, AllowanceReader, Pair
from app.venues.evm.chain import Chain
from app.venues.evm.liquidity.leave import leave_name
from app.venues.evm.naming import amount_of, name_of, symbol_of
from app.venues.evm.pools.batch import Call
from app.venues.evm.pools.state import At
from signers.evm import checksum, decode

_MOST: Final = 20
"""Approvals of one token to one spender that are looked at, the newest, as they are read on the loop. Not one: a later
one may have an earlier nonce, by what was bumped."""


class AllowanceCheck:
    """Of one account on one chain.

    Attributes:
        name: under which the answers come in `Reading.more`.
    """

    name: Final = "allowances"

    def __init__(self, chain: Chain, reader: AllowanceReader, account: bytes) -> None:
        self._chain, self._reader, self._account = chain, reader, account
        self._known = tuple(dict.fromkeys(reader.known())) if chain.multicall is not None else ()
        """Without a multicall contract each is a request of its own, and the nodes have others to answer."""
        self._told: dict[Pair, None] = {}
        """By the chain's events, the newest last; what a token tells that nobody gave costs a question each, so that
        only so many are kept."""
        self._final = 0
        """The first block that could still be undone at the last comparison."""
        self._left: list[tuple[int, int]] = []
        """First and last block of what was not looked at yet, the newest last."""
        self._asked: tuple[Pair, ...] = ()

    async def calls(self, at: At) -> list[Call]:
        """What each spender may take: those of the settings, and those that events tell of, at first of the last
        `SPANS` times `SPAN` blocks. What no node told of, and what may still be undone, the next
        comparison asks for again.
        """
        for pair in await self._events(at):
            self._told.pop(pair, None)
            self._told[pair] = None
        self._told = dict.fromkeys(list(self._told)[-MOST:])
        self._asked = tuple(dict.fromkeys((*self._known, *self._told)))
        return [call for pair in self._asked for call in self._reader.calls(self._account, pair)]

    async def _events(self, at: At) -> list[Pair]:
        """What events tell of blocks that were not looked at yet, the newest last. Newest first they are asked for, as
        many nodes keep no old ones; what could not be had, or was too much for one comparison, is left for the next."""
        span, spans = allowances.SPAN, allowances.SPANS
        first, found = self._final or max(0, at.number + 1 - spans * span), list[Pair]()
        if first <= at.number:
            if self._left and self._left[-1][1] >= first - 1:
                first = min(first, self._left.pop()[0])
            self._left.append((first, at.number))
        for _ in range(spans):
            if not self._left:
                break
            first, last = self._left.pop()
            begin = max(first, last - span + 1)
            told = await self._reader.told_between(self._account, begin, last)
            if told is None:
                self._left.append((first, last))
                break
            found = [*reversed(told), *found]
            if begin > first:
                self._left.append((first, begin - 1))
        self._final = max(self._final, at.number + 1 - self._chain.confirmations)
        return found

    def __call__(self, desk: Desk, reading: Reading) -> list[Difference]:
        """A `Check`."""
        now, found = desk.wall.now_ms() // 1000, []
        answers = reading.more.get(self.name, ())
        for pair, live in self._reader.live(self._account, self._asked, answers, now, self._known):
            ours = given(self._chain, desk.state, pair)
            if live.amount > ours:
                found.append(self._difference(live, ours))
        return found

    def _difference(self, live: Allowance, ours: int) -> Difference:
        token, spender = _token(self._chain, live), name_of(self._chain, live.spender)
        much = amount_of(self._chain, live.token, live.amount)
        if live.unlimited or live.position is not None:
            much = f"UNLIMITED {token}" if live.unlimited else token
        known = "nothing" if not ours else amount_of(self._chain, live.token, ours)
        through, flag = (" through Permit2", " --permit2") if live.inner else ("", "")
        words = f"allowance: {spender} may take {much} of this account{through}; this program allowed {known}"
        step = (
            "Was it you, before or with another wallet? Then it may stay. Take it back: "
            f"countersign revoke {token} {checksum(live.spender)}{flag}"
        )
        return Difference(f"allowance {token} {spender}", words, step, stops=False)


def _token(chain: Chain, live: Allowance) -> str:
    return symbol_of(chain, live.token) if live.position is None else leave_name(chain, live.token, live.position)


def given(chain: Chain, state: State, pair: Pair) -> int:
    """Base units that the newest transaction of ours in a block allowed; what was taken of it since is not counted. Of
    positions of liquidity there is none: this program lets nobody take any."""
    to, function, data = pair.token, abi.APPROVE, abi.APPROVE.encode(pair.spender, 0)[:36]
    if pair.inner:
        assert chain.permit2 is not None  # no pair of it otherwise
        to, function = chain.permit2, abi.INNER_APPROVE
        data = abi.INNER_APPROVE.encode(pair.token, pair.spender, 0, 0)[:68]
    sent = [decode(body) for body in landed(state, (to, data), _MOST)]
    ours = [each for each in sent if each.to == to and each.data.startswith(data)]
    newest = max(ours, key=lambda each: each.nonce, default=None)
    return 0 if newest is None else int(function.decode(newest.data)[2 if pair.inner else 1])
