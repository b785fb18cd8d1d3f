"""Typed data with filters as the Ethereum app takes it: which field comes next, whether a filter is signed for it, and
the lines it gathers. Written from app-ethereum 1.22.0 (filtering.c, ui_logic.c), not from our driver. Its key stands
for Ledger's: `as_ledger` signs with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from coincurve import PrivateKey

from signers.evm import checksum
from signers.payloads import TypedData

KEY = PrivateKey(hashlib.sha256(b"stands for Ledger's key").digest())
PUBLIC = KEY.public_key.format(compressed=False)
MAGICS = {"raw": 72, "datetime": 33, "token": 11, "amount": 22}
P2S = {0xFF: "raw", 0xFC: "datetime", 0xFD: "token", 0xFE: "amount"}
Wants = Generator[tuple[str, str], int, None]


class Refused(Exception):
    """The app stops: its status word."""


def as_ledger(data: bytes) -> bytes:
    return KEY.sign(data)


def token(ticker: str, address: str, decimals: int, chain_id: int = 1) -> bytes:
    """A description of a token."""
    data = ticker.encode() + bytes.fromhex(address[2:]) + decimals.to_bytes(4) + chain_id.to_bytes(4)
    return bytes([len(ticker)]) + data + as_ledger(data)


def schema(types: dict[str, list[dict[str, str]]]) -> bytes:
    return hashlib.sha224(json.dumps(types, separators=(",", ":")).encode()).digest()


def package(payload: TypedData, name: str, fields: list[tuple[str, ...]], **changes: Any) -> dict[str, Any]:
    """The package's entry for documents like `payload`. `fields`: path, format, label, and index where joined."""
    data = payload.data
    head = int(data["domain"]["chainId"]).to_bytes(8) + bytes.fromhex(data["domain"]["verifyingContract"][2:])
    digest = schema(dict(sorted(data["types"].items())))
    found = []
    for path, style, label, *index in fields:
        joined = bytes([int(index[0])]) if index else b""
        signed = bytes([MAGICS[style]]) + head + digest + path.encode()
        signed += (b"" if style == "token" else label.encode()) + joined
        one: dict[str, Any] = {"path": path, "format": style, "label": label, "signature": as_ledger(signed).hex()}
        found.append(one | ({"coin_ref": int(index[0])} if index else {}))
    info = as_ledger(bytes([183]) + head + digest + bytes([len(fields)]) + name.encode())
    key = f"{data['domain']['chainId']}:{data['domain']['verifyingContract'].lower()}:{digest.hex()}"
    return {key: {"contractName": {"label": name, "signature": info.hex()}, "fields": found} | changes}


