"""What a mined transaction did, from its receipt: amounts to the last unit, and what it cost in gas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.venues.evm.acts import Act, Collect, Open, Withdraw
from app.venues.evm.run import COIN, TRANSFER
from app.venues.evm.swap import Swap

DEPOSIT: Final = bytes.fromhex("e1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c")
"""Topic of WETH9's Deposit(dst, wad)."""
WITHDRAWAL: Final = bytes.fromhex("7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65")
"""Topic of WETH9's Withdrawal(src, wad)."""

INCREASED: Final = bytes.fromhex("3067048beee31b25b2f1681f88dac838c8bba36af25bfb2b7cf7473a5847e35f")
"""Topic of the position manager's IncreaseLiquidity(tokenId, liquidity, amount0, amount1)."""
DECREASED: Final = bytes.fromhex("26f6a048ee9138f2c0ce266f322cb99228e8d619ae2bff30c67f8dcf9d2377b4")
"""Topic of its DecreaseLiquidity(tokenId, liquidity, amount0, amount1)."""
COLLECTED: Final = bytes.fromhex("70935338e69775456a85ddef226c395fb668b63fa0115f5f20610b388e6ca9c0")
"""Topic of UniswapV3Pool's Collect(owner, recipient, tickLower, tickUpper, amount0, amount1)."""


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction that is in a block.

    Attributes:
        ok: it went through; a reverted one changed nothing and cost its gas.
        gas: wei that it cost, a rollup's fee for its data included.
    """

    hash: str
    block: int
    block_hash: str
    ok: bool
    gas: int
    logs: tuple[tuple[bytes, tuple[bytes, ...], bytes], ...]


def read_receipt(receipt: Mapping[str, Any]) -> Mined:
    """A receipt as a node answers it.

    Raises:
        ValueError: it can not be read.
    """
    try:
        return Mined(
            hash=str(receipt["transactionHash"]),
            block=int(receipt["blockNumber"], 16),
            block_hash=str(receipt["blockHash"]),
            ok=int(receipt["status"], 16) == 1,
            gas=int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
            + int(receipt.get("l1Fee") or "0x0", 16),  # OP stack; its own field, in wei
            logs=tuple(
                (_bytes(log["address"]), tuple(map(_bytes, log["topics"])), _bytes(log["data"]))
                for log in receipt["logs"]
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"a receipt that can not be read ({type(error).__name__})") from error


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transaction moved.

    Attributes:
        changes: by how much the account has more or less of each token, and of `COIN`, gas not counted; what did not
            change is left out.
        fees: of that, what a position had earned (and what had been taken out of it before and not collected).
        position: number of the position that was opened.
        liquidity: that it got, or that was taken out.
    """

    changes: dict[bytes, int]
    fees: dict[bytes, int] = field(default_factory=dict)
    position: int | None = None
    liquidity: int = 0


def moved(mined: Mined, act: Act, account: bytes) -> Moved:
    """What a mined transaction moved for the account that sent it: of a swap (one that comes back to where it began as
    well), of liquidity; of anything else nothing.

    The coin moves without a log: what the router or manager wrapped for us was paid, what it unwrapped for us received.

    Raises:
        ValueError: its logs are not those of such a transaction.
    """
    if not mined.ok:
        return Moved({})
    if isinstance(act, Swap):
        tokens = dict.fromkeys((act.token_in, act.token_out))
        changes = {token: _moved(mined, token, account) for token in tokens}
        changes[COIN] = (
            _coins(mined, WITHDRAWAL, act.token_out, act.router) * (act.coin_out and act.recipient == account)
            - _coins(mined, DEPOSIT, act.token_in, act.router) * act.coin_in
        )  # fmt: skip
        return Moved(_changed(changes))
    if isinstance(act, Open):
        return _opened(mined, act, account)
    return _collected(mined, act, account) if isinstance(act, Collect | Withdraw) else Moved({})


