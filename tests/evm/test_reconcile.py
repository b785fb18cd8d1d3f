"""Ledger against chain while a session runs: deposits, withdrawals and transactions of others, blocks that are undone,
trades under way. The judge is the chain."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account

from app import reports
from app.engine.acts import Acts
from app.errors import VenueError
from app.execution.adjustments import adjust
from app.execution.reconcile import Difference
from app.execution.state import load
from app.execution.transactions_sent import NONCE
from app.venues.evm import allowances
from app.venues.evm.chain import Approvals
from app.venues.evm.pools.batch import Call
from app.venues.evm.pools.state import At
from signers.demo import DemoSigner
from signers.evm import checksum, decode, keccak
from signers.paths import of_scheme
from strategies.model import Side
from tests.evm.chain import LocalChain
from tests.evm.faults import Refused
from tests.evm.proxy import ALWAYS, FaultProxy
from tests.evm.rig import ChainRig, chain_rig, demo_address
from tests.evm.test_restarts import foreign
from tests.execution.outside import wanted

SPAN = 50
"""Blocks that are asked for at once: fewer than the chain has."""
STRANGER = bytes.fromhex("00000000000000000000000000000000000a11ce")


async def look(rig: ChainRig) -> dict[str, Difference]:
    """What the timer does; by subject."""
    compared = await rig.session.recovery.look_again()
    assert compared.doubt == ""
    return {each.subject: each for each in compared.differences}


async def post(rig: ChainRig, *differences: Difference) -> None:
    for each in differences:
        await adjust(rig.desk, rig.session.recovery, wanted(each))


def curve(rig: ChainRig) -> tuple[Decimal, ...]:
    rig.desk.sample_equity()
    found: tuple[Decimal, ...] = rig.desk.equity.on(rig.desk.terms.capital)
    return found


def alerts(rig: ChainRig) -> list[tuple[str, str]]:
    return [(row["kind"], row["severity"]) for row in rig.rows("SELECT kind, severity FROM alerts ORDER BY id")]


async def test_a_deposit_is_shown_and_not_traded_with_and_stops_nothing(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        giver, usdc = anvil.accounts[1], anvil.token("USDC")
        before = rig.booked("USDC")
        assert await look(rig) == {}
        anvil.transact(usdc.address, "transfer(address,uint256)", rig.me, 5_000_000, sender=giver)
        anvil.set_balance(rig.me, anvil.balance(rig.me) + 7)
        found = await look(rig)
        assert found["USDC"].words.endswith("(difference 5)")
        assert found["ETH"].words.endswith("(difference 0.000000000000000007)")
        assert rig.desk.halted == ""
        assert rig.booked("USDC") == before
        trade = await rig.propose(quantity="0.25")
        await rig.reached(trade, "FILLED")
        assert {name: each.amount for name, each in (await look(rig)).items()} == {
            name: each.amount for name, each in found.items()
        }
        assert alerts(rig)[:2] == [("reconcile", "MEDIUM")] * 2
        equity = curve(rig)
        await post(rig, *(await look(rig)).values())
        assert curve(rig) == equity
        await rig.assert_agrees()
        assert await look(rig) == {}
        sale = await rig.propose(Side.SELL, "0.25")
        await rig.reached(sale, "FILLED")
        await rig.assert_agrees()
    async with chain_rig(tmp_path, anvil) as again:
        assert not again.desk.halted
        await again.assert_agrees()


async def test_another_wallet_with_the_key_stops_new_trades_until_all_it_did_is_posted(
    tmp_path: Path, anvil: LocalChain
) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        trade = await rig.propose(quantity="0.25")
        await rig.reached(trade, "FILLED")
        assert await look(rig) == {}
        usdc, gas = anvil.token("USDC"), dict(rig.desk.state.gas)
        anvil.impersonate(rig.me)
        anvil.transact(usdc.address, "transfer(address,uint256)", anvil.accounts[1], 3_000_000, sender=rig.me)
        found = await look(rig)
        assert set(found) == {"ETH", "USDC", NONCE}
        assert found["USDC"].amount == -3
        assert found[NONCE].words == (
            "1 transaction of this account (nonce 2) was not sent by this program: the chain has 3, the ledger 2"
        )
        assert all(each.words in rig.desk.halted for each in found.values())
        await rig.quoted()
        assert rig.session.pipeline.propose(rig.intent()) is None
        assert rig.desk.counters.by_rule == {"halted": 1}
        equity = curve(rig)
        await post(rig, found["USDC"], found["ETH"])
        assert rig.desk.halted == f"the venue and the ledger differ: {found[NONCE].words}"
        await post(rig, found[NONCE])
        assert rig.desk.halted == ""
        assert curve(rig) == equity
        assert rig.desk.state.gas == gas, "what another wallet burnt is no trade's"
        sale = await rig.propose(Side.SELL, "0.25")
        await rig.reached(sale, "FILLED")
        assert await look(rig) == {}
        await rig.assert_agrees()
    async with chain_rig(tmp_path, anvil) as again:
        assert not again.desk.halted


async def test_nothing_false_is_told_while_trades_land_and_blocks_are_undone(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        stop, looked = asyncio.Event(), 0

        async def again_and_again() -> None:
            nonlocal looked
            while not stop.is_set():
                with suppress(VenueError):  # the block that is being read was undone: not compared this time
                    compared = await rig.session.recovery.look_again()
                    looked += 1
                    assert compared.doubt or not compared.differences, compared
                await asyncio.sleep(0)

        task = asyncio.create_task(again_and_again())
        for side in (Side.BUY, Side.SELL, Side.BUY):
            trade = await rig.propose(side, "0.25")
            await rig.reached(trade, "FILLED")
        anvil.automine(on=False)
        anvil.reorg(1)
        anvil.mine()
        await rig.until(lambda: not rig.desk.state.positions.open_holdings(), "the purchase is undone")
        anvil.automine(on=True)
        anvil.mine()
        await rig.until(lambda: bool(rig.desk.state.positions.open_holdings()), "it has landed again")
        stop.set()
        await task
        assert looked > 5
        assert await look(rig) == {}
        assert rig.desk.halted == ""
        assert "reconcile" not in {kind for kind, _ in alerts(rig)}
        await rig.assert_agrees()


async def test_what_anybody_may_take_without_our_doing_is_told_and_stops_nothing(
    tmp_path: Path, anvil: LocalChain
) -> None:
    """Allowed before the ledger began; and by a permit signed elsewhere, which uses up no nonce of the account."""
    me, usdc, pair = demo_address(), anvil.token("USDC").address, anvil.pool("uniswap-v2", "WETH", "USDC")
    router = anvil.chain.dexes[0].router
    anvil.fund(me)
    anvil.impersonate(me)
    anvil.transact(usdc, "approve(address,uint256)", router, 2**256 - 1, sender=me)
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()
        unlimited = f"allowance USDC {anvil.chain.dexes[0].name}"
        await rig.until(lambda: alerts(rig) == [("reconcile", "MEDIUM")], "it is told")
        found = await look(rig)
        assert list(found) == [unlimited]
        assert "may take UNLIMITED USDC of this account; this program allowed nothing" in found[unlimited].words
        assert f"countersign revoke USDC {checksum(router)}" in found[unlimited].next_step
        assert not rig.desk.halted
        permit(anvil, pair, STRANGER, 1_000)
        found = await look(rig)
        assert set(found) == {unlimited, f"allowance {checksum(pair)} {checksum(STRANGER)}"}
        assert anvil.nonce(me) == 1, "nothing else tells of it"
        acts = Acts(rig.desk, rig.session.pipeline, rig.session.run)
        await rig.reached(acts.revoke("USDC", checksum(router)), "FILLED")
        assert set(await look(rig)) == {f"allowance {checksum(pair)} {checksum(STRANGER)}"}
        await rig.until(lambda: len(alerts(rig)) == 2, "each is told once")
        manager = anvil.dex("uniswap-v3").positions
        assert manager is not None
        anvil.transact(manager, "setApprovalForAll(address,bool)", STRANGER, True, sender=me)
        everything = (await look(rig))[f"allowance uniswap-v3:all {checksum(STRANGER)}"]
        assert "may take UNLIMITED uniswap-v3:all of this account; this program allowed nothing" in everything.words
        assert f"countersign revoke uniswap-v3:all {checksum(STRANGER)}" in everything.next_step
        assert not everything.stops


async def test_many_blocks_are_asked_for_by_spans(
    tmp_path: Path, anvil: LocalChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowances, "SPAN", SPAN)
    anvil.fund(demo_address())
    pair = anvil.pool("uniswap-v2", "WETH", "USDC")
    permit(anvil, pair, STRANGER, 1_000)
    anvil.mine(SPAN)
    with FaultProxy(anvil.url, anvil.ws_url) as proxy:
        async with chain_rig(tmp_path, anvil, urls=((proxy.url, ""),)) as rig:
            assert set(await look(rig)) == {f"allowance {checksum(pair)} {checksum(STRANGER)}"}
        asked = [
            each.params[0] for each in proxy.seen if each.method == "eth_getLogs" and "address" not in each.params[0]
        ]
        spans = [int(each["toBlock"], 16) - int(each["fromBlock"], 16) for each in asked]
        assert max(spans) < SPAN <= sum(spans) // 2


async def test_events_that_no_node_tells_of_are_asked_for_again(tmp_path: Path, anvil: LocalChain) -> None:
    anvil.fund(demo_address())
    with FaultProxy(anvil.url, anvil.ws_url) as proxy:
        proxy.script("eth_getLogs", Refused(-32000, "not now"), times=ALWAYS)
        async with chain_rig(tmp_path, anvil, urls=((proxy.url, ""),)) as rig:
            pair = anvil.pool("uniswap-v2", "WETH", "USDC")
            permit(anvil, pair, STRANGER, 1_000)
            assert await look(rig) == {}
            proxy.clear()
            assert set(await look(rig)) == {f"allowance {checksum(pair)} {checksum(STRANGER)}"}


async def test_what_this_program_allowed_through_permit2_is_no_difference(tmp_path: Path, anvil: LocalChain) -> None:
    """Bought exactly: what it did not need is left, to Permit2 and through it until the swap's deadline."""
    async with chain_rig(tmp_path, anvil, approvals=Approvals.PERMIT2) as rig:
        trade = await rig.propose(quantity="0.25")
        await rig.reached(trade, "FILLED")
        assert rig.orders(trade) == [("approve", "FILLED")] * 2 + [("entry", "FILLED")]
        permit2, usdc = anvil.chain.permit2, anvil.token("USDC").address
        assert permit2 is not None
        router = decode(trade.payloads[-1].body).to
        inner = "allowance(address,address,address)(uint160,uint48,uint48)"
        assert anvil.call(permit2, inner, rig.me, usdc, router)[0] > 0
        assert await look(rig) == {}
    async with chain_rig(tmp_path, anvil, approvals=Approvals.PERMIT2) as again:
        assert await look(again) == {}
        anvil.impersonate(again.me)
        allow = "approve(address,address,uint160,uint48)"
        anvil.transact(permit2, allow, usdc, router, 2**150, 2**40, sender=again.me)
        (found,) = (each for name, each in (await look(again)).items() if name.startswith("allowance"))
        assert "of this account through Permit2; this program allowed" in found.words
        assert found.next_step.endswith(" --permit2")


