"""Settings: precedence, every refusal with source, key, value and what is allowed, and nothing but ConfigError."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.config import tree
from app.config.load import flatten, is_tightening, load, to_toml, version_digest
from app.config.sources import RESERVED, variable
from app.config.values import Kind, canonical
from app.errors import ConfigError
from app.risk.model import Limits, Sizing


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "countersign.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(path: Path | None, env: Mapping[str, str] | None = None, flags: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, env or {}, flags or {})
    assert caught.value.exit_code == 2
    assert caught.value.next_step
    return caught.value.what


def test_the_defaults_are_the_contracts_own() -> None:
    loaded = load(None, {}, {})
    assert loaded.settings.risk.limits() == Limits()
    assert loaded.settings.sizing.sizing() == Sizing()
    assert set(loaded.sources.values()) == {"default"}
    assert loaded.settings.trade.slippage_bps == 50
    assert loaded.settings.modules["momentum"].allocation == 1000
    assert loaded.settings.risk.rates["USDC"] == 1


def _setting(name: str) -> str:
    return {"cool_down_ms": "cool_down_min", "error_window_ms": "error_window_min"}.get(name, name)


def test_every_limit_of_the_gate_can_be_set() -> None:
    names = {_setting(field.name) for field in dataclasses.fields(Limits)}
    assert names == {leaf.pattern[1] for leaf in tree.leaves() if leaf.pattern[0] == "risk"} - {"rates"}
    sizing = {leaf.pattern[1] for leaf in tree.leaves() if leaf.pattern[0] == "sizing"}
    assert sizing == {field.name for field in dataclasses.fields(Sizing)}


def test_every_setting_says_what_it_is_and_what_is_allowed() -> None:
    for leaf in tree.leaves():
        assert leaf.about, leaf
        assert leaf.allowed, leaf


def test_default_then_file_then_environment_then_flag_and_each_value_knows_its_source(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '[risk]\nposition = "20"\nexposure = "60"\ndaily_loss = "40.50"\n[risk.rates]\nLTC = "100"\n'
        '[market.instruments."ETH-BTC"]\ntick = "0.000001"\n',
    )
    env = {
        "COUNTERSIGN_RISK__EXPOSURE": "70",
        "countersign_risk__daily_loss": "41",
        "COUNTERSIGN_MARKET__INSTRUMENTS__ETH_BTC__LOT": "0.001",
        "COUNTERSIGN_MODULES__MOMENTUM__PARAMS__LOOKBACK": "20",
        "COUNTERSIGN_MODULES__MOMENTUM__INSTRUMENTS": "ETH-BTC, LTC-BTC",
        "COUNTERSIGN_PAPER__CASH__BTC": "2",
        "COUNTERSIGN_DB": "/x",
        "COUNTERSIGN_PROFILE": "live",
        "PATH": "/bin",
    }
    loaded = load(path, env, {"risk.daily_loss": "42", "modules.momentum.enabled": "false"})
    risk, momentum = loaded.settings.risk, loaded.settings.modules["momentum"]
    assert [risk.position, risk.exposure, risk.daily_loss] == [Decimal(20), Decimal(70), Decimal(42)]
    assert [risk.rates["LTC"], risk.rates["BTC"]] == [Decimal(100), Decimal(50_000)]
    assert loaded.settings.market.instruments["ETH-BTC"].tick == Decimal("0.000001")
    assert loaded.settings.market.instruments["ETH-BTC"].lot == Decimal("0.001")
    assert (momentum.enabled, momentum.instruments) == (False, ("ETH-BTC", "LTC-BTC"))
    assert momentum.params == {"lookback": 20}
    assert {key: source for key, source in loaded.sources.items() if source != "default"} == {
        "risk.position": str(path),
        "risk.exposure": "environment COUNTERSIGN_RISK__EXPOSURE",
        "risk.daily_loss": "command line",
        "risk.rates.LTC": str(path),
        "market.instruments.ETH-BTC.tick": str(path),
        "market.instruments.ETH-BTC.lot": "environment COUNTERSIGN_MARKET__INSTRUMENTS__ETH_BTC__LOT",
        "modules.momentum.enabled": "command line",
        "modules.momentum.instruments": "environment COUNTERSIGN_MODULES__MOMENTUM__INSTRUMENTS",
        "modules.momentum.params.lookback": "environment COUNTERSIGN_MODULES__MOMENTUM__PARAMS__LOOKBACK",
        "paper.cash.BTC": "environment COUNTERSIGN_PAPER__CASH__BTC",
    }
    assert set(loaded.sources) == set(flatten(loaded.settings))


BAD = [
    ("risk.position = 20", "risk.position", "20", 'write "20"'),
    ("risk.exposure = 123456789.123456789123", "risk.exposure", "123456789.123456789123", "lose digits"),
    ('risk.exposure = "-1"', "risk.exposure", '"-1"', "from 0 to 1000000000"),
    ('risk.exposure = "1e3"', "risk.exposure", '"1e3"', "quoted amount"),
    ('risk.exposure = "NaN"', "risk.exposure", '"NaN"', "quoted amount"),
    ('risk.exposure = "Infinity"', "risk.exposure", '"Infinity"', "quoted amount"),
    ('risk.exposure = "1_000"', "risk.exposure", '"1_000"', "quoted amount"),
    ('risk.exposure = " 1"', "risk.exposure", '" 1"', "quoted amount"),
    ('risk.exposure = "\u0661"', "risk.exposure", '"\u0661"', "quoted amount"),
    ('risk.exposure = ""', "risk.exposure", '""', "quoted amount"),
    ("risk.exposure = inf", "risk.exposure", "inf", "quoted"),
    ("risk.exposure = nan", "risk.exposure", "nan", "quoted"),
    ("risk.exposure = true", "risk.exposure", "true", "quoted amount"),
    ("risk.exposure = 0x" + "f" * 5000, "risk.exposure", "more than 40 digits", "quoted amount"),
    ('risk.exposure = ["1"]', "risk.exposure", "a list", "quoted amount"),
    ('risk.exposure = {a = "1"}', "risk.exposure", "a table", "quoted amount"),
    ("risk = 5", "risk", "5", "a table [risk]"),
    ("risk = []", "risk", "a list", "a table [risk]"),
    ('risk.open_positions = "5"', "risk.open_positions", '"5"', "a whole number from 0 to 1000"),
    ("risk.open_positions = 5.0", "risk.open_positions", "5.0", "a whole number from 0 to 1000"),
    ("risk.open_positions = true", "risk.open_positions", "true", "a whole number from 0 to 1000"),
    ("risk.open_positions = -1", "risk.open_positions", "-1", "a whole number from 0 to 1000"),
    ('trade.slippage_bps = "100.01"', "trade.slippage_bps", '"100.01"', "from 0 to 100"),
    ('risk.slippage_bps = "101"', "risk.slippage_bps", '"101"', "from 0 to 100"),
    ('sizing.kelly_fraction = "0"', "sizing.kelly_fraction", '"0"', "above 0 to 1"),
    ('risk.drawdown_pct = "101"', "risk.drawdown_pct", '"101"', "above 0 to 100"),
    ('profile = "real"', "profile", '"real"', 'not one of the choices; allowed: "paper", "testnet", "live"'),
    ('profile = "papr"', "profile", '"papr"', 'not one of the choices; allowed: "paper"'),
    ('signer.kind = "keyring"', "signer.kind", '"keyring"', "signer.hot.enabled is false"),
    ('signer.kind = "paper"', "signer.kind", '"paper"', 'not one of the choices; allowed: "auto", "ledger"'),
    ('signer.ledger = "http://a:1"', "signer.ledger", '"http://a:1"', 'such as "tcp://127.0.0.1:9999"'),
    ('signer.ledger = "tcp://a:99999"', "signer.ledger", '"tcp://a:99999"', 'such as "tcp://127.0.0.1:9999"'),
    ('signer.ledger = "tcp://a:1?model=abc"', "signer.ledger", '"tcp://a:1?model=[redacted]"', "model=flex"),
    ('signer.trezor = "udp:[::1]:1"', "signer.trezor", '"udp:[::1]:1"', 'such as "udp:127.0.0.1:21324"'),
    ('signer.trezor = "udp:a:99999"', "signer.trezor", '"udp:a:99999"', 'such as "udp:127.0.0.1:21324"'),
    ('signer.trezor = "udp:a"', "signer.trezor", '"udp:a"', 'such as "udp:127.0.0.1:21324"'),
    ("signer.evm_path = \"44'/60'\"", "signer.evm_path", "\"44'/60'\"", "such as \"m/44'/60'/0'/0/0\""),
    ('signer.evm_path = "m/44/60"', "signer.evm_path", '"m/44/60"', "such as \"m/44'/60'/0'/0/0\""),
    ("signer.deadline_s = 9", "signer.deadline_s", "9", "from 10 to 600"),
    ('market.source = "live"', "market.source", '"live"', 'not available in this version; allowed: "practice"'),
    ("market.speed = 2", "market.speed", "2", '"max" or'),
    ('market.speed = "0"', "market.speed", '"0"', '"max" or'),
    ('market.timeframe = "1 minute"', "market.timeframe", '"1 minute"', 'such as "1m"'),
    ('market.instruments.ETH-BTC.tick = "0"', "market.instruments.ETH-BTC.tick", '"0"', "above 0"),
    ('market.instruments."a b".tick = "1"', 'market.instruments."a b"', "<instrument>", "BASE-QUOTE"),
    ('paper.cash."../x" = "1"', 'paper.cash."../x"', "<asset>", "letters and digits"),
    ('paper.cash.BTC = "-0.1"', "paper.cash.BTC", '"-0.1"', "from 0"),
    ('risk.rates.BTC = "0"', "risk.rates.BTC", '"0"', "above 0"),
    (
        'sizing.method = "all in"',
        "sizing.method",
        '"all in"',
        '"fixed", "equity_percent", "volatility_target", "kelly"',
    ),
    ('modules.momentum.enabled = "yes"', "modules.momentum.enabled", '"yes"', "true or false"),
    ("modules.other.enabled = true", "modules.other.allocation", "0", "needs capital"),
    ('modules.momentum.allocation = "0"', "modules.momentum.allocation", '"0"', "needs capital"),
    ("modules.momentum.instruments = []", "modules.momentum.instruments", "a list", "empty"),
    ('modules.momentum.instruments = "ETH-BTC"', "modules.momentum.instruments", '"ETH-BTC"', "a list"),
    ('modules.momentum.instruments = ["*", 5]', "modules.momentum.instruments.1", "5", "a list"),
    ("modules.momentum.params.x = 2020-01-01", "modules.momentum.params.x", "2020-01-01", "a finite number"),
    ("modules.momentum.params.x = nan", "modules.momentum.params.x", "nan", "a finite number"),
    ("modules.momentum.params.x.y = 1", "modules.momentum.params.x", "a table", "a finite number"),
    ('log.level = "loud"', "log.level", '"loud"', '"debug", "info", "warning", "error"'),
    ('risk.positon = "10"', "risk.positon", '"10"', "is not a setting; the nearest is risk.position"),
    ('position = "10"', "position", '"10"', "is not a setting; the nearest is risk.position"),
    ("[bogus]", "bogus", "a table", "is not a setting"),
    ("[[bogus]]\nx = 1", "bogus", "a list", "is not a setting"),
    ('"\\u001b[31m\\u202e" = 1', '"\\x1b[31m\\u202e"', "1", "is not a setting"),
    ('log.level = "\\u001b[31m"', "log.level", '"\\x1b[31m"', "debug"),
]


@pytest.mark.parametrize(("text", "key", "value", "allowed"), BAD, ids=[text[:40] for text, *_ in BAD])
def test_a_bad_line_of_a_file_is_named_with_source_key_value_and_what_is_allowed(
    tmp_path: Path, text: str, key: str, value: str, allowed: str
) -> None:
    path = write(tmp_path, text)
    (line,) = refusal(path).splitlines()
    assert line.startswith(f"{path}: {key}")
    assert value in line
    assert allowed in line


BAD_ENV = [
    ("COUNTERSIGN_RISK__POSITION", "ten", ["risk.position", '"ten"', "quoted amount"]),
    ("COUNTERSIGN_RISK__OPEN_POSITIONS", "5.0", ["risk.open_positions", '"5.0"', "a whole number from 0 to 1000"]),
    ("COUNTERSIGN_RISK__OPEN_POSITIONS", "", ["risk.open_positions", '""', "a whole number"]),
    ("COUNTERSIGN_RISK_POSITION", "1", ["is not a setting; the nearest is COUNTERSIGN_RISK__POSITION"]),
    ("COUNTERSIGN_RISK__POSITON", "1", ["the nearest is COUNTERSIGN_RISK__POSITION"]),
    ("COUNTERSIGN_", "1", ["is not a setting"]),
    ("COUNTERSIGN_PROFIL", "1", ["is not a setting"]),
    ("countersign_zzz", "1", ["is not a setting"]),
    ("COUNTERSIGN_PAPER__CASH__", "1", ["is not a setting"]),
    ("COUNTERSIGN_MODULES__MOMENTUM__ENABLED", "yes", ["modules.momentum.enabled", '"yes"', "true or false"]),
    ("COUNTERSIGN_LOG__LEVEL", "INFO", ["log.level", '"INFO"', '"info"']),
]


@pytest.mark.parametrize(("name", "value", "parts"), BAD_ENV)
def test_a_bad_variable_is_named(name: str, value: str, parts: list[str]) -> None:
    (line,) = refusal(None, {name: value}).splitlines()
    assert line.startswith(f"environment {name}: ")
    assert all(part in line for part in parts)


def test_the_same_setting_by_two_variables_is_refused() -> None:
    line = refusal(None, {"COUNTERSIGN_RISK__POSITION": "1", "countersign_risk__position": "2"})
    assert "is set by environment COUNTERSIGN_RISK__POSITION too" in line


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("risk.position", "-1", 'risk.position = "-1": out of bounds; allowed: a quoted amount such as "1.5" from 0'),
        ("risk.positon", "1", "risk.positon: is not a setting; the nearest is risk.position"),
        ("risk", "1", "risk: is not a setting"),
        ("", "1", "is not a setting"),
        ("..", "1", "is not a setting"),
        ("market.instruments.ETH.tick", "1", "can not be the name of <instrument>; allowed: BASE-QUOTE"),
        ("modules.manual.allocation", "1", "can not be the name of <module>; allowed: lower-case"),
    ],
)
def test_a_bad_flag_is_named(key: str, value: str, part: str) -> None:
    (line,) = refusal(None, {}, {key: value}).splitlines()
    assert line.startswith("command line: ")
    assert part in line


def test_all_problems_of_all_sources_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, 'profile = "real"\n[risk]\nposition = 1\nexposure = 2.5\n')
    lines = refusal(path, {"COUNTERSIGN_X": "1", "COUNTERSIGN_LOG__LEVEL": "x"}, {"market.seed": "-1"}).splitlines()
    assert len(lines) == 6
    assert len(refusal(write(tmp_path, "\n".join(f"k{n} = 1" for n in range(5000)))).splitlines()) == 51


@pytest.mark.parametrize(
    ("text", "env", "flags"),
    [
        ('[risk]\napi_key = "hunter2"', {}, {}),
        ('[exchange.binance]\napiSecret = "hunter2"', {}, {}),
        ('[secrets]\nanything = "hunter2"', {}, {}),
        ('mnemonic = "hunter2"', {}, {}),
        ('seed_phrase = ["hunter2"]', {}, {}),
        ("", {"COUNTERSIGN_API_KEY": "hunter2"}, {}),
        ("", {"COUNTERSIGN_SIGNER__PRIVATE_KEY": "hunter2"}, {}),
        ("", {}, {"signer.private_key": "hunter2"}),
        ('password = "hunter2\n', {}, {}),
        ('risk.position = "' + "ab" * 32 + '"', {}, {}),
    ],
)
def test_a_secret_is_refused_and_never_repeated(
    tmp_path: Path, text: str, env: Mapping[str, str], flags: Mapping[str, str]
) -> None:
    what = refusal(write(tmp_path, text), env, flags)
    assert "hunter2" not in what
    assert "ab" * 32 not in what
    if "hunter2\n" not in text and "risk.position" not in text:
        assert "countersign secrets set" in what


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xef\xbb\xbf[risk]\n", "byte-order mark"),
        (b"[risk\n", "is not TOML: Expected ']' at the end of a table declaration (at line 1, column 6)"),
        (b'[risk]\nposition = "1"\nposition = "2"\n', "(at line 3"),
        (b"[risk]\n[risk]\n", "(at line 2"),
        (b"# \xe9\n", "is not UTF-8 text (line 1)"),
        (b"# ok\n\xff\xfe", "is not UTF-8 text (line 2)"),
        (b"\x00" * 64, "is not TOML"),
        (b"a = " + b"[" * 5000, "nested too deep"),
        (b"a = " + b"9" * 5000, "a number is too long"),
        (b".".join([b"a"] * 3000) + b" = 1", "more than 100 dots"),
        (b".".join([b"a"] * 100) + b" = 1", "nested deeper than any setting"),
        (b"#" * 10_000_000, "larger than a settings file"),
    ],
)
def test_a_file_that_is_no_settings_file_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    path = write(tmp_path, content)
    what = refusal(path)
    assert what.startswith(f"{path}: ")
    assert reason in what
    assert len(what) < 600


def test_an_absent_named_file_a_folder_a_pipe_and_a_dangling_default_are_refused(tmp_path: Path) -> None:
    assert "can not be read: No such file" in refusal(tmp_path / "absent.toml")
    assert "can not be read: Is a directory" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")
    assert "not a regular file" in refusal(Path("/dev/zero"))
    assert "null byte" in refusal(Path("a\0b"))
    default = tmp_path / "xdg" / "countersign" / "config.toml"
    assert load(None, {}, {}).path == default
    default.parent.mkdir(parents=True)
    default.symlink_to(tmp_path / "gone")
    assert "can not be read" in refusal(None)


def test_the_default_file_is_read_when_it_is_there(tmp_path: Path) -> None:
    default = tmp_path / "xdg" / "countersign" / "config.toml"
    default.parent.mkdir(parents=True)
    default.write_text('[risk]\nposition = "33"\n')
    assert load(None, {}, {}).settings.risk.position == 33


def test_settings_can_not_be_changed_after_loading() -> None:
    loaded = load(None, {}, {}).settings
    with pytest.raises(ValueError, match="frozen"):
        loaded.risk.position = Decimal(99)
    with pytest.raises(TypeError):
        loaded.risk.rates["BTC"] = Decimal(1)  # type: ignore[index]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(content=b"a." * 400_000 + b"a = 1")
@example(content=b"x = {" * 3000)
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
        st.lists(
            st.sampled_from(
                [
                    "[risk]",
                    "[",
                    "]",
                    "=",
                    '"',
                    "'",
                    "position",
                    ".",
                    "1",
                    "nan",
                    "\n",
                    "{",
                    "}",
                    ",",
                    "#",
                    "modules",
                    "\\u",
                    "-",
                    "[[",
                ]
            ),
            max_size=30,
        ).map(lambda parts: "".join(parts).encode()),
    )
)
def test_arbitrary_bytes_load_or_are_refused_by_config_error_only(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content)
    with contextlib.suppress(ConfigError):
        assert load(path, {}, {}).path == path


@settings(max_examples=100)
@given(env=st.dictionaries(st.text(max_size=30).map("COUNTERSIGN_".__add__), st.text(max_size=30), max_size=4))
def test_arbitrary_variables_are_refused_by_config_error_only(env: dict[str, str]) -> None:
    if {name[12:].upper() for name in env} <= RESERVED:
        load(None, env, {})
        return
    refusal(None, env)


def amounts(low: str, high: str) -> st.SearchStrategy[str]:
    return st.decimals(low, high, places=9, allow_nan=False).map(lambda value: format(value, "f"))


PARAMS = st.one_of(
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
FLAGS = st.fixed_dictionaries(
    {},
    optional={
        "market.seed": st.integers(0, 2**63 - 1).map(str),
        "market.speed": st.one_of(st.just("max"), amounts("0.000000001", "1000000")),
        "market.speed_waiting": st.one_of(st.just("max"), amounts("0.000000001", "1000000")),
        "market.instruments.ETH-BTC.tick": amounts("0.000000001", "100"),
        "market.instruments.1INCH-USDT-PERP.lot": amounts("0.000000001", "100"),
        "paper.cash.LTC": amounts("0", "1000000000"),
        "trade.slippage_bps": amounts("0", "100"),
        "risk.position": amounts("0", "1000000000"),
        "risk.trades_per_day": st.integers(0, 100_000).map(str),
        "risk.rates.XMR": amounts("0.000000001", "1000000000"),
        "sizing.method": st.sampled_from(["fixed", "equity_percent", "volatility_target", "kelly"]),
        "modules.momentum.enabled": st.sampled_from(["true", "false"]),
        "modules.my-own_2.allocation": amounts("0", "1000"),
        "modules.momentum.instruments": st.lists(
            st.sampled_from(["*", "ETH-BTC", "BTC-USDT-PERP"]), min_size=1, max_size=3
        ).map(",".join),
        "log.level": st.sampled_from(["debug", "error"]),
    },
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flags=FLAGS,
    params=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
            lambda name: "key" not in name and "p" not in name
        ),
        PARAMS | st.lists(PARAMS, max_size=3).map(tuple),
        max_size=3,
    ),
)
def test_any_settings_survive_toml_and_flags_unchanged(
    tmp_path: Path, flags: dict[str, str], params: dict[str, object]
) -> None:
    texts = {f"modules.momentum.params.{name}": canonical(Kind.FREE, value) for name, value in params.items()}
    loaded = load(None, {}, flags | texts).settings
    assert loaded.modules["momentum"].params == params
    by_file = load(write(tmp_path, to_toml(loaded)), {}, {}).settings
    by_flags = load(None, {}, flatten(loaded)).settings
    assert by_file == by_flags == loaded
    assert flatten(by_file) == flatten(loaded)
    assert version_digest(by_file) == version_digest(by_flags) == version_digest(loaded)


def test_the_digest_is_of_values_not_of_how_they_are_written(tmp_path: Path) -> None:
    one = load(write(tmp_path, '[risk]\nposition = "20.0"\n[log]\nlevel = "info"\n'), {}, {}).settings
    two = load(None, {"COUNTERSIGN_RISK__POSITION": "20"}, {}).settings
    assert version_digest(one) == version_digest(two)
    assert version_digest(one) != version_digest(load(None, {}, {}).settings)


def test_every_default_setting_has_a_variable_that_sets_it() -> None:
    flat = flatten(load(None, {}, {}).settings)
    env = {variable(key): text for key, text in flat.items() if key != "profile"}
    loaded = load(None, env, {})
    assert flatten(loaded.settings) == flat
    assert [key for key, source in loaded.sources.items() if source == "default"] == ["profile"]


@pytest.mark.parametrize(
    ("key", "old", "new", "tighter"),
    [
        ("risk.position", "10", "9.99", True),
        ("risk.position", "9", "10", False),
        ("risk.position", "10", "10", None),
        ("risk.cool_down_min", "60", "120", True),
        ("risk.cool_down_min", "60", "9", False),
        ("risk.daily_loss", "50", "100", False),
        ("risk.correlation", "0.8", "0.5", True),
        ("risk.error_window_min", "10", "20", True),
        ("risk.error_window_min", "10", "5", False),
        ("risk.adaptive", "true", "false", False),
        ("risk.adaptive", "false", "true", True),
        ("risk.rates.BTC", "50000", "60000", False),
        ("risk.rates.BTC", "50000", "40000", False),
        ("risk.rates.NEW", "", "5", False),
        ("trade.slippage_bps", "50", "100", False),
        ("trade.quote_age_ms", "10000", "9000", True),
        ("modules.momentum.allocation", "1000", "10", True),
        ("modules.new.allocation", "", "10", False),
        ("modules.new.allocation", "None", "10", False),
        ("signer.hot.enabled", "false", "true", False),
        ("signer.hot.enabled", "true", "false", True),
        ("signer.hot.per_trade", "10", "20", False),
        ("signer.hot.per_day", "50", "20", True),
        ("log.level", "info", "debug", None),
        ("market.seed", "7", "8", None),
    ],
)
def test_whether_a_change_tightens_a_limit(key: str, old: str, new: str, tighter: bool | None) -> None:
    assert is_tightening(old, new, key) is tighter


def test_every_limit_of_the_gate_has_a_direction() -> None:
    for leaf in tree.leaves():
        if leaf.pattern[0] in {"risk", "trade"}:
            assert is_tightening("1", "2", ".".join(leaf.pattern)) is not None, leaf


def test_importing_the_configuration_loads_no_pydantic() -> None:
    code = (
        "import sys, app.config.load; print([m for m in ('pydantic', 'tomlkit', 'platformdirs') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
