"""What a running trader answers of acts: transactions that wait are cancelled or bumped, allowances read and taken
back, positions of liquidity read, opened, collected, withdrawn. What changes something proposes: it is read and
confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from app.engine.acts import Acts
from app.engine.provision import Provision
from app.engine.provision import read as read_provision
from app.errors import SafetyError, UsageError
from app.execution.control import Handler
from app.ids import SHORTEST
from app.money import to_text
from app.snapshots.liquidity import liquidity
from app.text import escape_untrusted
from app.venues.base import OrderKind, OrderState
from app.wish_words import title

if TYPE_CHECKING:
    from app.chain_setup import ChainSetup
    from app.execution.records import Order, Trade
    from app.session import Session
    from app.trader import Trader
    from app.venues.evm.allowances import Allowance, AllowanceReader, Pair
    from app.venues.evm.chain import Chain

_WAITS: Final = frozenset({OrderState.OPEN, OrderState.UNKNOWN})
_NO_CHAIN: Final = "This session trades on no chain."


def act_handlers(trader: Trader) -> Mapping[str, Handler]:
    """The commands by name; `cancel` is in `app.ticket_commands`, which asks here first."""
    commands = _ActCommands(trader)
    return {
        "bump": commands.bump,
        "allowances": commands.allowances,
        "revoke": commands.revoke,
        "stakes": commands.stakes,
        "liquidity": commands.liquidity,
        "liquidity_open": commands.liquidity_open,
        "liquidity_collect": commands.liquidity_collect,
        "liquidity_withdraw": commands.liquidity_withdraw,
    }


def waiting(session: Session, prefix: object) -> tuple[Trade, Order] | None:
    """The transaction that waits to be taken into a block and is meant: by the beginning of its hash, or of its
    trade's id; None where none is, or several are."""
    if session.plan.chain is None or not isinstance(prefix, str) or len(prefix) < SHORTEST:
        return None
    found = [
        (trade, order)
        for trade in session.desk.state.trades.values()
        for order in trade.orders.values()
        if order.request.kind is OrderKind.TRANSACTION and order.state in _WAITS
        if order.request.client_id.startswith(prefix) or trade.id.startswith(prefix)
    ]
    return found[0] if len(found) == 1 else None


def propose_cancel(acts: Acts, trade: Trade, order: Order) -> dict[str, Any]:
    """Nothing in the place of a transaction that waits; what `cancel` answers of any order, and the new trade's id.

    Raises:
        SafetyError: it was not admitted.
    """
    made, name = acts.cancel(trade, order), order.request.client_id
    words = (
        f"Proposed {made.id[:8]}: confirm it, then nothing happens in its place. Not guaranteed: "
        f"a block may take {name[:10]} first."
    )
    return {
        "client_id": name,
        "trade_id": trade.id,
        "symbol": trade.intent.symbol,
        "role": order.role.value,
        "state": order.state.value,
        "words": words,
        "legs": [],
        "id": made.id,
    }