@dataclass(slots=True)
class Filtering:
    """The app's state between activation and signature. `lines`: label and value of each."""

    types: dict[str, list[dict[str, str]]]
    head: bytes = b""
    root: str = ""
    lines: list[tuple[str, str]] = field(default_factory=list)
    count: int = -1
    paths: set[str] = field(default_factory=set)
    tokens: list[tuple[bytes, str, int] | None] = field(default_factory=lambda: [None] * 5)
    current: int = 0
    joins: dict[int, dict[str, Any]] = field(default_factory=dict)
    discarded: str = ""
    domain: dict[str, bytes] = field(default_factory=dict)
    flag: tuple[str, str, int] | None = None
    wants: Wants | None = None
    want: tuple[str, str] | None = None
    whole: bytes = b""

    def begin(self, root: str) -> None:
        if root != "EIP712Domain" and int.from_bytes(self.domain["chainId"]) != 1:
            self.lines.append(("Network", {137: "Polygon"}[int.from_bytes(self.domain["chainId"])]))
        self.root, self.wants = root, self._struct(root, "")
        self.want = next(self.wants, None)

    def describe(self, data: bytes) -> None:
        size = data[0]
        assert KEY.public_key.verify(data[29 + size :], data[1 : 29 + size])
        at = 1 + size
        self.tokens[self.current] = (data[at : at + 20], data[1:at].decode(), int.from_bytes(data[at + 20 : at + 24]))
        self.current = (self.current + 1) % 5

    def array(self, count: int) -> None:
        self._advance(count)

    def value(self, data: bytes, *, more: bool) -> None:
        self.whole += data
        if more:
            return
        whole, self.whole = self.whole[2:], b""
        assert self.want is not None
        path, kind = self.want
        if self.root == "EIP712Domain":
            self.domain[path] = whole
        elif self.flag is not None:
            self._display(kind, path, whole)
        self.flag = None
        self._advance(0)

    def filter(self, p1: int, p2: int, data: bytes) -> None:
        if p2 == 0x0F:
            self._info(data)
        elif self.root == "EIP712Domain":
            raise Refused("6980")
        elif p2 == 0x01:
            assert data[0] == len(data) - 1
            self.discarded = data[1:].decode()
        else:
            self._field(P2S[p2], data, absent=p1 == 1)

    def complete(self) -> None:
        if self.want is not None:
            raise Refused("6A80")
        if self.count != len(self.paths):
            raise Refused("6A88")

    def _info(self, data: bytes) -> None:
        if self.root != "EIP712Domain" or self.want is not None:
            raise Refused("6980")
        self.head = self.domain["chainId"].rjust(8, b"\0") + self.domain["verifyingContract"] + schema(self.types)
        name, rest = data[1 : 1 + data[0]], data[1 + data[0] :]
        self.count = rest[0]
        self._check(183, rest[:1] + name, rest[1:])
        self.lines.append(("Contract", name.decode()))

    def _field(self, style: str, data: bytes, *, absent: bool) -> None:
        assert self.want is not None or absent
        path = self.discarded if absent else (self.want or ("", ""))[0]
        label, index = b"", -1
        if style != "token":
            label, data = data[1 : 1 + data[0]], data[1 + data[0] :]
        if style in {"token", "amount"}:
            index, data = data[0], data[1:]
        joined = bytes([index]) if index >= 0 else b""
        self._check(MAGICS[style], path.encode() + label + joined, data)
        self.paths.add(path)
        if len(self.paths) > self.count:
            raise Refused("6A80")
        if absent:
            assert style == "raw"
            return
        kind = (self.want or ("", ""))[1]
        if not kind.startswith({"token": "address", "raw": ""}.get(style, "uint")):
            raise Refused("6A00")
        if index == 0xFF:
            index = next((n for n, each in enumerate(self.tokens) if each and each[0] == self.head[8:28]), -1)
            if index < 0:
                raise Refused("6A00")
            self.joins.setdefault(index, {})["token"] = True
        elif index >= 5:
            raise Refused("6A00")
        self.flag = style, label.decode(), index

    def _check(self, magic: int, data: bytes, sized: bytes) -> None:
        assert sized[0] == len(sized) - 1
        if not KEY.public_key.verify(sized[1:], bytes([magic]) + self.head + data):
            raise Refused("6A00")

    def _display(self, kind: str, path: str, data: bytes) -> None:
        assert self.flag is not None
        style, label, index = self.flag
        if style in {"token", "amount"}:
            self._join(style, label, index, data)
            return
        number = int.from_bytes(data)
        shown = {"address": checksum(data) if kind == "address" else "", "string": data.decode("latin-1")}.get(kind)
        shown = str(number) if shown is None and kind.startswith("uint") else shown
        if style == "datetime":
            full = len(data) * 8 == int(kind[4:]) and set(data) == {255}
            shown = "Unlimited" if full else datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%d %I:%M:%S %p UTC")
        self.lines.append((label or path.rsplit(".", 1)[-1], shown or "0x" + data.hex().upper()))

    def _join(self, style: str, label: str, index: int, data: bytes) -> None:
        known = self.tokens[index]
        if known is None and self.current == index:
            self.current = (self.current + 1) % 5
        join = self.joins.setdefault(index, {})
        if style == "token" and known is not None and known[0] != data:
            raise Refused("6A00")
        join |= {"token": True} if style == "token" else {"value": data, "name": label}
        if len(join) < 3:
            return
        _, ticker, decimals = known or (b"", "???", 0)
        value = join["value"]
        whole, part = divmod(int.from_bytes(value), 10**decimals)
        rest = f".{part:0{decimals}}".rstrip("0").rstrip(".") if decimals else ""
        much = "Unlimited" if value == b"\xff" * 32 else f"{whole}{rest}"
        self.lines.append((join["name"][:25], f"{much} {ticker}"))
        del self.joins[index]

    def _advance(self, count: int) -> None:
        assert self.wants is not None
        try:
            self.want = self.wants.send(count)
        except StopIteration:
            self.want = None

    def _struct(self, name: str, above: str) -> Wants:
        for each in self.types[name]:
            yield from self._typed(each["type"], above + each["name"])

    def _typed(self, kind: str, path: str) -> Wants:
        if kind.endswith("]"):
            count = yield path, kind
            for _ in range(count):
                yield from self._typed(kind[: kind.rindex("[")], path + ".[]")
        elif kind in self.types:
            yield from self._struct(kind, path + ".")
        else:
            yield path, kind
