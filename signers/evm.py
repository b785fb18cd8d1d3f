"""Ethereum transactions as bytes: encoded and decoded strictly, so that one transaction has one encoding. RLP itself is
the `rlp` library's (the one eth-account uses)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

_TYPE_2: Final = 2
_MAX_BYTES: Final = 131_072
"""What nodes take at most (go-ethereum's txMaxSize)."""

AccessList = tuple[tuple[bytes, tuple[bytes, ...]], ...]
"""Addresses of 20 bytes, each with storage keys of 32 (EIP-2930)."""


@dataclass(frozen=True, slots=True)
class EvmFields:
    """The fields of an unsigned transaction. Amounts are wei, prices wei per unit of gas.

    Attributes:
        type: 2 is EIP-1559; 0 is legacy with EIP-155, whose one gas price is `max_fee` and `priority_fee` both.
        to: 20 bytes.
        data: calldata.
    """

    type: Literal[0, 2]
    chain_id: int
    nonce: int
    max_fee: int
    priority_fee: int
    gas: int
    to: bytes
    value: int
    data: bytes
    access_list: AccessList = ()

    @property
    def highest_fee(self) -> int:
        """Wei the fee can come to at most: what devices show as the maximum."""
        return self.gas * self.max_fee


def encode(fields: EvmFields) -> bytes:
    """The unsigned transaction.

    Raises:
        ValueError: a field out of range, or no recipient.
    """
    _check(fields)
    if fields.type == 0:
        return bytes(_rlp().encode([*_legacy(fields), fields.chain_id, b"", b""]))
    return bytes([_TYPE_2]) + bytes(_rlp().encode(_typed(fields)))


def decode(unsigned: bytes) -> EvmFields:
    """The inverse; exactly what `encode` writes and nothing else.

    Raises:
        ValueError: not a canonical EIP-1559 or EIP-155 transaction with a recipient.
    """
    try:
        fields = _read_typed(unsigned[1:]) if unsigned[:1] == bytes([_TYPE_2]) else _read_legacy(unsigned)
    except (_rlp().exceptions.RLPException, TypeError, IndexError) as error:
        raise ValueError(f"not an unsigned transaction: {type(error).__name__}") from error
    if encode(fields) != unsigned:
        raise ValueError("not an unsigned transaction in its canonical form")
    return fields


def assemble(unsigned: bytes, signature: bytes) -> bytes:
    """The signed transaction, ready to be sent, from the unsigned one and ``r || s || y_parity`` (65 bytes).

    Raises:
        ValueError: either has a wrong form.
    """
    fields = decode(unsigned)
    if len(signature) != 65 or signature[64] not in {0, 1}:
        raise ValueError("a transaction's signature is r, s and a parity of 0 or 1")
    r, s, parity = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64]), signature[64]
    if fields.type == 0:
        return bytes(_rlp().encode([*_legacy(fields), 35 + 2 * fields.chain_id + parity, r, s]))
    return bytes([_TYPE_2]) + bytes(_rlp().encode([*_typed(fields), parity, r, s]))


def disassemble(raw: bytes) -> tuple[bytes, bytes]:
    """The inverse of `assemble`: the unsigned transaction and its signature.

    Raises:
        ValueError: not exactly a signed EIP-1559 or EIP-155 transaction.
    """
    number = _rlp().sedes.big_endian_int.deserialize
    try:
        if raw[:1] == bytes([_TYPE_2]):
            *items, parity, r, s = _items(raw[1:], 12)
            unsigned, odd = bytes([_TYPE_2]) + bytes(_rlp().encode(items)), number(parity)
        else:
            *items, v, r, s = _items(raw, 9)
            chain_id, odd = divmod(number(v) - 35, 2)
            unsigned = bytes(_rlp().encode([*items, chain_id, b"", b""]))
        signature = number(r).to_bytes(32) + number(s).to_bytes(32) + odd.to_bytes(1)
    except (_rlp().exceptions.RLPException, TypeError, OverflowError) as error:
        raise ValueError(f"not a signed transaction: {type(error).__name__}") from error
    if assemble(unsigned, signature) != raw:
        raise ValueError("not a signed transaction in its canonical form")
    return unsigned, signature