async def test_what_this_program_allowed_is_no_difference(tmp_path: Path, anvil: LocalChain) -> None:
    """A purchase of an exact amount leaves what it did not need; an approval may land and its swap never."""
    async with chain_rig(tmp_path, anvil) as rig:
        usdc, left = anvil.token("USDC").address, 0
        trade = await rig.propose(quantity="0.25")
        await rig.reached(trade, "FILLED")
        for dex in anvil.chain.dexes:
            left += anvil.call(usdc, "allowance(address,address)(uint256)", rig.me, dex.router)
        assert left > 0
        assert await look(rig) == {}
    router = decode(trade.payloads[-1].body).to
    # As if by a permit: more than was ever allowed, without a transaction of the account.
    anvil.rpc("anvil_setERC20Allowance", *(f"0x{each.hex()}" for each in (rig.me, router, usdc)), hex(10**12))
    async with chain_rig(tmp_path, anvil) as again:
        (found,) = (await look(again)).values()
        assert "may take 1000000 USDC of this account; this program allowed" in found.words
        assert not found.words.endswith("allowed nothing")


def permit(anvil: LocalChain, pair: bytes, spender: bytes, amount: int) -> None:
    """The account signs a permit of EIP-2612, as UniswapV2ERC20 has it, and somebody else brings it to the chain."""
    me, until = demo_address(), 2**40
    domain = anvil.call(pair, "DOMAIN_SEPARATOR()(bytes32)")
    fields = ["bytes32", "address", "address", "uint256", "uint256", "uint256"]
    kind = anvil.call(pair, "PERMIT_TYPEHASH()(bytes32)")
    said = keccak(encode(fields, [kind, me, spender, amount, 0, until]))
    key = Account.from_key(DemoSigner()._key(of_scheme("evm", "bip44", 0)))
    signed = key.unsafe_sign_hash(keccak(b"\x19\x01" + domain + said))
    signature = "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"
    anvil.transact(pair, signature, me, spender, amount, until, signed.v, signed.r.to_bytes(32), signed.s.to_bytes(32))


