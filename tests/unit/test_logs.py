"""Logs: no secret reaches the file, no failure reaches the caller, no terminal trick survives."""

from __future__ import annotations

import base64
import json
import logging
import os
import stat
import string
import subprocess
import sys
import tempfile
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app import logs
from app.engine.clock import MarketClock
from app.redact import REDACTED, looks_secret, redact_text, redact_value
from app.text import csv_guard, escape_untrusted

PHRASE_12 = "legal winner thank year wave sausage worth useful legal winner thank yellow"
PHRASE_24 = " ".join(["letter advice cage absurd amount doctor acoustic avoid"] * 3)
PHRASE_ES = "ábaco abdomen abeja abierto abogado abono aborto abrazo abrir abuelo abuso acabar"

HEX = st.text("0123456789abcdefABCDEF", min_size=64, max_size=64)
BASE58 = st.text("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", min_size=87, max_size=88)
TOKEN = st.text(string.ascii_letters + string.digits + "_-", min_size=24, max_size=40).filter(
    lambda text: any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
)
PLANTED = st.one_of(
    HEX.map(lambda key: (key, key)),
    HEX.map(lambda key: (key, f"0x{key}")),
    BASE58.map(lambda key: (key, key)),
    st.binary(min_size=32, max_size=32).map(lambda key: (base64.b64encode(key).decode(),) * 2),
    st.binary(min_size=64, max_size=64).map(lambda key: (base64.urlsafe_b64encode(key).decode(),) * 2),
    st.binary(min_size=32, max_size=64).map(lambda key: (repr(key)[2:-1], repr(key))),
    st.sampled_from([PHRASE_12, PHRASE_24, PHRASE_ES]).map(lambda phrase: (phrase, phrase)),
    st.just(PHRASE_12).map(lambda phrase: (phrase.upper(), phrase.upper())),
    TOKEN.map(lambda token: (token, f"api_key={token}")),
    TOKEN.map(lambda token: (token, f'{{"apiSecret": "{token}"}}')),
    TOKEN.map(lambda token: (token, f"Authorization: Bearer {token}")),
    TOKEN.map(lambda token: (token, f"bearer {token}")),
    TOKEN.map(lambda token: (token, f"https://trader:{token}@rpc.example.org/x")),
    TOKEN.map(lambda token: (token, f"wss://rpc.example.org/ws?apikey={token}&symbol=BTCUSDT")),
    TOKEN.map(lambda token: (token, f"https://mainnet.example.org/v3/{token}")),
)
NOISE = st.text(max_size=40)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    logs.close()


def raised(text: str) -> ValueError:
    """An error with a traceback."""
    try:
        int("x" + text)
    except ValueError as error:
        return error
    raise AssertionError


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


@settings(max_examples=100)
@given(planted=PLANTED, before=NOISE, after=NOISE, place=st.integers(0, 6))
def test_no_planted_secret_survives_in_the_file(planted: tuple[str, str], before: str, after: str, place: int) -> None:
    secret, carrier = planted
    assume(secret not in before + after)
    text = f"{before} {carrier} {after}"
    with tempfile.TemporaryDirectory() as folder:
        path = logs.configure(Path(folder), "debug")
        log = logs.get("app.test")
        error = raised(text)
        actions: list[Callable[[], None]] = [
            lambda: log.info("event", note=text),
            lambda: log.info(text),
            lambda: log.bind(note=[{"deep": (text,)}]).warning("event"),
            lambda: log.info("event", table={text: 1}),
            lambda: log.error("event", error=error),
            lambda: logging.getLogger("vendor").warning("said %s", text),
            lambda: logging.getLogger("vendor").error("said", exc_info=error, extra={"body": text}),
        ]
        actions[place]()
        logs.close()
        written = path.read_text()
    assert written
    assert secret not in json.dumps([json.loads(line) for line in written.splitlines()], ensure_ascii=False)


@pytest.mark.parametrize(
    "name", ["api_key", "apiSecret", "APIKey", "password", "private-key", "seed_phrase", "mnemonic"]
)
def test_a_field_with_a_secret_name_is_redacted_whatever_it_holds(name: str) -> None:
    assert looks_secret(name)
    for value in ("short", 7, ["a"], {"b": 1}, b"raw"):
        assert redact_value({name: value}) == {name: REDACTED}


@pytest.mark.parametrize("name", ["seed", "token", "key", "intent_id", "authorisation", "symbol", "WIF", "passed"])
def test_ordinary_names_are_not_secret(name: str) -> None:
    assert not looks_secret(name)


def test_a_hash_survives_only_in_a_field_that_says_so() -> None:
    digest = "ab" * 32
    assert redact_value({"intents_sha256": digest, "tx_hash": f"0x{digest}", "note": digest}) == {
        "intents_sha256": digest,
        "tx_hash": f"0x{digest}",
        "note": REDACTED,
    }
    assert redact_value({"tx_hash": f"{digest} and more"}) == {"tx_hash": f"{REDACTED} and more"}


