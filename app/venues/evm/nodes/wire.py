"""JSON-RPC 2.0 as bytes, read strictly: what a node says is untrusted. No I/O."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NoReturn

from app.text import escape_untrusted
from app.venues.evm.nodes.faults import Fault

_MOST_MESSAGE: Final = 300
_MOST_DATA: Final = 64 * 1024
"""Bytes of a revert that are kept."""


class Unreadable(Exception):
    """A reply that is none, and which fault that is."""

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(fault)
        self.fault, self.detail = fault, detail

    @classmethod
    def shape(cls, detail: str) -> Unreadable:
        """JSON-RPC, but not the thing that was asked for."""
        return cls(Fault.WRONG_SHAPE, detail)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error of a reply.

    Attributes:
        message: escaped and cut.
        data: revert bytes, where there are some.
    """

    code: int
    message: str
    data: bytes


def request(number: int, method: str, params: Sequence[Any]) -> bytes:
    """The bytes of one request."""
    body = {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()


def document(body: bytes) -> Any:
    """JSON of a node. Fractions become `Decimal`; NaN and its like are not JSON.

    Raises:
        Unreadable: not JSON.
    """
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        start = escape_untrusted(body[:40].decode("utf-8", "replace"))
        raise Unreadable(Fault.NOT_JSON, f"it begins {start!r}" if body else "it is empty") from None


def reply(body: bytes, number: int) -> tuple[Any, Refusal | None]:
    """The result, or the node's error, of the reply to request `number`.

    An ``error`` of null beside a result, and a ``result`` of null beside an error, are taken as absent: gateways
    write both.

    Raises:
        Unreadable: not exactly one reply to that request.
    """
    found = document(body)
    if not isinstance(found, dict) or found.get("jsonrpc") != "2.0":
        raise Unreadable(Fault.NOT_RPC)
    error = found.get("error")
    their = found.get("id")
    # A node that could not read our id answers null, with an error. It is no answer to a request that was well formed.
    if type(their) is not int or their != number:
        raise Unreadable(Fault.WRONG_ID)
    if error is None:
        if "result" not in found:
            raise Unreadable(Fault.NOT_RPC, "neither result nor error")
        return found["result"], None
    if found.get("result") is not None:
        raise Unreadable(Fault.NOT_RPC, "result and error")
    return None, _refusal(error)


def _refusal(error: object) -> Refusal:
    if not isinstance(error, dict) or type(error.get("code")) is not int or not isinstance(error.get("message"), str):
        raise Unreadable(Fault.NOT_RPC, "an error without code and message")
    return Refusal(error["code"], escape_untrusted(error["message"], _MOST_MESSAGE), _revert(error.get("data")))


def _revert(data: object) -> bytes:
    """Revert bytes, as clients write them: text, text after "Reverted ", or within an object."""
    if isinstance(data, dict):
        data = data.get("data")
    if not isinstance(data, str):
        return b""
    text = data.removeprefix("Reverted ")
    if not text.startswith("0x") or len(text) > 2 * _MOST_DATA + 2:
        return b""
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        return b""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def quantity(value: object) -> int:
    """A quantity as nodes write it, ``0x1f``.

    Raises:
        Unreadable: it is none, or has more than 256 bits.
    """
    if not isinstance(value, str) or not value.startswith("0x") or not 3 <= len(value) <= 66:
        raise Unreadable.shape("no quantity")
    try:
        return int(value[2:].encode("ascii"), 16) if value[2:].isalnum() else _bad("no quantity")
    except ValueError:
        return _bad("no quantity")


def octets(value: object, size: int) -> bytes:
    """`size` bytes as nodes write them.

    Raises:
        Unreadable: they are not.
    """
    if not isinstance(value, str) or not value.startswith("0x") or len(value) != 2 + 2 * size:
        raise Unreadable.shape(f"not {size} bytes")
    try:
        found = bytes.fromhex(value[2:])
    except ValueError:
        return _bad(f"not {size} bytes")
    return found if len(found) == size else _bad(f"not {size} bytes")


def _bad(detail: str) -> NoReturn:
    raise Unreadable.shape(detail)