async def test_one_block_is_read_with_three_questions(tmp_path: Path, anvil: LocalChain) -> None:
    """And whatever another check wants to know of it comes with the same request."""
    async with chain_rig(tmp_path, anvil) as rig:
        await rig.quoted()  # what else asks has done so
        nodes, asked = rig.venue.nodes, []
        call, agreed = nodes.call, nodes.agreed

        async def counted(method: str, params: Any = ()) -> Any:
            asked.append(method)
            return await call(method, params)

        async def counted_too(method: str, params: Any = ()) -> Any:
            asked.append(method)
            return await agreed(method, params)

        nodes.call, nodes.agreed = counted, counted_too  # type: ignore[method-assign]  # to see what is asked
        reader = rig.venue.reader
        await reader.read()  # learns which multicall contract it is
        asked.clear()
        usdc = anvil.token("USDC").address

        async def supply_of(_: At) -> list[Call]:
            return [Call(usdc, bytes.fromhex("18160ddd")), Call(usdc, b"\0\0\0\0")]

        reader.beside = {"supply": supply_of}
        reading = await reader.read()
        assert [each for each in asked if each != "eth_blockNumber"] == [
            "eth_getBlockByNumber", "eth_call", "eth_getTransactionCount",
        ]  # fmt: skip
        supply, nothing = reading.more["supply"]
        assert supply is not None
        assert int.from_bytes(supply) == anvil.call(usdc, "totalSupply()(uint256)")
        assert nothing is None
        number, _, name = reading.block.partition("/")
        assert anvil.block(int(number))["hash"] == name
        assert dict(reading.balances) == rig.desk.state.purse.balances()
        assert dict((await reader.read(sure=True)).balances) == rig.desk.state.purse.balances()


