"""The tables of settings about networks: `[chains.NAME]`. What is built in (`app.venues.evm.known`) needs no more than
an endpoint; whatever is set takes its place. A network of one's own needs everything.

Whether it makes a whole is judged in `app.config.chain_facts`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from app.config.chain_facts import ChainProblem, configured
from app.config.section import MAX_AMOUNT, AssetName, Names, Section, Step, Symbol
from app.config.values import read_list
from app.errors import ConfigError
from app.hot_names import PREFIX
from app.venues.evm.chain import ZERO_ADDRESS
from app.venues.resilience.endpoint import check_url

SECRET: Final = "secret:"  # noqa: S105 -- how an endpoint in the keyring is named
_SECRET_NAME: Final = re.compile(r"[a-z0-9_.-]{1,64}", re.ASCII)
_KEY_LIKE: Final = re.compile(r"[A-Za-z0-9_\-.~%]*[0-9][A-Za-z0-9_\-.~%]*")
_MOST: Final = 200
_LONGEST_WORD: Final = 15
"""Characters of a piece of a path with a digit in it. A longer one is a provider's key."""


def _address(text: str) -> str:
    from signers.evm import checksum  # noqa: PLC0415 -- eth-utils, 0.1 s, only where an address is set

    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        raise ValueError("not an address: 0x and 40 hexadecimal digits")
    raw = bytes.fromhex(text[2:])
    if raw == ZERO_ADDRESS:
        raise ValueError("the zero address, where nothing is")
    if text[2:] in {text[2:].lower(), text[2:].upper()} and checksum(raw) != text:
        raise ValueError("an address without its checksum (EIP-55), which upper and lower case are")
    if checksum(raw) != text:
        raise ValueError("its checksum (EIP-55) is wrong: a digit or a case was mistyped")
    return text


def _hash(text: str) -> str:
    if not re.fullmatch(r"0x[0-9a-f]{64}", text):
        raise ValueError("not a hash: 0x and 64 hexadecimal digits in lower case")
    return text


def _no_practice(name: str) -> str:
    if name == "anvil":
        raise ValueError("the practice chain needs no settings")
    return name


def _some(value: object) -> object:
    """A list, which must hold something. Not by pydantic's own bounds, which count what was found to be right."""
    if isinstance(value, list | tuple) and not 0 < len(value) <= _MOST:
        raise ValueError("empty" if not value else f"more than {_MOST}")
    return read_list(value)


