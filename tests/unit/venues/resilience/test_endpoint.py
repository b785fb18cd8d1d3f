"""What is shown of a URL, and which may be used. The keys below have the shapes that providers give out."""

from __future__ import annotations

import pytest

from app.errors import ConfigError
from app.venues.resilience.endpoint import check_url, is_loopback, scrub, shown

KEY = "a8f5f167f44f4964e6c998dee827110c"
KEYED = [
    (f"https://mainnet.infura.io/v3/{KEY}", "https://mainnet.infura.io"),
    (f"https://eth-mainnet.g.alchemy.com/v2/{KEY}?x={KEY}", "https://eth-mainnet.g.alchemy.com"),
    (f"https://user:{KEY}@node.example.org:8545/", "https://node.example.org:8545"),
    (f"https://{KEY}@node.example.org", "https://node.example.org"),
    (f"https://{KEY}.eth.rpc.rivet.cloud/", "https://[redacted].eth.rpc.rivet.cloud"),
    (f"wss://rpc.example.org/ws#{KEY}", "wss://rpc.example.org"),
    (f"https://[::1]:1/{KEY}", "https://[::1]:1"),
    (f"https://{KEY}:{KEY}:{KEY}", "[redacted]"),
    (KEY, "[redacted]"),
]


@pytest.mark.parametrize(("url", "expected"), KEYED)
def test_no_key_is_shown(url: str, expected: str) -> None:
    assert shown(url) == expected
    assert KEY not in shown(url)


@pytest.mark.parametrize("url", [url for url, _ in KEYED[:6]])
def test_a_key_that_the_node_echoes_is_taken_out_of_its_words(url: str) -> None:
    said = scrub(f"project id {KEY} is over its limit", url)
    assert KEY not in said
    assert "is over its limit" in said


@pytest.mark.parametrize("url", [url for url, _ in KEYED])
def test_no_key_is_in_the_error_about_a_url(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^nodes\[1\]\.url") as caught:
        check_url(url, ("ftp",), secure_only=True, setting="nodes[1].url")
    assert KEY not in str(caught.value)


def test_plain_http_is_refused_beyond_this_machine() -> None:
    for url in ("http://127.0.0.1:8545", "http://[::1]:8545", "http://localhost:1/x", "https://node.example.org"):
        check_url(url, ("https", "http"), secure_only=True, setting="url")
    for url in (
        "http://node.example.org",
        "http://10.0.0.5:8545",
        "http://127.0.0.1.example.org",
        "http://localhost.io",
    ):
        with pytest.raises(ConfigError, match="not encrypted"):
            check_url(url, ("https", "http"), secure_only=True, setting="url")
        check_url(url, ("https", "http"), secure_only=False, setting="url")


@pytest.mark.parametrize(
    "url", ["", "node", "ftp://x", "https://", "https://x:port", "https://x y", "https://x\n", "//x"]
)
def test_what_is_no_url_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^nodes\[2\]\.url: .*Allowed: https://, http://"):
        check_url(url, ("https", "http"), secure_only=True, setting="nodes[2].url")


def test_loopback() -> None:
    assert is_loopback("ws://127.0.0.7:1")
    assert not is_loopback("ws://128.0.0.1")
    assert not is_loopback("http://[")
