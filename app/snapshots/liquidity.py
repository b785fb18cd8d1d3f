"""Positions of liquidity as a person reads them: the chain's picture of the last look beside what the books say was put
in. Amounts are whole units; prices are quote for one of base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from app.money import to_text
from app.portfolio.stakes import Stake

if TYPE_CHECKING:
    from app.session import Session
    from app.venues.evm.chain import Chain, Token
    from app.venues.evm.liquidity.position import Held
    from strategies.model import Instrument

Amounts = tuple[tuple[str, Decimal], ...]
"""Asset and amount, the base first."""
_DIGITS: Final = 8
"""Of a price that is shown."""
_PLACES: Final = 12
"""Of an amount of quote that is reckoned at the pool's price."""


@dataclass(frozen=True, slots=True)
class LiquidityView:
    """One position of liquidity.

    Attributes:
        position: its name, ``EXCHANGE:NUMBER``.
        module: whose it is; "" of one that the books do not know.
        pair: the instrument; of tokens that none is of, their names.
        lower, upper, price: None where the settings do not know both tokens.
        in_range: it earns at the pool's price; None while nobody has seen it.
        holds: what its liquidity would pay now; `fees`: what it has earned and not collected.
        put_in: less what was taken out; empty of one that the books do not know.
        value: what would come out now, fees included, in quote at the pool's price; `earned`: the fees alone.
        loss: impermanent loss: what holding `put_in` would be worth more, in quote; negative: less.
        net: fees less impermanent loss.
    """

    position: str
    module: str
    pair: str
    fee: str
    quote: str
    lower: Decimal | None = None
    upper: Decimal | None = None
    price: Decimal | None = None
    in_range: bool | None = None
    holds: Amounts = ()
    fees: Amounts = ()
    put_in: Amounts = ()
    value: Decimal | None = None
    earned: Decimal | None = None
    loss: Decimal | None = None
    net: Decimal | None = None

    @property
    def seen(self) -> bool:
        """The chain has been asked for it, and has it."""
        return self.in_range is not None

    def document(self) -> dict[str, Any]:
        """For the control socket and ``--json``."""
        amounts = {name: {asset: to_text(each) for asset, each in getattr(self, name)} for name in _AMOUNTS}
        numbers = {name: _text(getattr(self, name)) for name in _NUMBERS}
        plain = {name: getattr(self, name) for name in ("position", "module", "pair", "fee", "quote", "in_range")}
        return {**plain, **amounts, **numbers}


_AMOUNTS: Final = ("holds", "fees", "put_in")
_NUMBERS: Final = ("lower", "upper", "price", "value", "earned", "loss", "net")


def liquidity(session: Session) -> tuple[LiquidityView, ...]:
    """Of the session's account, as of the last look; none where it trades on no chain."""
    if session.plan.chain is None or not hasattr(session, "desk"):
        return ()
    from app.chain_setup import ChainSetup  # noqa: PLC0415 -- aiohttp and eth-abi, 0.7 s: only where it runs

    setup = session.setup
    assert isinstance(setup, ChainSetup)
    stakes = session.desk.state.stakes.open.values()
    return views(setup.venue.chain, session.desk.instruments, setup.liquidity.held, tuple(stakes))


def views(
    chain: Chain, instruments: Mapping[str, Instrument], held: Mapping[str, Held], stakes: tuple[Stake, ...]
) -> tuple[LiquidityView, ...]:
    """Those of the books first, then what else the account has; empty ones of nobody are left out."""
    booked = {stake.position for stake in stakes}
    mine = [_view(chain, instruments[stake.symbol], held.get(stake.position), stake) for stake in stakes]
    others = [_other(chain, name, each) for name, each in held.items() if name not in booked and not each.empty]
    return tuple(sorted(mine, key=lambda each: (each.module, each.position)) + others)


def _view(chain: Chain, instrument: Instrument, held: Held | None, stake: Stake) -> LiquidityView:
    base, quote = chain.token(instrument.base), chain.token(instrument.quote)
    assert base is not None
    assert quote is not None
    put_in = {each.symbol: stake.assets.get(each.symbol, Decimal(0)) for each in (base, quote)}
    if held is None:
        assets = tuple(put_in.items())
        return LiquidityView(stake.position, stake.module, instrument.symbol, "", quote.symbol, put_in=assets)
    return _seen(stake.position, stake.module, instrument.symbol, held, (base, quote), put_in)


def _other(chain: Chain, name: str, held: Held) -> LiquidityView:
    from app.venues.evm.naming import percent, symbol_of, token_of  # noqa: PLC0415 -- the chain's, as above

    of = held.position
    one, other = token_of(chain, of.token0), token_of(chain, of.token1)
    pair = f"{symbol_of(chain, of.token0)}-{symbol_of(chain, of.token1)}"
    if one is None or other is None:
        return LiquidityView(name, "", pair, percent(of.fee), "", in_range=held.in_range)
    return _seen(name, "", pair, held, (one, other), {})


def _seen(
    name: str, module: str, pair: str, held: Held, tokens: tuple[Token, Token], put_in: dict[str, Decimal]
) -> LiquidityView:
    from app.venues.evm.liquidity.ranges import Sides, floored  # noqa: PLC0415 -- the chain's, as above
    from app.venues.evm.naming import percent  # noqa: PLC0415 -- as above

    base, quote = tokens
    sides, of = Sides(base, quote), held.position
    holds, fees = sides.ordered(*held.amounts), sides.ordered(held.fees0, held.fees1)
    low, high = sides.prices(of.lower, of.upper)
    earned = sides.value(held.fees0, held.fees1, held.root)
    loss: Fraction | None = None
    if put_in:
        units = sides.ordered(*(token.base_units(put_in[token.symbol]) for token in tokens))
        loss = sides.impermanent_loss(units, held.amounts, held.root)

    def amounts(of: tuple[int, int]) -> Amounts:
        return tuple((token.symbol, token.amount(each)) for token, each in zip(tokens, of, strict=True))

    return LiquidityView(
        position=name,
        module=module,
        pair=pair,
        fee=percent(of.fee),
        quote=quote.symbol,
        lower=_price(low),
        upper=_price(high),
        price=_price(sides.price(held.root)),
        in_range=held.in_range,
        holds=amounts(holds),
        fees=amounts(fees),
        put_in=tuple(put_in.items()),
        value=floored(sides.value(*held.amounts, held.root) + earned, _PLACES),
        earned=floored(earned, _PLACES),
        loss=None if loss is None else floored(loss, _PLACES),
        net=None if loss is None else floored(earned - loss, _PLACES),
    )


def _price(price: Fraction) -> Decimal:
    from app.venues.evm.liquidity.ranges import floored  # noqa: PLC0415 -- as above

    places = 0
    while price and price * 10**places < 10 ** (_DIGITS - 1):
        places += 1
    return floored(price, places)


def _text(number: Decimal | None) -> str | None:
    return None if number is None else to_text(number)
