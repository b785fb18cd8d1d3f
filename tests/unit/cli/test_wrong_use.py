"""Wrong words on the command line: exit 2, what is wrong on stderr, one document with ``--json``, nothing left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.harness import one_document
from tests.unit.cli.conftest import Call

WRONG_USE = {
    "unknown command": (("fly",), "invalid choice"),
    "unknown option": (("status", "--fly"), "--fly"),
    "unknown option before": (("--fly", "status"), "--fly"),
    "abbreviated option": (("run", "--head"), "--head"),
    "abbreviated global": (("status", "--jso"), "--jso"),
    "abbreviated command": (("stat",), "invalid choice"),
    "a word too many": (("status", "now"), "now"),
    "no command and no terminal": ((), "headless"),
    "a screen's document": (("--json",), "--headless"),
    "a screen for a while": (("run", "--for", "3"), "--headless"),
    "a screen that confirms by itself": (("run", "--auto-confirm"), "--headless"),
    "limit below 0": (("orders", "--limit", "-1"), "--limit"),
    "limit no number": (("orders", "--limit", "ten"), "--limit"),
    "limit huge": (("orders", "--limit", "9" * 30), "--limit"),
    "limit longer than int() reads": (("orders", "--limit", "9" * 5000), "--limit"),
    "limit with underscore": (("orders", "--limit", "1_0"), "--limit"),
    "limit in other digits": (("orders", "--limit", "\u0663"), "--limit"),
    "limit a fraction": (("orders", "--limit", "1.5"), "--limit"),
    "offset below 0": (("journal", "--offset", "-5"), "--offset"),
    "db without a name": (("status", "--db"), "--db"),
    "db empty": (("status", "--db", ""), "--db"),
    "config empty": (("config", "--config="), "--config"),
    "profile unknown": (("status", "--profile", "moon"), "moon"),
    "profile a path": (("status", "--profile", "../../etc/passwd"), "profile"),
    "no terminal": (("run",), "--headless"),
    "speed 0": (("run", "--headless", "--speed", "0"), "--speed 0"),
    "speed below 0": (("run", "--headless", "--speed", "-1"), "--speed -1"),
    "speed word": (("run", "--headless", "--speed", "fast"), "--speed fast"),
    "speed nan": (("run", "--headless", "--speed", "nan"), "--speed nan"),
    "speed inf": (("run", "--headless", "--speed", "inf"), "--speed inf"),
    "speed huge": (("run", "--headless", "--speed", "1e400"), "--speed 1e400"),
    "speed empty": (("run", "--headless", "--speed", ""), "--speed"),
    "for below 0": (("run", "--headless", "--for", "-1"), "--for -1"),
    "for 0": (("run", "--headless", "--for", "0"), "--for 0"),
    "for nan": (("run", "--headless", "--for", "nan"), "--for nan"),
    "for inf": (("run", "--headless", "--for", "inf"), "--for inf"),
    "for in other digits": (("run", "--headless", "--for", "\u0663"), "--for"),
    "for with underscore": (("run", "--headless", "--for", "1_0"), "--for 1_0"),
    "for with exponent": (("run", "--headless", "--for", "1e1"), "--for 1e1"),
    "for with blanks": (("run", "--headless", "--for", " 1 "), "--for"),
    "instrument without replay": (("run", "--headless", "--for", "1", "--instrument", "A-B"), "--replay"),
    "timeframe without replay": (("run", "--headless", "--for", "1", "--timeframe", "5m"), "market.timeframe"),
    "amount of 200 digits": (("run", "--headless", "--set", f"risk.position={'9' * 200}"), "at most 30 digits"),
    "seed of 200 digits": (("run", "--headless", "--for", "1", "--seed", "9" * 200), "more than 40 digits"),
    "for word": (("run", "--headless", "--for", "ever"), "--for ever"),
    "signer unknown": (("run", "--headless", "--signer", "paper"), "--signer"),
    "market unknown": (("run", "--headless", "--market", "live"), "--market"),
    "seed word": (("run", "--headless", "--seed", "luck"), "seed"),
    "seed below 0": (("run", "--headless", "--seed", "-1"), "seed"),
    "set without =": (("run", "--headless", "--set", "risk.position"), "KEY=VALUE"),
    "set without key": (("run", "--headless", "--set", "=3"), "KEY=VALUE"),
    "set unknown key": (("run", "--headless", "--set", "risk.postion=3"), "risk.position"),
    "set bad value": (("run", "--headless", "--set", "risk.position=much"), "risk.position"),
    "set negative": (("run", "--headless", "--set", "risk.position=-1"), "risk.position"),
    "replay missing": (("run", "--headless", "--replay", "absent.csv"), "absent.csv"),
    "replay empty name": (("run", "--headless", "--replay", ""), "--replay"),
    "config missing": (("config", "--config", "absent.toml"), "absent.toml"),
    "config word too many": (("config", "check", "risk"), "check"),
    "config set half": (("config", "set", "risk.position"), "config set"),
    "config show unknown": (("config", "show", "risk.luck"), "risk.luck"),
    "flatten without emergency": (("stop", "--flatten"), "--emergency"),
    "stop both": (("stop", "--emergency", "--reset"), "not allowed"),
    "errors ack nothing": (("errors", "ack"), "errors ack 3"),
    "errors ack word": (("errors", "ack", "three"), "errors ack 3"),
    "errors ack superscript": (("errors", "ack", "\u00b2"), "errors ack 3"),
    "errors ack long": (("errors", "ack", "9" * 5000), "errors ack 3"),
    "errors list ID": (("errors", "list", "3"), "ack"),
    "secrets nothing": (("secrets",), "required"),
    "secrets set nobody": (("secrets", "set"), "secrets set"),
    "confirm nothing": (("confirm",), "ID"),
    "backup nothing": (("backup",), "FILE"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_USE)
def test_wrong_use_ends_with_2_and_says_what_is_wrong(call: Call, tmp_path: Path, name: str) -> None:
    arguments, says = WRONG_USE[name]
    result = call(*arguments, "--json")
    assert result.code == 2, result
    assert says in result.err, result
    document = one_document(result.out)
    assert document["schema"] == "countersign.error/1"
    assert document["exit_code"] == 2
    assert not (tmp_path / "data").exists(), "wrong use leaves nothing behind"


def test_without_json_an_error_is_on_stderr_alone(call: Call) -> None:
    for arguments in (("orders", "--limit", "ten"), (), ("confirm", "abcd"), ("status", "--db", "")):
        result = call(*arguments)
        assert result.code == 2
        assert result.out == ""
        assert result.err


def test_a_secret_on_the_command_line_is_refused_and_not_repeated(call: Call) -> None:
    for arguments in (
        ("secrets", "set", "kraken.api", "hunter2"),
        ("--json", "secrets", "rotate", "kraken.api", "hunter2"),
    ):
        result = call(*arguments)
        assert result.code == 2
        assert "hunter2" not in result.err + result.out
        assert "takes no value on the command line" in result.err


def test_help_names_every_command_and_global_option(call: Call) -> None:
    text = call("--help").out
    for word in ("run", "confirm", "stop", "backup", "--db", "--config", "--profile", "--json", "Exit codes"):
        assert word in text
    for command in ("run", "stop", "orders", "config"):
        result = call(command, "--help")
        assert (result.code, result.err) == (0, "")
        assert "--db FILE" in result.out


def test_the_profiles_are_those_of_the_settings() -> None:
    from typing import get_args  # noqa: PLC0415 -- pydantic with the schema

    from app.cli.context import PROFILES  # noqa: PLC0415 -- same
    from app.config.schema import Settings  # noqa: PLC0415 -- same

    assert get_args(Settings.model_fields["profile"].annotation) == PROFILES


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("paper_AAA-USDT_1m.csv", b"", "paper_AAA-USDT_1m.csv"),
        ("paper_AAA-USDT_1m.csv", b"timestamp_ms,open,high,low,close,volume\n", "paper_AAA-USDT_1m.csv"),
        ("paper_AAA-USDT_1m.csv", b"hello\nworld\n", "paper_AAA-USDT_1m.csv"),
        ("paper_AAA-USDT_1m.csv", bytes(range(256)) * 40, "paper_AAA-USDT_1m.csv"),
        ("paper_AAA-USDT_1m.csv.gz", b"\x1f\x8b\x08\x00truncated", "paper_AAA-USDT_1m.csv.gz"),
        ("paper_AAA-USDT_1m.csv.gz", b"not gzip at all", "paper_AAA-USDT_1m.csv.gz"),
        ("paper_AAA-USDT_1m.parquet", b"PAR1junk", "paper_AAA-USDT_1m.parquet"),
        ("prices.csv", b"timestamp_ms,open,high,low,close,volume\n1600000000000,1,1,1,1,1\n", "--instrument"),
        ("photo.png", b"\x89PNG", "photo.png"),
    ],
)
def test_a_file_that_is_no_recording(call: Call, tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    result = call("run", "--headless", "--db", "a.db", "--replay", name)
    assert result.code == 2
    assert says in result.err
    assert result.out == ""
    assert not (tmp_path / "a.db").exists()
