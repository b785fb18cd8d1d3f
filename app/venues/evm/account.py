"""What an account has at one block of its chain: coin, tokens, nonce, and what others want to know of the same block.

One block for all of it: what two blocks say can not be compared with one ledger. The account's nonce is of that block
too, so it names exactly which transactions the balances include.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.errors import VenueError
from app.venues.base import Reading
from app.venues.evm import abi
from app.venues.evm.chain import Chain
from app.venues.evm.pools.batch import Batch, Call, block_parameter
from app.venues.evm.pools.state import At
from app.venues.evm.rpc import Rpc

_COIN: Final = abi.Function("getEthBalance", ("address",), ("uint256",))
"""Of Multicall3 and of `UniswapInterfaceMulticall` alike."""

Beside = Callable[[At], Awaitable[Sequence[Call]]]
"""What else is to be read in the same block; its answers come in `Reading.more` under the name it was given."""


@dataclass(frozen=True, slots=True)
class _Agreeing:
    """Several nodes, asked for nothing that they do not agree on."""

    rpc: Rpc

    async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        return await self.rpc.agreed(method, params)


class AccountReader:
    """Of one account on one chain.

    Attributes:
        beside: more to read, by name. All of it goes into the one request that reads the balances.
    """

    def __init__(self, chain: Chain, rpc: Rpc, account: bytes) -> None:
        self._chain, self._rpc, self._account = chain, rpc, account
        self._batch, self._agreed = Batch(rpc, chain.multicall), Batch(_Agreeing(rpc), chain.multicall)
        self.beside: dict[str, Beside] = {}

    async def read(self, *, sure: bool = False) -> Reading:
        """Everything at the newest block that enough nodes have.

        Args:
            sure: as many nodes must say the same of it as it takes to trade, instead of one.

        Raises:
            VenueError: no node answered, or they disagree; or a token does not say what the account has of it.
        """
        block = await self._rpc.agreed("eth_getBlockByNumber", ["latest", False])
        at = At(int(block["number"], 16), bytes.fromhex(block["hash"][2:]))
        more = {name: tuple(await calls(at)) for name, calls in self.beside.items()}
        calls = [*self._balances(), *(each for part in more.values() for each in part)]
        answers = await (self._agreed if sure else self._batch).read(calls, at)
        own = len(self._chain.tokens) + (self._chain.multicall is not None)
        found = await self._found(answers[:own], at, sure=sure)
        rest, told = answers[own:], {}
        for name, part in more.items():
            told[name], rest = tuple(rest[: len(part)]), rest[len(part) :]
        count = int(await self._ask("eth_getTransactionCount", at, sure=sure), 16)
        held = {symbol: amount for symbol, amount in found.items() if amount}
        return Reading(held, f"{at.number}/0x{at.hash.hex()}", count, told)

    def _balances(self) -> list[Call]:
        calls = [Call(token.address, abi.BALANCE_OF.encode(self._account)) for token in self._chain.tokens]
        if self._chain.multicall is not None:
            calls.append(Call(self._chain.multicall, _COIN.encode(self._account)))
        return calls

    async def _found(self, answers: Sequence[bytes | None], at: At, *, sure: bool) -> dict[str, Decimal]:
        chain, coin = self._chain, answers[len(self._chain.tokens) :]
        found: dict[str, Decimal] = {}
        for token, answer in zip(chain.tokens, answers, strict=False):  # the coin, where it was asked for, is the last
            if answer is None or len(answer) < 32:
                raise VenueError("chain.balance", f"{token.symbol} does not say what the account has of it.")
            found[token.symbol] = token.amount(int.from_bytes(answer[:32]))
        said = coin[0] if coin else None
        if said is not None and len(said) == 32:
            found[chain.native.symbol] = chain.native.amount(int.from_bytes(said))
        else:  # no multicall contract, or one that can not tell
            found[chain.native.symbol] = chain.native.amount(int(await self._ask("eth_getBalance", at, sure=sure), 16))
        return found

    async def _ask(self, method: str, at: At, *, sure: bool) -> Any:
        params = [abi.hexed(self._account), block_parameter(at)]
        return await (self._rpc.agreed if sure else self._rpc.call)(method, params)