async def test_what_came_while_nobody_looked_is_a_difference_and_no_beginning(
    tmp_path: Path, anvil: LocalChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a token of which the account had none when its ledger began."""
    pup, funded = anvil.token("PUP"), anvil.fund

    def fund(who: bytes) -> None:
        funded(who)
        anvil.deal(pup.address, who, 0)

    monkeypatch.setattr(anvil, "fund", fund)
    async with chain_rig(tmp_path, anvil) as rig:
        assert rig.booked("PUP") == 0
    anvil.deal(pup.address, demo_address(), 4 * 10**18)
    foreign(anvil, demo_address())
    async with chain_rig(tmp_path, anvil) as again:
        found = {each.subject: each for each in again.session.recovery.books.books.differences}
        assert set(found) == {"ETH", "PUP", NONCE}
        assert found["PUP"].amount == 4
        assert "PUP" not in again.desk.halted
        assert "ETH" in again.desk.halted
        await post(again, *found.values())
        assert again.desk.halted == ""
        await again.assert_agrees()


async def test_a_loss_that_a_reorganisation_takes_back_counts_no_more(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        entry = await rig.propose(quantity="0.25")
        await rig.reached(entry, "FILLED")
        sale = await rig.propose(Side.SELL, "0.25")
        await rig.reached(sale, "FILLED")
        book = rig.desk.state.positions
        assert (book.losses_since(0), len(book.trips)) == (1, 1)
        assert reports.profit(rig.session.reader)["round_trips"] == {"won": 0, "lost": 1}
        anvil.automine(on=False)
        anvil.reorg(1)
        anvil.mine()
        await rig.until(lambda: rig.state(sale) == "SUBMITTED", "the sale is undone")
        assert (book.losses_since(0), len(book.trips)) == (0, 0)
        assert reports.profit(rig.session.reader)["round_trips"] == {"won": 0, "lost": 0}
        assert load("anvil", rig.session.reader).positions.losses_since(0) == 0
        anvil.automine(on=True)
        anvil.mine()
        await rig.reached(sale, "FILLED")
        assert (book.losses_since(0), len(book.trips)) == (1, 1)
        await rig.assert_agrees()
