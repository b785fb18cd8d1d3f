"""A transaction in words, from its bytes and what the settings call its addresses. These lines are what the trader
reads and confirms; an address that has no name there is shown in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from app.venues.evm.chain import Chain, DexKind, Token
from app.venues.evm.decode import decode
from app.venues.evm.swap import Approval, Call, Exact, Part, Segment, Swap
from signers.evm import EvmFields, checksum
from signers.evm import decode as fields_of


def act_of(unsigned: bytes) -> tuple[EvmFields, Swap | Approval]:
    """What an unsigned transaction does.

    Raises:
        ValueError: nothing that we write.
    """
    fields = fields_of(unsigned)
    return fields, decode(Call(fields.to, fields.data, fields.value))


def transaction_words(chain: Chain, sender: bytes, unsigned: bytes, number: int, of: int) -> str:
    """The lines of one transaction; ASCII.

    Raises:
        ValueError: nothing that we write, or of another chain.
    """
    fields, act = act_of(unsigned)
    if fields.chain_id != chain.chain_id:
        raise ValueError(f"a transaction of chain {fields.chain_id}, not of {chain.name}, {chain.chain_id}")
    head = "countersign transaction" + (f" {number} of {of}" if of > 1 else "")
    what = _approval(chain, act) if isinstance(act, Approval) else _swap(chain, sender, act)
    coin = chain.native
    return "\n".join(
        [
            head,
            *what,
            f"on {chain.name}, chain {chain.chain_id}, nonce {fields.nonce}",
            f"gas up to {fields.gas}, at most {coin.text(fields.highest_fee)} {coin.symbol}",
        ]
    )


def _approval(chain: Chain, act: Approval) -> list[str]:
    token = _token(chain, act.token)
    taken = f"{name_of(chain, act.spender)} may take"
    if not act.amount:
        return [f"REVOKE {name_of(chain, act.token)}", f"{taken} nothing", checksum(act.spender)]
    amount = f"{token.text(act.amount)} {token.symbol}" if token else f"{act.amount} units of {checksum(act.token)}"
    return [f"APPROVE {amount}", f"{taken} that much, no more", checksum(act.spender)]


def _swap(chain: Chain, sender: bytes, act: Swap) -> list[str]:
    paid = _amount(chain, act.token_in, act.amount_in, coin=act.coin_in)
    received = _amount(chain, act.token_out, act.amount_out, coin=act.coin_out)
    exact = act.exact is Exact.IN
    mine = "your own account" if act.recipient == sender else "ANOTHER ACCOUNT"
    return [
        "SWAP",
        f"pay {'exactly' if exact else 'at most'} {paid}",
        f"get {'at least' if exact else 'exactly'} {received}",
        f"for {mine}",
        checksum(act.recipient),
        f"through the router of {name_of(chain, act.router)}",
        checksum(act.router),
        *_routes(chain, act.parts),
        *(["for tokens that take a share of each transfer"] if act.taxed else []),
        f"before {_instant(act.deadline)} UTC",
    ]


def _instant(deadline: int) -> str:
    """Seconds since 1970 as a date, where there is such a one."""
    try:
        return f"{datetime.fromtimestamp(deadline, UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return f"the end of time ({deadline})"


def _routes(chain: Chain, parts: Sequence[Part]) -> list[str]:
    total, lines = sum(part.amount_in for part in parts), []
    for part in parts:
        share = "" if len(parts) == 1 else f"{100 * part.amount_in // total} % "
        lines.append(f"{share}by {', then '.join(_segment(chain, segment) for segment in part.segments)}")
    return lines


def _segment(chain: Chain, segment: Segment) -> str:
    names = [_symbol(chain, token) for token in segment.tokens]
    if segment.kind is DexKind.V2:
        return f"V2 {' > '.join(names)}"
    steps = "".join(f" >{_percent(fee)}> {name}" for fee, name in zip(segment.fees, names[1:], strict=True))
    return f"V3 {names[0]}{steps}"


def _percent(fee: int) -> str:
    """Hundredths of a basis point as a percentage: 3000 is 0.3%."""
    return f"{fee // 10_000}.{fee % 10_000:04d}".rstrip("0").rstrip(".") + "%"


def _amount(chain: Chain, address: bytes, base_units: int, *, coin: bool) -> str:
    token = chain.native if coin else _token(chain, address)
    return f"{token.text(base_units)} {token.symbol}" if token else f"{base_units} units of {checksum(address)}"


def _symbol(chain: Chain, address: bytes) -> str:
    token = _token(chain, address)
    return token.symbol if token else checksum(address)


def _token(chain: Chain, address: bytes) -> Token | None:
    return next((token for token in chain.tokens if token.address == address), None)


def name_of(chain: Chain, address: bytes) -> str:
    """What the settings call an address: a token's symbol, an exchange's name; else the address."""
    token = _token(chain, address)
    routers = [dex.name for dex in chain.dexes if dex.router == address]
    return token.symbol if token else " and ".join(routers) or checksum(address)
