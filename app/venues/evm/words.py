"""A transaction in words, from its bytes and what the settings call its addresses. These lines are what the trader
reads and confirms; an address that has no name there is shown in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from app.venues.evm.acts import Act, Dismissal, InnerApproval, Nothing, Release, decode
from app.venues.evm.chain import Chain, DexKind
from app.venues.evm.liquidity.leave import leave_words
from app.venues.evm.liquidity.position import Position
from app.venues.evm.liquidity.words import liquidity_words
from app.venues.evm.naming import amount_of, instant, name_of, owner_of, percent, symbol_of
from app.venues.evm.swap import Approval, Call, Exact, Part, RouterKind, Segment, Swap
from signers.evm import EvmFields, checksum
from signers.evm import decode as fields_of

Positions = Mapping[tuple[bytes, int], Position]
"""Positions of liquidity by their manager and number, as the chain told of them."""
_NONE: Final[Positions] = MappingProxyType({})


def act_of(unsigned: bytes) -> tuple[EvmFields, Act]:
    """What an unsigned transaction does.

    Raises:
        ValueError: nothing that we write.
    """
    fields = fields_of(unsigned)
    return fields, decode(Call(fields.to, fields.data, fields.value))


def transaction_words(
    chain: Chain,
    sender: bytes,
    unsigned: bytes,
    number: int,
    of: int,
    *,
    base: bytes = b"",
    positions: Positions = _NONE,
) -> str:
    """The lines of one transaction; ASCII. All is from its bytes, but for what the bytes say of a position of liquidity
    by its number alone: its tokens, its fee and its range (`app.venues.evm.liquidity.words`).

    Args:
        base: the token for one of which prices of the other are told; empty is the pool's first.
        positions: what the chain says of those that the transaction names.

    Raises:
        ValueError: nothing that we write, of another chain, or of a position that is not among `positions`.
    """
    fields, act = act_of(unsigned)
    if fields.chain_id != chain.chain_id:
        raise ValueError(f"a transaction of chain {fields.chain_id}, not of {chain.name}, {chain.chain_id}")
    head = "countersign transaction" + (f" {number} of {of}" if of > 1 else "")
    match act:
        case Approval():
            what = _approval(chain, act)
        case Swap():
            what = _swap(chain, sender, act)
        case Nothing():
            what = _nothing(sender, act)
        case InnerApproval():
            what = _inner(chain, act)
        case Release() | Dismissal():
            what = leave_words(chain, act)
        case _:
            what = liquidity_words(chain, sender, act, base, positions)
    coin = chain.native
    return "\n".join(
        [
            head,
            *what,
            f"on {chain.name}, chain {chain.chain_id}, nonce {fields.nonce}",
            f"gas up to {fields.gas}, at most {coin.text(fields.highest_fee)} {coin.symbol}",
        ]
    )


def _nothing(sender: bytes, act: Nothing) -> list[str]:
    return [
        "NOTHING, in the place of another transaction of the same nonce",
        f"sent to {owner_of(sender, act.account)}",
        checksum(act.account),
    ]


def _inner(chain: Chain, act: InnerApproval) -> list[str]:
    if act.permit2 != chain.permit2:
        raise ValueError("it goes to a contract that the settings do not name as Permit2")
    permit2 = ["Permit2 is", checksum(act.permit2)]
    taken = f"{name_of(chain, act.spender)} may take"
    if not act.amount:
        return [
            f"REVOKE {name_of(chain, act.token)}",
            f"{taken} nothing through Permit2",
            checksum(act.spender),
            *permit2,
        ]
    return [
        f"APPROVE {amount_of(chain, act.token, act.amount)}",
        f"{taken} that much through Permit2, no more",
        checksum(act.spender),
        f"until {instant(act.expires)} UTC",
        *permit2,
    ]


def _approval(chain: Chain, act: Approval) -> list[str]:
    taken = f"{name_of(chain, act.spender)} may take"
    if not act.amount:
        return [f"REVOKE {name_of(chain, act.token)}", f"{taken} nothing", checksum(act.spender)]
    return [f"APPROVE {amount_of(chain, act.token, act.amount)}", f"{taken} that much, no more", checksum(act.spender)]


def _swap(chain: Chain, sender: bytes, act: Swap) -> list[str]:
    paid = amount_of(chain, act.token_in, act.amount_in, coin=act.coin_in)
    received = amount_of(chain, act.token_out, act.amount_out, coin=act.coin_out)
    exact = act.exact is Exact.IN
    return [
        "SWAP",
        f"pay {'exactly' if exact else 'at most'} {paid}",
        f"get {'at least' if exact else 'exactly'} {received}",
        f"for {owner_of(sender, act.recipient)}",
        checksum(act.recipient),
        f"through {'' if act.kind is RouterKind.UNIVERSAL else 'the router of '}{name_of(chain, act.router)}",
        checksum(act.router),
        *_routes(chain, act.parts),
        *(["for tokens that take a share of each transfer"] if act.taxed else []),
        f"before {instant(act.deadline)} UTC",
    ]


def _routes(chain: Chain, parts: Sequence[Part]) -> list[str]:
    total, lines = sum(part.amount_in for part in parts), []
    for part in parts:
        share = "" if len(parts) == 1 else f"{100 * part.amount_in // total} % "
        lines.append(f"{share}by {', then '.join(_segment(chain, segment) for segment in part.segments)}")
    return lines


def _segment(chain: Chain, segment: Segment) -> str:
    names = [symbol_of(chain, token) for token in segment.tokens]
    if segment.kind is DexKind.V2:
        return f"V2 {' > '.join(names)}"
    steps = "".join(f" >{percent(fee)}> {name}" for fee, name in zip(segment.fees, names[1:], strict=True))
    return f"V3 {names[0]}{steps}"
