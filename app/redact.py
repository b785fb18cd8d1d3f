"""Secrets taken out of text and values on their way to a file or a screen.

Two nets, because each has holes: names (a field called ``api_key``) and shapes (64 hex digits, a recovery phrase). In
free text every shape is taken out, harmless hashes included: a log that hides a hash costs a look into the journal, a
log that shows a key costs the account. A hash survives only as the whole value of a field whose name says hash,
signature or id.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

REDACTED: Final = "[redacted]"

_SENSITIVE = (
    r"(?:api|secret|private|priv|signing|encryption|access|account)[_\-. ]?keys?|apisecret|secrets?|pass[_\-. ]?phrase"
    r"|pass(?:word|wd|code)s?|pwd|mnemonics?|(?:seed|recovery|backup)[_\-. ]?(?:phrase|words?)|keystore|xprv"
    r"|(?:api|access|auth|bot|refresh|session|id|bearer|csrf)[_\-. ]?tokens?|credentials?|set-cookie|pin[_\-]?code"
)
_SECRET_NAME = re.compile(rf"(?:^|[^a-z])(?:{_SENSITIVE})(?:$|[^a-z])|^(?:authorization|cookie|x-mbx-apikey)$")
# "secretKey" and "APIKey" are read as "secret_key" and "api_key".
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_PUBLIC_NAME = re.compile(r"(?:^|_)(?:hash|sha256|digest|head|prev|root|signature|sig|id|ids|txid|tx|address)$")
_PUBLIC_VALUE = re.compile(r"(?:0x)?[0-9a-fA-F]{64,132}")


@lru_cache(maxsize=4096)
def looks_secret(name: str) -> bool:
    """True where a field or setting of this name holds a secret: ``api_key``, ``clientSecret``, ``seed phrase``."""
    return _SECRET_NAME.search(_HUMP.sub("_", name).lower()) is not None


_URL = re.compile(r"\b([a-z][a-z0-9+.\-]{1,20}://)([^\s\"'<>]+)", re.IGNORECASE)
_URL_PARTS = re.compile(r"([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
# Infura, Alchemy, QuickNode and others carry the key as a path segment.
_PATH_KEY = re.compile(r"(?<=/)(?=[A-Za-z_\-]*\d)(?=[\d_\-]*[A-Za-z])[A-Za-z0-9_\-]{20,}")
_QUERY_SAFE = frozenset(
    {"symbol", "symbols", "instrument", "market", "limit", "offset", "interval", "since", "from", "to", "start", "end"}
)

_VALUE = r"(?:\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?|\[redacted\]|[^\s,;&)}\]\"']+)"


@dataclass(frozen=True, slots=True)
class _Shape:
    """`hints`: lower-case pieces one of which must be there; asking for them first saves 9/10 of the time."""

    pattern: re.Pattern[str]
    replacement: str = REDACTED
    hints: tuple[str, ...] = ()


_SHAPES = (
    _Shape(
        re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*-----|\Z)", re.DOTALL),
    ),
    _Shape(  # a header runs to the end of its line: "Authorization: Digest a=..., b=..."
        re.compile(r"\b((?:proxy-)?authorization|cookie|set-cookie)([\"']?\s*[:=]\s*)[^\r\n]+", re.IGNORECASE),
        r"\1\2[redacted]",
        ("authorization", "cookie"),
    ),
    _Shape(
        re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=\-]{6,}", re.IGNORECASE),
        r"\1 [redacted]",
        ("bearer", "basic"),
    ),
    _Shape(  # camel case too: the separators inside the words are optional
        re.compile(rf"((?:{_SENSITIVE})[\w\-]*[\"']?\s*(?:=>|:=|[:=])\s*){_VALUE}", re.IGNORECASE),
        r"\1[redacted]",
        (
            "key",
            "secret",
            "pass",
            "pwd",
            "mnemonic",
            "phrase",
            "word",
            "xprv",
            "token",
            "credential",
            "cookie",
            "pin",
        ),
    ),
    _Shape(re.compile(r"(?:0x)?[0-9a-fA-F]{64,}")),
    # Base58 runs: Solana secret keys (87, 88), extended private keys (111), WIF (51, 52).
    _Shape(re.compile(r"[1-9A-HJ-NP-Za-km-z]{80,}|\b[5KL9c][1-9A-HJ-NP-Za-km-z]{50,51}\b")),
    _Shape(re.compile(r"\beyJ[\w\-]{8,}\.[\w\-]+\.[\w\-]*")),  # JSON web token
    _Shape(re.compile(r"\b\d{8,10}:[\w\-]{35}")),  # Telegram bot token
    # A key or seed as base64 (32 and 64 bytes), and any bytes as Python writes them.
    _Shape(re.compile(r"(?<![\w+/\-])(?:[\w+/\-]{43}=|[\w+/\-]{86}==)(?!=)", re.ASCII), hints=("=",)),
    _Shape(re.compile(r"\bb(?:'(?:\\.|[^'\\\n]){16,}'?|\"(?:\\.|[^\"\\\n]){16,}\"?)"), hints=("b'", 'b"')),
    # A key as a list of byte values (Solana's id.json, a printed bytearray).
    _Shape(re.compile(r"(?:\b\d{1,3}\s*,\s*){31,}\d{1,3}\b")),
)

_WORD = re.compile(r"[^\W\d_]+")
_PHRASE_WORDS = 12
_MAX_TEXT = 262_144
"""Longer text is not searched but dropped whole: a half-searched text could show half a secret."""
_MAX_DEPTH = 8
# Names and numbers, most of what is logged: no shape fits so few characters without one of these marks.
_SHORT = 33
_WORDS_ONLY = re.compile(r"(?!eyJ)[\w.\-]*")


def redact_text(text: str) -> str:
    """`text` without what looks like a secret. Idempotent in effect: what it took out stays out."""
    if len(text) > _MAX_TEXT:
        return f"[{len(text)} characters dropped]"
    if len(text) < _SHORT and _WORDS_ONLY.fullmatch(text):
        return text
    if "://" in text:
        text = _URL.sub(_redact_url, text)
    lowered = text.lower()
    for shape in _SHAPES:
        if not shape.hints or any(hint in lowered for hint in shape.hints):
            text = shape.pattern.sub(shape.replacement, text)
    return _redact_phrases(text)


def redact_value(value: object, name: str = "", depth: int = 0) -> object:
    """`value` of field `name` as something JSON can hold, without secrets; nested values to a depth of 8."""
    if name and looks_secret(name):
        return REDACTED
    if isinstance(value, str):
        public = _PUBLIC_NAME.search(name) and _PUBLIC_VALUE.fullmatch(value)
        return value if public else redact_text(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        # An int can be a private key; nothing else here has 60 digits.
        return REDACTED if abs(value) >= 10**60 else value
    return _redact_nested(value, name, depth)


def _redact_nested(value: object, name: str, depth: int) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if depth >= _MAX_DEPTH:
        return "[too deep]"
    if isinstance(value, Mapping):
        return {redact_text(str(key)): redact_value(item, str(key), depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        if len(value) >= 32 and all(isinstance(item, int) for item in value):
            return REDACTED
        return [redact_value(item, name, depth + 1) for item in value]
    return redact_text(str(value))


def _redact_url(match: re.Match[str]) -> str:
    parts = _URL_PARTS.fullmatch(match[2])
    assert parts is not None  # every group is optional
    host, path, query, fragment = parts[1], parts[2], parts[3] or "", parts[4] or ""
    if "@" in host:
        host = f"{REDACTED}@{host.rsplit('@', 1)[1]}"
    if query:
        query = "?" + "&".join(_redact_parameter(item) for item in query[1:].split("&"))
    return f"{match[1]}{host}{_PATH_KEY.sub(REDACTED, path)}{query}{'#' + REDACTED if fragment else ''}"


def _redact_parameter(item: str) -> str:
    name, sign, _ = item.partition("=")
    if not sign:
        return REDACTED
    return item if name.lower() in _QUERY_SAFE else f"{name}={REDACTED}"


def _redact_phrases(text: str) -> str:
    """Runs of 12 and more recovery words (BIP-39 in every language, SLIP-39), whatever stands between them."""
    if len(text) < 3 * _PHRASE_WORDS:
        return text
    known = _recovery_words()
    spans: list[tuple[int, int]] = []
    start = end = count = 0
    for match in _WORD.finditer(text):
        word = match[0]
        if (word.lower() if word.isascii() else unicodedata.normalize("NFC", word).casefold()) in known:
            start = start if count else match.start()
            end = match.end()
            count += 1
            continue
        if count >= _PHRASE_WORDS:
            spans.append((start, end))
        count = 0
    if count >= _PHRASE_WORDS:
        spans.append((start, end))
    for begin, stop in reversed(spans):
        text = f"{text[:begin]}{REDACTED}{text[stop:]}"
    return text


@lru_cache(maxsize=1)
def _recovery_words() -> frozenset[str]:
    # The vendors' own lists: without them any plain sentence of twelve short words would be hidden.
    from mnemonic import Mnemonic  # noqa: PLC0415 -- 15 ms, and only a process that logs needs it
    from shamir_mnemonic.wordlist import WORDLIST  # type: ignore[import-untyped] # noqa: PLC0415 -- same reason

    words = {word for language in Mnemonic.list_languages() for word in Mnemonic(language).wordlist}
    return frozenset(unicodedata.normalize("NFC", word).casefold() for word in (*words, *WORDLIST))