def _tier(value: object) -> object:
    """A list of an environment variable or a flag is text."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,7}", value) else value


def endpoint(text: str, schemes: tuple[str, ...]) -> str:
    """An endpoint as the settings may hold it: a URL without a key, or the name of one in the keyring.

    Raises:
        ValueError: it is neither; without the URL in its words.
    """
    if text.startswith(SECRET):
        name = text.removeprefix(SECRET)
        if not _SECRET_NAME.fullmatch(name) or name.startswith(PREFIX):
            raise ValueError("not the name of a secret that can be an endpoint")
        return text
    try:
        check_url(text, schemes, secure_only=True, setting="")
    except ConfigError as error:
        raise ValueError(error.what.removeprefix(": ").partition(" Allowed:")[0].rstrip(".")) from None
    _, _, rest = text.partition("://")
    host, *pieces = re.split(r"[/;]", rest)
    long = [piece for piece in pieces if len(piece) > _LONGEST_WORD]
    keyed = any(len(piece) > 2 * _LONGEST_WORD or _KEY_LIKE.fullmatch(piece) for piece in long)
    if (
        any(mark in rest for mark in "@?#,")
        or keyed
        or any(len(label) > 2 * _LONGEST_WORD for label in host.split("."))
    ):
        raise ValueError(
            "an endpoint with a key in it is a secret: store it with `countersign secrets set NAME`, write secret:NAME"
        )
    return text


def _http(text: str) -> str:
    return endpoint(text, ("https", "http"))


def _ws(text: str) -> str:
    return text and endpoint(text, ("wss", "ws"))


ChainName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$"), AfterValidator(_no_practice)]
DexName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
WatchedName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,23}$")]
_ADDRESS_WORDS: Final = "an address in mixed case, as explorers show it (EIP-55)"
_HTTP_WORDS: Final = 'a list of "https://..." (http:// on this machine), or "secret:NAME" of the keyring'
Address = Annotated[str, AfterValidator(_address), _ADDRESS_WORDS]
MaybeAddress = Annotated[
    str | None, AfterValidator(lambda text: text if text is None else _address(text)), _ADDRESS_WORDS
]
Endpoints = Annotated[
    tuple[Annotated[str, AfterValidator(_http)], ...] | None,
    BeforeValidator(_some),
    _HTTP_WORDS,
]
Streams = Annotated[
    tuple[Annotated[str, AfterValidator(_ws)], ...] | None,
    BeforeValidator(_some),
    'a list like that of rpcs with "wss://...", "secret:NAME", or "" for one that has none',
]
Url = Annotated[
    str | None,
    AfterValidator(lambda text: text if text is None else _http(text)),
    '"https://..." (http:// on this machine), or "secret:NAME" of the keyring',
]
Tiers = Annotated[
    Annotated[
        tuple[Annotated[int, BeforeValidator(_tier), Field(ge=1, le=999_999)], ...], Field(min_length=1, max_length=16)
    ]
    | None,
    BeforeValidator(_some),
    "a list of whole numbers, hundredths of a basis point, such as [500, 3000]",
]
Traded = Annotated[
    tuple[Symbol, ...] | None,
    BeforeValidator(_some),
    'a list such as ["ETH-USDC"]',
]


class TokenSettings(Section):
    """A token, under the symbol that we call it by; what its contract calls itself does not matter."""

    address: Address = Field(description="its contract")
    decimals: int = Field(ge=0, le=36, description="its decimals")
    trusted: bool = Field(
        default=False, description="whether it is bought whatever its safety score; never when it can not be sold again"
    )


class DexSettings(Section):
    """An exchange."""

    kind: Literal["v2", "v3"] = Field(description="pools like Uniswap V2's or V3's")
    factory: Address = Field(description="makes its pools")
    router: Address = Field(description="Router02 (v2) or SwapRouter02 (v3), or what has its functions")
    init_code_hash: Annotated[str, AfterValidator(_hash), "0x and 64 hexadecimal digits"] = Field(
        description="keccak of its pools' creation code: their addresses follow from it"
    )
    fee_bps: int | None = Field(default=None, ge=1, le=1_000, description="fee of every pool, basis points (v2)")
    fee_tiers: Tiers = Field(default=None, description="fees that its pools may have (v3)")
    quoter: MaybeAddress = Field(default=None, description="QuoterV2 (v3)")
    positions: MaybeAddress = Field(default=None, description="NonfungiblePositionManager (v3)")
    deployer: MaybeAddress = Field(default=None, description="makes the pools in the factory's stead, where one does")
    universal_router: MaybeAddress = Field(default=None, description="UniversalRouter, for approvals through Permit2")


class PrivateSettings(Section):
    """A way past the public mempool; with `url` every transaction of the network goes there and to no node."""

    url: Url = Field(
        default=None, description="endpoint that gives transactions to who builds blocks, and to nobody else"
    )
    kind: Literal["rpc", "relay", "bundle"] | None = Field(
        default=None,
        description="what it takes: what a node takes (rpc, the default), or Flashbots' signed requests",
    )
    blocks: int | None = Field(default=None, ge=1, le=1_000, description="blocks to wait before the fallback; else 25")
    fallback: Literal["never", "ask", "public"] | None = Field(
        default=None, description="then: stay private, ask you (the default), or publish by itself"
    )
    status: Url = Field(default=None, description="what tells of a transaction, asked as URL/0x...; known for some")


class WatchedSettings(Section):
    """An address of somebody else, under the name that we give it."""

    address: Address = Field(description="whose moves modules are told of")


class ChainSettings(Section):
    """A network."""

    rpcs: Endpoints = Field(default=None, description="endpoints, in order of preference")
    ws: Streams = Field(
        default=None, description="websockets for new blocks, each of the endpoint at its place in rpcs"
    )
    quorum: int | None = Field(default=None, ge=1, le=16, description="endpoints that must agree; else a majority")
    requests_per_s: int | None = Field(default=None, ge=1, le=10_000, description="most requests to one endpoint")
    instruments: Traded = Field(default=None, description="what is traded")
    chain_id: int | None = Field(default=None, ge=1, le=2**53, description="what every endpoint must say it is")
    testnet: bool | None = Field(default=None, description="whether its coins are worth nothing")
    native: AssetName | None = Field(default=None, description="symbol of the coin that pays for gas")
    native_decimals: int | None = Field(default=None, ge=0, le=36, description="the coin's decimals; else 18")
    wrapped: MaybeAddress = Field(default=None, description="the coin as a token, for pools")
    tokens: Annotated[Mapping[AssetName, TokenSettings], AfterValidator(Names)] = Field(
        default_factory=dict, description="tokens by our symbol"
    )
    dexes: Annotated[Mapping[DexName, DexSettings], AfterValidator(Names)] = Field(
        default_factory=dict, description="exchanges by name"
    )
    watched: Annotated[Mapping[WatchedName, WatchedSettings], AfterValidator(Names)] = Field(
        default_factory=dict, description="addresses of others, by our name for each"
    )
    multicall: MaybeAddress = Field(default=None, description="Multicall3 or UniswapInterfaceMulticall")
    permit2: MaybeAddress = Field(default=None, description="Permit2")
    approvals: Literal["router", "permit2"] | None = Field(
        default=None,
        description="who is allowed to take what a swap pays: its router (the default), which uses it up, or Permit2 "
        "until the swap's deadline, for a transaction more",
    )
    private: PrivateSettings = Field(default_factory=PrivateSettings, description="a way past the public mempool")
    fee_kind: Literal["eip1559", "legacy"] | None = Field(default=None, description="how gas is paid")
    data_fee: Literal["none", "op-stack", "arbitrum"] | None = Field(
        default=None, description="what a rollup charges for its data"
    )
    confirmations: int | None = Field(default=None, ge=1, le=10_000, description="blocks until a trade is final")
    block_ms: int | None = Field(default=None, ge=50, le=3_600_000, description="expected milliseconds between blocks")
    gas_cap_gwei: Step = Field(default=None, gt=0, le=1_000_000, description="most per unit of gas, gwei")
    gas_cap: Step = Field(
        default=None, gt=0, le=MAX_AMOUNT, description="most one transaction may cost in gas, account currency"
    )


def _judge(chains: Mapping[str, ChainSettings]) -> Mapping[str, ChainSettings]:
    for name, section in chains.items():
        try:
            configured(name, section)
        except ChainProblem as problem:
            raise PydanticCustomError("setting", problem.what, {"key": f"{name}.{problem.key}"}) from None
    return chains


Chains = Annotated[Mapping[ChainName, ChainSettings], AfterValidator(_judge), AfterValidator(Names)]
