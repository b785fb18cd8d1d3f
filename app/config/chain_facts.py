"""A network of the settings and what is built in, as one: `Configured`. Pure; endpoints stay as they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeVar

from app.money import mul, to_text
from app.venues.evm.chain import Approvals, Chain, DataFee, Dex, DexKind, FeeKind, Token
from app.venues.evm.known import KNOWN, Known, known_id
from app.venues.evm.private.way import MOST_BLOCKS, Fallback, PrivateKind, PrivateWay

if TYPE_CHECKING:
    from app.config.chains import ChainSettings, DexSettings, PrivateSettings

T = TypeVar("T")
GWEI: Final = Decimal(10**9)
_REQUESTS_PER_S: Final = 20


class ChainProblem(Exception):
    """What is wrong with a network, and at which of its settings (``dexes.sushi.fee_bps``)."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key, self.what = key, what


@dataclass(frozen=True, slots=True)
class Configured:
    """A network that can be traded on once it has an endpoint.

    Attributes:
        chain: without endpoints.
        rpcs, streams: as the settings name them, ``secret:NAME`` included; a stream for each endpoint or none, "" is
            none for that one.
        quorum: 0 is a majority.
        instruments: symbols.
    """

    title: str
    testnet: bool
    chain: Chain
    rpcs: tuple[str, ...]
    streams: tuple[str, ...]
    quorum: int
    requests_per_s: int
    instruments: tuple[str, ...]
    private: PrivateWay | None = None
    """With its URLs as the settings name them."""

    @property
    def name(self) -> str:
        """As settings and ``--chain`` name it."""
        return self.chain.name


def configured(name: str, section: ChainSettings) -> Configured:
    """`section` over what is built in for `name`.

    Raises:
        ChainProblem: something is missing, contradicts what is known, or does not fit together.
    """
    known = KNOWN.get(name)
    chain_id = _chain_id(name, section, known)
    testnet = _testnet(chain_id, section, known)
    base = known.chain if known is not None else None
    native = _native(section, base)
    tokens = _tokens(section, base, native)
    dexes = _dexes(name, section, base)
    permit2 = raw(section.permit2) or (base.permit2 if base else None)
    chain = Chain(
        name=name,
        chain_id=chain_id,
        native=native,
        rpcs=(),
        confirmations=_need("confirmations", section.confirmations, base.confirmations if base else None),
        block_ms=_need("block_ms", section.block_ms, base.block_ms if base else None),
        gas_cap=_gas_cap(section, known or known_id(chain_id)),
        gas_cap_value=_need("gas_cap", section.gas_cap, base.gas_cap_value if base else None),
        fee_kind=FeeKind(section.fee_kind) if section.fee_kind else base.fee_kind if base else FeeKind.EIP1559,
        data_fee=DataFee(section.data_fee) if section.data_fee else base.data_fee if base else DataFee.NONE,
        tokens=tokens,
        dexes=dexes,
        multicall=raw(section.multicall) or (base.multicall if base else None),
        permit2=permit2,
        approvals=_approvals(section, permit2, dexes),
        trusted=_trusted(section, base),
        watched=_watched(section),
    )
    rpcs, streams = section.rpcs or (), section.ws or ()
    _check_endpoints(rpcs, streams, section.quorum)
    instruments = _need("instruments", section.instruments, (known.instruments if known else ()) or None)
    _check_instruments(instruments, chain)
    return Configured(
        title=known.title if known else name,
        testnet=testnet,
        chain=chain,
        rpcs=rpcs,
        streams=streams,
        quorum=section.quorum or 0,
        requests_per_s=section.requests_per_s or _REQUESTS_PER_S,
        instruments=instruments,
        private=_private(section.private),
    )


def _private(given: PrivateSettings) -> PrivateWay | None:
    if given.url is None:
        for key in ("kind", "blocks", "fallback", "status"):
            if getattr(given, key) is not None:
                raise ChainProblem(f"private.{key}", "says how, and private.url, which says where, is missing")
        return None
    return PrivateWay(
        url=given.url,
        kind=PrivateKind(given.kind or PrivateKind.RPC),
        blocks=given.blocks or MOST_BLOCKS,
        fallback=Fallback(given.fallback or Fallback.ASK),
        status=given.status or "",
    )


def all_configured(chains: Mapping[str, ChainSettings]) -> dict[str, Configured]:
    """Every network of validated settings, by name."""
    return {name: configured(name, section) for name, section in chains.items()}


