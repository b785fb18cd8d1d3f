"""What a session on a chain trades with, from the settings: which network, which endpoints, what is quoted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from app.config.chain_facts import Configured, all_configured, with_endpoints
from app.config.chains import SECRET
from app.config.schema import Settings
from app.errors import ConfigError, SafetyError, UsageError
from app.market.live import LiveSource
from app.market.naming import parse_timeframe
from app.money import DOWN, div
from app.session_plan import ChainPlan
from app.venues.evm.chain import Token
from app.venues.evm.known import KNOWN, Known
from app.venues.evm.nodes.settings import NodeSettings, NodesSettings
from app.venues.evm.private.way import PrivateWay, status_of
from app.venues.resilience.endpoint import check_url, is_loopback
from strategies.model import Instrument

PRACTICE: Final = "anvil"
"""The practice chain's name; it needs no settings."""
LIVE: Final = "live"
"""The profile that trades with money."""
_LOCAL: Final = frozenset({31337, 1337})
"""Of anvil and hardhat, and of ganache."""
_LOT: Final = Decimal("0.000001")
_DIGITS: Final = 10
"""Of a price, where its magnitude is known."""
_FINEST: Final = 18
_MOST_DECIMALS: Final = 12
"""Of a tick, where the magnitude of its prices is not known."""
_BURST: Final = 2
_PRACTICE_MARKET: Final = ("ETH-USDC", "WETH-USDC", "WBTC-USDC", "PUP-WETH")
_PRACTICE_DECIMALS: Final = {"ETH": 18, "WETH": 18, "WBTC": 8, "PUP": 18, "USDC": 6}

Reveal = Callable[[str], str]
"""From the name of a secret to its value; raises a `CountersignError`."""


def practice_plan(settings: Settings) -> ChainPlan:
    """The practice chain, in a process of its own."""
    made = [_instrument(settings, symbol, _PRACTICE_DECIMALS) for symbol in _PRACTICE_MARKET]
    return ChainPlan(PRACTICE, _source(f"chain:{PRACTICE}", made, settings), settings.market.seed)


def network_plan(settings: Settings, name: str, reveal: Reveal) -> ChainPlan:
    """A network of the settings.

    Raises:
        UsageError: there is no such network, or it has no endpoint; says what to set.
        SafetyError: it is not one that the profile trades on.
        ConfigError: tick or lot can not be, or an endpoint in the keyring can not be used.
    """
    if name in KNOWN:
        check_profile(settings.profile, KNOWN[name])  # before an endpoint is asked for
    found = find(settings, name)
    check_profile(settings.profile, found)
    if not found.rpcs:
        raise _no_endpoint(name)
    nodes = nodes_of(found, reveal)
    chain = with_endpoints(found, tuple(node.url for node in nodes.nodes), private_of(found, nodes, reveal))
    source = _source(f"chain:{name}:{chain.chain_id}", instruments_of(settings, found), settings)
    return ChainPlan(name, source, chain=chain, nodes=nodes)


def find(settings: Settings, name: str) -> Configured:
    """The network called `name`.

    Raises:
        UsageError: it is not in the settings.
    """
    there = all_configured(settings.chains)
    if name in there:
        return there[name]
    if name in KNOWN:
        raise _no_endpoint(name)
    raise UsageError(
        "run.chain",
        f"There is no chain {name!r}. {choices(settings)}",
        next_step="Another network needs a table [chains.NAME] in the settings file.",
    )


def choices(settings: Settings) -> str:
    """Which networks the profile trades on, in words."""
    tests = settings.profile != LIVE
    there = [name for name, found in all_configured(settings.chains).items() if found.testnet is tests]
    rest = [name for name, known in KNOWN.items() if known.testnet is tests and name not in settings.chains]
    here = [PRACTICE, *there] if tests else there
    more = f" Built in, and in need of an endpoint: {', '.join(rest)}." if rest else ""
    return f"There is: {', '.join(here) or 'none with an endpoint'}.{more}"


def check_profile(profile: str, found: Configured | Known) -> None:
    """Test networks under testnet, main networks under live, and nothing else.

    Raises:
        SafetyError: the profile does not trade on this network.
    """
    named = f"{found.title} (chain {found.chain.chain_id})"
    if profile == "testnet" and not found.testnet:
        what = f"{named} is a main network, where coins are money. The testnet profile trades on test networks alone."
        step = "Nothing was started. Choose a test network; or see what live lacks: countersign doctor --live"
        raise SafetyError("run.chain", what, next_step=step)
    if profile != "testnet" and found.testnet:
        what = f"{named} is a test network: not for the {profile} profile."
        raise SafetyError("run.chain", what, next_step="Nothing was started. Add --profile testnet.")
    if profile == LIVE and found.chain.chain_id in _LOCAL:
        what = f"{named} has the number of a chain for tests on one's own machine: not for the {LIVE} profile."
        raise SafetyError("run.chain", what, next_step="Nothing was started. Choose a main network.")


