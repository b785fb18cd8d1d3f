"""One node asked in JSON-RPC, and contracts asked by the text of their signature. Synchronous: the practice chain's
process has nothing else to do meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_abi.grammar import BasicType, TupleType, parse
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from app.practice.chain.parts import Artifact, ChainFault

GAS: Final = 12_000_000
"""Of every transaction: below the cap of 2^24 for one (EIP-7825), and no estimate has to be asked for."""
_ANSWER_S: Final = 60


class NodeRefused(ChainFault):
    """The node answered with an error.

    Attributes:
        code: the JSON-RPC code.
        data: revert bytes, where there are some.
    """

    def __init__(self, method: str, code: int, message: str, data: bytes) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.code, self.message, self.data = code, message, data


class Reverted(ChainFault):
    """A transaction was mined and failed."""


def hex_of(address: bytes) -> str:
    """EIP-55 text."""
    return str(to_checksum_address(address))


def split(signature: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """``name(types)(returns)`` as name, argument types and result types; the last pair of brackets may be left out."""
    name, _, rest = signature.partition("(")
    depth, end = 1, 0
    while depth:
        depth += {"(": 1, ")": -1}.get(rest[end], 0)
        end += 1
    return name, _types("(" + rest[:end]), _types(rest[end:] or "()")


def _types(text: str) -> tuple[str, ...]:
    if text == "()":
        return ()
    parsed = parse(text)
    assert isinstance(parsed, TupleType), text
    return tuple(each.to_type_str() for each in parsed.components)


def calldata(signature: str, args: Sequence[Any]) -> bytes:
    """Selector and arguments. Addresses may be 20 bytes or text."""
    name, types, _ = split(signature)
    return bytes(keccak(f"{name}({','.join(types)})".encode())[:4]) + bytes(encode(types, args))


def results(signature: str, data: bytes) -> Any:
    """What the function returned: the one value, a tuple of several, or None. Addresses are 20 bytes.

    Raises:
        ChainFault: it is not of that form.
    """
    types = split(signature)[2]
    try:
        values = tuple(_plain(parse(each), value) for each, value in zip(types, decode(types, data), strict=True))
    except (DecodingError, ValueError, OverflowError) as error:  # a ValueError is text that is no UTF-8
        raise ChainFault(f"{signature} answered {len(data)} bytes of another form") from error
    return values if len(values) != 1 else values[0]


def _plain(kind: BasicType | TupleType, value: Any) -> Any:
    """eth_abi gives addresses as text."""
    if kind.is_array:
        return tuple(_plain(kind.item_type, each) for each in value)
    if isinstance(kind, TupleType):
        return tuple(_plain(part, each) for part, each in zip(kind.components, value, strict=True))
    return bytes.fromhex(value[2:]) if kind.base == "address" else value


def constructor(artifact: Artifact, args: Sequence[Any]) -> bytes:
    """Creation code with its arguments."""
    inputs = next((each["inputs"] for each in artifact.abi if each["type"] == "constructor"), ())
    return artifact.code + bytes(encode([_type_of(each) for each in inputs], args))


def _type_of(argument: Any) -> str:
    kind: str = argument["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type_of(each) for each in argument['components'])}){kind.removeprefix('tuple')}"


class Node:
    """One node; every amount is wei or base units, every address 20 bytes. Not for several threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        where = urlsplit(url)
        self._connection = HTTPConnection(where.hostname or "", where.port, timeout=_ANSWER_S)

    def close(self) -> None:
        """The connection is closed; a later call opens another."""
        self._connection.close()

    def rpc(self, method: str, *params: Any) -> Any:
        """One call.

        Raises:
            NodeRefused: an error was answered.
            ChainFault: nothing was.
        """
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        try:
            self._connection.request("POST", "/", body, {"content-type": "application/json"})
            answer = json.loads(self._connection.getresponse().read())
        except (OSError, HTTPException, ValueError) as error:
            self._connection.close()
            raise ChainFault(f"the node at {self.url} does not answer {method}: {error}") from error
        if "error" in answer:
            said = answer["error"]
            data = said.get("data")
            data = bytes.fromhex(data[2:]) if isinstance(data, str) and data.startswith("0x") else b""
            raise NodeRefused(method, said["code"], said["message"], data)
        return answer["result"]

    def number(self, method: str, *params: Any) -> int:
        """A call that answers a quantity."""
        return int(self.rpc(method, *params), 16)

    def accounts(self) -> list[bytes]:
        """The node's own accounts, which need no signature."""
        return [bytes.fromhex(each[2:]) for each in self.rpc("eth_accounts")]

    def call(
        self, to: bytes, signature: str, *args: Any, sender: bytes | None = None, value: int = 0, block: str = "latest"
    ) -> Any:
        """What a function answers; see `results`.

        Raises:
            NodeRefused: it reverted.
        """
        request = self._request(sender, to, value, calldata(signature, args))
        return results(signature, bytes.fromhex(self.rpc("eth_call", request, block)[2:]))

    def post(self, sender: bytes, to: bytes | None, data: bytes = b"", value: int = 0, **fields: str) -> str:
        """Send from an account that needs no signature, and do not wait; its hash. `fields` go into the request."""
        return str(self.rpc("eth_sendTransaction", {**self._request(sender, to, value, data), **fields}))

    def transact(self, sender: bytes, to: bytes, signature: str, *args: Any, value: int = 0) -> dict[str, Any]:
        """Have a function run in a transaction, mined at once; its receipt.

        Raises:
            Reverted: it failed.
        """
        return self._mined(self._request(sender, to, value, calldata(signature, args)), signature)

    def pay(self, sender: bytes, to: bytes, value: int) -> dict[str, Any]:
        """Send the chain's own coin, mined at once."""
        return self._mined(self._request(sender, to, value, b""), "payment")

    def create(self, sender: bytes, code: bytes) -> bytes:
        """Address of a contract made by this creation code, mined at once.

        Raises:
            Reverted: its constructor failed.
        """
        return bytes.fromhex(self._mined(self._request(sender, None, 0, code), "creation")["contractAddress"][2:])

    def _mined(self, request: dict[str, str], what: str) -> dict[str, Any]:
        receipt: dict[str, Any] = self.rpc("eth_sendTransactionSync", request)
        if int(receipt["status"], 16) != 1:
            raise Reverted(f"{what} of {request.get('to', 'a new contract')} failed: {self._why(request)}")
        return receipt

    def _why(self, request: dict[str, str]) -> str:
        try:
            self.rpc("eth_call", request, "latest")
        except NodeRefused as refused:
            return refused.message
        return "it would work now"

    @staticmethod
    def _request(sender: bytes | None, to: bytes | None, value: int, data: bytes) -> dict[str, str]:
        request = {"gas": hex(GAS), "value": hex(value), "data": f"0x{data.hex()}"}
        if sender is not None:
            request["from"] = hex_of(sender)
        if to is not None:
            request["to"] = hex_of(to)
        return request
