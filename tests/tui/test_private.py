"""A private transaction as a person sees it: the confirmation says who sees it, health what waits, and the palette
publishes it for a typed word. Anvil and a private endpoint over HTTP are the judges."""

from __future__ import annotations

from pathlib import Path

from app.tui.palette import commands
from app.venues.evm.private.way import PrivateWay
from tests.evm.chain import LocalChain
from tests.evm.relay import Does, FakeRelay
from tests.tui.on_chain import ChainSeat, chain_terminal
from tests.tui.test_chain import BUY, _read


def publishes(seat: ChainSeat) -> list[str]:
    return [each.title for each in commands(seat.app) if each.title.startswith("Publish")]


async def test_a_private_transaction_is_confirmed_waits_and_is_published(tmp_path: Path, anvil: LocalChain) -> None:
    with FakeRelay(anvil.url, does=Does.HOLD) as relay:
        async with chain_terminal(tmp_path, anvil, private=PrivateWay(relay.url)) as seat:
            trade = await seat.ticket("buy", **BUY)
            seat.app.do.read(trade.id)
            await seat.look()
            said = await _read(seat)
            assert f"Sent privately through {relay.host}: not visible to others" in said
            assert publishes(seat) == []
            seat.person.waits(1)
            await seat.press("S")
            await seat.approve()
            await seat.until(lambda: trade.at_device is trade.payloads[1])
            await seat.approve()
            await seat.until(lambda: bool(relay.given) and bool(publishes(seat)))
            (client_id,) = [order.request.client_id for order in trade.orders.values() if order.live][:1]
            name = client_id[:10]
            assert publishes(seat) == [f"Publish: approve of ETH-USDC ({name})"]
            while "Dialog" in seat.dialog:
                await seat.press("escape")
            seat.app.do.show("health")
            await seat.look()
            assert f"Transactions go privately through {relay.host} (rpc)." in seat.text()
            assert f"{name} waits 0 of 25 blocks" in seat.text()
            (publish,) = (each for each in commands(seat.app) if each.title.startswith("Publish"))
            publish.act()
            await seat.look()
            assert seat.dialog == "WordDialog"
            await seat.press(*"publish")
            await seat.press("enter")
            await seat.look()
            assert seat.dialog == "WordDialog"
            assert anvil.nonce(seat.session.venue.account, "pending") == 0  # type: ignore[attr-defined]
            await seat.press(*"PUBLISH")
            await seat.press("enter")
            await seat.until(lambda: anvil.nonce(seat.session.venue.account) == 1)  # type: ignore[attr-defined]
            assert publishes(seat) == [] or "approve" not in publishes(seat)[0]
