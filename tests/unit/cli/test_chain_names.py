"""`run --chain` with what can not be traded on: words that name what there is and what to set; nothing is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Call

RUN = ("run", "--headless", "--profile", "testnet")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(
        '[chains.sepolia]\nrpcs = ["https://a.example"]\n[chains.base]\nrpcs = ["https://b.example"]\n'
        '[chains.op-sepolia]\nrpcs = ["secret:nowhere"]\n[chains.op-sepolia.dexes.one]\nkind = "v2"\nfee_bps = 30\n'
        'factory = "0x6982508145454Ce325dDbE47a25d4ec3d2311933"\n'
        'router = "0x514910771AF9Ca656af840dff83E8264EcF986CA"\n'
        f'init_code_hash = "0x{"ab" * 32}"\n',
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "There is: anvil, sepolia, op-sepolia. Built in, and in need of an endpoint: base-sepolia,"),
        (("--chain", "sepola"), 2, "There is no chain 'sepola'. There is: anvil, sepolia, op-sepolia"),
        (("--chain", ""), 2, "There is no chain ''"),
        (("--chain", "bsc-testnet"), 2, "chains.bsc-testnet.rpcs is not set."),
        (("--chain", "polygon"), 3, "Polygon (chain 137) is a main network"),
        (("--chain", "base"), 3, "Base (chain 8453) is a main network"),
        (("--chain", "op-sepolia"), 2, "secret:nowhere:"),
        (("--chain", "sepolia", "--auto-confirm"), 3, "sepolia has an endpoint elsewhere"),
        (
            ("--chain", "sepolia", "--auto-confirm", "--signer", "ledger"),
            3,
            "only the demo device may confirm by itself",
        ),
        (("--chain", "sepolia", "--speed", "2"), 2, "--speed is for the paper profile"),
        (("--chain", "sepolia", "--profile", "paper"), 2, "Add --profile testnet."),
    ],
)
def test_a_chain_that_can_not_be_traded_on(
    call: Call, tmp_path: Path, config: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    db = tmp_path / "a.db"
    done = call(*RUN, "--config", config, "--db", db, *arguments)
    assert done.code == code, done
    assert words in " ".join(done.err.split()), done
    assert done.out == ""
    assert not db.exists()


def test_config_shows_networks_and_no_key(call: Call, config: Path) -> None:
    shown = call("config", "show", "chains", "--config", config)
    assert shown.code == 0
    assert "chains.sepolia.rpcs = https://a.example" in shown.out
    assert "chains.op-sepolia.rpcs = secret:nowhere" in shown.out
    assert call("config", "check", "--config", config).code == 0
    done = call("config", "set", "chains.base.rpcs", "https://b.example/v2/Zq7RkT3vXw9LmN5pBc2D", "--config", config)
    assert done.code == 2
    assert "is a secret" in done.err
    assert "Zq7R" not in done.err + done.out
    flag = call("run", "--headless", "--set", "chains.base.rpcs=https://b.example/?key=Zq7RkT3vXw9", "--config", config)
    assert flag.code == 2
    assert "Zq7R" not in flag.err
    assert call("config", "set", "chains.base.rpcs", "https://c.example", "--config", config).code == 0
    assert 'rpcs = ["https://c.example"]' in config.read_text(encoding="utf-8")
