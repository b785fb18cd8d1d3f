"""Seals of the journal: what is signed, who asks for it, and that nothing before one can be rewritten unseen."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.errors import SignerError
from app.execution.verify import verify
from app.seal_commands import seal_handlers, seal_session
from app.seal_text import HEADER, Seal, parse, render
from app.sealing import KIND
from signers import softkey
from signers.payloads import Chain, PersonalMessage
from signers.verify import verify_text
from storage.database import Reader, connect
from storage.journal import Finding, Head, HeadMirror, head_of, read_mirror
from storage.schema import HASHED
from tests.cli.harness import Cli, commands
from tests.devices.keyring_double import EVM_ADDRESS, EVM_KEY, HOT, kept_in, with_key
from tests.execution.harness import rig
from tests.execution.test_signers import KINDS, hands
from tests.execution.test_tampering import mend

SEALED = Seal(7, "ab" * 32, "paper", "cd" * 16, 1_700_000_000_000)


# -- the text -------------------------------------------------------------------------------------------------------


def test_the_text_reads_back_exactly_and_in_one_form_only() -> None:
    text = render(SEALED)
    assert text.split("\n")[:2] == [HEADER, "seq 7"]
    assert parse(text) == SEALED
    assert PersonalMessage(text).text == text
    for other in (
        text + "\n",
        text.replace("seq 7", "seq 07"),
        text.replace("seq 7", "seq 0"),
        text.replace("ab", "AB", 1),
        text.replace("2023", "2023 "),
        text.replace("-11-", "-13-"),
        text.replace("paper", "paper\nseq 8"),
        text.replace("seal 1", "seal 2"),
        text[1:],
        "",
    ):
        with pytest.raises(ValueError, match=r"seal|match|month"):
            parse(other)


# -- on a running session's device ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_the_sessions_device_signs_the_head_and_the_seal_is_journaled(tmp_path: Path, kind: str) -> None:
    with hands(kind) as device:
        async with rig(tmp_path, settings=device.settings) as r:
            await r.trade()
            head = r.session.writer.head
            found = await seal_session(r.session)
            assert (found["seq"], found["hash"], found["address"]) == (head.seq, head.hash.hex(), device.address)
            verify_text(found["text"], bytes.fromhex(found["signature"]), device.address)
            (row,) = r.rows("SELECT s.*, j.kind FROM seals s JOIN journal j ON j.seq = s.seq")
            assert (row["kind"], row["sealed_seq"], row["text"]) == (KIND, head.seq, found["text"])
            assert r.sent() == [r.sent()[0]], "a seal sends nothing"
            device.refuse(on=True)
            with pytest.raises(SignerError, match="not sealed") as refused:
                await seal_session(r.session)
            assert refused.value.next_step == "Nothing was written. Try again."
            device.refuse(on=False)
            assert r.rows("SELECT count(*) AS n FROM seals") == [{"n": 1}]
            assert r.states(await r.close_position("1"))[-1] == "FILLED"
            r.assert_sound()


async def test_two_at_once_seal_one_after_the_other(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.trade()

        class Trader:
            session = r.session

        seal: Any = seal_handlers(Trader())["seal"]  # type: ignore[arg-type]  # it needs the session alone
        one, two = await asyncio.gather(seal({}), seal({}))
        assert two["seq"] > one["seq"]
        r.assert_sound()


async def test_the_hot_key_seals_and_no_cap_counts_it(tmp_path: Path) -> None:
    with kept_in(with_key()):
        async with rig(tmp_path, settings={**HOT, "signer.hot.per_day": "0"}) as r:
            assert (await seal_session(r.session))["address"] == EVM_ADDRESS
            r.assert_sound()


# -- what is found --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A session that ended and was sealed twice, with nobody else at the device."""
    with commands(tmp_path_factory.mktemp("sealed") / "home") as cli:
        assert cli.replay(bars=20).code == 0
        for _ in range(2):
            assert cli("journal", "seal", "--db", cli.db, "--json").code == 0
        yield cli