def nodes_of(found: Configured, reveal: Reveal) -> NodesSettings:
    """Its endpoints, those of the keyring read.

    Raises:
        ConfigError: what the keyring holds is no endpoint; never with the URL in its words.
        CountersignError: what `reveal` raises.
    """
    urls = [_url(found.name, "rpcs", text, ("https", "http"), reveal) for text in found.rpcs]
    streams = [text and _url(found.name, "ws", text, ("wss", "ws"), reveal) for text in found.streams]
    streams += [""] * (len(urls) - len(streams))
    rate = found.requests_per_s
    nodes = NodesSettings(
        found.chain.chain_id,
        tuple(
            NodeSettings(url, stream, requests_per_s=rate, burst=_BURST * rate)
            for url, stream in zip(urls, streams, strict=True)
        ),
        found.chain.block_ms,
        found.chain.confirmations,
        quorum=found.quorum,
    )
    nodes.check()
    return nodes


def private_of(found: Configured, nodes: NodesSettings, reveal: Reveal) -> PrivateWay | None:
    """Its way past the public mempool, URLs of the keyring read; None where it has none.

    Raises:
        ConfigError: what the keyring holds is no endpoint; never with the URL in its words.
        CountersignError: what `reveal` raises.
    """
    way = found.private
    if way is None:
        return None
    way = replace(way, url=_url(found.name, "private.url", way.url, ("https", "http"), reveal))
    if way.url in {node.url for node in nodes.nodes}:
        what = f"chains.{found.name}.private.url is one of rpcs too: a node is asked and told in public."
        raise ConfigError("config.value", what, next_step="Name another endpoint. Nothing was started.")
    given = _url(found.name, "private.status", way.status, ("https", "http"), reveal)
    return replace(way, status=given.rstrip("/") or status_of(way.host))


def all_here(plan: ChainPlan) -> bool:
    """Whether every endpoint is on this machine."""
    if plan.nodes is None:
        return True  # the practice chain's own
    urls = [url for node in plan.nodes.nodes for url in (node.url, node.ws_url) if url]
    private = None if plan.chain is None else plan.chain.private
    urls += [url for url in (private.url, private.status) if url] if private is not None else []
    return all(is_loopback(url) for url in urls)


def instruments_of(settings: Settings, found: Configured) -> tuple[Instrument, ...]:
    """What is traded on a network; tick and lot from the settings where they say so.

    Raises:
        ConfigError: a lot finer than the token can be divided.
    """
    tokens: dict[str, Token] = {token.symbol: token for token in (found.chain.native, *found.chain.tokens)}
    decimals = {symbol: token.decimals for symbol, token in tokens.items()}
    return tuple(_instrument(settings, symbol, decimals) for symbol in found.instruments)


def tick_of(price: Decimal | None, quote_decimals: int) -> Decimal:
    """The smallest step of a price: ten digits of it where its magnitude is known, else what the quote token can be
    divided into, and no finer than 12 decimals."""
    if price is None or price <= 0:
        return Decimal(1).scaleb(-min(quote_decimals, _MOST_DECIMALS))
    return Decimal(1).scaleb(max(price.adjusted() - _DIGITS + 1, -_FINEST))


def lot_of(base_decimals: int) -> Decimal:
    """The smallest step of a quantity: a millionth, and never less than the token can be divided into."""
    return max(_LOT, Decimal(1).scaleb(-base_decimals))


def _instrument(settings: Settings, symbol: str, decimals: Mapping[str, int]) -> Instrument:
    base, quote = symbol.split("-")
    given, rates = settings.market.instruments.get(symbol), settings.risk.rates
    price = div(rates[base], rates[quote], _FINEST, DOWN) if base in rates and quote in rates else None
    tick = given.tick if given is not None and given.tick is not None else tick_of(price, decimals[quote])
    lot = given.lot if given is not None and given.lot is not None else lot_of(decimals[base])
    if lot % Decimal(1).scaleb(-decimals[base]):
        what = (
            f"market.instruments.{symbol}.lot: the lot has more decimals than {base} on this chain: {decimals[base]}."
        )
        raise ConfigError("config.value", what, next_step="Set a lot of fewer decimals. Nothing was started.")
    return Instrument(symbol, base, quote, tick, lot)


def _source(source_id: str, instruments: Iterable[Instrument], settings: Settings) -> LiveSource:
    return LiveSource(source_id, tuple(instruments), parse_timeframe(settings.market.timeframe))


def _url(name: str, key: str, text: str, schemes: tuple[str, ...], reveal: Reveal) -> str:
    if not text.startswith(SECRET):
        return text
    url = reveal(text.removeprefix(SECRET)).strip()
    check_url(url, schemes, secure_only=True, setting=f"chains.{name}.{key}, {text}")
    return url


def _no_endpoint(name: str) -> UsageError:
    return UsageError(
        "run.chain",
        f"{KNOWN[name].title if name in KNOWN else name} has no endpoint: chains.{name}.rpcs is not set.",
        next_step=f'In the settings file: [chains.{name}] and rpcs = ["https://..."]. An endpoint with a key in it '
        'goes into the keyring: countersign secrets set NAME, and rpcs = ["secret:NAME"].',
    )
