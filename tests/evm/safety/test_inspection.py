"""Every nasty contract gets its finding, an ordinary one none of them. The truth is the contracts themselves, on anvil,
traded in Uniswap's own pools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from app.venues.evm.chain import Chain, Token
from app.venues.evm.pools.state import At
from app.venues.evm.rpc import RpcRefused
from app.venues.evm.safety.findings import Rule, Safety, SafetyRules, refusal
from app.venues.evm.safety.inspection import inspect
from tests.evm.chain import LocalChain
from tests.evm.pools.world import DirectRpc
from tests.evm.test_nasty import ONE, PROXY, SUPPLY, listed

RULES = SafetyRules()
COMMON = {Rule.REMOVABLE, Rule.CONCENTRATED}
"""Of a token that was made a moment ago: its maker holds the other half, and the liquidity."""


def at(chain: LocalChain) -> At:
    block = chain.block()
    return At(int(block["number"], 16), bytes.fromhex(block["hash"][2:]))


async def looked(chain: LocalChain, token: bytes, rpc: Any = None, **changes: Any) -> Safety:
    rates = {chain.token(name).address: Decimal(price) for name, price in (("WETH", 2500), ("USDC", 1))}
    described: Chain = replace(chain.chain, **changes)
    return await inspect(rpc or DirectRpc(chain.node), described, token, at(chain), rates)


def rules_of(safety: Safety) -> set[Rule]:
    return {finding.rule for finding in safety.findings}


class Lacking(DirectRpc):
    """A node without some methods."""

    lacks: Sequence[str] = ("eth_simulateV1",)

    async def call(self, method: str, params: Sequence[Any] = ()) -> Any:
        if method in self.lacks:
            raise RpcRefused(method, -32601, "Method not found")
        return await super().call(method, params)


@pytest.mark.parametrize(
    ("contract", "args", "expected"),
    [
        ("Coin", (), set()),
        ("FalseCoin", (), set()),
        ("ZeroFirstCoin", (), set()),
        ("TaxedCoin", (500,), {Rule.BUY_TAX, Rule.SELL_TAX, Rule.SET_TAX, Rule.OWNED}),
        ("TaxedCoin", (0,), {Rule.SET_TAX, Rule.OWNED}),
        ("BlocklistCoin", (), {Rule.BLOCKLIST, Rule.OWNED}),
        ("PausableCoin", (), {Rule.PAUSE, Rule.OWNED}),
        ("MintableCoin", (), {Rule.MINT, Rule.OWNED}),
    ],
)
async def test_each_token_gets_its_findings_and_no_others(
    anvil: LocalChain, contract: str, args: tuple[int, ...], expected: set[Rule]
) -> None:
    token, _ = listed(anvil, contract, *args)
    found = await looked(anvil, token)
    assert rules_of(found) == COMMON | expected
    assert (found.buy_bps, found.sell_bps) == ((args or (0,)) * 2)
    assert all(finding.evidence for finding in found.findings)


@pytest.mark.parametrize("contract", ["Honeypot", "SilentHoneypot"])
@pytest.mark.parametrize("rpc", [DirectRpc, Lacking])
async def test_what_can_not_be_sold_is_refused_even_where_it_is_trusted(
    anvil: LocalChain, contract: str, rpc: type[DirectRpc]
) -> None:
    token, pool = listed(anvil, contract)
    before = await looked(anvil, token, rpc(anvil.node))
    assert not before.has(Rule.HONEYPOT), "not trapped yet: nobody can know"
    assert refusal(before, RULES) is None
    anvil.transact(token, "trap(address)", pool)
    found = await looked(anvil, token, rpc(anvil.node))
    assert found.score == 0
    assert found.findings[0].rule is Rule.HONEYPOT
    reason = "TRANSFER_FROM_FAILED" if contract == "Honeypot" else "INSUFFICIENT_INPUT_AMOUNT"
    assert reason in found.findings[0].evidence
    for trusted in (False, True):
        assert "could not be sold" in str(refusal(found, RULES, trusted=trusted))
    assert refusal(found, replace(RULES, refuse_honeypot=False, least_score=0)) is None


async def test_a_token_that_no_longer_moves_can_not_be_bought(anvil: LocalChain) -> None:
    token, _ = listed(anvil, "PausableCoin")
    anvil.transact(token, "pause()")
    found = await looked(anvil, token)
    assert found.has(Rule.BUY_FAILS)
    assert "could not be bought" in str(refusal(found, RULES, trusted=True))


async def test_a_tax_above_the_most_is_refused_and_measured_to_the_basis_point(anvil: LocalChain) -> None:
    token, _ = listed(anvil, "TaxedCoin", 1_001)
    found = await looked(anvil, token)
    assert (found.buy_bps, found.sell_bps) == (1_001, 1_001)
    assert "buying loses 10.01 %" in str(refusal(found, RULES, trusted=True))
    anvil.transact(token, "setTax(uint256)", 1_000)
    assert refusal(await looked(anvil, token), replace(RULES, least_score=0)) is None


async def test_a_proxy_is_seen_through(anvil: LocalChain) -> None:
    first = anvil.deploy_source("Tokens.sol", "ProxiedCoin")
    token = anvil.deploy(anvil.parts.packaged(PROXY), first, anvil.accounts[9], b"")
    anvil.transact(token, "initialize(uint256)", SUPPLY)
    anvil.pair(token, SUPPLY // 2, 100 * ONE)
    found = await looked(anvil, token)
    assert rules_of(found) == COMMON | {Rule.UPGRADABLE}
    assert first.hex() in next(each.evidence for each in found.findings if each.rule is Rule.UPGRADABLE)
    anvil.transact(
        token, "upgradeTo(address)", anvil.deploy_source("Tokens.sol", "FrozenCoin"), sender=anvil.accounts[9]
    )
    assert (await looked(anvil, token)).has(Rule.BUY_FAILS)


async def test_a_copy_by_minimal_proxy_shows_what_its_model_can_do(anvil: LocalChain) -> None:
    model = anvil.deploy_source("Tokens.sol", "MintableCoin", SUPPLY)
    runtime = bytes.fromhex("363d3d373d3d3d363d73") + model + bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
    creation = bytes.fromhex("602d8060093d393df3") + runtime  # EIP-1167's own
    token = anvil.node.create(anvil.accounts[0], creation)
    found = await looked(anvil, token)
    assert {Rule.MINIMAL_PROXY, Rule.MINT} <= rules_of(found)


async def test_an_owner_that_is_nobody_weighs_less(anvil: LocalChain) -> None:
    token, _ = listed(anvil, "MintableCoin")
    owned = await looked(anvil, token)
    slot = next(
        n for n in range(10) if anvil.accounts[0].hex() in anvil.rpc("eth_getStorageAt", hexed(token), hex(n), "latest")
    )
    anvil.rpc("anvil_setStorageAt", hexed(token), "0x" + slot.to_bytes(32).hex(), "0x" + "00" * 32)
    anvil.mine()
    assert anvil.call(token, "owner()(address)") == bytes(20)
    renounced = await looked(anvil, token)
    assert not renounced.has(Rule.OWNED)
    assert renounced.score > owned.score
    assert any("its owner is nobody" in each.words for each in renounced.findings)


def hexed(data: bytes) -> str:
    return f"0x{data.hex()}"


async def test_burnt_liquidity_and_many_holders_leave_nothing_to_find(anvil: LocalChain) -> None:
    token, pool = listed(anvil, "Coin")
    dead = bytes.fromhex("000000000000000000000000000000000000dead")
    anvil.transact(pool, "transfer(address,uint256)", dead, anvil.held(pool, anvil.accounts[0]))
    left = anvil.held(token, anvil.accounts[0])
    for number in range(40):
        anvil.transact(token, "transfer(address,uint256)", (number + 10**6).to_bytes(20), left // 40)
    found = await looked(anvil, token)
    assert rules_of(found) == set()
    assert found.score == 100


@pytest.mark.parametrize(
    ("file", "contract", "args"),
    [
        ("Metadata.sol", "NamedCoin", ("\x1b[31m\u202eCDSU\x00\n[bold]", "=cmd()", 2**256 - 1)),
        ("Metadata.sol", "NamedCoin", ("X" * 10_240, "", 18)),
        ("Metadata.sol", "RevertingMetadata", ()),
        ("Metadata.sol", "Answers", (b"\xff" * 33,)),
        ("Metadata.sol", "Answers", (b"\xff" * 4096,)),
        ("Odd.sol", "Reverts", (b"\x08\xc3\x79\xa0" + b"\xff" * 7,)),
        ("Odd.sol", "Huge", ()),
    ],
)
@pytest.mark.parametrize("rpc", [DirectRpc, Lacking])
async def test_contracts_that_answer_nonsense_are_findings_and_break_nothing(
    anvil: LocalChain, rpc: type[DirectRpc], file: str, contract: str, args: tuple[Any, ...]
) -> None:
    token = anvil.deploy_source(file, contract, *args)
    found = await looked(anvil, token, rpc(anvil.node))
    assert {Rule.METADATA, Rule.NO_POOL, Rule.NOT_TRIED, Rule.HOLDERS_UNKNOWN} <= rules_of(found)
    assert found.score == 0
    assert all(finding.evidence.isprintable() and finding.words.isprintable() for finding in found.findings)
    assert refusal(found, RULES)


async def test_a_listed_token_that_answers_nonsense(anvil: LocalChain) -> None:
    """It has a pool, and then stops to be a token: its code is replaced under it."""
    for code in ("Reverts", "Huge"):
        token, _ = listed(anvil, "Coin")
        bad = anvil.deploy_source("Odd.sol", code, *((b"\xff" * 300,) if code == "Reverts" else ()))
        anvil.rpc("anvil_setCode", hexed(token), anvil.rpc("eth_getCode", hexed(bad), "latest"))
        anvil.mine()
        found = await looked(anvil, token)
        assert found.has(Rule.BUY_FAILS)
        assert found.score == 0


async def test_where_there_is_no_contract_and_where_decimals_differ(anvil: LocalChain) -> None:
    nobody = await looked(anvil, b"\x77" * 20)
    assert rules_of(nobody) == {Rule.NO_CODE}
    token, _ = listed(anvil, "Coin")
    wrong = await looked(anvil, token, tokens=(*anvil.chain.tokens, Token("COIN", token, 6)))
    assert "18 decimals, the settings say 6" in str(refusal(wrong, RULES, trusted=True))


async def test_what_a_node_does_not_tell_is_a_finding(anvil: LocalChain) -> None:
    class Bare(Lacking):
        lacks = ("eth_simulateV1", "debug_traceCall", "eth_getLogs", "eth_getCode", "eth_getStorageAt")

    token, _ = listed(anvil, "Coin")
    found = await looked(anvil, token, Bare(anvil.node))
    assert rules_of(found) == {Rule.NOT_TRIED, Rule.HOLDERS_UNKNOWN, Rule.CODE_UNKNOWN, Rule.REMOVABLE}
    assert refusal(found, replace(RULES, refuse_untried=True, least_score=0))


async def test_a_token_sold_in_v3_pools_and_against_other_tokens(anvil: LocalChain) -> None:
    """The trader's own tokens: the buyer without funds is lent USDC by another pool."""
    for name in ("WBTC", "DAI", "PUP"):
        found = await looked(anvil, anvil.token(name).address)
        assert not rules_of(found) - COMMON - {Rule.THIN}, name
        assert (found.buy_bps, found.sell_bps) == (0, 0)
    taxed = await looked(anvil, anvil.token("TAX").address)
    assert (taxed.buy_bps, taxed.sell_bps) == (200, 200)


async def test_the_same_block_gives_the_same_words(anvil: LocalChain) -> None:
    token, _ = listed(anvil, "TaxedCoin", 300)
    first = await looked(anvil, token)
    assert await looked(anvil, token) == first
    assert await looked(anvil, token, Lacking(anvil.node)) == first, "whatever the node has"
    assert first.as_json()["score"] == first.score
