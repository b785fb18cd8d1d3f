"""What watched addresses did in one block, out of its logs. Pure.

A transaction counts as a swap where pools that are known swapped in it and it moved tokens of the watched address: what
came out of all those pools together was bought, what went in was sold, so that a route through several counts once and
the coin itself, which leaves no log, is seen by what the pool did. Anything else is a transfer, of what it changed of
what the address has. Two watched addresses in one transaction are told each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

from app.market.chain.logs import TRANSFER, Entry, address_in, flows
from app.money import mul
from app.venues.evm.chain import Chain
from app.venues.evm.pools.reads import word
from app.venues.evm.pools.state import Pool
from strategies.chain_messages import MoveKind, WhaleMove
from strategies.model import Instrument, Side

Rate = Callable[[str], Decimal | None]
"""Account currency for one of an asset, by our symbol."""


def moves(
    chain: Chain,
    instruments: Sequence[Instrument],
    block: int,
    transfers: Sequence[Entry],
    swaps: Sequence[Entry],
    pools: Mapping[bytes, Pool],
    rate: Rate,
) -> list[WhaleMove]:
    """What is told: by transaction in the block's order, then by address, then by instrument.

    Args:
        transfers: from and to watched addresses, each once.
    """
    watched, changes = dict(chain.watched), _changes(chain, transfers)
    traded = _traded(swaps, pools)
    found = []
    for (transaction, who), changed in changes.items():
        swapped = traded.get(transaction, {})
        is_swap = any(token in swapped for token in changed)
        amounts = swapped if is_swap else changed
        kind = MoveKind.SWAP if is_swap else MoveKind.TRANSFER
        for instrument, amount in _of_instruments(chain, instruments, amounts):
            price = rate(instrument.base)
            found.append(
                WhaleMove(
                    symbol=instrument.symbol,
                    block=block,
                    who=watched[who],
                    address=f"0x{who.hex()}",
                    kind=kind,
                    side=Side.BUY if amount > 0 else Side.SELL,
                    amount=abs(amount),
                    value=None if price is None else mul(abs(amount), price),
                    transaction=f"0x{transaction.hex()}",
                )
            )
    return found


def _changes(chain: Chain, transfers: Sequence[Entry]) -> dict[tuple[bytes, bytes], dict[bytes, int]]:
    """By transaction and watched address: what each token changed by."""
    watched = dict(chain.watched)
    found: dict[tuple[bytes, bytes], dict[bytes, int]] = {}
    for entry in transfers:
        log = entry.log
        if len(log.topics) != 3 or log.topics[0] != TRANSFER or len(log.data) != 32:
            continue  # an NFT's, or what only looks like one
        amount = word(log.data, 0)
        for topic, sign in ((log.topics[1], -1), (log.topics[2], 1)):
            who = address_in(topic)
            if who is not None and who in watched:
                changed = found.setdefault((entry.transaction, who), {})
                changed[log.address] = changed.get(log.address, 0) + sign * amount
    return {key: left for key, changed in found.items() if (left := {k: v for k, v in changed.items() if v})}


def _traded(swaps: Sequence[Entry], pools: Mapping[bytes, Pool]) -> dict[bytes, dict[bytes, int]]:
    """By transaction: what came out of pools (below 0: went in), by token; what only passed through is not in it."""
    found: dict[bytes, dict[bytes, int]] = {}
    for entry in swaps:
        pool = pools.get(entry.log.address)
        flow = None if pool is None else flows(pool, entry.log)
        if pool is not None and flow is not None:
            sums = found.setdefault(entry.transaction, {})
            for token, amount in zip((pool.token0, pool.token1), flow, strict=True):
                sums[token] = sums.get(token, 0) - amount
    return found


def _of_instruments(
    chain: Chain, instruments: Sequence[Instrument], amounts: Mapping[bytes, int]
) -> Iterator[tuple[Instrument, Decimal]]:
    """Instruments whose base changed, and by how much."""
    for instrument in sorted(instruments, key=lambda each: each.symbol):
        token = chain.token(instrument.base)
        amount = 0 if token is None else amounts.get(token.address, 0)
        if token is not None and amount:
            yield instrument, token.amount(amount)
