"""The contracts that tests of the product are afraid of do what they are there for."""

from __future__ import annotations

import pytest

from app.practice.chain.deploy import MOST, NO_DEADLINE
from app.practice.chain.node import NodeRefused, Reverted, calldata, hex_of
from app.practice.chain.parts import ChainFault
from tests.evm.chain import LocalChain

BUY = "swapExactETHForTokensSupportingFeeOnTransferTokens(uint256,address[],address,uint256)"
SELL = "swapExactTokensForETHSupportingFeeOnTransferTokens(uint256,uint256,address[],address,uint256)"
ONE = 10**18
SUPPLY = 10**6 * ONE
IMPLEMENTATION = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
PROXY = "@openzeppelin/contracts/build/contracts/TransparentUpgradeableProxy.json"


def buy(chain: LocalChain, token: bytes, who: bytes, wei: int = ONE) -> int:
    """Buy with ETH on V2; what arrived."""
    before, path = chain.held(token, who), (chain.contract("WETH9"), token)
    chain.transact(chain.contract("UniswapV2Router02"), BUY, 0, path, who, NO_DEADLINE, sender=who, value=wei)
    return chain.held(token, who) - before


def sell(chain: LocalChain, token: bytes, who: bytes, amount: int) -> int:
    """Sell for ETH on V2; what arrived, gas included."""
    router, path = chain.contract("UniswapV2Router02"), (token, chain.contract("WETH9"))
    chain.transact(token, "approve(address,uint256)", router, 0, sender=who)
    chain.transact(token, "approve(address,uint256)", router, MOST, sender=who)
    before = chain.balance(who)
    chain.transact(router, SELL, amount, 0, path, who, NO_DEADLINE, sender=who)
    return chain.balance(who) - before


