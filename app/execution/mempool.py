"""Who sees a trade's transactions before they are mined, and what a sandwich could take then: for the preview."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from app.execution.chain_account import Account
from app.venues.evm.acts import Nothing
from app.venues.evm.assemble import Assembled
from app.venues.evm.chain import Chain, Token
from app.venues.evm.planner import Plan
from app.venues.evm.pools.faults import NoQuote
from app.venues.evm.private.way import PrivateWay
from app.venues.evm.routing.gas import GasPrice
from app.venues.evm.routing.sandwich import Sandwich, Victim, sandwich
from app.venues.evm.swap import Exact, RouterKind

Rate = Callable[[str], Decimal | None]
"""Account currency for one unit of an asset; None where none is known."""


async def seen(account: Account, made: Assembled, plan: Plan | None, rate: Rate) -> dict[str, Any]:
    """``private``: through which endpoint alone it goes, or null; ``sandwich``: what one could take, or null where that
    can not be reckoned; ``empty``: there is nothing in it to be seen. Amounts as text.

    What does nothing goes to the public: a private endpoint may take it for a cancellation and never have it mined
    (Flashbots, cancellations.md), and then the chain never tells what became of its nonce.
    """
    empty = isinstance(made.transactions[-1].act, Nothing)
    private = None if empty else way_of(account.chain.private)
    return {"private": private, "sandwich": await _sandwich(account, made, plan, rate), "empty": empty}


def way_of(way: PrivateWay | None) -> dict[str, Any] | None:
    """As it is confirmed, and by which it is sent."""
    if way is None:
        return None
    return {"host": way.host, "kind": way.kind.value, "blocks": way.blocks, "fallback": way.fallback.value}


async def _sandwich(account: Account, made: Assembled, plan: Plan | None, rate: Rate) -> dict[str, Any] | None:
    if plan is None or plan.swap.taxed:
        return None
    chain, swap, exact_in = account.chain, plan.swap, plan.swap.exact is Exact.IN
    victims = [
        Victim(
            tuple(replace(hop, pool=hop.pool.afresh()) for hop in quote.hops),
            exact_in,
            part.amount_in if exact_in else part.amount_out,
            part.amount_out if exact_in else part.amount_in,
            hands_on=swap.kind is not RouterKind.V2,
        )
        for quote, part in zip(plan.quotes, swap.parts, strict=True)
    ]
    tokens = {token for victim in victims for hop in victim.hops for token in (hop.token_in, hop.token_out)}
    fee = made.transactions[-1].fee
    per_gas = min(fee.max_fee, fee.base_fee + fee.priority_fee)
    prices = {token: price for token in tokens if (price := _gas(account, token, per_gas, rate)) is not None}
    try:
        found = await asyncio.to_thread(sandwich, victims, prices)  # some 60 ms of many pools, which the loop has not
    except NoQuote:
        return None
    of = account.named(swap.token_out if exact_in else swap.token_in)
    native = swap.coin_out if exact_in else swap.coin_in
    return {
        "asset": (chain.native if native else of).symbol,
        "lost": of.text(found.lost),
        "bps": str(found.bps),
        "most": of.text(found.most),
        "keeps": _keeps(account, found, prices),
        "gas_known": prices.keys() >= tokens,
    }


def _keeps(account: Account, found: Sandwich, prices: dict[bytes, GasPrice]) -> list[list[str]]:
    """What its maker keeps after gas, by token."""
    sums: dict[bytes, int] = {}
    for attack in found.attacks:
        price = prices.get(attack.token)
        net = attack.gain - (0 if price is None else price.cost(attack.gas))
        sums[attack.token] = sums.get(attack.token, 0) + net
    tokens = {address: _token(account.chain, address) for address in sums}
    return [[tokens[address].symbol, tokens[address].text(net)] for address, net in sums.items()]


def _gas(account: Account, address: bytes, per_gas: int, rate: Rate) -> GasPrice | None:
    """Wei of gas in base units of a token, at the rates that the account is valued with."""
    chain = account.chain
    if address == chain.native.address:
        return GasPrice(per_gas)
    return _converted(chain, _token(chain, address), per_gas, rate)


def _token(chain: Chain, address: bytes) -> Token:
    """Of a pool between the chain's tokens; the coin stands for its wrapped form where that has no name of its own."""
    return next((token for token in chain.tokens if token.address == address), chain.native)


def _converted(chain: Chain, token: Token, per_gas: int, rate: Rate) -> GasPrice | None:
    coin_rate, token_rate = rate(chain.native.symbol), rate(token.symbol)
    if coin_rate is None or not token_rate:
        return None
    (above, below), (token_above, token_below) = coin_rate.as_integer_ratio(), token_rate.as_integer_ratio()
    out, per_wei = above * token_below * 10**token.decimals, below * token_above * 10**chain.native.decimals
    return GasPrice.of(per_gas, out, per_wei)