class Bench:
    """A copy of it to tamper with."""

    def __init__(self, session: Cli, folder: Path) -> None:
        self.path = folder / "a.db"
        shutil.copy(session.db, self.path)
        shutil.copy(session.db.with_name("a.db.head"), folder / "a.db.head")
        self.connection = connect(self.path, read_only=False)
        self.connection.execute("PRAGMA foreign_keys=OFF")

    def run(self, sql: str, *values: Any) -> list[Any]:
        return self.connection.execute(sql, values).fetchall()

    def rewrite(self, first: int) -> None:
        """As somebody who knows every rule would: all hashes from `first` on, and the mirror beside the database."""
        ((last,),) = self.run("SELECT max(seq) FROM journal")
        mend(self.run, first, last)
        mirror = HeadMirror(self.path)
        mirror.write(head_of(self.connection))
        mirror.close()

    def findings(self) -> list[Finding]:
        return list(verify(Reader(self.connection), read_mirror(self.path)))


@pytest.fixture
def bench(sealed: Cli, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(sealed, tmp_path)
    with closing(made.connection):
        yield made


def test_an_untouched_journal_with_its_seals_verifies(sealed: Cli, bench: Bench) -> None:
    assert bench.findings() == []
    found = sealed("journal", "verify", "--db", sealed.db, "--json").document
    assert found["ok"]
    assert found["seal"]["seq"] == found["rows"] - 1
    assert found["seal"]["signer"] == "demo"
    assert "Sealed to row" in sealed("journal", "verify", "--db", sealed.db).out
    shown = sealed("journal", "show", "--db", sealed.db, "--limit", "1")
    assert KIND in shown.out
    assert "Sealed to row" in shown.out


def test_a_rewritten_history_is_found_though_chain_and_mirror_were_computed_anew(bench: Bench) -> None:
    """Without seals the same rewriting is not found: that is what they are for."""
    bench.run("UPDATE journal SET kind = kind || 'x' WHERE seq = 3")
    bench.rewrite(3)
    found = bench.findings()
    assert [finding.table for finding in found] == ["seals", "seals"]
    assert all("was rewritten" in finding.what for finding in found)
    bench.run("DELETE FROM seals")
    bench.run("DELETE FROM journal WHERE kind = ?", KIND)
    bench.rewrite(3)
    assert bench.findings() == []


def test_what_happened_between_two_seals_is_covered_by_the_second(bench: Bench) -> None:
    ((first,),) = bench.run("SELECT min(sealed_seq) FROM seals")
    bench.run("UPDATE journal SET subject = 'x' WHERE seq = ?", first + 1)
    bench.rewrite(first + 1)
    (finding,) = bench.findings()
    assert f"the seal of row {first + 1} " in finding.what


def test_a_tail_cut_off_after_the_sealed_row_was_replaced_is_found(bench: Bench) -> None:
    ((last,),) = bench.run("SELECT max(sealed_seq) FROM seals")
    bench.run("UPDATE seals SET seq = seq + 5 WHERE sealed_seq = ?", last)
    bench.run("UPDATE journal SET seq = seq + 5 WHERE seq = ?", last + 1)
    bench.run("DELETE FROM journal WHERE seq = ?", last)
    assert any("not there any more" in finding.what for finding in bench.findings())


def _seal_again(bench: Bench, key: bytes, **changes: Any) -> None:
    """Replace the last seal by one that `key` signed, and mend every hash."""
    ((rowid, text),) = bench.run("SELECT rowid, text FROM seals ORDER BY rowid DESC LIMIT 1")
    before = parse(text)
    fields = {name: changes.get(name, getattr(before, name)) for name in ("seq", "hash", "profile", "run", "sealed_ms")}
    seal = Seal(**fields)
    new = render(seal)
    signature = softkey.signature(PersonalMessage(new), key).hex()
    bench.run(
        "UPDATE seals SET (sealed_seq, hash, text, signature, address, sealed_ms) = (?, ?, ?, ?, ?, ?) WHERE rowid = ?",
        seal.seq, seal.hash, new, signature, softkey.address(Chain.EVM, key), seal.sealed_ms, rowid,
    )  # fmt: skip
    ((own,),) = bench.run("SELECT seq FROM seals WHERE rowid = ?", rowid)
    bench.rewrite(own)


def test_a_seal_by_a_key_that_is_not_registered_is_found(bench: Bench) -> None:
    _seal_again(bench, EVM_KEY)
    (finding,) = bench.findings()
    assert f"by {EVM_ADDRESS}, which is not registered" in finding.what


def test_seals_out_of_order_or_of_another_profile_are_found(bench: Bench) -> None:
    bench.run("UPDATE accounts SET address = ?", EVM_ADDRESS)
    ((row, digest),) = bench.run("SELECT seq, hex(hash) FROM journal WHERE seq = 2")
    _seal_again(bench, EVM_KEY, seq=row, hash=digest.lower(), profile="live")
    words = " ".join(finding.what for finding in bench.findings() if finding.table == "seals")
    assert "not between the seal before it and its own row" in words
    assert "of profile live, this database is of paper" in words


@pytest.mark.parametrize("column", HASHED["seals"])
def test_a_changed_seal_is_found_even_with_every_hash_mended(bench: Bench, column: str) -> None:
    for value in ("x", "", 5, "0x" + "11" * 20, "ab" * 65, "é\nb"):
        if isinstance(value, str) and column.endswith(("seq", "ms")):
            continue
        bench.run("BEGIN")
        bench.run(f"UPDATE seals SET {column} = ? WHERE rowid = 1", value)
        bench.rewrite(bench.run("SELECT seq FROM seals WHERE rowid = 1")[0][0])
        found = [finding for finding in bench.findings() if finding.table == "seals"]
        bench.run("ROLLBACK")
        assert found, value


def test_a_replaced_table_is_found_and_never_raises(bench: Bench) -> None:
    columns = ", ".join(("seq", *HASHED["seals"]))
    rows = bench.run(f"SELECT {columns} FROM seals")
    for values in ((None,) * 8, (b"\xff",) * 8, ("x",) * 8, rows[0][:1] + (1.5,) * 7, (None, *rows[0][1:])):
        bench.run("DROP TABLE seals")
        bench.run(f"CREATE TABLE seals ({columns})")
        bench.run(f"INSERT INTO seals VALUES ({', '.join('?' * 8)})", *values)
        assert any(finding.table == "seals" for finding in bench.findings())


# -- by command -----------------------------------------------------------------------------------------------------


def test_with_a_trader_running_the_trader_asks_its_device(cli_home: Callable[[], Cli]) -> None:
    cli = cli_home()
    trader = cli.trader()
    done = cli("journal", "seal", "--db", cli.db, "--json")
    assert done.document["schema"] == "countersign.journal-seal/1"
    assert parse(done.document["text"]).seq == done.document["seq"]
    assert not trader.ended
    cli("stop", "--db", cli.db)
    assert trader.wait().code == 0
    with closing(sqlite3.connect(cli.db)) as connection:
        assert connection.execute("SELECT count(*) FROM seals").fetchone() == (1,)
    assert cli("journal", "verify", "--db", cli.db).code == 0


def test_there_is_nothing_to_seal_where_there_is_no_journal(cli_home: Callable[[], Cli]) -> None:
    cli = cli_home()
    cli.refused("journal", "seal", "--db", cli.home / "absent.db", code=2, says="There is no database")
    assert not (cli.home / "absent.db").exists()


@pytest.fixture
def cli_home(tmp_path: Path) -> Iterator[Callable[[], Cli]]:
    with commands(tmp_path / "home") as cli:
        yield lambda: cli


async def test_an_empty_journal_is_not_sealed(tmp_path: Path) -> None:
    from app.errors import UsageError  # noqa: PLC0415 -- only here
    from app.sealing import seal  # noqa: PLC0415 -- as above

    async with rig(tmp_path) as r:
        account: Any = None
        with pytest.raises(UsageError, match="nothing to seal"):
            await seal(Head(0, bytes(32)), ("paper", "ab" * 16, 0), r.session.device, account, 1.0)