def listed(chain: LocalChain, contract: str, *args: object) -> tuple[bytes, bytes]:
    """A token of `contract` and its pool with WETH."""
    token = chain.deploy_source("Tokens.sol", contract, SUPPLY, *args)
    return token, chain.pair(token, SUPPLY // 2, 100 * ONE)


def test_a_taxed_coin_takes_what_its_owner_likes(anvil: LocalChain) -> None:
    token, pool = listed(anvil, "TaxedCoin", 500)
    who, nominal = anvil.accounts[1], 4_935_790_171_985_306_494_252
    assert buy(anvil, token, who) == nominal - nominal * 500 // 10_000
    anvil.transact(token, "setTax(uint256)", 9_900)
    bought = anvil.held(token, who)
    reserves = anvil.held(token, pool)
    sell(anvil, token, who, bought)
    assert anvil.held(token, pool) - reserves == bought - bought * 9_900 // 10_000


def test_a_honeypot_can_be_bought_and_not_sold(anvil: LocalChain) -> None:
    token, pool = listed(anvil, "Honeypot")
    who = anvil.accounts[1]
    bought = buy(anvil, token, who)
    assert sell(anvil, token, who, bought // 2) > 0
    anvil.transact(token, "trap(address)", pool)
    assert buy(anvil, token, who) > 0
    with pytest.raises(Reverted, match="TRANSFER_FROM_FAILED"):
        sell(anvil, token, who, 1000)
    anvil.transact(token, "transfer(address,uint256)", anvil.accounts[2], 5, sender=who)


def test_a_silent_honeypot_fails_for_want_of_input_or_takes_it(anvil: LocalChain) -> None:
    token, pool = listed(anvil, "SilentHoneypot")
    who = anvil.accounts[1]
    bought = buy(anvil, token, who)
    anvil.transact(token, "trap(address)", pool)
    with pytest.raises(Reverted, match="INSUFFICIENT_INPUT_AMOUNT"):
        sell(anvil, token, who, bought)
    anvil.transact(token, "transfer(address,uint256)", pool, bought, sender=who)
    assert (anvil.held(token, who), anvil.held(token, pool) < SUPPLY // 2) == (0, True)


def test_owners_can_block_pause_and_mint(anvil: LocalChain) -> None:
    me, who, move = anvil.accounts[0], anvil.accounts[1], "transfer(address,uint256)"
    blocked = anvil.deploy_source("Tokens.sol", "BlocklistCoin", SUPPLY)
    anvil.transact(blocked, move, who, 5)
    anvil.transact(blocked, "blacklist(address,bool)", who, True)
    with pytest.raises(Reverted, match="blacklisted"):
        anvil.transact(blocked, move, me, 1, sender=who)
    paused = anvil.deploy_source("Tokens.sol", "PausableCoin", SUPPLY)
    anvil.transact(paused, "pause()")
    assert anvil.call(paused, "paused()(bool)") is True
    with pytest.raises(Reverted, match="paused"):
        anvil.transact(paused, move, who, 1)
    minted = anvil.deploy_source("Tokens.sol", "MintableCoin", SUPPLY)
    anvil.transact(minted, "mint(address,uint256)", who, 7)
    assert anvil.held(minted, who) == 7
    assert anvil.call(minted, "owner()(address)") == me


def test_a_proxy_can_become_another_contract(anvil: LocalChain) -> None:
    """OpenZeppelin's own proxy."""
    me, admin = anvil.accounts[0], anvil.accounts[9]
    first, second = (anvil.deploy_source("Tokens.sol", each) for each in ("ProxiedCoin", "FrozenCoin"))
    proxy = anvil.deploy(anvil.parts.packaged(PROXY), first, admin, b"")
    anvil.transact(proxy, "initialize(uint256)", 100)
    anvil.transact(proxy, "transfer(address,uint256)", admin, 1)
    assert (anvil.call(proxy, "symbol()(string)", sender=me), anvil.held(proxy, admin)) == ("PROXIED", 1)
    slot = anvil.rpc("eth_getStorageAt", hex_of(proxy), IMPLEMENTATION, "latest")
    assert bytes.fromhex(slot[26:]) == first
    anvil.transact(proxy, "upgradeTo(address)", second, sender=admin)
    with pytest.raises(Reverted, match="frozen"):
        anvil.transact(proxy, "transfer(address,uint256)", admin, 1)


def test_tokens_that_do_not_answer_as_the_standard_says(anvil: LocalChain) -> None:
    me, who, move = anvil.accounts[0], anvil.accounts[1], "transfer(address,uint256)"
    quiet = anvil.deploy_source("Tokens.sol", "QuietCoin", 100)
    assert anvil.rpc("eth_call", _request(me, quiet, calldata(move, (who, 1))), "latest") == "0x"
    with pytest.raises(ChainFault, match="answered 0 bytes"):
        anvil.call(quiet, f"{move}(bool)", who, 1, sender=me)
    false = anvil.deploy_source("Tokens.sol", "FalseCoin", 100)
    assert anvil.call(false, f"{move}(bool)", who, 101, sender=me) is False
    for contract in ("ZeroFirstCoin", "QuietCoin"):
        token = anvil.deploy_source("Tokens.sol", contract, 100)
        anvil.transact(token, "approve(address,uint256)", who, 5)
        with pytest.raises(Reverted, match="zero first"):
            anvil.transact(token, "approve(address,uint256)", who, 6)
        anvil.transact(token, "approve(address,uint256)", who, 0)
        anvil.transact(token, "approve(address,uint256)", who, 6)


def _request(sender: bytes, to: bytes, data: bytes) -> dict[str, str]:
    return {"from": hex_of(sender), "to": hex_of(to), "data": f"0x{data.hex()}"}


def test_quiet_coins_can_be_traded_all_the_same(anvil: LocalChain) -> None:
    token = anvil.deploy_source("Tokens.sol", "QuietCoin", 10**12)
    anvil.pair(token, 10**11, 10 * ONE)
    assert buy(anvil, token, anvil.accounts[1]) > 0


def test_names_that_no_screen_should_show_as_they_are(anvil: LocalChain) -> None:
    odd = "\x1b[31m\u202eCDSU\x00\n[bold]"
    token = anvil.deploy_source("Metadata.sol", "NamedCoin", odd, "=cmd()", 2**256 - 1)
    assert anvil.call(token, "symbol()(string)") == odd
    assert anvil.call(token, "decimals()(uint256)") == 2**256 - 1
    long = anvil.deploy_source("Metadata.sol", "NamedCoin", "X" * 10_240, "Long", 18)
    assert len(anvil.call(long, "symbol()(string)")) == 10_240
    old = anvil.deploy_source("Metadata.sol", "Bytes32Coin")
    assert anvil.call(old, "symbol()(bytes32)") == b"OLD".ljust(32, b"\0")
    with pytest.raises(ChainFault, match="another form"):
        anvil.call(old, "symbol()(string)")
    silent = anvil.deploy_source("Metadata.sol", "RevertingMetadata")
    for asked in ("symbol()(string)", "name()(string)", "decimals()(uint8)"):
        with pytest.raises(NodeRefused):
            anvil.call(silent, asked)
    answers = anvil.deploy_source("Metadata.sol", "Answers", b"\xff" * 33)
    assert anvil.rpc("eth_call", _request(anvil.accounts[0], answers, b"abcd"), "latest") == "0x" + "ff" * 33


def test_failures_of_every_form(anvil: LocalChain) -> None:
    garbage = anvil.deploy_source("Odd.sol", "Reverts", b"\x08\xc3\x79\xa0" + b"\xff" * 7)
    with pytest.raises(NodeRefused) as refused:
        anvil.call(garbage, "x()")
    assert refused.value.data == b"\x08\xc3\x79\xa0" + b"\xff" * 7
    huge = anvil.deploy_source("Odd.sol", "Huge")
    with pytest.raises(NodeRefused) as refused:
        anvil.call(huge, "fail(uint256)", 100_000)
    assert len(refused.value.data) == 100_000
    request = _request(anvil.accounts[0], huge, calldata("answer(uint256)", (1_000_000,)))
    assert len(anvil.rpc("eth_call", request | {"gas": hex(16_000_000)}, "latest")) == 2_000_002
    with pytest.raises(NodeRefused) as refused:
        anvil.call(huge, "custom()", sender=anvil.accounts[1])
    assert refused.value.data == calldata("Odd(address,string)", (anvil.accounts[1], "\u202etxt\x1b[31m"))
    with pytest.raises(NodeRefused) as refused:
        anvil.call(huge, "panic(uint256)", 0)
    assert refused.value.data == calldata("Panic(uint256)", (0x12,))
    with pytest.raises(Reverted):
        anvil.transact(huge, "burn()")
    with pytest.raises(Reverted, match="no coins here"):
        anvil.node.pay(anvil.accounts[0], huge, 1)
