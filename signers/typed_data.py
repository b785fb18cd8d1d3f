"""EIP-712 documents: their one text, and their hashes by eth-account."""

from __future__ import annotations

import json

from signers import eth


def canonical(document: str) -> str:
    """The document in one spelling: keys in their order, no spaces.

    Raises:
        ValueError: not JSON, not an object with exactly types, primaryType, domain and message; a float (EIP-712 has
            none), or a key given twice.
    """
    try:
        data = json.loads(document, object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float)
    except RecursionError:
        raise ValueError("typed data nested without end") from None
    if not isinstance(data, dict) or set(data) != {"types", "primaryType", "domain", "message"}:
        raise ValueError("typed data has types, primaryType, domain and message, and nothing else")
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def hashes(document: str) -> tuple[bytes, bytes]:
    """Domain separator and struct hash of the message.

    Raises:
        ValueError: the values do not fit the types.
    """
    eth.account()
    from eth_abi.exceptions import EncodingError  # noqa: PLC0415 -- loaded just now
    from eth_account.messages import encode_typed_data  # noqa: PLC0415 -- as above

    try:
        found = encode_typed_data(full_message=json.loads(document))
    except (ValueError, TypeError, LookupError, AttributeError, EncodingError) as error:
        raise ValueError(f"not typed data: {error}") from error
    return bytes(found.header), bytes(found.body)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _no_float(text: str) -> object:
    raise ValueError(f"{text} is no integer; EIP-712 has no fractions")
