"""Double entry: what moves is taken from one account and given to another; per asset every transaction sums to zero.

Accounts, in beancount's manner:

- ``assets:<venue>``       what the venue holds for us
- ``equity:opening``       where opening balances come from (negative by nature)
- ``equity:adjustment``    explicit adjustments the trader confirmed
- ``trading:<module>``     the other side of every fill: its balances, valued at marks, are minus the module's profit
- ``expenses:fees``        fees paid
- ``expenses:gas:<module>`` gas paid for a module's transactions
- ``assets:liquidity:<module>:<position>`` what a position of liquidity holds, at what was put in
- ``income:<act>:<module>`` what a module's acts have won: negative by nature
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from app.money import ZERO, add, neg
from app.venues.base import Move, MoveKind, VenueFill
from strategies.model import Instrument, Side

OPENING = "equity:opening"
ADJUSTMENT = "equity:adjustment"
FEES = "expenses:fees"
GAS = "expenses:gas:"
INCOME = "income:"


def venue_account(venue: str) -> str:
    """The account of what `venue` holds for us."""
    return f"assets:{venue}"


def module_account(module: str) -> str:
    """The trading account of one module."""
    return f"trading:{module}"


@dataclass(frozen=True, slots=True)
class Posting:
    """`amount` of `asset` added to `account` (negative: taken)."""

    account: str
    asset: str
    amount: Decimal


def opening(venue: str, asset: str, amount: Decimal) -> tuple[Posting, ...]:
    """Opening balance of one asset."""
    return _balanced((Posting(venue_account(venue), asset, amount), Posting(OPENING, asset, neg(amount))))


def adjustment(venue: str, asset: str, amount: Decimal) -> tuple[Posting, ...]:
    """What came to the account (or, negative, left it) by no trade of ours, as the trader says: neither profit nor
    loss."""
    return _balanced((Posting(venue_account(venue), asset, amount), Posting(ADJUSTMENT, asset, neg(amount))))


def of_fill(venue: str, module: str, instrument: Instrument, fill: VenueFill) -> tuple[Posting, ...]:
    """One fill: base against quote through the module's trading account, and the fee."""
    notional = fill.quote_amount
    base, quote = (fill.quantity, neg(notional)) if fill.side is Side.BUY else (neg(fill.quantity), notional)
    assets, trading = venue_account(venue), module_account(module)
    postings = [
        Posting(assets, instrument.base, base),
        Posting(trading, instrument.base, neg(base)),
        Posting(assets, instrument.quote, quote),
        Posting(trading, instrument.quote, neg(quote)),
    ]
    if fill.fee:
        postings += [Posting(assets, fill.fee_asset, neg(fill.fee)), Posting(FEES, fill.fee_asset, fill.fee)]
    return _balanced(tuple(postings))


def gas_account(module: str) -> str:
    """What a module's transactions have cost in gas."""
    return f"{GAS}{module}"


def of_gas(venue: str, module: str, asset: str, amount: Decimal) -> tuple[Posting, ...]:
    """Gas that was burnt for a transaction; a negative `amount` takes it back, where its block was undone."""
    return _balanced((Posting(venue_account(venue), asset, neg(amount)), Posting(gas_account(module), asset, amount)))


def of_move(venue: str, module: str, act: str, move: Move) -> tuple[Posting, ...]:
    """One asset that an act moved."""
    assets, income = venue_account(venue), f"{INCOME}{act}:{module}"
    liquidity = f"assets:liquidity:{module}:{move.position}"
    gets, gives = {
        MoveKind.GAIN: (assets, income),
        MoveKind.STAKE: (assets, liquidity),
        MoveKind.CHANGE: (liquidity, income),
    }[move.kind]
    return _balanced((Posting(gets, move.asset, move.amount), Posting(gives, move.asset, neg(move.amount))))


def imbalance(postings: Iterable[Posting]) -> dict[str, Decimal]:
    """Assets whose postings do not sum to zero, with the sum."""
    sums: dict[str, Decimal] = {}
    for posting in postings:
        sums[posting.asset] = add(sums.get(posting.asset, ZERO), posting.amount)
    return {asset: amount for asset, amount in sums.items() if amount}


def _balanced(postings: tuple[Posting, ...]) -> tuple[Posting, ...]:
    wrong = imbalance(postings)
    assert not wrong, f"postings do not sum to zero: {wrong}"
    return postings