def raw(address: str | None) -> bytes | None:
    """20 or 32 bytes of 0x text."""
    return None if address is None else bytes.fromhex(address[2:])


def _need(key: str, given: T | None, built_in: T | None) -> T:
    if given is not None:
        return given
    if built_in is not None:
        return built_in
    raise ChainProblem(key, "missing: nothing of the kind is built in for this network")


def _chain_id(name: str, section: ChainSettings, known: Known | None) -> int:
    if known is not None and section.chain_id not in {None, known.chain.chain_id}:
        what = f"{name} is {known.title}, chain {known.chain.chain_id}; call another network by another name"
        raise ChainProblem("chain_id", what)
    return _need("chain_id", section.chain_id, known.chain.chain_id if known else None)


def _testnet(chain_id: int, section: ChainSettings, known: Known | None) -> bool:
    same = known or known_id(chain_id)
    if same is not None and section.testnet not in {None, same.testnet}:
        kind = "a test network" if same.testnet else "a main network: its coins are money"
        raise ChainProblem("testnet", f"chain {chain_id} is {same.title}, {kind}")
    return _need("testnet", section.testnet, same.testnet if same else None)


def _native(section: ChainSettings, base: Chain | None) -> Token:
    symbol = _need("native", section.native, base.native.symbol if base else None)
    wrapped = _need("wrapped", raw(section.wrapped), base.native.address if base else None)
    decimals = section.native_decimals
    if decimals is None:
        decimals = base.native.decimals if base else 18
    return Token(symbol, wrapped, decimals, native=True)


def _trusted(section: ChainSettings, base: Chain | None) -> frozenset[bytes]:
    """The tokens that are built in, and those of the settings that say so."""
    known = {token.address for token in base.tokens if token.symbol not in section.tokens} if base else set()
    given = {raw(token.address) for token in section.tokens.values() if token.trusted}
    return frozenset(address for address in known | given if address is not None)


def _watched(section: ChainSettings) -> tuple[tuple[bytes, str], ...]:
    found: dict[bytes, str] = {}
    for name, given in sorted(section.watched.items()):
        address = bytes.fromhex(given.address[2:])
        if address in found:
            raise ChainProblem(f"watched.{name}.address", f"is {found[address]}'s already")
        found[address] = name
    return tuple(found.items())


def _tokens(section: ChainSettings, base: Chain | None, native: Token) -> tuple[Token, ...]:
    found = {token.symbol: token for token in (base.tokens if base else ())}
    for symbol, given in section.tokens.items():
        found[symbol] = Token(symbol, bytes.fromhex(given.address[2:]), given.decimals)
    if not found:
        raise ChainProblem("tokens", "missing: a network needs its tokens, each a table [chains.NAME.tokens.SYMBOL]")
    symbols, addresses = {native.symbol.lower(): native.symbol}, dict[bytes, str]()
    for symbol in [*(each for each in found if each not in section.tokens), *section.tokens]:
        token = found[symbol]
        if token.symbol.lower() in symbols:
            other = symbols[token.symbol.lower()]
            raise ChainProblem(f"tokens.{token.symbol}", f"a symbol is one token's alone, and {other} is there too")
        if token.address in addresses:
            what = f"has the address of {addresses[token.address]}"
            raise ChainProblem(f"tokens.{token.symbol}.address", what)
        if token.address == native.address and token.decimals != native.decimals:
            what = f"is the coin as a token, and {native.symbol} has {native.decimals}"
            raise ChainProblem(f"tokens.{token.symbol}.decimals", what)
        symbols[token.symbol.lower()], addresses[token.address] = token.symbol, token.symbol
    return tuple(found.values())


def _dexes(name: str, section: ChainSettings, base: Chain | None) -> tuple[Dex, ...]:
    found = {dex.name: dex for dex in (base.dexes if base else ())}
    found |= {each: _dex(each, given) for each, given in section.dexes.items()}
    if not found:
        what = f"missing: no exchange of {name} is built in; name one in a table [chains.{name}.dexes.NAME]"
        raise ChainProblem("dexes", what)
    return tuple(found.values())


