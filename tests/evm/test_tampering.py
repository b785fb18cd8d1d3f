"""What a chain adds to the records is covered by the hash chain like the rest: any change of it is found."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from app.engine.acts import Acts
from app.execution.verify import verify
from storage.database import Reader, connect
from storage.journal import read_mirror
from strategies.acts import Provide
from tests.evm.chain import LocalChain
from tests.evm.conftest import StartChain
from tests.evm.rig import chain_rig

CHANGES = {
    "an exact amount": "UPDATE fill_notionals SET notional = '1'",
    "an exact amount that is gone": "DELETE FROM fill_notionals",
    "a fill that was never undone": "DELETE FROM fill_changes",
    "a fill undone by hand": "INSERT INTO fill_changes SELECT seq, venue, fill_id, 'undone' FROM fills LIMIT 1",
    "other bytes signed": "UPDATE authorisations SET text = replace(text, '0x02', '0x01')",
    "another signature": "UPDATE authorisations SET signature = signature || '00'",
    "other bytes confirmed": "UPDATE payloads SET body = body || '00'",
    "another role": "UPDATE payloads SET kind = 'transaction:close' WHERE kind = 'transaction:entry'",
    "another hash": "UPDATE orders SET client_id = '0x' || substr(client_id, 4) || '0' WHERE role = 'entry'",
    "a cheaper transaction": "UPDATE orders SET gas = '0' WHERE gas <> '0'",
    "another act": "UPDATE intent_acts SET terms = replace(terms, '3000', '500')",
    "a wish that is gone": "DELETE FROM intent_acts",
    "a transaction replaced by hand": "UPDATE intent_acts SET replaces = '0x1234'",
    "less put into liquidity": "UPDATE orders SET moves = replace(moves, '-', '') WHERE moves <> ''",
    "other words": "UPDATE payloads SET text = replace(text, 'SWAP', 'SWIM')",
    "an order of another trade": "UPDATE orders SET trade_id = 'f' || substr(trade_id, 2)",
}


@pytest.fixture
async def database(tmp_path: Path, start_chain: StartChain) -> Path:
    """Of a session with a purchase that was undone and landed again, and a position of liquidity."""
    anvil: LocalChain = start_chain()
    async with chain_rig(tmp_path, anvil, confirmations=8) as rig:
        trade = await rig.propose(symbol="WBTC-USDC", quantity="0.01")
        await rig.reached(trade, "FILLED")
        anvil.reorg(1)
        anvil.mine()
        await rig.until(lambda: len(rig.rows("SELECT 1 FROM fills")) == 2, "filled in another block")
        await rig.reached(trade, "FILLED")
        acts = Acts(rig.desk, rig.session.pipeline, rig.session.run)
        opened = acts.provide("ETH-USDC", Provide(Decimal(1), Decimal(2500), 3000, Decimal(2000), Decimal(3000)))
        await rig.reached(opened, "FILLED")
        await rig.assert_agrees()
        return rig.session.plan.db


@pytest.fixture
def copies(database: Path, tmp_path: Path) -> Path:
    """A folder for copies."""
    folder = tmp_path / "copies"
    folder.mkdir()
    return folder


def test_every_change_is_found(database: Path, copies: Path) -> None:
    for number, (name, sql) in enumerate(CHANGES.items()):
        path = copies / f"{number}.db"
        shutil.copy(database, path)
        connection = connect(path, read_only=False)
        connection.execute("PRAGMA foreign_keys=OFF")
        reader = Reader(connection)
        assert list(verify(reader, read_mirror(database))) == [], "before"
        changed = connection.execute(sql).rowcount
        assert changed, name
        assert list(verify(reader, read_mirror(database))), name
        connection.close()