class _ActCommands:
    def __init__(self, trader: Trader) -> None:
        self._trader = trader

    @property
    def _acts(self) -> Acts:
        return self._trader.acts

    # -- transactions that wait ---------------------------------------------------------------------------------------

    async def bump(self, request: dict[str, Any]) -> dict[str, Any]:
        """Propose the same trade with higher fees in the place of the transaction ``id``."""
        self._setup()
        found = waiting(self._trader.session, request.get("id"))
        if found is None:
            what = f"{escape_untrusted(str(request.get('id')), 40)} names no transaction that waits, or several."
            raise UsageError("bump.order", what, next_step="See what waits: countersign orders")
        return _proposed(self._acts.bump(*found))

    # -- allowances ---------------------------------------------------------------------------------------------------

    async def allowances(self, _: dict[str, Any]) -> dict[str, Any]:
        """What may be taken from the account, and by whom, at the newest block; the loudest first."""
        setup = self._setup()
        reader, at = _reader(setup), await setup.planner.head()
        wall = self._trader.session.desk.wall
        found = await reader.of(setup.venue.account, at, wall.now_ms() // 1000)
        chain = setup.venue.chain
        live = sorted(found.live, key=lambda each: (not each.unlimited, each.told, each.token, each.spender))
        return {
            "chain": chain.name,
            "account": _address(setup.venue.account),
            "block": at.number,
            "since_block": found.since,
            "left_out": found.left_out,
            "allowances": [_allowance(chain, each) for each in live],
        }

    async def revoke(self, request: dict[str, Any]) -> dict[str, Any]:
        """Propose that ``spender`` may take nothing of ``token`` any more; ``inner``: through Permit2."""
        setup, inner = self._setup(), request.get("inner") is True
        chain = setup.venue.chain
        pair = _pair(chain, request.get("token"), _spender(chain, request.get("spender")), inner=inner)
        what = _what(chain, pair.token, pair.position) or _address(pair.token)
        if not await _reader(setup).allows(setup.venue.account, pair, await setup.planner.head()):
            where = " through Permit2" if inner else ""
            nothing = f"{_named(chain, pair.spender)} may take nothing of {what}{where}."
            raise SafetyError("revoke.nothing", nothing, next_step="See what may be taken: countersign allowances")
        return _proposed(self._acts.revoke(what, _address(pair.spender), inner=inner))

    # -- liquidity ----------------------------------------------------------------------------------------------------

    async def stakes(self, _: dict[str, Any]) -> dict[str, Any]:
        """Positions of liquidity as the books have them, at what they are worth by the last look. Asks no node."""
        return {
            "stakes": [
                {
                    "module": each.module,
                    "position": each.position,
                    "symbol": each.symbol,
                    "put_in": _texts(each.assets),
                    "worth": None if each.worth is None else _texts(each.worth),
                    "change": None if each.worth is None else _texts(each.change()),
                }
                for each in self._trader.session.desk.state.stakes.open.values()
            ]
        }

    async def liquidity(self, _: dict[str, Any]) -> dict[str, Any]:
        """All positions of liquidity, as they are now."""
        setup = self._setup()
        at = await setup.planner.head()
        await setup.liquidity.read(at)
        desk = self._trader.session.desk
        setup.liquidity.mark(desk.state.stakes, desk.instruments)
        seen = liquidity(self._trader.session)
        return {"block": at.number, "positions": [each.document() for each in seen]}

    async def liquidity_open(self, request: dict[str, Any]) -> dict[str, Any]:
        """Propose to open one. ``position`` holds typed text by field (`app.engine.provision.FIELDS`)."""
        setup, desk, typed = self._setup(), self._trader.session.desk, request.get("position")
        if not isinstance(typed, dict):
            raise UsageError("liquidity.fields", "A position of liquidity is a table of typed fields.")
        read = read_provision(typed, desk.instruments, tiers(setup.venue.chain), decimals(setup.venue.chain))
        if isinstance(read, Provision):
            return {**_proposed(self._acts.provide(read.symbol, read.act)), "problems": []}
        told = [{"field": each.field, "words": each.words, "allowed": each.allowed} for each in read]
        return {"id": None, "problems": told}

    async def liquidity_collect(self, request: dict[str, Any]) -> dict[str, Any]:
        """Propose to take the fees of ``position``."""
        self._setup()
        return _proposed(self._acts.collect(_position(request)))

    async def liquidity_withdraw(self, request: dict[str, Any]) -> dict[str, Any]:
        """Propose to end ``position``."""
        self._setup()
        return _proposed(self._acts.withdraw(_position(request)))

    def _setup(self) -> ChainSetup:
        """The way to the chain.

        Raises:
            UsageError: there is none.
        """
        if self._trader.session.plan.chain is None:
            raise UsageError("chain.none", _NO_CHAIN, next_step="Start on one: countersign run --chain NAME")
        from app.chain_setup import ChainSetup  # noqa: PLC0415 -- loaded with the session on a chain

        setup = self._trader.session.setup
        assert isinstance(setup, ChainSetup)
        return setup


def tiers(chain: Chain) -> list[int]:
    """Fees of pools that have positions, hundredths of a basis point."""
    return sorted({fee for dex in chain.dexes if dex.positions is not None for fee in dex.fee_tiers})


def decimals(chain: Chain) -> dict[str, int]:
    """Of each asset."""
    return {each.symbol: each.decimals for each in (chain.native, *chain.tokens)}


def _proposed(trade: Trade) -> dict[str, Any]:
    return {"id": trade.id, "title": title(trade.intent)}


def _position(request: dict[str, Any]) -> str:
    name = request.get("position")
    if not isinstance(name, str):
        raise UsageError("liquidity.position", "Which position? Name it as countersign liquidity does.")
    return name


def _reader(setup: ChainSetup) -> AllowanceReader:
    from app.venues.evm.allowances import AllowanceReader  # noqa: PLC0415 -- as above

    return AllowanceReader(setup.venue.chain, setup.venue.nodes)


def _allowance(chain: Chain, each: Allowance) -> dict[str, Any]:
    from app.venues.evm.naming import token_of  # noqa: PLC0415 -- as above

    token, what = token_of(chain, each.token), _what(chain, each.token, each.position)
    return {
        "token": _address(each.token),
        "symbol": what,
        "spender": _address(each.spender),
        "spender_name": _name(chain, each.spender),
        "amount": str(each.amount) if token is None else token.text(each.amount),
        "base_units": token is None and each.position is None,
        "unlimited": each.unlimited,
        "permit2": each.inner,
        "position": None if each.position is None else what.rpartition(":")[2],
        "expires_ms": None if each.expires is None else each.expires * 1000,
        "from": "events" if each.told else "settings",
    }


def _name(chain: Chain, address: bytes) -> str:
    """What the settings call a spender; "" of one that they do not know."""
    from app.venues.evm.naming import name_of  # noqa: PLC0415 -- as above

    found = name_of(chain, address)
    return "" if found == _address(address) else found


def _named(chain: Chain, address: bytes) -> str:
    return _name(chain, address) or _address(address)


def _what(chain: Chain, token: bytes, position: int | None) -> str:
    """What may be taken: a symbol of the settings, ``EXCHANGE:NUMBER``, ``EXCHANGE:all``; "" of any other token."""
    from app.venues.evm.liquidity.leave import leave_name  # noqa: PLC0415 -- as above
    from app.venues.evm.naming import token_of  # noqa: PLC0415 -- as above

    if position is not None:
        return leave_name(chain, token, position)
    found = token_of(chain, token)
    return "" if found is None else found.symbol


def _pair(chain: Chain, named: object, spender: bytes, *, inner: bool) -> Pair:
    """What was typed as that of which something may be taken.

    Raises:
        UsageError: nothing that the settings name, and no address.
    """
    from app.venues.evm.allowances import Pair  # noqa: PLC0415 -- as above
    from app.venues.evm.liquidity.leave import leave_of  # noqa: PLC0415 -- as above

    over, found = (leave_of(chain, named), chain.token(named)) if isinstance(named, str) else (None, None)
    if inner and (over is not None or chain.permit2 is None):
        what = "takes tokens only" if chain.permit2 is not None else f"is not named by the settings of {chain.name}"
        raise UsageError("revoke.permit2", f"Permit2 {what}.")
    if over is not None:
        return Pair(over[0], spender, position=over[1])
    if found is not None:
        return Pair(found.address, spender, inner)
    known = ", ".join(each.symbol for each in chain.tokens)
    allowed = f"a token of the settings ({known}), its address, EXCHANGE:NUMBER or EXCHANGE:all"
    return Pair(_bytes(named, "revoke.token", allowed), spender, inner)


def _spender(chain: Chain, named: object) -> bytes:
    from app.venues.evm.allowances import spenders_of  # noqa: PLC0415 -- as above

    spenders = [*spenders_of(chain), *([] if chain.permit2 is None else [chain.permit2])]
    found = {_name(chain, each): each for each in spenders}
    if isinstance(named, str) and named in found:
        return found[named]
    return _bytes(named, "revoke.spender", f"an address, or one of: {', '.join(found)}")


def _bytes(named: object, code: str, allowed: str) -> bytes:
    """An address that was typed. Where its letters are of both cases, they say whether it was typed right.

    Raises:
        UsageError: it is none.
    """
    text = named.strip() if isinstance(named, str) else ""
    shown = escape_untrusted(text, 60)
    digits = text.removeprefix("0x")
    try:
        raw = bytes.fromhex(digits) if text.startswith("0x") and len(digits) == 40 else b""
    except ValueError:
        raw = b""
    if not raw:
        raise UsageError(code, f"{shown or 'Nothing'} is not what is needed: {allowed}.")
    if digits not in {digits.lower(), digits.upper()} and _address(raw) != text:
        raise UsageError(code, f"{shown} is mistyped: the case of its letters does not fit them.")
    return raw


def _address(raw: bytes) -> str:
    from signers.evm import checksum  # noqa: PLC0415 -- as above

    return checksum(raw)


def _texts(amounts: Mapping[str, Any]) -> dict[str, str]:
    return {asset: to_text(amount) for asset, amount in sorted(amounts.items())}
