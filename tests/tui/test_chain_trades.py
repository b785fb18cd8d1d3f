"""A swap, a split swap, an arbitrage and a round trip of liquidity, each as its trader makes them: read to the end and
confirmed in the terminal, every transaction approved on the device, landed, and settled in the ledger.

The chain is anvil with Uniswap's own contracts, and what the account has there is what the ledger must say, to the last
unit. The Ledger is the real driver over the wire of Speculos, and at its other end a double of the device that answers
as the recorded app and signs with the keys of Speculos' phrase (`tests.devices.ledger_device`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from app.engine.acts import Acts
from app.execution.mined import transactions
from app.execution.records import Role, Trade
from app.tui.widgets.reader import Reader
from app.venues.evm.acts import decode as decoded
from app.venues.evm.swap import Call, Swap
from signers.evm import decode
from signers.paths import of_scheme
from signers.payloads import Chain
from strategies.acts import Provide
from tests.devices import keys
from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator
from tests.evm.chain import LocalChain
from tests.evm.rig import ChainRig, demo_address
from tests.evm.test_acts import cycle, pools, push
from tests.tui.on_chain import ChainSeat, chain_terminal

LEDGER: Final = bytes.fromhex(keys.address(Chain.EVM, of_scheme("evm", "bip44", 0))[2:])
BLIND: Final = {"signer.blind_value": "1000000"}
"""Of a call to a router a Ledger shows a hash alone: the trader allows that up to this value."""


@dataclass(slots=True)
class Device:
    """What countersigns, and its person's hand.

    Attributes:
        account: whose the trades are.
        name: what the journal calls it.
        approve: waits until the device asks, and approves.
        registers: its address is compared on it at the first start.
        asked: bytes that reached the device, None where that can not be told.
    """

    name: str
    account: bytes
    settings: dict[str, str]
    approve: Callable[[ChainSeat], Awaitable[None]]
    registers: bool = False
    asked: list[bytes] | None = None


async def _demo(seat: ChainSeat) -> None:
    await seat.approve()


@contextmanager
def demo() -> Iterator[Device]:
    yield Device("demo", demo_address(), {}, _demo)


@contextmanager
def ledger() -> Iterator[Device]:
    """The driver on its own socket; each review waits for a hand."""
    with LedgerEmulator(LedgerDevice(human=Human.NEVER, blind=True)) as served:

        async def approve(seat: ChainSeat) -> None:
            await seat.until(lambda: served.device.review is not None)
            assert seat.dialog in {"HardwareDialog", "CompareDialog"}
            answered = served.device.review
            served.press(approve=True)
            await seat.until(lambda: served.device.review is not answered)  # the next can be there at once

        settings = {"signer.kind": "ledger", "signer.ledger": served.url, **BLIND}
        yield Device("ledger", LEDGER, settings, approve, registers=True, asked=served.device.log)


DEVICES: Final[dict[str, Callable[[], AbstractContextManager[Device]]]] = {"demo": demo, "ledger": ledger}


class Trading:
    """A terminal on a chain, with one device in its trader's hand."""

    def __init__(self, seat: ChainSeat, device: Device) -> None:
        self.seat, self.device = seat, device
        plan = seat.session.plan.chain
        assert plan is not None
        self.rig = ChainRig(seat.session, seat.chain, plan.source)
        self.acts = Acts(seat.session.desk, seat.session.pipeline, seat.session.run)
        self.before = {symbol: self.rig.on_chain(symbol) for symbol in ("ETH", "USDC")}

    async def waits(self, trade: Trade | None) -> Trade:
        """Prepared, and waiting to be read."""
        assert trade is not None, self.seat.desk.counters.by_rule
        proposals = self.seat.session.pipeline.proposals
        await self.seat.until(lambda: trade in proposals.waiting() or trade.state.value == "DENIED")
        assert trade.state.value != "DENIED", trade.reason
        await self.seat.look()
        return trade

    async def through(self, trade: Trade) -> None:
        """Read to the end, confirmed with S, every transaction approved on the device; until it is filled."""
        seat = self.seat
        seat.app.do.read(trade.id)
        await seat.until(lambda: seat.dialog == "ConfirmDialog")
        said = [seat.text()]
        for _ in range(60):
            if seat.app.screen.query_one(Reader).read:
                break
            await seat.press("pagedown")
            said.append(seat.text())
        for line in trade.text.splitlines():
            assert line in "\n".join(said)
        assert trade.state.value == "PREPARED", "nothing is sent by reading"
        seat.person.waits(1)
        needed = seat.session.pipeline.proposals.requirement(trade).readback
        if needed is not None:
            seat.app.screen.query_one("#readback").value = needed  # type: ignore[attr-defined] # an Input
        await seat.press("S")
        for payload in trade.payloads:
            await seat.until(lambda asked=payload: trade.at_device is asked)  # type: ignore[misc] # binds now
            await self.device.approve(seat)
        await seat.until(lambda: trade.state.value not in {"CONFIRMED", "SIGNED", "SUBMITTED", "PREPARED"})
        assert trade.state.value == "FILLED", self.rig.told(trade)
        while seat.dialog:
            await seat.press("escape")
        await self._landed(trade)

    def gas(self) -> Decimal:
        """Everything that gas has cost, whole coins."""
        found: Decimal = self.rig.desk.state.gas["ETH"]
        return found

    async def _landed(self, trade: Trade) -> None:
        """Every transaction is in a block as the device's account signed it, and the ledger is what the chain is."""
        seat = self.seat
        for payload, sent in zip(trade.payloads, transactions(trade), strict=True):
            found = await seat.chain.arpc("eth_getTransactionByHash", sent.hash)
            fields = decode(payload.body)
            assert bytes.fromhex(found["from"][2:]) == self.device.account
            assert bytes.fromhex(found["input"][2:]) == fields.data
            assert int(found["nonce"], 16) == fields.nonce
            if self.device.asked is not None:
                assert payload.body in b"".join(_chunks(self.device.asked)), "the device was given these very bytes"
        signers = {row["signer"] for row in self.rig.rows("SELECT signer FROM authorisations")}
        assert signers == {self.device.name}
        await seat.rig.settle()
        await self.rig.assert_agrees()