def _approvals(section: ChainSettings, permit2: bytes | None, dexes: tuple[Dex, ...]) -> Approvals:
    chosen = Approvals(section.approvals or Approvals.ROUTER)
    if chosen is Approvals.PERMIT2 and permit2 is None:
        raise ChainProblem("approvals", 'nothing is known of Permit2 there: set permit2, or approvals = "router"')
    routers = {dex.router: dex.name for dex in dexes}
    for dex in dexes:
        if dex.universal in routers:
            what = f"is the router of {routers[dex.universal]}, and a universal router is another contract"
            raise ChainProblem(f"dexes.{dex.name}.universal_router", what)
    if chosen is Approvals.PERMIT2 and all(dex.universal is None for dex in dexes):
        what = 'no exchange there names a universal router: set dexes.NAME.universal_router, or approvals = "router"'
        raise ChainProblem("approvals", what)
    return chosen


def _dex(name: str, given: DexSettings) -> Dex:
    v3 = given.kind == "v3"
    for key in ("quoter", "positions", "fee_tiers"):
        if not v3 and getattr(given, key) is not None:
            raise ChainProblem(f"dexes.{name}.{key}", "is of V3 exchanges alone")
    if v3 and given.fee_bps is not None:
        raise ChainProblem(f"dexes.{name}.fee_bps", "is of V2 exchanges alone; V3 has fee_tiers")
    if v3 and not given.fee_tiers:
        raise ChainProblem(f"dexes.{name}.fee_tiers", "missing: without them none of its pools is found")
    if not v3 and given.fee_bps is None:
        raise ChainProblem(f"dexes.{name}.fee_bps", "missing: forks differ in it")
    tiers = given.fee_tiers or ()
    if len(set(tiers)) < len(tiers):
        raise ChainProblem(f"dexes.{name}.fee_tiers", "holds one twice")
    return Dex(
        name=name,
        kind=DexKind(given.kind),
        factory=bytes.fromhex(given.factory[2:]),
        router=bytes.fromhex(given.router[2:]),
        init_code_hash=bytes.fromhex(given.init_code_hash[2:]),
        fee_bps=given.fee_bps or 0,
        fee_tiers=tiers,
        quoter=raw(given.quoter),
        positions=raw(given.positions),
        deployer=raw(given.deployer),
        universal=raw(given.universal_router),
    )


def _gas_cap(section: ChainSettings, known: Known | None) -> int:
    if section.gas_cap_gwei is None:
        return _need("gas_cap_gwei", None, known.chain.gas_cap if known else None)
    wei = mul(section.gas_cap_gwei, GWEI)
    if wei != wei.to_integral_value():
        raise ChainProblem("gas_cap_gwei", "finer than a wei: at most 9 decimals")
    if known is not None and wei > known.gas_ceiling:
        ceiling = to_text(Decimal(known.gas_ceiling) / GWEI)
        raise ChainProblem("gas_cap_gwei", f"more than {ceiling} gwei, the most that {known.title} may be set to")
    return int(wei)


def _check_endpoints(rpcs: tuple[str, ...], streams: tuple[str, ...], quorum: int | None) -> None:
    if len(set(rpcs)) < len(rpcs):
        raise ChainProblem("rpcs", "one endpoint is given twice; it would agree with itself")
    if len(streams) > len(rpcs):
        raise ChainProblem("ws", f"{len(streams)} of them for {len(rpcs)} in rpcs: each is of the one at its place")
    if quorum is not None and quorum > len(rpcs):
        raise ChainProblem("quorum", f"more than the {len(rpcs)} in rpcs")


def _check_instruments(instruments: tuple[str, ...], chain: Chain) -> None:
    for symbol in instruments:
        sides = symbol.split("-")
        if len(sides) != 2:
            raise ChainProblem("instruments", f"{symbol}: a network trades BASE-QUOTE")
        base, quote = (chain.token(side) for side in sides)
        for side, token in zip(sides, (base, quote), strict=True):
            if token is None:
                there = ", ".join(_symbols(chain))
                raise ChainProblem("instruments", f"{symbol}: {side} is no token of {chain.name}, which has {there}")
        if base is not None and quote is not None and base.address == quote.address:
            raise ChainProblem("instruments", f"{symbol}: both are the same for a pool")
    if len(set(instruments)) < len(instruments):
        raise ChainProblem("instruments", "one is given twice")


def _symbols(chain: Chain) -> Iterator[str]:
    yield chain.native.symbol
    yield from (token.symbol for token in chain.tokens)


def with_endpoints(found: Configured, rpcs: tuple[str, ...], private: PrivateWay | None = None) -> Chain:
    """The chain with its endpoints as URLs."""
    return replace(found.chain, rpcs=rpcs, private=private)
