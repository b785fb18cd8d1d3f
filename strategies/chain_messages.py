"""What a chain tells modules. Every message is about one block, told in the chain's order, each once; `symbol` is the
instrument it concerns, or "" where the settings have none for it.

Some say what happened in their block (`WhaleMove`, `OpportunityEnded`), some how something is as of it
(`Opportunity`, `NewPair`, `LiquidityState`): the newest counts. What was said of blocks that a reorganisation dropped
is unsaid by one `Undone` to each instrument and to "", before anything of the blocks in their place is told; what those
hold again is told again. Blocks that were missed while nobody answered are told late and in order; after a stop of the
session, or where more were missed than can be fetched, what happened in between is never told.

Amounts are whole units, exact; addresses 0x text in lower case; texts of strangers are escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from strategies.model import Side


@dataclass(frozen=True, slots=True)
class Opportunity:
    """A cycle through pools that pays, and that one router carries in one transaction.

    Attributes:
        block_ms: expected time between blocks.
        asset: what goes in and comes back.
        amount: that wins most.
        gain: what comes back beyond it, before gas.
        net: the gain less `gas`, all in the asset, at this block's price of gas; what a rollup charges for its data
            is not in it.
        unit: the smallest amount of the asset.
        rate: account currency for one of the asset; None: nothing values it.
        pools: in order.
        since: the first block in a row on which these pools paid.
        signing_ms: what the trader took to read and sign until now, 90th percentile; None: not measured yet.
    """

    symbol: str
    block: int
    block_ms: int
    asset: str
    amount: Decimal
    gain: Decimal
    net: Decimal
    gas: Decimal
    unit: Decimal
    rate: Decimal | None
    pools: tuple[str, ...]
    since: int
    signing_ms: int | None = None


@dataclass(frozen=True, slots=True)
class OpportunityEnded:
    """A cycle that was told pays no more as of `block`. `blocks`: on how many it did."""

    symbol: str
    block: int
    block_ms: int
    asset: str
    pools: tuple[str, ...]
    blocks: int


@dataclass(frozen=True, slots=True)
class NewPair:
    """A pool that was made while the session looked, as it is now; told for each block while it is young.

    Attributes:
        created: the block that made it.
        token: what is new in it, or the instrument's base.
        name: what the token calls itself; anybody can call a token anything.
        against: our symbol of the other token.
        dex: the exchange's name.
        fee_ppm: hundredths of a basis point.
        liquidity: what it holds of the other token, account currency; None: nothing values that.
        checked: the newest block at which the token's safety was looked at; None: not yet.
        score: 0 to 100, what the look came to.
        refused: why the token would not be bought, or "".
    """

    symbol: str
    block: int
    created: int
    pool: str
    token: str
    name: str
    against: str
    dex: str
    fee_ppm: int
    liquidity: Decimal | None
    checked: int | None = None
    score: int | None = None
    refused: str = ""


class MoveKind(StrEnum):
    """How a watched address moved an asset."""

    SWAP = "swap"
    """Through pools that are known, in one transaction."""
    TRANSFER = "transfer"
    """Otherwise: to or from somebody, or through what is not known."""


@dataclass(frozen=True, slots=True)
class WhaleMove:
    """What one transaction changed of what a watched address has of an instrument's base.

    Attributes:
        who: as the settings call the address.
        side: it has more of the base (BUY), or less (SELL).
        amount: of the base.
        value: account currency; None: nothing values it.
        transaction: its hash.
    """

    symbol: str
    block: int
    who: str
    address: str
    kind: MoveKind
    side: Side
    amount: Decimal
    value: Decimal | None
    transaction: str


@dataclass(frozen=True, slots=True)
class HeldRange:
    """A position of liquidity in a pool.

    Attributes:
        position: ``EXCHANGE:NUMBER``.
        module: whose it is by the ledger; "" where that does not know it.
        lower, upper: prices of its range, quote for one of base.
        liquidity: as `LiquidityState.liquidity`.
        in_range: it earns fees at this price.
        fees: what collecting would pay, worth in quote.
    """

    position: str
    module: str
    lower: float
    upper: float
    liquidity: float
    in_range: bool
    fees: float


@dataclass(frozen=True, slots=True)
class LiquidityState:
    """A pool of an instrument's two tokens in which liquidity can be provided, and what we have in it. Statistics, so
    float, but for what may become an amount.

    Attributes:
        price: quote for one of base.
        liquidity: in range, in whole units: the pool's own number over 10 to half the sum of both tokens' decimals.
        volume: quote that was traded in it since the state before this one.
        opening, ending, collecting: what each act would cost in gas now, in quote; estimates.
        base, quote: what of the account is free for it.
        base_unit, quote_unit: the smallest amounts.
    """

    symbol: str
    block: int
    pool: str
    dex: str
    fee_ppm: int
    price: float
    liquidity: float
    volume: float
    opening: float
    ending: float
    collecting: float
    base: Decimal
    quote: Decimal
    base_unit: Decimal
    quote_unit: Decimal
    held: tuple[HeldRange, ...] = ()


@dataclass(frozen=True, slots=True)
class Undone:
    """What was said of `block` and of all after it is unsaid: they are no longer in the chain."""

    symbol: str
    block: int


ChainMessage = Opportunity | OpportunityEnded | NewPair | WhaleMove | LiquidityState | Undone
