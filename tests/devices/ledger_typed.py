"""Typed data as the Ethereum app is told of it, put together again and hashed by eth-account: written from Ledger's
documentation, so that an error in our encoder is not made twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.devices.ledger_filters import Filtering

_BASES = {1: "int", 2: "uint", 3: "address", 4: "bool", 5: "string", 6: "bytes", 7: "bytes"}


@dataclass(slots=True)
class Stream:
    """`types` as defined; `values` per root struct: leaf bytes and array lengths in the order told; `filtering` once
    filters are activated."""

    types: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    values: dict[str, list[bytes | int]] = field(default_factory=dict)
    filtering: Filtering | None = None
    _partial: bytes = b""

    def define(self, p2: int, data: bytes) -> None:
        if p2 == 0:
            self.types[data.decode()] = []
            return
        head, rest = data[0], data[1:]
        base = _BASES.get(head & 15, "")
        if not base:
            base, rest = rest[1 : 1 + rest[0]].decode(), rest[1 + rest[0] :]
        if head & 0x40:
            size, rest = rest[0], rest[1:]
            base += str(size if head & 15 == 6 else size * 8)
        if head & 0x80:
            count, rest = rest[0], rest[1:]
            for _ in range(count):
                fixed = rest[0]
                base += f"[{rest[1]}]" if fixed else "[]"
                rest = rest[1 + fixed :]
        assert len(rest) == 1 + rest[0]
        self.types[list(self.types)[-1]].append({"name": rest[1:].decode(), "type": base})

    def filter(self, p1: int, p2: int, data: bytes) -> None:
        if p2 == 0:
            assert not self.values
            self.filtering = Filtering(self.types)
        elif self.filtering is not None:
            self.filtering.filter(p1, p2, data)

    def value(self, p1: int, p2: int, data: bytes) -> None:
        if self.filtering is not None:
            if p2 == 0:
                self.filtering.begin(data.decode())
            elif p2 == 0x0F:
                self.filtering.array(data[0])
            else:
                self.filtering.value(data, more=bool(p1))
        if p2 == 0:
            self.values[data.decode()] = []
        elif p2 == 0x0F:
            self.values[list(self.values)[-1]].append(data[0])
        else:
            self._partial += data
            if not p1:
                assert int.from_bytes(self._partial[:2]) == len(self._partial) - 2
                self.values[list(self.values)[-1]].append(self._partial[2:])
                self._partial = b""

    def digest(self) -> bytes:
        from eth_account.messages import _hash_eip191_message, encode_typed_data  # noqa: PLC0415 -- loaded by signers.eth, never before it

        (domain, told_domain), (primary, told) = self.values.items()
        document = {
            "types": self.types,
            "primaryType": primary,
            "domain": self._struct(domain, told_domain),
            "message": self._struct(primary, told),
        }
        assert not told
        assert not told_domain
        return bytes(_hash_eip191_message(encode_typed_data(full_message=document)))

    def _struct(self, name: str, told: list[bytes | int]) -> dict[str, Any]:
        return {each["name"]: self._value(each["type"], told) for each in self.types[name]}

    def _value(self, kind: str, told: list[bytes | int]) -> Any:
        if kind.endswith("]"):
            count = told.pop(0)
            assert isinstance(count, int)
            return [self._value(kind[: kind.rindex("[")], told) for _ in range(count)]
        if kind in self.types:
            return self._struct(kind, told)
        data = told.pop(0)
        assert isinstance(data, bytes)
        if kind in {"string", "bool"}:
            return data.decode() if kind == "string" else data == b"\x01"
        if "int" in kind:
            return int.from_bytes(data, signed=kind[0] == "i" and len(data) * 8 == int(kind[3:]))
        return "0x" + data.hex()
