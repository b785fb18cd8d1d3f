"""Are the positions of liquidity that the ledger has still the account's, and is something in them?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.execution.desk import Desk
from app.execution.reconcile import Difference
from app.execution.state import State
from app.portfolio.stakes import Stake
from app.venues.base import Reading
from app.venues.evm import abi
from app.venues.evm.chain import Chain
from app.venues.evm.pools.batch import Call
from app.venues.evm.pools.state import At

_GONE: Final = "See what became of it on the chain; its change is not in the ledger. New trades wait for that."


class LiquidityCheck:
    """Of one account on one chain.

    Attributes:
        name: under which the answers come in `Reading.more`.

    Args:
        state: asked anew each time, as memory may have been read again from disk.
    """

    name: Final = "liquidity"

    def __init__(self, chain: Chain, account: bytes, state: Callable[[], State]) -> None:
        self._managers = {dex.name: dex.positions for dex in chain.dexes if dex.positions is not None}
        self._account, self._state = account, state
        self._asked: tuple[Stake, ...] = ()

    async def calls(self, at: At) -> list[Call]:  # noqa: ARG002 -- whatever the block
        """Owner and contents of each position."""
        self._asked = tuple(stake for _, stake in sorted(self._state().stakes.open.items()))
        found = []
        for stake in self._asked:
            dex, _, number = stake.position.rpartition(":")
            manager = self._managers[dex]
            found += [Call(manager, each.encode(int(number))) for each in (abi.OWNER_OF, abi.POSITIONS)]
        return found

    def __call__(self, desk: Desk, reading: Reading) -> list[Difference]:
        """A `Check`."""
        answers, found = list(reading.more.get(self.name, ())), []
        for stake in self._asked:
            owner, contents = answers[:2]
            answers = answers[2:]
            if (stake.module, stake.position) not in desk.state.stakes.open:
                continue  # it ended meanwhile
            if owner is None or len(owner) < 32 or owner[12:32] != self._account:
                words = f"{stake.position}: the ledger has this position of liquidity, and the account does not"
                found.append(Difference(stake.position, words, _GONE, stops=True))
            elif not _liquidity(contents):
                words = f"{stake.position}: the ledger has this position of liquidity, and nothing is in it any more"
                found.append(Difference(stake.position, words, _GONE, stops=True))
        return found


def _liquidity(contents: bytes | None) -> int:
    try:
        return 0 if contents is None else int(abi.POSITIONS.result(contents)[7])
    except ValueError:
        return 0  # a manager that says something else than what is in it
