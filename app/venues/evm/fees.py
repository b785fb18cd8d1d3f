"""What a transaction pays for gas: proposed from the chain's own fee history, never above the trader's caps.

Whole wei everywhere. A person takes time to read and sign, so the proposal leaves room for the base fee to rise
meanwhile: what is not needed is not paid (EIP-1559). Where the caps leave less room, the room shrinks; where they leave
none, the proposal is refused with both numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.errors import SafetyError
from app.money import CEILING, DOWN, div, mul, to_text
from app.venues.evm.chain import Chain, DataFee, FeeKind
from app.venues.evm.nodes.wire import Unreadable, quantity
from app.venues.evm.rpc import Rpc, RpcDown, RpcRefused
from signers.evm import keccak

GAS_PRICE_ORACLE: Final = bytes.fromhex("420000000000000000000000000000000000000f")
"""Predeploy of every OP-stack chain."""
_L1_BLOCK_MS: Final = 12_000
_GWEI: Final = Decimal(10**9)


@dataclass(frozen=True, slots=True)
class FeeRules:
    """
    Attributes:
        blocks: of the fee history.
        percentile: of the tips paid in a block, weighted by gas; the median over the blocks is proposed.
        human_ms: what reading and signing takes.
        most_room: blocks of rising base fee that are allowed for at most: 6 at 12.5 % each is twice today's.
        least_tip: wei per unit of gas.
    """

    blocks: int = 20
    percentile: int = 60
    human_ms: int = 60_000
    most_room: int = 6
    least_tip: int = 1


@dataclass(frozen=True, slots=True)
class Market:
    """What the chain asks now, wei per unit of gas.

    Attributes:
        base_fee: of the next block; 0 on a legacy chain.
        tip: that blocks are found with; on a legacy chain the gas price.
    """

    kind: FeeKind
    base_fee: int
    tip: int

    @property
    def now(self) -> int:
        """The least with which the next block would take it."""
        return self.base_fee + self.tip


@dataclass(frozen=True, slots=True)
class Caps:
    """The trader's.

    Attributes:
        per_gas: wei per unit of gas.
        value: in account currency, of one transaction.
        price: account currency per coin; None: not known, and nothing is proposed.
        coin, currency: their symbols.
        decimals: the coin's.
    """

    per_gas: int
    value: Decimal
    price: Decimal | None
    coin: str
    currency: str
    decimals: int = 18


@dataclass(frozen=True, slots=True)
class Fee:
    """What a transaction offers, as `signers.evm.EvmFields` takes it.

    Attributes:
        max_fee, priority_fee: wei per unit of gas; of a legacy transaction both are its gas price.
        gas: units.
        data_fee: wei on top, of a rollup; an upper bound for as long as a person takes.
        base_fee: the next block's when this was proposed.
    """

    kind: FeeKind
    max_fee: int
    priority_fee: int
    gas: int
    data_fee: int
    base_fee: int

    @property
    def highest(self) -> int:
        """Wei it can come to."""
        return self.gas * self.max_fee + self.data_fee

    @property
    def expected(self) -> int:
        """Wei it comes to when it uses all its gas in the next block."""
        return self.gas * min(self.max_fee, self.base_fee + self.priority_fee) + self.data_fee


def caps_of(chain: Chain, price: Decimal | None, currency: str) -> Caps:
    """The caps that the settings give `chain`."""
    return Caps(chain.gas_cap, chain.gas_cap_value, price, chain.native.symbol, currency, chain.native.decimals)


async def read_market(rpc: Rpc, chain: Chain, rules: FeeRules) -> Market:
    """
    Raises:
        RpcRefused, RpcDown: no node told it, or in a form that can not be read.
    """
    try:
        if chain.fee_kind is FeeKind.LEGACY:
            return Market(FeeKind.LEGACY, 0, max(quantity(await rpc.call("eth_gasPrice")), rules.least_tip))
        params = (hex(rules.blocks), "latest", [rules.percentile])
        base_fee, tip = _history(await rpc.call("eth_feeHistory", params))
        if tip is None:  # only empty blocks
            tip = await _suggested_tip(rpc)
    except Unreadable:
        raise RpcDown("chain.fees", "A node told the chain's fees in a form that can not be read.") from None
    return Market(FeeKind.EIP1559, base_fee, max(tip, rules.least_tip))


def propose(market: Market, gas: int, caps: Caps, rules: FeeRules, block_ms: int, *, data_fee: int = 0) -> Fee:
    """The fee of a new transaction of `gas` units.

    Raises:
        SafetyError: even what the next block asks is above a cap.
    """
    return _fee(market, gas, caps, rules, block_ms, data_fee, (0, 0))


def bump(
    old: tuple[int, int], market: Market, gas: int, caps: Caps, rules: FeeRules, block_ms: int, *, data_fee: int = 0
) -> Fee:
    """The fee of a transaction that takes the place of one that waits: at least a tenth more in both fields, which is
    what all clients ask (and more than before where a tenth of it is nothing), and at least what the market asks.

    Args:
        old: max fee and priority fee of the one that waits.

    Raises:
        SafetyError: that is above a cap.
    """
    return _fee(market, gas, caps, rules, block_ms, data_fee, (raised(old[0]), raised(old[1])))


def raised(fee: int) -> int:
    """The least that replaces `fee`."""
    return max(-(-fee * 110 // 100), fee + 1)


def risen(fee: int, blocks: int) -> int:
    """What `fee` can rise to in `blocks` blocks: an eighth each (EIP-1559), by 1 at least."""
    for _ in range(blocks):
        fee += max(fee // 8, 1)
    return fee


def room(rules: FeeRules, block_ms: int) -> int:
    """Blocks that a person's time is, within `rules.most_room`."""
    return min(-(-rules.human_ms // block_ms), rules.most_room)


async def data_fee(rpc: Rpc, chain: Chain, unsigned: bytes, gas: int, rules: FeeRules) -> int:
    """Wei that a rollup charges on top of gas for a transaction's bytes, what it can rise to while a person signs.

    OP stack: the oracle's upper bound for the size (since Fjord; before it, its fee for these bytes), and the operator
    fee where the chain has one (Isthmus). Arbitrum: nothing, it is within the gas that `eth_estimateGas` answers.

    Raises:
        RpcRefused, RpcDown: the oracle could not be asked.
    """
    if chain.data_fee is not DataFee.OP_STACK:
        return 0
    try:
        fee = await _oracle(rpc, "getL1FeeUpperBound(uint256)", ["uint256"], len(unsigned))
    except RpcRefused:
        fee = await _oracle(rpc, "getL1Fee(bytes)", ["bytes"], unsigned)
    try:
        operator = await _oracle(rpc, "getOperatorFee(uint256)", ["uint256"], gas)
    except RpcRefused:
        operator = 0  # a chain before Isthmus
    return risen(fee, -(-rules.human_ms // _L1_BLOCK_MS)) + operator


def _fee(
    market: Market, gas: int, caps: Caps, rules: FeeRules, block_ms: int, extra: int, least: tuple[int, int]
) -> Fee:
    if gas <= 0:
        raise ValueError(f"a transaction of {gas} gas")
    legacy = market.kind is FeeKind.LEGACY
    tip = max(market.tip, least[1])
    needed = max(market.base_fee + tip, *least)
    # All of a legacy price is paid, so it leaves room for one block only.
    wanted = max(risen(tip, 1) if legacy else risen(market.base_fee, room(rules, block_ms)) + tip, *least)
    max_fee = min(wanted, _ceiling(needed, gas, caps, extra))
    return Fee(market.kind, max_fee, max_fee if legacy else tip, gas, extra, market.base_fee)


def _ceiling(needed: int, gas: int, caps: Caps, extra: int) -> int:
    """The highest fee per unit of gas that both caps allow."""
    if needed > caps.per_gas:
        raise SafetyError(
            "gas.cap",
            f"Gas costs {_gwei(needed, CEILING)} gwei now, and the cap is {_gwei(caps.per_gas, DOWN)} gwei.",
            next_step="Wait until the chain is cheaper, or raise the chain's gas cap.",
        )
    if caps.price is None or caps.price <= 0:
        raise SafetyError(
            "gas.no_price",
            f"No price of {caps.coin} is known, so the cap of {to_text(caps.value)} {caps.currency} for gas can not be "
            "checked.",
        )
    coin = Decimal(10**caps.decimals)
    affordable = int(div(mul(caps.value, coin), caps.price, 0, DOWN))
    if needed * gas + extra > affordable:
        cost = div(mul(Decimal(needed * gas + extra), caps.price), coin, 4, CEILING)
        raise SafetyError(
            "gas.value",
            f"Its gas costs at least {to_text(cost)} {caps.currency} now, and the cap is {to_text(caps.value)} "
            f"{caps.currency} for one transaction.",
            next_step="Wait until the chain is cheaper, or raise the chain's gas cap in money.",
        )
    return min(caps.per_gas, (affordable - extra) // gas)


def _history(found: Any) -> tuple[int, int | None]:
    """Base fee of the next block, and the median tip of blocks that had transactions."""
    if not isinstance(found, dict):
        raise Unreadable.shape("no fee history")
    fees, used, rewards = (found.get(name) for name in ("baseFeePerGas", "gasUsedRatio", "reward"))
    if not isinstance(fees, list) or not fees or not isinstance(used, list):
        raise Unreadable.shape("no fee history")
    tips = sorted(
        quantity(reward[0])
        for reward, share in zip(rewards if isinstance(rewards, list) else (), used, strict=False)
        if isinstance(reward, list) and reward and isinstance(share, Decimal | int) and share > 0
    )
    return quantity(fees[-1]), tips[len(tips) // 2] if tips else None


async def _suggested_tip(rpc: Rpc) -> int:
    try:
        return quantity(await rpc.call("eth_maxPriorityFeePerGas"))
    except RpcRefused:
        return 0  # not every client has it


async def _oracle(rpc: Rpc, signature: str, types: Sequence[str], argument: object) -> int:
    from eth_abi.abi import encode  # noqa: PLC0415 -- only chains with an oracle need it

    data = keccak(signature.encode())[:4] + encode(list(types), [argument])
    request = {"to": "0x" + GAS_PRICE_ORACLE.hex(), "data": "0x" + data.hex()}
    try:
        return quantity(await rpc.call("eth_call", (request, "latest")))
    except Unreadable:
        raise RpcDown("chain.fees", f"The chain's fee oracle did not answer to {signature} with a number.") from None


def _gwei(wei: int, rounding: str) -> str:
    return to_text(div(Decimal(wei), _GWEI, 3, rounding))


def gwei(wei: int) -> str:
    """For reading, rounded up."""
    return _gwei(wei, CEILING)
