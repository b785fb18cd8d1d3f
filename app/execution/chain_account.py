"""The account that trades on a chain."""

from __future__ import annotations

from dataclasses import dataclass

from app.venues.evm.chain import Chain, Token
from signers.evm import checksum
from strategies.model import Instrument


@dataclass(frozen=True, slots=True)
class Account:
    """Who swaps where: 20 bytes of address on a chain."""

    chain: Chain
    address: bytes

    def token(self, symbol: str) -> Token:
        """A token of an instrument; instruments are made of the chain's tokens."""
        found = self.chain.token(symbol)
        assert found is not None, symbol
        return found

    def address_of(self, name: str) -> bytes:
        """A token by its symbol, or by its own address where it has none here.

        Raises:
            ValueError: neither.
        """
        found = self.chain.token(name)
        return bytes.fromhex(name.removeprefix("0x")) if found is None else found.address

    def tokens_of(self, instrument: Instrument) -> tuple[bytes, ...]:
        """Addresses of an instrument's tokens, the wrapped coin's for the coin."""
        return tuple(self.token(symbol).address for symbol in (instrument.base, instrument.quote))

    def named(self, address: bytes) -> Token:
        """A token by its address: the wrapped coin, not the coin. One that the settings do not name is called by its
        address, and counted in its base units."""
        found = next((token for token in self.chain.tokens if token.address == address), None)
        return Token(checksum(address), address, 0) if found is None else found
