"""EIP-712 documents as trezorlib takes them. It fails in the middle of the dialogue on what it can not encode, with a
question on the device's screen, so every value is tried before the device is asked."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from signers import typed_data
from signers.payloads import TypedData

_DOMAIN: Final = {
    "name": "string",
    "version": "string",
    "chainId": "uint256",
    "verifyingContract": "address",
    "salt": "bytes32",
}
_ARRAY: Final = re.compile(r"(?P<of>.+)\[(?P<size>[0-9]*)\]")
_INT: Final = re.compile(r"u?int[0-9]+")
_MOST_ITEMS: Final = 65_535
_DEEPEST: Final = 16


def as_library_takes_it(payload: TypedData) -> dict[str, Any]:
    """A new document, with the domain's type named and whole numbers as such.

    Raises:
        ValueError: it can not be put so; `problem` says why in words.
    """
    data = payload.data
    types = data["types"]
    if "EIP712Domain" not in types:
        types["EIP712Domain"] = [{"name": k, "type": v} for k, v in _DOMAIN.items() if k in data["domain"]]
    data["domain"] = _value(data["domain"], "EIP712Domain", types, 0)
    data["message"] = _value(data["message"], data["primaryType"], types, 0)
    if typed_data.hashes(json.dumps(data)) != (payload.domain_hash, payload.message_hash):
        raise ValueError("it would mean something else in the form that the device takes")
    return data


def problem(payload: TypedData) -> str:
    """Why a Trezor that shows typed data can not sign this; "" when it can."""
    try:
        as_library_takes_it(payload)
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, NotImplementedError) as error:
        said = str(error) if isinstance(error, ValueError) else type(error).__name__
        return f"A Trezor can not take this typed data: {said}."
    return ""


def _value(value: Any, kind: str, types: dict[str, Any], depth: int) -> Any:
    from trezorlib.ethereum import encode_data  # noqa: PLC0415 -- only with a device of this maker

    if depth > _DEEPEST:
        raise ValueError(f"structures deeper than {_DEEPEST}")
    if array := _ARRAY.fullmatch(kind):
        return _items(value, array, types, depth)
    if kind in types:
        named = [(each["name"], each["type"]) for each in types[kind]]
        if not isinstance(value, dict) or set(value) != {name for name, _ in named}:
            raise ValueError(f"{kind} must have each of its fields and no other")
        return {name: _value(value[name], of, types, depth + 1) for name, of in named}
    if _INT.fullmatch(kind):
        value = _integer(value)
    elif re.fullmatch("bytes[0-9]+", kind) and len(bytes.fromhex(value.removeprefix("0x"))) != int(kind[5:]):
        raise ValueError(f"a {kind} of another length")
    encode_data(value, kind)
    return value


def _items(value: Any, array: re.Match[str], types: dict[str, Any], depth: int) -> list[Any]:
    if _ARRAY.fullmatch(array["of"]):
        raise ValueError("arrays of arrays")
    if not isinstance(value, list) or len(value) > _MOST_ITEMS or (array["size"] and len(value) != int(array["size"])):
        raise ValueError("an array of another length")
    return [_value(each, array["of"], types, depth + 1) for each in value]


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a number that is none")  # noqa: TRY004 -- one kind of error for a document that does not fit
    return value if isinstance(value, int) else int(value, 16 if value.lower().startswith("0x") else 10)
