"""``countersign signers`` without a trader: each state of a device in words, addresses, registration, the test text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.accounts import accounts
from app.cli import context, parser
from app.devices import KINDS, LISTED
from app.execution.authorisation import parse
from app.trial_signature import BEGINS, text_of
from signers.paths import SCHEMES
from signers.payloads import Chain, OffchainMessage, PersonalMessage
from signers.verify import verify
from storage.database import open_for_trading, reader
from tests.cli.harness import Result
from tests.devices.ledger_device import Human, LedgerDevice
from tests.devices.ledger_emulator import LedgerEmulator
from tests.devices.trezor_emulator import TrezorDevice
from tests.execution.test_signers import LEDGER_ADDRESS, TREZOR_ADDRESS
from tests.unit.cli.conftest import Call

PATH = "m/44'/60'/0'/0/0"
DEMO = "0x8509117bCdbAD869bc6CC32728076Fdb97741055"

Signers = Callable[..., Result]


@pytest.fixture
def ledger() -> Iterator[LedgerEmulator]:
    with LedgerEmulator(LedgerDevice()) as emulator:
        yield emulator


@pytest.fixture
def trezor() -> Iterator[TrezorDevice]:
    with TrezorDevice("T3T1") as device:
        yield device


@pytest.fixture
def db(tmp_path: Path) -> Path:
    open_for_trading(tmp_path / "a.db", "paper").close()
    return tmp_path / "a.db"


@pytest.fixture
def signers(call: Call, tmp_path: Path, db: Path, ledger: LedgerEmulator, trezor: TrezorDevice) -> Signers:
    """The command on that database, with both devices."""

    def run(*arguments: str, stdin: str = "", **settings: str) -> Result:
        given_ = {"kind": "ledger", "ledger": ledger.url, "trezor": trezor.url, **settings}
        lines = [f'{key} = "{value}"' for key, value in given_.items()]
        (tmp_path / "c.toml").write_text("\n".join(["[signer]", "deadline_s = 10", *lines]), encoding="utf-8")
        return call("signers", *arguments, "--db", db, "--config", tmp_path / "c.toml", stdin=stdin)

    return run


def _stored(db: Path) -> list[tuple[str, ...]]:
    with reader(db) as data:
        return [(a.signer, a.chain, str(a.path), a.address, a.device) for a in accounts(data.rows)]


def _journal(db: Path) -> list[dict[str, Any]]:
    with reader(db) as data:
        return data.rows("SELECT kind, subject, body FROM journal ORDER BY seq")


def test_the_parser_s_words_are_the_code_s() -> None:
    assert tuple(KINDS) == parser.SIGNERS
    assert all(tuple(schemes) == parser.SCHEMES for schemes in SCHEMES.values())


# -- list -----------------------------------------------------------------------------------------------------------


def test_list_tells_each_kind_what_is_there_and_which_one_a_session_would_use(signers: Signers) -> None:
    result = signers("list", "--json")
    assert (result.code, result.err) == (0, "")
    document = result.document
    assert document["schema"] == "countersign.signers/1"
    assert (document["running"], document["setting"], document["accounts"]) == (False, "ledger", [])
    ledger, trezor, keyring, demo = document["signers"]
    assert [each["kind"] for each in document["signers"]] == list(LISTED)
    assert [each["chosen"] for each in document["signers"]] == [True, False, False, False]
    assert [each["state"] for each in document["signers"]] == ["READY", "READY", None, "READY"]
    assert keyring["words"] == "Switched off: signer.hot.enabled is false."
    known = ledger["device"]
    assert (known["model"], known["app"], known["app_version"]) == ("nanosp", "Ethereum", "1.22.0")
    assert (known["blind_signing"], known["emulator"], known["real"]) == (False, True, True)
    assert (trezor["device"]["version"], trezor["device"]["blind_signing"]) == ("2.12.5", None)
    assert demo["device"]["real"] is False
    words = signers().out.splitlines()
    assert words[0] == "signer.kind = ledger: a session would use the ledger"
    assert "Ethereum 1.22.0, blind signing off, EMULATOR" in words[1]
    assert "version 2.12.5" in words[2]
    assert "signer.hot.enabled is false" in words[3]
    assert "its key is public: for paper and testnets only" in words[4]
    assert "No address is registered." in words[5]


@pytest.mark.parametrize(("settings", "chosen"), [({}, "ledger"), ({"ledger": ""}, "trezor")])
def test_auto_is_resolved(signers: Signers, settings: dict[str, str], chosen: str) -> None:
    result = signers("--json", kind="auto", **settings)
    assert [each["kind"] for each in result.document["signers"] if each["chosen"]] == [chosen]


def test_every_state_has_its_words_and_the_way_on(
    signers: Signers, ledger: LedgerEmulator, trezor: TrezorDevice
) -> None:
    ledger.device.locked = True
    trezor.wire.close()
    out = signers().out
    assert "locked" in out
    assert "The device is locked. Unlock it with its PIN, then try again." in out.replace("\n", " ")
    assert "Nothing was sent" not in out, "nobody asked to send anything"
    assert f"{trezor.url}: No device is plugged in" in out
    ledger.device.locked, ledger.device.app = False, "BOLOS"
    document = signers("--json").document["signers"][0]
    assert (document["state"], document["device"]["app"]) == ("READY", "")


def test_what_a_device_shows_of_each_payload_and_what_is_unproven(signers: Signers, ledger: LedgerEmulator) -> None:
    document = signers("list", "--signs", "--json").document
    by_kind = {each["kind"]: {one["what"]: one for one in each["signs"]} for each in document["signers"]}
    assert by_kind["ledger"]["trade authorisation (message)"]["clarity"] == "CLEAR"
    assert by_kind["ledger"]["swap (contract call)"]["refuses"] == "BLIND_SIGNING_OFF"
    assert "Solana is not open" in by_kind["ledger"]["transfer of SOL"]["why"]
    assert by_kind["trezor"]["off-chain message"]["clarity"] is None
    assert all(one["proven"] for one in by_kind["ledger"].values())
    ledger.device.versions["Ethereum"] = "1.21.0"
    ledger.device.blind = True
    out = signers("list", "--signs").out
    line = next(each for each in out.splitlines() if "swap (contract call)" in each)
    assert "BLIND (unproven)" in line
    assert "1.21.0 were not recorded" in line


def test_a_folder_of_descriptors_that_is_not_there_is_said(signers: Signers, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    assert f"signer.descriptors = {gone}: there is no such folder" in signers(descriptors=gone).out
    (tmp_path / "gone").mkdir()
    assert "signer.descriptors" not in signers(descriptors=gone).out


def test_a_row_that_somebody_wrote_by_hand_is_said(signers: Signers, db: Path) -> None:
    database = open_for_trading(db, "paper")
    database.connection.execute("INSERT INTO accounts VALUES ('wax', 'evm', 'm/0', '0x1', 'x', 1, NULL)")
    database.close()
    result = signers()
    assert result.code == 1
    assert "Table accounts has a row that can not be read" in result.err


# -- address --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "address"), [("ledger", LEDGER_ADDRESS), ("trezor", TREZOR_ADDRESS)])
def test_an_address_is_shown_on_the_device_and_printed(
    signers: Signers, trezor: TrezorDevice, kind: str, address: str
) -> None:
    result = signers("address", "--signer", kind, "--json")
    assert result.document == {
        "schema": "countersign.signer-address/1", "signer": kind, "chain": "evm", "path": PATH,
        "address": address, "shown": True, "registered": None,
    }  # fmt: skip
    assert f"Compare on the {kind}: {address} ({PATH})." in result.err
    assert "The device waits for you." in result.err
    if kind == "trezor":
        assert trezor.shown
        trezor.shown.clear()
    result = signers("address", "--signer", kind, "--no-show")
    assert (result.out, result.err) == (f"{address}  {kind} evm {PATH}\n", "")
    assert trezor.shown == []


def test_refused_on_the_device_it_is_no_address(signers: Signers, ledger: LedgerEmulator) -> None:
    ledger.device.human = Human.REFUSE
    result = signers("address")
    assert (result.code, result.out) == (3, "")
    assert "Refused on the device." in result.err


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("--path", "m/44'/60'/7'/0/3"), "m/44'/60'/7'/0/3"),
        (("--account", "2"), "m/44'/60'/0'/0/2"),
        (("--account", "2", "--scheme", "ledger-live"), "m/44'/60'/2'/0/0"),
        (("--scheme", "legacy"), "m/44'/60'/0'/0"),
        (("--chain", "solana"), "m/44'/501'/0'/0'"),
        (("--chain", "solana", "--scheme", "legacy"), "m/44'/501'"),
    ],
)
def test_paths_and_schemes(signers: Signers, words: tuple[str, ...], path: str) -> None:
    result = signers("address", "--signer", "demo", "--json", *words)
    assert (result.document["path"], result.document["shown"]) == (path, False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("address", "--path", "44/60"), "not a derivation path"),
        (("address", "--path", "m/0", "--account", "1"), "--path"),
        (("address", "--chain", "solana", "--scheme", "legacy", "--account", "1"), "account 0 only"),
        (("address", "--register", "--no-show"), "--no-show"),
        (("address", "--show", "--no-show"), "not allowed"),
        (("address", "--signs"), "--signs"),
        (("list", "--path", "m/0"), "--path"),
        (("test", "--register"), "--register"),
        (("address", "--signer", "wax"), "wax"),
        (("address", "--account", "-1"), "--account"),
    ],
)
def test_wrong_words(signers: Signers, words: tuple[str, ...], says: str) -> None:
    result = signers(*words)
    assert result.code == 2, result
    assert says in result.err


def test_an_unlocked_device_of_another_app_says_so(signers: Signers, ledger: LedgerEmulator) -> None:
    ledger.device.app = "Solana"
    result = signers("address")
    assert result.code == 3
    assert "Solana is open; Ethereum is needed." in result.err
    assert signers("address", "--chain", "solana").code == 0


# -- register -------------------------------------------------------------------------------------------------------


def test_registered_once_approved_journaled_and_listed(signers: Signers, db: Path, ledger: LedgerEmulator) -> None:
    ledger.device.human = Human.REFUSE
    assert signers("address", "--register").code == 3
    assert (_stored(db), _journal(db)) == ([], [])
    ledger.device.human = Human.APPROVE
    result = signers("address", "--register", "--json")
    assert (result.document["changed"], result.document["replaced"]) == (True, None)
    assert _stored(db) == [("ledger", "evm", PATH, LEDGER_ADDRESS, "Ledger Nano S Plus")]
    (row,) = _journal(db)
    assert (row["kind"], row["subject"]) == ("account.registered", f"ledger evm {PATH}")
    assert LEDGER_ADDRESS in row["body"]
    again = signers("address", "--register", "--json")
    assert again.document["changed"] is False
    assert "Compare" not in again.err, "nobody compares what is registered already"
    assert len(_journal(db)) == 1
    assert f"{LEDGER_ADDRESS}  registered" in signers().out
    assert "last signed never  IN USE" in signers().out


def test_another_address_needs_the_typed_word(signers: Signers, db: Path, ledger: LedgerEmulator) -> None:
    database, old = open_for_trading(db, "paper"), "0x" + "11" * 20
    row = ("ledger", "evm", PATH, old, "Ledger Nano X", 5, 7)
    database.connection.execute("INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    database.close()
    warned = signers("address", "--no-show")
    assert f"WARNING: registered is {old}" in warned.out
    for typed in ("", "replace\n"):
        result = signers("address", "--register", stdin=typed)
        assert (result.code, _stored(db)[0][3]) == (3, old)
        assert f"registered is {old}" in result.err
    ledger.device.human = Human.REFUSE
    assert signers("address", "--register", stdin="REPLACE\n").code == 3
    assert (_stored(db)[0][3], _journal(db)) == (old, [])
    ledger.device.human = Human.APPROVE
    result = signers("address", "--register", "--json", stdin="REPLACE\n")
    assert (result.document["changed"], result.document["replaced"]) == (True, old)
    assert [each[3] for each in _stored(db)] == [LEDGER_ADDRESS]
    (row_,) = _journal(db)
    assert row_["kind"] == "account.replaced"
    assert old in row_["body"]
    assert signers("address", "--register", "--signer", "demo").code == 0
    assert len(_stored(db)) == 2


def test_without_a_database_nobody_is_asked(signers: Signers, db: Path, ledger: LedgerEmulator) -> None:
    db.unlink()
    result = signers("address", "--register")
    assert result.code == 2
    assert "There is no database" in result.err
    assert ledger.device.log == []


# -- test -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "chain", "address"),
    [
        ("ledger", "evm", LEDGER_ADDRESS),
        ("trezor", "evm", TREZOR_ADDRESS),
        ("ledger", "solana", "EDUded8fGxKkRTWWjE9YFzCmrW54aXXabVKLn3NyvHqV"),
        ("demo", "evm", DEMO),
        ("demo", "solana", "2jN1BTEFW9SG3jGA7XqXJ483hLbBuHwNLAv39pfE7en1"),
    ],
)
def test_a_harmless_text_is_signed_verified_and_timed(
    signers: Signers, ledger: LedgerEmulator, kind: str, chain: str, address: str
) -> None:
    ledger.device.app = "Solana" if chain == "solana" else "Ethereum"
    done = signers("test", "--signer", kind, "--chain", chain, "--json").document
    assert (done["schema"], done["address"]) == ("countersign.signer-test/1", address)
    assert done["text"].startswith(BEGINS)
    payload = OffchainMessage(done["text"], address) if chain == "solana" else PersonalMessage(done["text"])
    verify(payload, bytes.fromhex(done["signature"]), address)
    assert (done["clarity"], done["registered"]) == ("CLEAR", False)
    assert all(done[name] >= 0 for name in ("ready_us", "person_us", "check_us"))
    words = signers("test", "--signer", kind, "--chain", chain).out
    assert "and verified: countersign signer test" in words
    assert "ms until it asked" in words


class Bent(LedgerDevice):
    """Signs something else than it is asked for."""

    def handle(self, apdu: bytes) -> bytes | None:
        answer = LedgerDevice.handle(self, apdu)
        if apdu[:2] == b"\xe0\x08" and answer is not None and len(answer) > 60:
            return answer[:40] + bytes([answer[40] ^ 1]) + answer[41:]
        return answer


def test_a_signature_of_something_else_is_told(signers: Signers) -> None:
    with LedgerEmulator(Bent()) as emulator:
        result = signers("test", "--json", ledger=emulator.url)
    assert result.code == 3
    assert result.document["code"] == "signer.mismatch"
    assert "The signature" in result.err


def test_a_trezor_signs_no_off_chain_message_and_says_so(signers: Signers) -> None:
    result = signers("test", "--signer", "trezor", "--chain", "solana")
    assert result.code == 3
    assert "A Trezor does not sign Solana's off-chain messages" in result.err


def test_the_last_use_of_a_registered_account_is_recorded(signers: Signers, db: Path) -> None:
    assert signers("address", "--register").code == 0
    assert signers("test", "--json").document["registered"] is True
    with reader(db) as data:
        assert accounts(data.rows)[0].used_ms is not None


def test_another_device_than_the_registered_one_is_not_tested(signers: Signers, db: Path, trezor: TrezorDevice) -> None:
    database = open_for_trading(db, "paper")
    row = ("trezor", "evm", PATH, LEDGER_ADDRESS, "Trezor", 5, None)
    database.connection.execute("INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    database.close()
    result = signers("test", "--signer", "trezor")
    assert result.code == 3
    assert f"answers {TREZOR_ADDRESS} for {PATH}; registered is {LEDGER_ADDRESS}" in result.err
    assert "EthereumSignMessage" not in trezor.heard


def test_a_locked_device_and_one_that_is_not_there(signers: Signers, ledger: LedgerEmulator) -> None:
    ledger.device.locked = True
    assert "The device is locked." in signers("test").err
    assert signers("test", ledger="tcp://127.0.0.1:1").code == 3
    assert "Nothing answers at tcp://127.0.0.1:1" in signers("test", ledger="tcp://127.0.0.1:1").err


def test_a_pin_is_not_asked_where_there_is_no_terminal(call: Call, tmp_path: Path) -> None:
    with TrezorDevice("T1B1", pin="1234") as device:
        (tmp_path / "c.toml").write_text(f'[signer]\nkind = "trezor"\ntrezor = "{device.url}"\n', encoding="utf-8")
        result = call("signers", "address", "--config", tmp_path / "c.toml")
    assert result.code == 3
    assert "Nobody is at the screen to type it." in result.err


@given(st.sampled_from(Chain), st.integers(0, 4_102_444_800_000))
def test_no_test_text_is_an_authorisation(chain: Chain, now_ms: int) -> None:
    text = text_of(chain, now_ms)
    assert BEGINS == "countersign signer test"
    assert text.startswith(BEGINS)
    assert f"{datetime.fromtimestamp(now_ms // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC" in text
    with pytest.raises(ValueError, match="not a countersign"):
        parse(text)


@given(st.text())
def test_nothing_that_begins_so_is_an_authorisation(rest: str) -> None:
    for text in (BEGINS + rest, f"{BEGINS}\n{rest}", f"{BEGINS}\ncountersign trade 1\n{rest}"):
        with pytest.raises(ValueError, match="not a countersign"):
            parse(text)


# -- whose devices --------------------------------------------------------------------------------------------------


def test_a_trader_on_another_database_keeps_its_device(
    signers: Signers, tmp_path: Path, ledger: LedgerEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    trading = open_for_trading(tmp_path / "b.db", "paper")  # holds the lock that a trader holds
    try:
        monkeypatch.setattr(context, "recent", lambda: [tmp_path / "b.db"])
        for words in ("list", "address", "test"):
            result = signers(words)
            assert result.code == 3, words
            assert f"A trader runs on {tmp_path / 'b.db'} and may hold the device." in result.err
        assert ledger.device.log == []
        assert signers("address", "--signer", "demo").code == 0
    finally:
        trading.close()