def _chunks(log: list[bytes]) -> Iterator[bytes]:
    """What of transactions the device was sent, piece after piece; a path goes before the first."""
    for apdu in log:
        if apdu[1:2] == b"\x04":
            first = apdu[2] == 0
            yield apdu[5 + 1 + 4 * apdu[5] :] if first else apdu[5:]


@asynccontextmanager
async def trading(folder: Path, chain: LocalChain, which: str) -> AsyncIterator[Trading]:
    with DEVICES[which]() as device:
        terminal = chain_terminal(
            folder, chain, ready=not device.registers, settings=device.settings, account=device.account
        )
        async with terminal as seat:
            if device.registers:
                await seat.until(lambda: seat.dialog == "CompareDialog")
                await device.approve(seat)
                await seat.running()
            yield Trading(seat, device)


@pytest.fixture(params=sorted(DEVICES))
def which(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def parts_of(trade: Trade) -> int:
    """Over how many routes a trade's swap goes, by the bytes that were signed."""
    fields = decode(trade.payloads[-1].body)
    act = decoded(Call(fields.to, fields.data, fields.value))
    assert isinstance(act, Swap)
    return len(act.parts)


async def test_a_swap(tmp_path: Path, anvil: LocalChain, which: str) -> None:
    async with trading(tmp_path, anvil, which) as it:
        trade = await it.seat.ticket("buy", symbol="ETH-USDC", quantity="0.1", stop="2000")
        await it.through(trade)
        assert it.rig.orders(trade) == [("approve", "FILLED"), ("entry", "FILLED")]
        assert it.rig.desk.state.positions.holding("manual", "ETH-USDC").quantity == Decimal("0.1")
        (entry,) = (order for order in trade.orders.values() if order.role is Role.ENTRY)
        (fill,) = it.rig.rows("SELECT quantity, price FROM fills WHERE trade_id = ?", trade.id)
        paid = it.before["USDC"] - it.rig.on_chain("USDC")
        assert (Decimal(fill["quantity"]), entry.state.value) == (Decimal("0.1"), "FILLED")
        assert abs(Decimal(fill["price"]) * Decimal("0.1") - paid) < Decimal("0.000001"), "to the unit of USDC"
        assert it.before["ETH"] + Decimal("0.1") - it.rig.on_chain("ETH") == it.gas(), "gas to the wei"


async def test_a_split_swap(tmp_path: Path, anvil: LocalChain, which: str) -> None:
    """What is too much for any one pool is sold over several at once, in one transaction."""
    async with trading(tmp_path, anvil, which) as it:
        bought = await it.seat.ticket("buy", symbol="ETH-USDC", quantity="30", stop="2000")
        await it.through(bought)
        push(anvil, 3000, 80_000)  # so that no one pool is the best for all of it
        middle = it.rig.on_chain("USDC")
        sold = await it.seat.ticket("sell", symbol="ETH-USDC", quantity="30")
        assert parts_of(sold) > 1
        await it.through(sold)
        assert it.rig.orders(sold) == [("close", "FILLED")]
        assert not it.rig.desk.state.positions.holding("manual", "ETH-USDC").quantity
        (fill,) = it.rig.rows("SELECT quantity, price FROM fills WHERE trade_id = ?", sold.id)
        assert abs(Decimal(fill["price"]) * 30 - (it.rig.on_chain("USDC") - middle)) < Decimal("0.000001")
        assert it.before["ETH"] - it.rig.on_chain("ETH") == it.gas()


async def test_an_arbitrage(tmp_path: Path, anvil: LocalChain, which: str) -> None:
    """In one transaction, or not at all."""
    push(anvil, 3000, 400_000)
    async with trading(tmp_path, anvil, which) as it:
        await it.seat.mine()
        found = await pools(it.rig)
        intent = cycle(it.rig, "USDC", "1000", "0.5", [found[500], found[3000]])
        trade = await it.waits(it.seat.session.pipeline.propose(intent))
        await it.through(trade)
        assert it.rig.orders(trade) == [("approve", "FILLED"), ("act", "FILLED")]
        won = it.rig.on_chain("USDC") - it.before["USDC"]
        assert won >= Decimal("0.5")
        assert it.rig.desk.state.stakes.gains == {"USDC": won}
        assert it.before["ETH"] - it.rig.on_chain("ETH") == it.gas()


async def test_liquidity_there_and_back(tmp_path: Path, anvil: LocalChain, which: str) -> None:
    """Opened, its fees collected after others traded, withdrawn."""
    async with trading(tmp_path, anvil, which) as it:
        await it.seat.mine()
        wanted = Provide(Decimal(1), Decimal(2500), 3000, Decimal(2000), Decimal(3000))
        opened = await it.waits(it.acts.provide("ETH-USDC", wanted))
        await it.through(opened)
        assert it.rig.orders(opened) == [("approve", "FILLED"), ("act", "FILLED")]
        stakes = it.rig.desk.state.stakes
        (stake,) = stakes.open.values()
        push(anvil, 3000, 400_000)
        await it.seat.mine()
        await it.seat.until(lambda: stake.change().get("USDC", 0) > 1)
        await it.through(await it.waits(it.acts.collect(stake.position)))
        assert stakes.gains["USDC"] > 0, "fees"
        await it.seat.mine()
        await it.through(await it.waits(it.acts.withdraw(stake.position)))
        assert stakes.open == {}
        after = {symbol: it.rig.on_chain(symbol) for symbol in ("ETH", "USDC")}
        assert after["USDC"] - it.before["USDC"] == stakes.gains["USDC"]
        assert after["ETH"] - it.before["ETH"] == stakes.gains["ETH"] - it.gas()


async def test_what_the_ledger_s_person_refuses_is_never_sent(tmp_path: Path, anvil: LocalChain) -> None:
    """Also where only the second of two transactions is refused: the approval that was signed before is not sent."""
    with LedgerEmulator(LedgerDevice(blind=True)) as served:
        settings = {"signer.kind": "ledger", "signer.ledger": served.url, **BLIND}
        async with chain_terminal(tmp_path, anvil, settings=settings, account=LEDGER) as seat:
            served.device.answers.extend((Human.APPROVE, Human.REFUSE))
            trade = await seat.ticket("buy", symbol="ETH-USDC", quantity="0.1", stop="2000")
            seat.session.pipeline.proposals.shown(trade.id)
            seat.person.waits(1)
            needed = seat.session.pipeline.proposals.requirement(trade).readback
            assert needed == "BLIND", "a router's call is shown as a hash: that has to be typed"
            seat.session.pipeline.proposals.confirm(trade.id, needed)
            await seat.until(lambda: trade.state.value == "REFUSED")
            assert anvil.nonce(LEDGER) == 0
            assert anvil.nonce(LEDGER, "pending") == 0
            assert not seat.desk.state.purse.holds
