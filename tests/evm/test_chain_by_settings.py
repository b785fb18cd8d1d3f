"""`--chain` with a network of the settings. The truth is the command itself against anvil with Uniswap's contracts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.chain_plan import all_here, network_plan
from app.config.load import load
from app.engine.clock import WallClock
from app.errors import ConfigError, VenueError
from app.paths import venue_db
from app.venues.evm.nodes.pool import Nodes
from app.venues.evm.venue import EvmVenue
from tests.cli.harness import Cli, commands
from tests.evm.chain import LocalChain
from tests.evm.chain_settings import chain_toml
from tests.evm.conftest import StartChain
from tests.evm.rig import demo_address

KEY = "Zq7RkT3vXw9LmN5pBc2D"
"""As a provider's key in the path."""
RUN = ("run", "--headless", "--profile", "testnet", "--signer", "demo", "--for", "3", "--auto-confirm")


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    with commands(tmp_path / "home") as command:
        yield command


def written(cli: Cli, *tables: str) -> Path:
    path = cli.home / "countersign.toml"
    path.write_text("\n".join(tables), encoding="utf-8")
    return path


def held(db: Path, key: str) -> str:
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as connection:
        return str(connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0])


def test_a_network_of_the_settings_is_traded_on_and_remembered(cli: Cli, anvil: LocalChain) -> None:
    anvil.fund(demo_address())
    config = written(cli, chain_toml(anvil), chain_toml(anvil, "other"))
    done = cli(*RUN, "--chain", "mychain", "--config", config, "--db", cli.db)
    assert done.code == 0, done
    assert "TESTNET chain mychain: ETH-USDC, WBTC-USDC" in done.err
    assert held(cli.db, "source") == "chain:mychain:31337"
    assert '"ETH-USDC"' in held(cli.db, "instruments")
    again = ("--config", config, "--db", cli.db)
    cli.refused(*RUN, "--chain", "other", *again, code=3, says="holds a session on mychain (chain 31337), not on other")
    cli.refused(*RUN, "--chain", "anvil", *again, code=3, says="not on anvil.")
    stopped = cli("stop", "--emergency", *again)
    assert stopped.code == 0, stopped
    assert not venue_db(cli.db).exists(), "a chain's database is none of the paper venue's"
    flat = cli("stop", "--emergency", "--flatten", *again)
    assert flat.code == 1
    assert "NOT DONE: selling on mychain takes a signature" in flat.out


def test_nodes_of_another_chain_are_refused(cli: Cli, anvil: LocalChain, start_chain: StartChain) -> None:
    other = start_chain(chain_id=4242, deployed=False)
    for rpcs, quorum in (([other.url], None), ([anvil.url, other.url], 2)):
        config = written(cli, chain_toml(anvil, rpcs=rpcs, quorum=quorum))
        done = cli(*RUN, "--chain", "mychain", "--config", config, "--db", cli.db)
        assert done.code == 1, done
        assert f"mychain is chain 31337, and {other.url} is of chain 4242." in done.err, done
        assert "Correct chains.mychain.rpcs" in done.err, done


def test_doctor_asks_each_endpoint(cli: Cli, anvil: LocalChain, start_chain: StartChain) -> None:
    other = start_chain(chain_id=4242, deployed=False)
    bare = start_chain(deployed=False)
    config = written(cli, chain_toml(anvil, rpcs=[anvil.url, bare.url, other.url]), "[chains.base]\nconfirmations = 5")
    done = cli("doctor", "--config", config)
    lines = [line for line in done.out.splitlines() if "chain " in line]
    assert done.code == 1
    assert "ok    chain mychain mychain, chain 31337: 2 of 3 endpoints can be used, 2 must agree" in lines
    (first,) = [line for line in lines if anvil.url in line]
    assert "block" in first
    assert "nothing is at" not in first
    assert "does not have" not in first
    (second,) = [line for line in lines if bare.url in line]
    assert second.startswith("FAIL")
    assert "nothing is at wrapped ETH" in second
    assert all(f" {key}," in second for key in ("permit2", "dexes.uniswap-v2.universal_router"))
    (third,) = [line for line in lines if other.url in line]
    assert "4242, not 31337" in third
    assert any("chain base" in line and "set chains.base.rpcs" in line for line in lines)


def test_doctor_says_what_a_dead_endpoint_is(cli: Cli, anvil: LocalChain) -> None:
    config = written(cli, chain_toml(anvil, rpcs=[anvil.url]))
    anvil.stop()
    done = cli("doctor", "--config", config)
    assert done.code == 1
    assert "0 of 1 endpoints can be used" in done.out
    assert anvil.url in done.out


async def test_an_endpoint_of_the_keyring_shows_no_key(
    tmp_path: Path, anvil: LocalChain, start_chain: StartChain, caplog: pytest.LogCaptureFixture
) -> None:
    other = start_chain(chain_id=4242, deployed=False)
    path = tmp_path / "c.toml"
    path.write_text('profile = "testnet"\n' + chain_toml(anvil, rpcs=["secret:mine"]), encoding="utf-8")
    loaded = load(path, {}, {})
    plan = network_plan(loaded.settings, "mychain", {"mine": f"{other.url}/v2/{KEY}"}.__getitem__)
    assert plan.chain is not None
    assert plan.nodes is not None
    assert all_here(plan)
    assert KEY in plan.nodes.nodes[0].url
    assert KEY not in repr(plan)
    nodes = Nodes(plan.nodes, WallClock())
    venue = EvmVenue(plan.chain, nodes, (), demo_address(), WallClock(), lambda _: None)
    with pytest.raises(VenueError) as caught:
        await venue.connect()
    await venue.close()
    told = f"{caught.value} {nodes.snapshot()} {caplog.text}"
    assert KEY not in told
    with pytest.raises(ConfigError) as refused:
        network_plan(loaded.settings, "mychain", {"mine": f"ftp://elsewhere.example/{KEY}"}.__getitem__)
    assert "chains.mychain.rpcs, secret:mine" in str(refused.value)
    assert KEY not in str(refused.value)