def _opened(mined: Mined, act: Open, account: bytes) -> Moved:
    tokens = (act.token0, act.token1)
    changes = {token: _moved(mined, token, account) for token in tokens}
    changes[COIN] = -sum(_coins(mined, DEPOSIT, token, act.manager) for token in tokens)
    found = [(topics, data) for by, topics, data in mined.logs if by == act.manager and topics[:1] == (INCREASED,)]
    if len(found) != 1 or len(found[0][0]) != 2:
        raise ValueError("a receipt that does not say which position was opened")
    ((_, number), data) = found[0]
    return Moved(_changed(changes), position=int.from_bytes(number), liquidity=int.from_bytes(data[:32]))


def _collected(mined: Mined, act: Collect | Withdraw, account: bytes) -> Moved:
    """The pool's tokens are not in the bytes of the act: they are those that the pool has paid."""
    taken = [
        (by, data)
        for by, topics, data in mined.logs
        if topics[:1] == (COLLECTED,) and len(topics) == 4 and topics[1][12:] == act.manager
    ]
    if len(taken) != 1:
        raise ValueError("a receipt that does not say what the pool paid")
    ((pool, data),) = taken
    amounts = [int.from_bytes(data[at : at + 32]) for at in (32, 64)]
    paid = sorted(dict.fromkeys(by for by, topics, _ in mined.logs if _is_transfer(topics) and topics[1][12:] == pool))
    if len(paid) != sum(map(bool, amounts)):
        raise ValueError("a receipt of a pool that paid something else than it says")
    sides = iter(paid)
    tokens = [next(sides) if amount else None for amount in amounts]
    principal, liquidity = _decreased(mined, act)
    out, earned = {}, {}
    for token, amount, part in zip(tokens, amounts, principal, strict=True):
        if token is not None:
            unwrapped = 0 if act.payout is None else _coins(mined, WITHDRAWAL, token, act.manager)
            kind = COIN if unwrapped else token
            out[kind] = unwrapped * (act.recipient == account) or _moved(mined, token, account)
            earned[kind] = amount - part
    return Moved(_changed(out), _changed(earned) if act.recipient == account else {}, liquidity=liquidity)


def _decreased(mined: Mined, act: Collect | Withdraw) -> tuple[tuple[int, int], int]:
    """What was taken out of liquidity, of both tokens, and how much liquidity."""
    for by, topics, data in mined.logs:
        if by == act.manager and topics == (DECREASED, act.position.to_bytes(32)):
            liquidity, zero, one = (int.from_bytes(data[at : at + 32]) for at in (0, 32, 64))
            return (zero, one), liquidity
    return (0, 0), 0


def _changed(amounts: dict[bytes, int]) -> dict[bytes, int]:
    return {token: amount for token, amount in amounts.items() if amount}


def swapped(mined: Mined, swap: Swap, sender: bytes) -> tuple[int, int]:
    """Base units that were paid and received. Of the native coin, which moves without a log, what the router wrapped or
    unwrapped: the rest of what was sent along came back."""
    router = swap.router
    paid = _coins(mined, DEPOSIT, swap.token_in, router) if swap.coin_in else -_moved(mined, swap.token_in, sender)
    got = _coins(mined, WITHDRAWAL, swap.token_out, router) if swap.coin_out else _moved(mined, swap.token_out, sender)
    return paid, got


def _moved(mined: Mined, token: bytes, owner: bytes) -> int:
    """What an account has more of a token than before."""
    total = 0
    for address, topics, data in mined.logs:
        if address == token and _is_transfer(topics):
            amount = int.from_bytes(data[:32])
            total += amount * ((topics[2][12:] == owner) - (topics[1][12:] == owner))
    return total


def _is_transfer(topics: tuple[bytes, ...]) -> bool:
    """Of an ERC-20 token: that of a position has its number as a fourth topic."""
    return len(topics) == 3 and topics[0] == TRANSFER


def _coins(mined: Mined, topic: bytes, wrapped: bytes, by: bytes) -> int:
    """Wei that a contract wrapped or unwrapped; 0 of a token that is not the wrapped coin, which logs neither."""
    return sum(
        int.from_bytes(data[:32])
        for address, topics, data in mined.logs
        if address == wrapped and len(topics) == 2 and topics[0] == topic and topics[1][12:] == by
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