@pytest.mark.parametrize(
    "text",
    [
        "quote of ETH-BTC is 12345 ms old, limit 10000 ms: no new entry while it is like this, so we wait, ask again",
        "https://api.example.org/api/v3/depth?symbol=ETHBTC&limit=100",
        "position 10.00000001 ETH at 0.0812, order 3f2a9c0d4e5b6a7f3f2a9c0d4e5b6a7f",
        "2018-01-20T04:53:00Z 1516424000000 0x52908400098527886E0F7030069857D2E4169EE7",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize("value", [int("ab" * 32, 16), list(range(64)), bytes(range(32)), bytearray(32)])
def test_keys_that_are_not_text_are_redacted_too(value: object) -> None:
    shown = str(redact_value({"note": value}))
    assert str(value) not in shown
    assert len(shown) < 40


@pytest.mark.parametrize(
    "piece", ["a", "1,", "key=\\", '"', "://", "/a1", "0x", "eyJ", "abandon ", "key ", "\x1b", "\u0301"]
)
def test_no_text_makes_redaction_slow(piece: str) -> None:
    # Quadratic behaviour on 100 kB would take minutes; hypothesis' deadline-free bound is the test's own time-out.
    redact_text(escape_untrusted(piece * (100_000 // len(piece))))


def test_the_file_is_json_lines_0600_with_market_time_and_level(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "log"
    path = logs.configure(folder, "info", clock=MarketClock(1_516_424_000_000))
    log = logs.get("app.engine").bind(module="momentum")
    log.debug("not.written")
    log.info("order.sent", event="field", level=3, quantity="1.5", nan=float("nan"))
    assert records(path) == [
        {
            "ts_ms": 1_516_424_000_000,
            "level": "info",
            "logger": "app.engine",
            "event": "order.sent",
            "module": "momentum",
            "event_": "field",
            "level_": 3,
            "quantity": "1.5",
            "nan": "nan",
        }
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_before_configure_a_log_call_does_nothing_and_loads_nothing() -> None:
    code = "import sys; from app import logs; logs.get('app.x').info('a'); sys.exit('structlog' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_other_libraries_are_heard_from_warnings_up(tmp_path: Path) -> None:
    path = logs.configure(tmp_path, "debug")
    logging.getLogger("ccxt").info("request body")
    logging.getLogger("ccxt").warning("slow")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old call", UserWarning, stacklevel=1)
    events = [str(record["event"]) for record in records(path)]
    assert events[0] == "slow"
    assert "old call" in events[1]
    assert len(events) == 2


def test_rotation_keeps_every_file_bounded_and_private(tmp_path: Path) -> None:
    path = logs.configure(tmp_path, "info", max_bytes=2_000, backups=2)
    for number in range(60):
        logs.get("app.x").info("tick", number=number, pad="p" * 100)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [path.name, f"{path.name}.1", f"{path.name}.2"]
    assert all(file.stat().st_size < 2_300 and stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert records(path)[-1]["number"] == 59


def test_a_long_value_is_cut_and_says_so(tmp_path: Path) -> None:
    path = logs.configure(tmp_path)
    logs.get("app.x").info("big", body="x " * 50_000, huge="y " * 500_000)
    (record,) = records(path)
    assert str(record["body"]).endswith("... (91808 more)")
    assert record["huge"] == "[1000000 characters dropped]"


class Hostile:
    """Its text can not be had."""

    def __str__(self) -> str:
        raise RuntimeError("api_key=planted")


def test_a_field_that_can_not_be_shown_never_raises_and_is_counted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = logs.configure(tmp_path)
    log = logs.get("app.x")
    log.info("a", value=Hostile())
    log.info("b", value=Hostile())
    log.info("c")
    assert [(record["event"], record.get("lost")) for record in records(path)] == [("c", None), ("log.dropped", 2)]
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert "planted" not in error


def test_a_full_disk_drops_says_it_once_and_recovers_without_a_torn_line(tmp_path: Path) -> None:
    code = f"""
import resource, signal
from pathlib import Path
from app import logs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
logs.configure(Path({str(tmp_path)!r}))
log = logs.get("app.x")
log.info("first")
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
for number in range(20):
    log.info("lost", number=number, pad="- " * 50)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
log.info("last")
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.count("\n") == 1
    assert "log records are being dropped" in done.stderr
    events = records(tmp_path / "countersign.jsonl")
    assert [event["event"] for event in events] == ["first", "last", "log.dropped"]
    assert events[-1]["lost"] == 20


@pytest.mark.parametrize("obstacle", ["folder", "link", "pipe", "parent is a file"])
def test_a_place_that_can_not_be_written_never_raises(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], obstacle: str
) -> None:
    folder = tmp_path / "log"
    path = folder / "countersign.jsonl"
    if obstacle == "parent is a file":
        folder.write_text("x")
    else:
        folder.mkdir()
    if obstacle == "folder":
        path.mkdir()
    elif obstacle == "link":
        (tmp_path / "elsewhere").write_text("keep")
        path.symlink_to(tmp_path / "elsewhere")
    elif obstacle == "pipe":
        os.mkfifo(path)
    logs.configure(folder)
    logs.get("app.x").info("a")
    logs.get("app.x").info("b")
    assert capfd.readouterr().err.count("\n") == 1
    if obstacle == "link":
        assert (tmp_path / "elsewhere").read_text() == "keep"


@given(text=st.text())
def test_escaped_text_is_one_harmless_line_and_escaping_again_changes_nothing(text: str) -> None:
    shown = escape_untrusted(text)
    assert escape_untrusted(shown) == shown
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in shown)
    assert escape_untrusted(text, 10).startswith(shown[:10])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\r\nb\tc", "a\\x0d\\x0ab\\x09c"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("USDC\u200b", "USDC\\u200b"),
        ("U\u00a0S", "U\\xa0S"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("é ü 日本 ✓", "é ü 日本 ✓"),
        ("\u3164", "\\u3164"),
        ("e" + "\u0301" * 3, "e\u0301\u0301\\u0301"),
    ],
)
def test_what_a_terminal_obeys_or_hides_is_written_out(text: str, shown: str) -> None:
    assert escape_untrusted(text) == shown


@pytest.mark.parametrize("cell", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", " =1", "|calc", "＝1", "-"])  # noqa: RUF001
def test_a_formula_is_made_inert(cell: str) -> None:
    assert csv_guard(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-5.25", "10", "ETH-BTC", "", "a=b"])
def test_amounts_and_words_keep_their_form(cell: str) -> None:
    assert csv_guard(cell) == cell
