"""What the settings call addresses, and amounts, fees and times in words: ASCII, an unknown address in full."""

from __future__ import annotations

from datetime import UTC, datetime

from app.venues.evm.chain import Chain, Token
from signers.evm import checksum


def token_of(chain: Chain, address: bytes) -> Token | None:
    """A token of the settings; the wrapped coin, not the coin."""
    return next((token for token in chain.tokens if token.address == address), None)


def symbol_of(chain: Chain, address: bytes) -> str:
    """What the settings call a token; else its address."""
    token = token_of(chain, address)
    return token.symbol if token else checksum(address)


def amount_of(chain: Chain, address: bytes, base_units: int, *, coin: bool = False) -> str:
    """So much of a token, or of the coin in its place."""
    token = chain.native if coin else token_of(chain, address)
    return f"{token.text(base_units)} {token.symbol}" if token else f"{base_units} units of {checksum(address)}"


def name_of(chain: Chain, address: bytes) -> str:
    """What the settings call an address: a token's symbol, an exchange's name, Permit2; else the address."""
    token = token_of(chain, address)
    if token is not None:
        return token.symbol
    routers = [dex.name for dex in chain.dexes if dex.router == address]
    managers = [f"the positions of {dex.name}" for dex in chain.dexes if dex.positions == address]
    universal = [dex.name for dex in chain.dexes if dex.universal == address]
    if universal:
        return f"the universal router of {' and '.join(universal)}"
    return " and ".join(routers or managers) or ("Permit2" if address == chain.permit2 else checksum(address))


def owner_of(sender: bytes, recipient: bytes) -> str:
    """Whose an account is."""
    return "your own account" if recipient == sender else "ANOTHER ACCOUNT"


def percent(fee: int) -> str:
    """Hundredths of a basis point as a percentage: 3000 is 0.3%."""
    return f"{fee // 10_000}.{fee % 10_000:04d}".rstrip("0").rstrip(".") + "%"


def instant(deadline: int) -> str:
    """Seconds since 1970 as a date, where there is such a one."""
    try:
        return f"{datetime.fromtimestamp(deadline, UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return f"the end of time ({deadline})"
