"""Typed data field by field (EIP-712 in full): all types first (1A), then the domain's values and the message's (1C),
then the request to sign (0C). Source: app-ethereum's ethapp.adoc and the recorded exchanges."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from signers.ledger.apdu import MOST, chunks, encode, path_bytes
from signers.ledger.ethereum import TYPED
from signers.paths import Path
from signers.payloads import TypedData

_DEFINE: Final = 0x1A
_VALUE: Final = 0x1C
_NAME: Final = 0x00
_ARRAY: Final = 0x0F
_FIELD: Final = 0xFF
_IN_FULL: Final = 0x01

DOMAIN: Final = "EIP712Domain"
_DOMAIN_FIELDS: Final = {
    "name": "string",
    "version": "string",
    "chainId": "uint256",
    "verifyingContract": "address",
    "salt": "bytes32",
}
_KINDS: Final = {"int": 1, "uint": 2, "address": 3, "bool": 4, "string": 5, "bytesN": 6, "bytes": 7}
_STRUCT: Final = 0
_SHOWABLE_INTS: Final = frozenset({8, 16, 32, 64, 128, 256})
"""Widths of signed integers that the app can show."""
_MOST_DEPTH: Final = 16


@dataclass(frozen=True, slots=True)
class Kind:
    """A field's type: its base (`uint`, a struct's name), its width in bytes (0 for none), and its dimensions from left
    to right, None for those of any length."""

    base: str
    width: int
    levels: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """One value in the order in which the device is told: of which field, and as bytes. `path`: names from the root
    with ``[]`` for each dimension of an array (``details.[].token``)."""

    name: str
    kind: Kind
    data: bytes
    path: str


@dataclass(frozen=True, slots=True)
class Length:
    """How many elements one dimension of an array has, and the array's `path`, as in `Value`."""

    count: int
    path: str