def keccak(data: bytes) -> bytes:
    """Keccak-256."""
    from eth_utils.crypto import keccak as found  # noqa: PLC0415 -- when it is wanted, 0.1 s

    return bytes(found(data))


def checksum(address: bytes) -> str:
    """EIP-55 text of 20 bytes."""
    from eth_utils.address import to_checksum_address  # noqa: PLC0415 -- as above

    return str(to_checksum_address(address))


# -- pieces -----------------------------------------------------------------------------------------------------------


def _rlp() -> Any:
    import rlp  # type: ignore[import-untyped] # noqa: PLC0415 -- as above; ships no types

    return rlp


def _check(fields: EvmFields) -> None:
    numbers = {
        "nonce": (fields.nonce, 2**64 - 2),  # EIP-2681
        "chain id": (fields.chain_id, 2**63),
        "max fee": (fields.max_fee, 2**128),
        "priority fee": (fields.priority_fee, 2**128),
        "gas": (fields.gas, 2**63),
        "value": (fields.value, 2**256 - 1),
    }
    for name, (number, most) in numbers.items():
        if not 0 <= number <= most:
            raise ValueError(f"{name} {number} is not between 0 and {most}")
    if not fields.chain_id:
        raise ValueError("a transaction without a chain id could be sent on any chain")
    if len(fields.to) != 20:
        raise ValueError("a transaction without a recipient creates a contract: refused")
    if len(fields.data) > _MAX_BYTES:
        raise ValueError(f"{len(fields.data)} bytes of calldata; at most {_MAX_BYTES}")
    if fields.type == 0 and (fields.access_list or fields.max_fee != fields.priority_fee):
        raise ValueError("a legacy transaction has one gas price and no access list")
    if fields.priority_fee > fields.max_fee:
        raise ValueError("the priority fee is above the max fee")
    if any(len(address) != 20 or any(len(key) != 32 for key in keys) for address, keys in fields.access_list):
        raise ValueError("an access list names addresses of 20 and keys of 32 bytes")


def _legacy(f: EvmFields) -> list[Any]:
    return [f.nonce, f.max_fee, f.gas, f.to, f.value, f.data]


def _typed(f: EvmFields) -> list[Any]:
    access = [[address, list(keys)] for address, keys in f.access_list]
    return [f.chain_id, f.nonce, f.priority_fee, f.max_fee, f.gas, f.to, f.value, f.data, access]


def _items(encoded: bytes, count: int) -> list[Any]:
    items = _rlp().decode(encoded, strict=True)
    if not isinstance(items, list) or len(items) != count:
        raise ValueError("not a transaction of this type")
    return items


def _read_typed(encoded: bytes) -> EvmFields:
    chain_id, nonce, priority, most, gas, to, value, data, access = _items(encoded, 9)
    if not isinstance(access, list):
        raise TypeError("bytes where a list belongs")
    return _read(2, chain_id, nonce, priority, most, gas, to, value, data, _read_access(access))


def _read_legacy(encoded: bytes) -> EvmFields:
    nonce, price, gas, to, value, data, chain_id, zero, nought = _items(encoded, 9)
    if zero or nought:
        raise TypeError("not EIP-155")
    return _read(0, chain_id, nonce, price, price, gas, to, value, data)


def _read(
    of_type: Literal[0, 2],
    chain_id: Any,
    nonce: Any,
    priority: Any,
    most: Any,
    gas: Any,
    to: Any,
    value: Any,
    data: Any,
    access_list: AccessList = (),
) -> EvmFields:
    number = _rlp().sedes.big_endian_int.deserialize
    if not isinstance(to, bytes) or not isinstance(data, bytes):
        raise TypeError("a list where bytes belong")
    return EvmFields(
        type=of_type,
        chain_id=number(chain_id),
        nonce=number(nonce),
        priority_fee=number(priority),
        max_fee=number(most),
        gas=number(gas),
        to=to,
        value=number(value),
        data=data,
        access_list=access_list,
    )


def _read_access(access: list[Any]) -> AccessList:
    found = tuple((address, tuple(keys)) for address, keys in access)
    if not all(isinstance(each, bytes) for address, keys in found for each in (address, *keys)):
        raise TypeError("a list where bytes belong")
    return found
