"""Which fields of typed data a Ledger shows, under which names and how: filters signed by Ledger for a contract and the
types of a document, read from `eip712_v2.json` of the npm package that holds the token descriptors too.

Source: app-ethereum's ethapp.adoc ("Provide EIP 712 filtering"), filtering.c, schema_hash.c; hw-app-eth. No exchange
with filters was recorded. That a filter's signature is Ledger's is checked here over what the app hashes.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from signers.ledger.apdu import encode
from signers.ledger.descriptors import Descriptors, Missing, genuine, read_json
from signers.ledger.eip712 import Document, Value

_FILTER: Final = 0x1E
_ACTIVATE: Final = 0x00
_ABSENT_PATH: Final = 0x01
_MESSAGE_INFO: Final = 0x0F
_INFO_MAGIC: Final = 183
_MOST_FILTERS: Final = 50
_MOST_NAME: Final = 100
"""Bytes of a name: more would not fit one command with the signature."""
_FILE: Final = "eip712_v2.json"

IN_DOMAIN: Final = 0xFF
"""In place of a token's index: the token is the contract itself (ERC-2612)."""
ACTIVATE: Final = encode(_FILTER, 0, _ACTIVATE)


class Format(Enum):
    """How a field is shown: its name in the package, its P2 and the first byte of what is signed for it."""

    RAW = "raw", 0xFF, 72
    DATETIME = "datetime", 0xFC, 33
    TOKEN = "token", 0xFD, 11
    AMOUNT = "amount", 0xFE, 22

    @property
    def p2(self) -> int:
        """Of the command."""
        return self.value[1]

    @property
    def magic(self) -> int:
        """Keeps a signature for one format from being one for another."""
        return self.value[2]


_FORMATS: Final = {each.value[0]: each for each in Format}


@dataclass(frozen=True, slots=True)
class Filter:
    """One field: its `path` (as in `eip712.Value`), the name it is shown under ("" keeps its own), and for a token and
    its amount the index that joins the two."""

    path: str
    label: str
    format: Format
    index: int
    signature: bytes

    def command(self, *, absent: bool = False) -> bytes:
        """Right before the value; `absent` after `absent_path`, where an array is empty."""
        named = bytes([len(self.label)]) + self.label.encode("ascii")
        index = bytes([self.index])
        data = {Format.TOKEN: index, Format.AMOUNT: named + index}.get(self.format, named)
        return encode(_FILTER, int(absent), self.format.p2, data + _sized(self.signature))

    def absent_path(self) -> bytes:
        """Says that the field lies in an array that is empty."""
        return encode(_FILTER, 0, _ABSENT_PATH, _sized(self.path.encode()))

    def signed(self, head: bytes) -> bytes:
        """What Ledger signed. `head`: chain id, contract and schema hash."""
        label = b"" if self.format is Format.TOKEN else self.label.encode("ascii")
        index = bytes([self.index]) if self.format in {Format.TOKEN, Format.AMOUNT} else b""
        return bytes([self.format.magic]) + head + self.path.encode() + label + index


@dataclass(frozen=True, slots=True)
class FilterSet:
    """The filters of one kind of document. `name`: what the device calls the contract, or what is done with it."""

    name: str
    signature: bytes
    fields: tuple[Filter, ...]

    def info_command(self) -> bytes:
        """After the domain's values, before the message's."""
        named = bytes([len(self.name)]) + self.name.encode("ascii")
        return encode(_FILTER, 0, _MESSAGE_INFO, named + bytes([len(self.fields)]) + _sized(self.signature))

    def signed(self, head: bytes) -> bytes:
        """What Ledger signed for the name and the number of filters."""
        return bytes([_INFO_MAGIC]) + head + bytes([len(self.fields)]) + self.name.encode("ascii")


@dataclass(frozen=True, slots=True)
class Domain:
    """What a document is looked up by, as the device reads it from the same values."""

    chain_id: int
    contract: bytes
    schema: bytes

    @property
    def key(self) -> str:
        """Of the package's file."""
        return f"{self.chain_id}:0x{self.contract.hex()}:{self.schema.hex()}"

    @property
    def head(self) -> bytes:
        """What every signature covers first."""
        return struct.pack(">Q", self.chain_id) + self.contract + self.schema


