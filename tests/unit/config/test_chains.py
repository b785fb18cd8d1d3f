"""`[chains.NAME]`: what is read, and every refusal with its key, what is wrong and what is allowed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.config.chain_facts import all_configured
from app.config.load import flatten, load, set_value, to_toml, version_digest
from app.errors import ConfigError
from app.venues.evm.chain import Approvals
from app.venues.evm.known import KNOWN

PEPE = "0x6982508145454Ce325dDbE47a25d4ec3d2311933"
OTHER = "0x514910771AF9Ca656af840dff83E8264EcF986CA"
HASH = f"0x{'ab' * 32}"
KEYED = "https://eth-mainnet.example.com/v2/Zq7RkT3vXw9LmN5pBc2D"
OWN = f"""
[chains.mine]
rpcs = ["http://127.0.0.1:8545", "secret:mine.rpc"]
ws = ["", "secret:mine.ws"]
quorum = 2
requests_per_s = 7
chain_id = 4242
testnet = true
native = "ABC"
wrapped = "{OTHER}"
confirmations = 3
block_ms = 500
gas_cap_gwei = "1.5"
gas_cap = "2"
data_fee = "op-stack"
fee_kind = "legacy"
instruments = ["ABC-PEPE"]
[chains.mine.tokens.PEPE]
address = "{PEPE}"
decimals = 6
[chains.mine.dexes.one]
kind = "v3"
factory = "{PEPE}"
router = "{OTHER}"
init_code_hash = "{HASH}"
fee_tiers = [500, 3000]
deployer = "{OTHER}"
"""


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))


def write(folder: Path, text: str) -> Path:
    path = folder / "countersign.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text), {}, {})
    assert caught.value.exit_code == 2
    return caught.value.what


def test_a_known_network_needs_an_endpoint_alone(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, '[chains.base]\nrpcs = ["https://mainnet.base.example/v2"]'), {}, {})
    found = all_configured(loaded.settings.chains)["base"]
    known = KNOWN["base"].chain
    # What is built in is bought whatever its safety score.
    assert found.chain == replace(known, trusted=frozenset(token.address for token in known.tokens))
    assert found.rpcs == ("https://mainnet.base.example/v2",)
    assert not found.testnet
    assert found.quorum == 0


def test_only_what_is_built_in_or_said_to_be_is_trusted(tmp_path: Path) -> None:
    """And what takes the place of a built-in token is not built in."""
    token = 'address = "{}"\ndecimals = 18\n'
    tables = {"USDC": "0x" + "1" * 40, "PEPE": "0x" + "2" * 40, "MINE": "0x" + "3" * 40}
    text = '[chains.base]\nrpcs = ["https://mainnet.base.example/v2"]\n' + "".join(
        f"[chains.base.tokens.{symbol}]\n{token.format(address)}" for symbol, address in tables.items()
    )
    found = all_configured(load(write(tmp_path, f"{text}trusted = true\n"), {}, {}).settings.chains)["base"].chain
    named = {each.symbol for each in found.tokens if each.address in found.trusted}
    assert "MINE" in named
    assert not {"USDC", "PEPE"} & named
    assert "WETH" in named


def test_whatever_is_set_takes_the_place_of_what_is_built_in(tmp_path: Path) -> None:
    text = f"""
    [chains.ethereum]
    gas_cap_gwei = "30.5"
    instruments = ["PEPE-WETH"]
    confirmations = 2
    [chains.ethereum.tokens.PEPE]
    address = "{PEPE}"
    decimals = 18
    [chains.ethereum.dexes.sushi-v2]
    kind = "v2"
    factory = "{PEPE}"
    router = "{OTHER}"
    init_code_hash = "{HASH}"
    fee_bps = 20
    """
    chain = all_configured(load(write(tmp_path, text), {}, {}).settings.chains)["ethereum"].chain
    known = KNOWN["ethereum"].chain
    assert chain.gas_cap == 30_500_000_000
    assert chain.confirmations == 2
    assert chain.block_ms == known.block_ms
    assert [token.symbol for token in chain.tokens] == [*(token.symbol for token in known.tokens), "PEPE"]
    assert [dex.name for dex in chain.dexes] == [dex.name for dex in known.dexes]
    assert {dex.fee_bps for dex in chain.dexes if dex.name == "sushi-v2"} == {20}


def test_a_network_of_ones_own(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, OWN), {}, {})
    found = all_configured(loaded.settings.chains)["mine"]
    chain = found.chain
    assert (chain.chain_id, chain.native.symbol, chain.native.decimals, chain.gas_cap) == (
        4242,
        "ABC",
        18,
        1_500_000_000,
    )
    assert (chain.fee_kind, chain.data_fee, chain.multicall) == ("legacy", "op-stack", None)
    assert chain.dexes[0].fee_tiers == (500, 3000)
    assert chain.dexes[0].deployer == bytes.fromhex(OTHER[2:])
    assert (found.streams, found.quorum, found.requests_per_s) == (("", "secret:mine.ws"), 2, 7)
    assert found.testnet


def test_approvals_are_the_router_s_unless_permit2_is_chosen_and_there(tmp_path: Path) -> None:
    """Where either of its contracts is not known, it is refused at its key, with what is missing."""

    def chosen(name: str, text: str) -> Approvals:
        return all_configured(load(write(tmp_path, text), {}, {}).settings.chains)[name].chain.approvals

    built_in = '[chains.{}]\nrpcs = ["https://node.example"]\n'
    assert chosen("base", built_in.format("base")) is Approvals.ROUTER
    assert chosen("base", f'{built_in.format("base")}approvals = "permit2"') is Approvals.PERMIT2
    for name in ("base-sepolia", "arbitrum-sepolia"):
        what = refusal(tmp_path, f'{built_in.format(name)}approvals = "permit2"')
        assert f"chains.{name}.approvals" in what
        assert "no exchange there names a universal router: set dexes.NAME.universal_router" in what
    own = OWN.replace("[chains.mine]\n", '[chains.mine]\napprovals = "permit2"\n')
    assert "nothing is known of Permit2 there: set permit2" in refusal(tmp_path, own)
    own = own.replace("chain_id", f'permit2 = "{PEPE}"\nchain_id')
    assert "no exchange there names a universal router" in refusal(tmp_path, own)
    assert chosen("mine", f'{own}universal_router = "{PEPE}"') is Approvals.PERMIT2
    what = refusal(tmp_path, f'{own}universal_router = "{OTHER}"')
    assert "chains.mine.dexes.one.universal_router" in what
    assert "is the router of one" in what
    assert 'allowed: "router", "permit2"' in refusal(tmp_path, f'{built_in.format("base")}approvals = "all"')


def test_settings_come_back_from_their_own_text(tmp_path: Path) -> None:
    settings = load(write(tmp_path, OWN), {}, {}).settings
    again = load(write(tmp_path, to_toml(settings)), {}, {}).settings
    assert again == settings
    assert version_digest(again) == version_digest(settings)
    assert flatten(settings)["chains.mine.dexes.one.fee_tiers"] == "500,3000"


def test_variables_and_flags(tmp_path: Path) -> None:
    env = {"COUNTERSIGN_CHAINS__BASE_SEPOLIA__RPCS": "https://a.example,https://b.example"}
    loaded = load(write(tmp_path, ""), env, {"chains.base-sepolia.quorum": "2"})
    found = all_configured(loaded.settings.chains)["base-sepolia"]
    assert (found.rpcs, found.quorum) == (("https://a.example", "https://b.example"), 2)
    assert loaded.sources["chains.base-sepolia.rpcs"] == "environment COUNTERSIGN_CHAINS__BASE_SEPOLIA__RPCS"


def test_config_set_writes_one(tmp_path: Path) -> None:
    path = write(tmp_path, "# mine\n[chains.sepolia]\n")
    assert set_value(path, "chains.sepolia.rpcs", "https://a.example,secret:b") == ("", "https://a.example,secret:b")
    assert load(path, {}, {}).settings.chains["sepolia"].rpcs == ("https://a.example", "secret:b")
    assert path.read_text(encoding="utf-8").startswith("# mine\n")
    with pytest.raises(ConfigError, match="secret:NAME") as caught:
        set_value(path, "chains.sepolia.rpcs", KEYED)
    assert "Zq7R" not in str(caught.value)


def without(line: str) -> str:
    assert f"\n{line}" in OWN
    return "\n".join(each for each in OWN.splitlines() if not each.startswith(line))


@pytest.mark.parametrize(
    "key",
    ["chain_id", "testnet", "native", "wrapped", "confirmations", "block_ms", "gas_cap_gwei", "gas_cap", "instruments"],
)
def test_a_network_of_ones_own_needs_everything(tmp_path: Path, key: str) -> None:
    told = refusal(tmp_path, without(f"{key} ="))
    assert f"chains.mine.{key} = not set: missing" in told


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        (("chain_id = 4242", "chain_id = 0"), "chains.mine.chain_id = 0", "out of bounds; allowed: a whole number"),
        (("chain_id = 4242", 'chain_id = "1"'), 'chains.mine.chain_id = "1"', "not a whole number"),
        (("chain_id = 4242", "chain_id = 1"), "chains.mine.testnet = true", "chain 1 is Ethereum, a main network"),
        (("chain_id = 4242", "chainid = 4242"), "chains.mine.chainid", "is not a setting; the nearest is"),
        (("testnet = true", 'testnet = "yes"'), "chains.mine.testnet", "not true or false"),
        (('native = "ABC"', 'native = "A.C"'), "chains.mine.native", "allowed: 1 to 20 letters and digits"),
        (('native = "ABC"', 'native = "pepe"'), "chains.mine.tokens.PEPE", "one token's alone, and pepe is there too"),
        ((PEPE, PEPE.lower()), "chains.mine.tokens.PEPE.address", "without its checksum (EIP-55)"),
        ((PEPE, PEPE.replace("6982508145454C", "6982508145454c")), "chains.mine.tokens.PEPE.address", "is wrong"),
        ((PEPE, PEPE.replace("25dDb", "25ddb")), "chains.mine.tokens.PEPE.address", "its checksum (EIP-55) is wrong"),
        ((PEPE, PEPE[:-1]), "chains.mine.tokens.PEPE.address", "not an address: 0x and 40"),
        ((PEPE, f"0x{'0' * 40}"), "chains.mine.tokens.PEPE.address", "the zero address"),
        (("decimals = 6", "decimals = 37"), "chains.mine.tokens.PEPE.decimals = 37", "from 0 to 36"),
        (("decimals = 6", ""), "chains.mine.tokens.PEPE.decimals = not set", "missing"),
        ((HASH, HASH[:-2]), "chains.mine.dexes.one.init_code_hash", "not a hash"),
        (('kind = "v3"', 'kind = "v4"'), "chains.mine.dexes.one.kind", 'allowed: "v2", "v3"'),
        (('kind = "v3"', 'kind = "v2"'), "chains.mine.dexes.one.fee_tiers", "is of V3 exchanges alone"),
        (("fee_tiers = [500, 3000]", ""), "chains.mine.dexes.one.fee_tiers", "missing: without them"),
        (("fee_tiers = [500, 3000]", "fee_tiers = []"), "chains.mine.dexes.one.fee_tiers", "empty"),
        (("fee_tiers = [500, 3000]", "fee_tiers = [500, 500]"), "chains.mine.dexes.one.fee_tiers", "one twice"),
        (("fee_tiers = [500, 3000]", "fee_tiers = [0]"), "chains.mine.dexes.one.fee_tiers", "out of bounds"),
        (("fee_tiers = [500, 3000]", "fee_tiers = [500]\nfee_bps = 30"), "chains.mine.dexes.one.fee_bps", "of V2"),
        (('gas_cap_gwei = "1.5"', "gas_cap_gwei = 1.5"), "chains.mine.gas_cap_gwei = 1.5", 'write "1.5"'),
        (('gas_cap_gwei = "1.5"', 'gas_cap_gwei = "0"'), "chains.mine.gas_cap_gwei", "out of bounds"),
        (('gas_cap_gwei = "1.5"', 'gas_cap_gwei = "1.0000000001"'), "chains.mine.gas_cap_gwei", "finer than a wei"),
        (("quorum = 2", "quorum = 3"), "chains.mine.quorum = 3", "more than the 2 in rpcs"),
        (('ws = [""', 'ws = ["wss://a.example", ""'), "chains.mine.ws", "3 of them for 2 in rpcs"),
        (('ws = [""', 'ws = ["https://a.example"'), "chains.mine.ws.0", "can not be used"),
        (('"secret:mine.rpc"', '"http://127.0.0.1:8545"'), "chains.mine.rpcs", "one endpoint is given twice"),
        (('"secret:mine.rpc"', '"secret:signer.evm"'), "chains.mine.rpcs.1", "not the name of a secret that can be"),
        (('"secret:mine.rpc"', '"secret:"'), "chains.mine.rpcs.1", "not the name of a secret that can be"),
        (('"secret:mine.rpc"', '"http://far.example"'), "chains.mine.rpcs.1", "is not encrypted"),
        (('"secret:mine.rpc"', '"far.example"'), "chains.mine.rpcs.1", "can not be used"),
        (('"ABC-PEPE"', '"ABC-DOGE"'), "chains.mine.instruments", "DOGE is no token of mine, which has ABC, PEPE"),
        (('"ABC-PEPE"', '"ABC-ABC"'), "chains.mine.instruments", "both are the same for a pool"),
        (('"ABC-PEPE"', '"ABC-PEPE-PERP"'), "chains.mine.instruments", "trades BASE-QUOTE"),
        (('"ABC-PEPE"', '"ABC-PEPE", "ABC-PEPE"'), "chains.mine.instruments", "one is given twice"),
        (('"ABC-PEPE"', ""), "chains.mine.instruments", "empty"),
        (("[chains.mine]", "[chains.mine]\nprivate_rpcs = []"), "chains.mine.private_rpcs", "is not a setting"),
        (("[chains.mine]", '[chains.mine]\nprivate.kind = "relay"'), "chains.mine.private.kind", "private.url, which"),
        (("[chains.mine]", '[chains.mine]\nprivate.url = ""'), "chains.mine.private.url", "can not be used"),
        (("[chains.mine]", f'[chains.mine]\nprivate.url = "{KEYED}"'), "chains.mine.private.url", "key in it is a"),
        (("[chains.mine]", '[chains.mine]\nprivate.url = "http://a.example"'), "chains.mine.private.url", "encrypted"),
        (("[chains.mine]", '[chains.mine]\nprivate.url = "https://a.example"\nprivate.fallback = "yes"'),
         "chains.mine.private.fallback", 'allowed: "never", "ask", "public"'),
        (("[chains.mine]", '[chains.mine]\nprivate.url = "https://a.example"\nprivate.blocks = 0'),
         "chains.mine.private.blocks = 0", "from 1 to 1000"),
    ],
)  # fmt: skip
def test_every_kind_of_bad(tmp_path: Path, change: tuple[str, str], key: str, words: str) -> None:
    assert change[0] in OWN
    told = refusal(tmp_path, OWN.replace(*change))
    (line,) = [each for each in told.splitlines() if key in each and words in each] or [told]
    assert key in line
    assert words in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[chains.ethereum]\nchain_id = 5", "ethereum is Ethereum, chain 1; call another network by another name"),
        ("[chains.sepolia]\nchain_id = 1", "sepolia is Sepolia, chain 11155111"),
        ("[chains.sepolia]\ntestnet = false", "chain 11155111 is Sepolia, a test network"),
        ('[chains.ethereum]\ngas_cap_gwei = "100.1"', "more than 100 gwei, the most that Ethereum may be set to"),
        ('[chains.polygon-amoy]\nrpcs = ["https://a.example"]', "no exchange of polygon-amoy is built in"),
        ("[chains.anvil]\nchain_id = 31337", "not anvil, the practice chain"),
        ("[chains.Base]\nquorum = 1", "can not be the name of <chain>"),
        (f'[chains.base.tokens.weth]\naddress = "{PEPE}"\ndecimals = 18', "one token's alone, and WETH is there too"),
        ('[chains.base.tokens.X]\naddress = "0x4200000000000000000000000000000000000006"\ndecimals = 18', "of WETH"),
        ('[chains.base.tokens.WETH]\naddress = "0x4200000000000000000000000000000000000006"\ndecimals = 6', "has 18"),
    ],
)
def test_what_is_known_is_not_contradicted(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "url",
    [
        KEYED,
        "https://eth.example/abcdefabcdef1234",
        "https://eth.example/?apikey=short",
        "https://user:word@eth.example",
        "https://eth.example/#frag",
        "https://eth.example/v3/zqrktxvwlmnpbcdzqrktxvwlmnpbcdQ",
        "https://0123456789abcdef0123456789abcdef.eth.example",
    ],
)
def test_an_endpoint_with_a_key_is_no_setting(tmp_path: Path, url: str) -> None:
    told = refusal(tmp_path, f'[chains.base]\nrpcs = ["{url}"]')
    assert "an endpoint with a key in it is a secret" in told
    for piece in ("Zq7R", "abcdefabcdef1234", "short", "word@", "frag", "zqrkt", "0123456789abcdef"):
        assert piece not in told


def test_addresses_of_others_have_names_and_one_each(tmp_path: Path) -> None:
    watched = f'{OWN}[chains.mine.watched.big-one]\naddress = "{PEPE}"\n'
    found = all_configured(load(write(tmp_path, watched), {}, {}).settings.chains)["mine"]
    assert found.chain.watched == ((bytes.fromhex(PEPE[2:]), "big-one"),)
    twice = f'{watched}[chains.mine.watched.again]\naddress = "{PEPE}"\n'
    assert "is again's already" in refusal(tmp_path, twice)
