"""A nonce that a trade gave back while a later one was sent above it: said, and filled by the next transaction."""

from __future__ import annotations

from pathlib import Path

from app.execution.records import Payload, Trade
from signers.evm import decode
from tests.evm.chain import LocalChain
from tests.evm.rig import ChainRig, chain_rig


def nonces(trade: Trade) -> list[int]:
    return [decode(payload.body).nonce for payload in trade.payloads]


async def waits(rig: ChainRig, symbol: str, quantity: str) -> Trade:
    """Its approval was sent, and waits for a block."""
    trade = await rig.propose(symbol=symbol, quantity=quantity)
    await rig.until(lambda: rig.orders(trade)[:1] == [("approve", "OPEN")], lambda: str(rig.told(trade)))
    return trade


async def test_what_waits_behind_a_nonce_that_was_given_back_is_told(tmp_path: Path, anvil: LocalChain) -> None:
    async with chain_rig(tmp_path, anvil) as rig:
        anvil.automine(on=False)
        first, later = await waits(rig, "ETH-USDC", "0.25"), await waits(rig, "WBTC-USDC", "0.01")
        assert (nonces(first), nonces(later)) == ([0, 1], [2, 3])
        again = rig.session.recovery.look_again
        assert (await again()).differences == (), "its own swap is to go"
        preparation = rig.session.pipeline._preparation
        worse = preparation.worse

        async def fell(trade: Trade, payload: Payload) -> str | None:
            return "The market is elsewhere." if trade is first else await worse(trade, payload)

        preparation.worse = fell  # type: ignore[method-assign]  # what is asked of the chain
        anvil.mine()
        await rig.reached(first, "CANCELLED")
        (found,) = (await again()).differences
        (name,) = (order.request.client_id for order in later.orders.values() if order.role == "approve")
        assert found.words == f"transaction {name[:10]} waits for nonce 1, which no transaction of this program has"
        assert not found.stops
        alert = "SELECT 1 FROM alerts WHERE text LIKE '%waits for nonce 1, %'"
        await rig.until(lambda: bool(rig.rows(alert)), "the trader is told")
        # Any trade fills it.
        anvil.automine(on=True)
        last = await rig.propose(quantity="0.1")
        await rig.until(lambda: bool(last.payloads), "it is prepared")
        assert nonces(last)[0] == 1
        await rig.reached(last, "FILLED")
        await rig.reached(later, "FILLED")
        assert (await again()).differences == ()
        await rig.assert_agrees()