def schema_hash(document: Document) -> bytes:
    """SHA-224 of the types as JSON without spaces, sorted by name: the device computes it over what it is told."""
    types = {
        name: [{"name": each["name"], "type": each["type"]} for each in fields]
        for name, fields in sorted(document.types.items())
    }
    return hashlib.sha224(json.dumps(types, separators=(",", ":"), ensure_ascii=False).encode()).digest()


def domain_of(document: Document) -> Domain:
    """Read it from the domain's values.

    Raises:
        Missing: it names no chain or no contract.
    """
    found = {each.name: each.data for each in document.domain if isinstance(each, Value)}
    chain_id, contract = found.get("chainId"), found.get("verifyingContract")
    if chain_id is None or contract is None or len(chain_id) > 8:
        raise Missing("Without a chain and a contract in its domain no filters of Ledger's can be for it.")
    return Domain(int.from_bytes(chain_id), contract, schema_hash(document))


class Filters:
    """Reads the package's file when it is first needed and keeps it.

    Args:
        tokens: what tokens are called, from the same package.
    """

    def __init__(self, tokens: Descriptors) -> None:
        self.tokens = tokens
        self._sets: dict[str, Any] | Missing | None = None
        self._doubted: set[str] = set()

    def find(self, domain: Domain) -> FilterSet:
        """The filters for documents of this domain and these types.

        Raises:
            Missing: there are none, or they are broken, not Ledger's, or a device would not take them.
        """
        if self._sets is None:
            self._sets = self._read()
        if isinstance(self._sets, Missing):
            raise self._sets
        if domain.key not in self._sets:
            raise Missing("Ledger signed no filters for it.")
        if domain.key in self._doubted:
            raise Missing("The device did not take Ledger's filters for it.")
        found = _filter_set(self._sets[domain.key])
        signed = [(found.signed(domain.head), found.signature)]
        signed += [(each.signed(domain.head), each.signature) for each in found.fields]
        if not all(genuine(*each) for each in signed):
            raise Missing("The filters for it are not signed by Ledger.")
        return found

    def doubt(self, domain: Domain) -> None:
        """The device did not take them: from now on `find` says so instead of giving them again."""
        self._doubted.add(domain.key)

    def _read(self) -> dict[str, Any] | Missing:
        try:
            found = read_json(self.tokens.folder, _FILE, f"There is no file of filters ({_FILE}).")
        except Missing as missing:
            return missing
        return found if isinstance(found, dict) else Missing(f"{_FILE} can not be read.")


def _sized(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def _filter_set(found: Any) -> FilterSet:
    """From the package's form: ``contractName`` with ``label`` and ``signature``, ``fields`` with ``path``, ``format``,
    ``label``, ``signature`` (hex) and, for tokens and amounts, ``coin_ref``."""
    try:
        name = found["contractName"]
        fields = tuple(_filter(each) for each in found["fields"])
        result = FilterSet(_name(name["label"]), bytes.fromhex(name["signature"]), fields)
        for each in fields:
            each.command(), each.absent_path()
        result.info_command()
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Missing("The filters for it are broken.") from error
    if len({each.path for each in fields}) != len(fields) or len(fields) > _MOST_FILTERS:
        raise Missing("The filters for it are broken.")
    return result


def _filter(found: Any) -> Filter:
    style = _FORMATS[found["format"]]
    index = found["coin_ref"] if style in {Format.TOKEN, Format.AMOUNT} else 0
    if type(index) is not int or not 0 <= index <= IN_DOMAIN or (style is Format.AMOUNT and not found["label"]):
        raise ValueError("not a filter")
    return Filter(str(found["path"]), _name(found["label"]), style, index, bytes.fromhex(found["signature"]))


def _name(text: str) -> str:
    if not text.isascii() or len(text) > _MOST_NAME or any(not each.isprintable() for each in text):
        raise ValueError("not a name")
    return text
