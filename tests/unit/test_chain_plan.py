"""Ticks, lots and what a profile trades on: the rules alone. That sessions run by them is shown in tests/evm."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chain_plan import (
    all_here,
    check_profile,
    find,
    instruments_of,
    lot_of,
    network_plan,
    practice_plan,
    tick_of,
)
from app.config.load import load
from app.config.schema import Settings
from app.errors import ConfigError, SafetyError
from app.venues.evm.private.way import Fallback, PrivateKind, PrivateWay

LOCAL = '[chains.sepolia]\nrpcs = ["http://127.0.0.1:1", "http://[::1]:2"]\nws = ["", "ws://localhost:3"]'


def settings(folder: Path, text: str = "", flags: Mapping[str, str] | None = None) -> Settings:
    path = folder / "c.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, {}, {"profile": "testnet", **(flags or {})}).settings


def no_secret(name: str) -> str:
    raise AssertionError(name)


@pytest.mark.parametrize(
    ("price", "decimals", "tick"),
    [
        ("2500", 6, "0.000001"),
        ("0.00001", 6, "0.00000000000001"),
        ("0.0000000000000001", 6, "0.000000000000000001"),
        ("50000", 18, "0.00001"),
        (None, 6, "0.000001"),
        (None, 18, "0.000000000001"),
        (None, 0, "1"),
    ],
)
def test_ticks(price: str | None, decimals: int, tick: str) -> None:
    assert tick_of(None if price is None else Decimal(price), decimals) == Decimal(tick)


@given(st.decimals("0.000000000000000001", "1e20", places=18), st.integers(0, 36))
def test_a_tick_is_small_beside_its_price(price: Decimal, decimals: int) -> None:
    tick = tick_of(price, decimals)
    assert tick >= Decimal("1e-18")
    assert tick <= price / 10**8 or tick == Decimal("1e-18")
    assert tick == Decimal(1).scaleb(tick.adjusted())


@pytest.mark.parametrize(
    ("decimals", "lot"), [(18, "0.000001"), (8, "0.000001"), (6, "0.000001"), (2, "0.01"), (0, "1")]
)
def test_lots(decimals: int, lot: str) -> None:
    assert lot_of(decimals) == Decimal(lot)


def test_the_practice_market_is_as_it_was(tmp_path: Path) -> None:
    plan = practice_plan(settings(tmp_path))
    assert plan.source.source_id == "chain:anvil"
    assert {(i.symbol, i.tick, i.lot) for i in plan.source.instruments} == {
        ("ETH-USDC", Decimal("0.000001"), Decimal("0.000001")),
        ("WETH-USDC", Decimal("0.000001"), Decimal("0.000001")),
        ("WBTC-USDC", Decimal("0.000001"), Decimal("0.000001")),
        ("PUP-WETH", Decimal("0.000000000001"), Decimal("0.000001")),
    }


def test_settings_say_otherwise(tmp_path: Path) -> None:
    flags = {"market.instruments.ETH-USDC.tick": "0.01", "market.instruments.ETH-USDC.lot": "0.5"}
    made = settings(tmp_path, LOCAL, flags)
    (instrument,) = instruments_of(made, find(made, "sepolia"))
    assert (instrument.tick, instrument.lot) == (Decimal("0.01"), Decimal("0.5"))
    flags["market.instruments.ETH-USDC.lot"] = "0.0000000000000000001"
    made = settings(tmp_path, LOCAL, flags)
    with pytest.raises(ConfigError, match=r"market.instruments.ETH-USDC.lot: the lot has more decimals than ETH"):
        instruments_of(made, find(made, "sepolia"))


def test_endpoints_become_nodes(tmp_path: Path) -> None:
    plan = network_plan(settings(tmp_path, LOCAL + "\nquorum = 1\nrequests_per_s = 5"), "sepolia", no_secret)
    assert plan.nodes is not None
    assert plan.chain is not None
    assert plan.source.source_id == "chain:sepolia:11155111"
    assert [(node.url, node.ws_url) for node in plan.nodes.nodes] == [
        ("http://127.0.0.1:1", ""),
        ("http://[::1]:2", "ws://localhost:3"),
    ]
    assert plan.chain.rpcs == ("http://127.0.0.1:1", "http://[::1]:2")
    assert (plan.nodes.chain_id, plan.nodes.needed, plan.nodes.nodes[0].requests_per_s) == (11155111, 1, 5)
    assert all_here(plan)


@pytest.mark.parametrize(
    "more", ['rpcs = ["https://a.example"]', 'rpcs = ["http://127.0.0.1:1"]\nws = ["wss://a.example"]']
)
def test_one_endpoint_elsewhere_is_elsewhere(tmp_path: Path, more: str) -> None:
    assert not all_here(network_plan(settings(tmp_path, f"[chains.sepolia]\n{more}"), "sepolia", no_secret))


def test_what_a_secret_holds_decides_where_it_is(tmp_path: Path) -> None:
    made = settings(tmp_path, '[chains.sepolia]\nrpcs = ["secret:a"]')
    assert all_here(network_plan(made, "sepolia", {"a": "http://127.0.0.1:1/key"}.__getitem__))
    assert not all_here(network_plan(made, "sepolia", {"a": "https://a.example/key"}.__getitem__))
    with pytest.raises(ConfigError, match="is not encrypted"):
        network_plan(made, "sepolia", {"a": "http://a.example/key"}.__getitem__)


def test_a_private_way_is_read_with_its_secrets(tmp_path: Path) -> None:
    made = settings(tmp_path, f'{LOCAL}\nprivate.url = "secret:way"\nprivate.blocks = 7')
    plan = network_plan(made, "sepolia", {"way": "https://rpc-sepolia.flashbots.net/?hint=hash"}.__getitem__)
    assert plan.chain is not None
    assert plan.chain.private == PrivateWay(
        "https://rpc-sepolia.flashbots.net/?hint=hash",
        PrivateKind.RPC,
        7,
        Fallback.ASK,  # nothing is published by itself unless the trader has said so
        "https://protect-sepolia.flashbots.net/tx",
    )
    assert not all_here(plan), "what is signed leaves this machine"
    here = network_plan(made, "sepolia", {"way": "http://127.0.0.1:9"}.__getitem__)
    assert here.chain is not None
    assert here.chain.private is not None
    assert here.chain.private.status == ""
    assert all_here(here)
    with pytest.raises(ConfigError, match="is not encrypted"):
        network_plan(made, "sepolia", {"way": "http://a.example"}.__getitem__)
    with pytest.raises(ConfigError, match=r"private\.url is one of rpcs too"):
        network_plan(made, "sepolia", {"way": "http://127.0.0.1:1"}.__getitem__)
    plain = network_plan(settings(tmp_path, LOCAL), "sepolia", no_secret)
    assert plain.chain is not None
    assert plain.chain.private is None


def test_two_secrets_of_one_endpoint_are_one(tmp_path: Path) -> None:
    made = settings(tmp_path, '[chains.sepolia]\nrpcs = ["secret:a", "secret:b"]')
    with pytest.raises(ConfigError, match="agree with itself"):
        network_plan(made, "sepolia", lambda _: "https://a.example/key")


def test_profiles_keep_to_their_networks(tmp_path: Path) -> None:
    made = settings(tmp_path, LOCAL + '\n[chains.base]\nrpcs = ["https://a.example"]')
    with pytest.raises(SafetyError, match=r"Base \(chain 8453\) is a main network.*test networks alone") as caught:
        network_plan(made, "base", no_secret)
    assert caught.value.exit_code == 3
    check_profile("testnet", find(made, "sepolia"))
    with pytest.raises(SafetyError, match="is a test network: not for the live profile"):
        check_profile("live", find(made, "sepolia"))
    check_profile("live", find(made, "base"))