def kind_of(text: str) -> Kind:
    """Read ``uint8[2][]``.

    Raises:
        ValueError: not a type of EIP-712.
    """
    found = re.fullmatch(r"(\w{1,80})((?:\[\d{0,4}\])*)", text, re.ASCII)
    if found is None:
        raise ValueError(f"the type {text[:40]!r}")
    base = found[1]
    levels = tuple(int(each) if each else None for each in re.findall(r"\[(\d*)\]", found[2]))
    if any(each is not None and not 1 <= each <= MOST for each in levels):
        raise ValueError(f"an array of type {text[:40]!r}")
    number = re.fullmatch(r"(u?int)(\d+)", base, re.ASCII)
    if number is not None:
        bits = int(number[2])
        if bits % 8 or not 8 <= bits <= 256:
            raise ValueError(f"the type {text[:40]!r}")
        return Kind(number[1], bits // 8, levels)
    fixed = re.fullmatch(r"bytes(\d+)", base, re.ASCII)
    if fixed is not None:
        if not 1 <= int(fixed[1]) <= 32:
            raise ValueError(f"the type {text[:40]!r}")
        return Kind("bytesN", int(fixed[1]), levels)
    if base in {"int", "uint", "bytesN"}:
        raise ValueError(f"the type {text[:40]!r}")
    return Kind(base, 0, levels)


class Document:
    """A document as the device is told of it.

    Raises:
        ValueError: it holds what the device can not be told; the words say what.
    """

    def __init__(self, payload: TypedData) -> None:
        data = json.loads(payload.document)
        domain = data["domain"]
        given = [{"name": name, "type": kind} for name, kind in _DOMAIN_FIELDS.items() if name in domain]
        self.types: dict[str, list[dict[str, str]]] = {DOMAIN: given} | data["types"]
        if self.types[DOMAIN] != given:
            raise ValueError("the domain's fields in another order than EIP-712 gives")
        self.primary: str = data["primaryType"]
        self._levels = 0
        self.domain = tuple(self._struct(DOMAIN, domain))
        self.message = tuple(self._struct(self.primary, data["message"]))

    def definitions(self, *, by_name: bool = False) -> list[bytes]:
        """The commands that define the types: as in the document, or by their names."""
        found = []
        for name, fields in sorted(self.types.items()) if by_name else self.types.items():
            found.append(encode(_DEFINE, 0, _NAME, name.encode()))
            found.extend(encode(_DEFINE, 0, _FIELD, _definition(each)) for each in fields)
        return found

    def commands(self, path: Path) -> list[bytes]:
        """Everything, the request to sign at the end."""
        found = self.definitions()
        for name, values in ((DOMAIN, self.domain), (self.primary, self.message)):
            found.append(root(name))
            for each in values:
                found.extend(told(each))
        return [*found, sign_command(path)]

    def showable(self) -> bool:
        """Whether a device that shows every field can show these: not integers of odd widths."""
        return all(not isinstance(each, Value) or showable(each.kind) for each in self.message)

    def _struct(self, name: str, values: object, above: str = "") -> Iterator[Value | Length]:
        if not isinstance(values, dict) or self._levels >= _MOST_DEPTH:
            raise ValueError(f"{name[:40]!r} without its fields, or too deep")
        self._levels += 1
        for field in self.types[name]:
            path = above + field["name"]
            yield from self._field(field["name"], kind_of(field["type"]), values.get(field["name"]), path)
        self._levels -= 1

    def _field(self, name: str, kind: Kind, value: object, path: str) -> Iterator[Value | Length]:
        if kind.levels:
            size = kind.levels[-1]
            if not isinstance(value, list) or len(value) > MOST or size not in {None, len(value)}:
                raise ValueError(f"an array {name[:40]!r} of another length")
            yield Length(len(value), path)
            inner = Kind(kind.base, kind.width, kind.levels[:-1])
            for each in value:
                yield from self._field(name, inner, each, f"{path}.[]")
        elif kind.base in self.types:
            yield from self._struct(kind.base, value, f"{path}.")
        else:
            yield Value(name, kind, value_bytes(kind, value, name), path)


def showable(kind: Kind) -> bool:
    """Whether the app can show values of this type."""
    return kind.base != "int" or kind.width * 8 in _SHOWABLE_INTS


def value_bytes(kind: Kind, value: object, name: str = "") -> bytes:
    """One value as the device takes it: integers minimal, negative ones in two's complement of their width.

    Raises:
        ValueError: the value is not of its type.
    """
    data = _number(kind, value) if kind.base in {"int", "uint"} else _other(kind, value)
    if data is None:
        raise ValueError(f"{name[:40]!r} is not of its type {kind.base}")
    return data


def _number(kind: Kind, value: object) -> bytes | None:
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,78}|0[xX][0-9a-fA-F]{1,64}", value, re.ASCII):
        value = int(value, 16 if value[:2] in {"0x", "0X"} else 10)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    bits = kind.width * 8
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if kind.base == "int" else (0, (1 << bits) - 1)
    if not low <= value <= high:
        return None
    return (
        value.to_bytes(kind.width, signed=True) if value < 0 else value.to_bytes(max(1, (value.bit_length() + 7) // 8))
    )


def _other(kind: Kind, value: object) -> bytes | None:
    if kind.base == "bool":
        return bytes([value]) if isinstance(value, bool) else None
    if not isinstance(value, str):
        return None
    if kind.base == "string":
        return value.encode()
    if not re.fullmatch(r"0[xX](?:[0-9a-fA-F]{2})*", value):
        return None
    data = bytes.fromhex(value[2:])
    width = {"address": 20, "bytesN": kind.width}.get(kind.base, len(data))
    known = kind.base in {"address", "bytesN", "bytes"}
    return data if known and len(data) == width and len(data) < 1 << 16 else None


def _definition(field: dict[str, str]) -> bytes:
    kind, name = kind_of(field["type"]), field["name"].encode()
    code = _KINDS.get(kind.base, _STRUCT)
    found = bytes([(0x80 if kind.levels else 0) | (0x40 if kind.width else 0) | code])
    if code == _STRUCT:
        found += bytes([len(kind.base)]) + kind.base.encode()
    if kind.width:
        found += bytes([kind.width])
    if kind.levels:
        found += bytes([len(kind.levels)])
        found += b"".join(b"\x00" if each is None else bytes([1, each]) for each in kind.levels)
    return found + struct.pack(">B", len(name)) + name


def root(name: str) -> bytes:
    """Begins the values of the domain or the message."""
    return encode(_VALUE, 0, _NAME, name.encode())


def sign_command(path: Path) -> bytes:
    """The request to sign what was told."""
    return encode(TYPED, 0, _IN_FULL, path_bytes(path))


def told(each: Value | Length) -> list[bytes]:
    """The commands that tell one value."""
    if isinstance(each, Length):
        return [encode(_VALUE, 0, _ARRAY, bytes([each.count]))]
    pieces = chunks(struct.pack(">H", len(each.data)) + each.data)
    last = len(pieces) - 1
    return [encode(_VALUE, int(number < last), _FIELD, piece) for number, piece in enumerate(pieces)]


def document_of(payload: TypedData) -> tuple[Document | None, str]:
    """The document, or None and why the device can not be told of it."""
    try:
        found = Document(payload)
        found.definitions()
    except (ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
        return None, f"The device can not be told of it: {error}."
    return found, ""
