"""What is known of a chain before anybody asks it: its tokens, exchanges, fees and bounds, as the settings say.

Addresses are 20 bytes here and everywhere below; EIP-55 text belongs to settings, screens and the database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.venues.evm.private.way import PrivateWay
from storage.decimals import CONTEXT, to_text

ZERO_ADDRESS: Final = bytes(20)
MAX_UINT256: Final = 2**256 - 1


class FeeKind(StrEnum):
    """How a transaction pays for gas."""

    EIP1559 = "eip1559"
    LEGACY = "legacy"


class DataFee(StrEnum):
    """What a rollup charges for its data on the chain below, beside gas.

    OP_STACK: on top of gas, asked of the predeploy GasPriceOracle (Optimism, Base). ARBITRUM: within the gas that
    `eth_estimateGas` answers.
    """

    NONE = "none"
    OP_STACK = "op-stack"
    ARBITRUM = "arbitrum"


class Approvals(StrEnum):
    """Who is allowed to take what a swap pays in a token; always exactly that much.

    ROUTER: the router that swaps. The swap itself uses that up, but for what a purchase did not need, which stays.
    PERMIT2: Permit2, and through it the universal router. It takes a transaction more, and what is allowed there ends
    with the swap's deadline. It is allowed by transactions, whose bytes are shown and decoded as any other's; never by
    a signed permit (EIP-712) within the calldata, which would have to be signed before the bytes are known that the
    trader is shown. What is paid in the coin needs no leave; liquidity, and tokens that take a share of each transfer,
    are allowed to their own contracts as ever.
    """

    ROUTER = "router"
    PERMIT2 = "permit2"


class DexKind(StrEnum):
    """Which pools an exchange has."""

    V2 = "v2"
    """Constant product (Uniswap V2 and its forks)."""
    V3 = "v3"
    """Concentrated liquidity (Uniswap V3 and its forks)."""


@dataclass(frozen=True, slots=True)
class Token:
    """An ERC-20 token, or the chain's native coin.

    Attributes:
        symbol: ours, unique on its chain; what the contract calls itself is never a key.
        address: of the native coin that of its wrapped form: pools know no other.
        native: paid and received as the chain's own coin.
    """

    symbol: str
    address: bytes
    decimals: int
    native: bool = False

    @property
    def unit(self) -> Decimal:
        """The smallest amount: 0.000001 for six decimals."""
        return Decimal(1).scaleb(-self.decimals)

    def amount(self, base_units: int) -> Decimal:
        """Base units as a decimal of whole tokens, exactly."""
        return CONTEXT.scaleb(Decimal(base_units), -self.decimals)

    def base_units(self, amount: Decimal) -> int:
        """The inverse.

        Raises:
            ValueError: `amount` has more decimals than the token.
        """
        scaled = CONTEXT.scaleb(amount, self.decimals)
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{to_text(amount)} {self.symbol} has more than {self.decimals} decimals")
        return int(scaled)

    def text(self, base_units: int) -> str:
        """Base units for reading."""
        return to_text(self.amount(base_units))


@dataclass(frozen=True, slots=True)
class Dex:
    """One exchange: where its pools are made, and what swaps in them.

    Attributes:
        router: V2: Router02. V3: SwapRouter02; a `Dex` of each kind that name the same SwapRouter02 can be one
            transaction.
        others: routers that swap in its pools as well: a SwapRouter02 says itself of which V2 exchange that is.
        fee_bps: of every pool (V2), basis points.
        fee_tiers: hundredths of a basis point (V3).
        quoter: QuoterV2, to compare our own numbers with (V3); none is needed to quote.
        positions: NonfungiblePositionManager, for liquidity (V3).
        deployer: makes the pools in the factory's stead, so that their addresses follow from it (PancakeSwap V3).
        universal: UniversalRouter, which swaps in its pools what Permit2 lets it take. Exchanges that name the same one
            can be one transaction.
    """

    name: str
    kind: DexKind
    factory: bytes
    router: bytes
    init_code_hash: bytes
    fee_bps: int = 30
    fee_tiers: tuple[int, ...] = ()
    quoter: bytes | None = None
    positions: bytes | None = None
    deployer: bytes | None = None
    others: tuple[bytes, ...] = ()
    universal: bytes | None = None

    @property
    def routers(self) -> tuple[bytes, ...]:
        """All that swap in its pools, its own first."""
        return (self.router, *self.others)


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain.

    Attributes:
        confirmations: blocks, its own included, after which a transaction is taken for final.
        block_ms: expected time between blocks.
        gas_cap: wei per unit of gas; no transaction is made above it.
        gas_cap_value: account currency; most that one transaction may cost in gas.
        multicall: UniswapInterfaceMulticall or Multicall3; without one, reads are single calls.
        permit2: Permit2, where the chain has it.
    """

    name: str
    chain_id: int
    native: Token
    rpcs: tuple[str, ...] = field(repr=False)
    """May hold keys: shown nowhere, and not by `repr`."""
    confirmations: int
    block_ms: int
    gas_cap: int
    gas_cap_value: Decimal
    fee_kind: FeeKind = FeeKind.EIP1559
    data_fee: DataFee = DataFee.NONE
    tokens: tuple[Token, ...] = ()
    dexes: tuple[Dex, ...] = ()
    multicall: bytes | None = None
    permit2: bytes | None = None
    approvals: Approvals = Approvals.ROUTER
    private: PrivateWay | None = None
    """Where transactions go without being shown to the public mempool; None: they are shown."""
    trusted: frozenset[bytes] = frozenset()
    """Tokens that the trader vouches for: their safety score is shown and refuses nothing (what can not be sold is
    refused all the same)."""
    watched: tuple[tuple[bytes, str], ...] = ()
    """Addresses of others whose moves modules are told of, each with the trader's name for it."""

    def token(self, symbol: str) -> Token | None:
        """The token we call `symbol`, the native coin included."""
        return next((each for each in (self.native, *self.tokens) if each.symbol == symbol), None)
