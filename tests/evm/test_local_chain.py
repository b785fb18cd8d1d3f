"""What the helpers of `tests.evm.chain` promise, on the node itself."""

from __future__ import annotations

import json

import pytest

from app.practice.chain.node import NodeRefused, calldata, hex_of, results, split
from app.practice.chain.parts import ChainFault
from tests.evm.chain import LocalChain
from tests.evm.conftest import StartChain

WHO = b"\x33" * 20


def post(chain: LocalChain, value: int = 1, **fields: str) -> bytes:
    return bytes.fromhex(chain.node.post(chain.accounts[1], WHO, b"", value, gas=hex(21_000), **fields)[2:])


def test_transactions_wait_are_replaced_and_dropped(anvil: LocalChain) -> None:
    anvil.automine(on=False)
    first = post(anvil, maxFeePerGas=hex(10**10), maxPriorityFeePerGas=hex(10**9))
    sender = anvil.accounts[1]
    assert (anvil.nonce(sender), anvil.nonce(sender, "pending"), anvil.receipt(first)) == (1, 2, None)
    second = post(anvil, 2, nonce="0x1", maxFeePerGas=hex(2 * 10**10), maxPriorityFeePerGas=hex(2 * 10**9))
    third = post(anvil, 3, maxFeePerGas=hex(10**10), maxPriorityFeePerGas=hex(10**9))
    anvil.drop(third)
    height = anvil.mine()
    assert (anvil.receipt(first), anvil.receipt(third), anvil.balance(WHO)) == (None, None, 2)
    mined = anvil.receipt(second)
    assert mined is not None
    assert int(mined["blockNumber"], 16) == height


def test_a_reorganisation_loses_what_it_replaces(anvil: LocalChain) -> None:
    anvil.automine(on=False)
    tx = post(anvil)
    height, hashes = anvil.mine(3), {anvil.block()["hash"]}
    assert anvil.receipt(tx) is not None
    anvil.reorg(3)
    assert (anvil.number(), anvil.receipt(tx), anvil.balance(WHO)) == (height, None, 0)
    assert anvil.block()["hash"] not in hashes


def test_this_node_forgets_what_pays_less_than_a_blocks_base_fee(anvil: LocalChain) -> None:
    """Others keep it waiting; here, to be stuck is to have no block mined (`automine`)."""
    anvil.automine(on=False)
    tx = post(anvil, maxFeePerGas=hex(5 * 10**9), maxPriorityFeePerGas=hex(10**9))
    anvil.next_base_fee(6 * 10**9)
    anvil.mine()
    assert int(anvil.block()["baseFeePerGas"], 16) == 6 * 10**9
    assert (anvil.receipt(tx), anvil.rpc("eth_getTransactionByHash", f"0x{tx.hex()}")) == (None, None)


def test_time_goes_where_it_is_told(anvil: LocalChain) -> None:
    later = int(anvil.block()["timestamp"], 16) + 5_000
    anvil.next_timestamp(later)
    anvil.mine()
    assert int(anvil.block()["timestamp"], 16) == later


def test_any_account_can_act_and_hold(anvil: LocalChain) -> None:
    usdc = anvil.token("USDC").address
    anvil.deal(usdc, WHO, 9)
    anvil.set_balance(WHO, 10**18)
    anvil.impersonate(WHO)
    anvil.transact(usdc, "transfer(address,uint256)", anvil.accounts[2], 4, sender=WHO)
    assert anvil.held(usdc, WHO) == 5
    anvil.fund(WHO)
    assert anvil.held(usdc, WHO) == 5 + 250_000 * 10**6


async def test_beside_a_loop(anvil: LocalChain) -> None:
    assert await anvil.arpc("eth_chainId") == "0x7a69"
    with pytest.raises(NodeRefused):
        await anvil.arpc("eth_nothing")


def test_an_undeployed_chain_and_more_options(start_chain: StartChain) -> None:
    chain = start_chain(chain_id=1, deployed=False, options=("--no-mining",))
    assert (chain.number(), chain.node.number("eth_chainId"), chain.described["tokens"]) == (0, 1, [])


def test_its_output_does_not_fill_a_pipe(anvil: LocalChain) -> None:
    """A node that logs into a pipe nobody reads stands still after 64 kB."""
    for _ in range(600):
        anvil.node.pay(anvil.accounts[1], WHO, 1)  # would be 200 bytes of log


def test_signatures_are_read_with_tuples_and_arrays() -> None:
    name, types, returned = split("f((address,uint256)[],bytes)(bool,(int8,string)[2])")
    assert (name, types, returned) == ("f", ("(address,uint256)[]", "bytes"), ("bool", "(int8,string)[2]"))
    assert split("g()") == ("g", (), ())
    assert (
        calldata("transfer(address,uint256)", (WHO, 1)).hex() == "a9059cbb" + "00" * 12 + "33" * 20 + "00" * 31 + "01"
    )
    data = calldata("x((address,bytes)[])", ([(WHO, b"a")],))[4:]
    assert results("x()((address,bytes)[])", data) == ((WHO, b"a"),)
    with pytest.raises(ChainFault, match="answered 3 bytes of another form"):
        results("x()(uint256)", b"abc")


def test_the_description_has_text_addresses_with_checksums(anvil: LocalChain) -> None:
    text = json.dumps(anvil.described)
    for address in (anvil.contract("SwapRouter02"), anvil.token("WBTC").address):
        assert hex_of(address) in text
