"""Typed data with Ledger's filters, against a device that checks each as the app does, with blind signing off."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path as File
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signers.base import Clarity, DeviceInfo, DeviceLine, DeviceState, Shown, SignerKind, SignRequest
from signers.faults import DeviceFault, NotReady
from signers.ledger import Descriptors, LedgerSigner, descriptors
from signers.ledger.eip712 import document_of
from signers.ledger.filters import Filters, schema_hash
from signers.ledger.signing import commands
from signers.ledger.verdict import verdict
from signers.payloads import Chain, TypedData
from signers.verify import verify
from tests.devices import keys, ledger_filters
from tests.devices.cases import EVM_PATH, PERMIT, typed
from tests.devices.filter_cases import ADVANCED, CASES, DAI, DST, EMPTY, ENS, PERMITTED, SRC, Case, Fields
from tests.devices.ledger_emulator import LedgerEmulator
from tests.devices.ledger_filters import package, token
from tests.unit.signers.told import Told

INFO = DeviceInfo(SignerKind.LEDGER, "Nano S Plus", "1.22.0", real=True, model="nanosp", app="Ethereum",
                  app_version="1.22.0", blind_signing=False)  # fmt: skip
of = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(autouse=True)
def _ledger_s_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "_LEDGER_KEY", ledger_filters.PUBLIC)


def wrote(folder: File, found: Any, tokens: tuple[bytes, ...] = ()) -> Descriptors:
    """A folder as the npm package has it."""
    for chain in ("1", "137"):
        file = folder / "evm" / chain / "erc20-signatures.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        blob = b"".join(len(each).to_bytes(4) + each for each in tokens)
        file.write_text(json.dumps(base64.b64encode(blob).decode()))
    (folder / "eip712_v2.json").write_text(found if isinstance(found, str) else json.dumps(found))
    return Descriptors(folder)


def known(case: Case, folder: File) -> Descriptors:
    return wrote(folder, package(case.payload, case.title, case.fields), case.tokens)


def shown_of(case: Case, tokens: Descriptors | None, info: DeviceInfo = INFO) -> Shown:
    filters = None if tokens is None else Filters(tokens)
    return verdict(SignRequest(case.payload, EVM_PATH), "", info, tokens, short_keys=False, filters=filters)[0]


@pytest.fixture
def emulator() -> Iterator[LedgerEmulator]:
    with LedgerEmulator() as served:
        yield served


@pytest.fixture
def ledger(emulator: LedgerEmulator, tmp_path: File) -> Iterator[Callable[[Case], LedgerSigner]]:
    opened: list[LedgerSigner] = []

    def make(case: Case) -> LedgerSigner:
        opened.append(LedgerSigner(emulator.url, descriptors=known(case, tmp_path)))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@of
def test_it_is_signed_with_blind_signing_off_and_shown_as_the_device_gathers_it(
    case: Case, emulator: LedgerEmulator, ledger: Callable[[Case], LedgerSigner]
) -> None:
    signer, person = ledger(case), Told()
    info = signer.open(Chain.EVM, person)
    request = SignRequest(case.payload, EVM_PATH)
    shown = signer.shown(request, "", info)
    assert (shown.clarity, shown.refuses) == (Clarity.PARTLY, None)
    assert shown.lines[0] == DeviceLine("Review typed message")
    assert tuple((each.label, each.value) for each in shown.lines[1:-1]) == case.lines
    assert shown.lines[-1] == DeviceLine("Sign message")
    assert "were not recorded with filters" in shown.why
    assert (f"Not shown: {case.hidden}." in shown.why) if case.hidden else ("Not shown" not in shown.why)
    assert ("without names" in shown.why) == ("missing" in case.name)
    verify(case.payload, signer.sign(request, person), keys.address(Chain.EVM, EVM_PATH))
    assert [label for label, _ in emulator.device.lines] == [label for label, _ in case.lines]
    for ours, theirs in zip(case.lines, emulator.device.lines, strict=True):
        assert ours == theirs or len(ours[1]) == 379


@of
def test_touch_has_the_same_lines_and_its_own_last_page(case: Case, tmp_path: File) -> None:
    shown = shown_of(case, known(case, tmp_path), replace(INFO, model="flex"))
    assert tuple((each.label, each.value) for each in shown.lines[1:-1]) == case.lines
    assert shown.lines[-1] == DeviceLine("Sign typed message?")


def told(case: Case, folder: File) -> list[bytes]:
    tokens, request = known(case, folder), SignRequest(case.payload, EVM_PATH)
    _, extra = verdict(request, "", INFO, tokens, short_keys=False, filters=Filters(tokens))
    return commands(request, INFO, extra)


def test_the_commands_of_a_permit(tmp_path: File) -> None:
    """Types by name, 1E, domain, 1E, then each value behind its token and its filter, as the app's own client sends
    them."""
    sent = told(PERMITTED, tmp_path)
    entry = next(iter(package(PERMITTED.payload, PERMITTED.title, PERMITTED.fields).values()))
    info, value, date = (
        bytes.fromhex(each["signature"]) for each in (entry["contractName"], entry["fields"][0], entry["fields"][1])
    )
    types = ["1a0000", *["1a00ff"] * 4, "1a0000", *["1a00ff"] * 5]
    domain = ["1e0000", "1c0000", *["1c00ff"] * 4, "1e000f"]
    message = ["1c0000", *["1c00ff"] * 2, "0a0000", "1e00fe", "1c00ff", "1c00ff", "1e00fc", "1c00ff"]
    assert [each[1:4].hex() for each in sent] == [*types, *domain, *message, "0c0001"]
    assert sent[0][5:] == b"EIP712Domain"
    assert sent[11] == bytes.fromhex("e01e000000")
    assert sent[17][5:] == b"\x10Permit filtering\x02" + bytes([len(info)]) + info
    assert sent[21][5:] == token("ENS", ENS, 18)
    assert sent[22][5:] == b"\x04Send\xff" + bytes([len(value)]) + value
    assert sent[25][5:] == b"\x08Deadline" + bytes([len(date)]) + date


def test_an_empty_array_s_fields_are_told_of_by_their_paths(tmp_path: File) -> None:
    sent = [each for each in told(EMPTY, tmp_path) if each[1] == 0x1E]
    assert [each[2:4].hex() for each in sent] == ["0000", "000f", "00ff", *["0001", "01ff"] * 3]
    assert sent[3][5:] == b"\x0asubtext.[]"


@of
def test_without_one_of_its_filters_nothing_is_signed(case: Case, emulator: LedgerEmulator, tmp_path: File) -> None:
    whole = told(case, tmp_path)
    for left_out, command in enumerate(whole):
        if command[1] == 0x1E and whole.count(command) == 1:
            answers = [emulator.device.handle(each) for number, each in enumerate(whole) if number != left_out]
            assert answers[-1] is not None
            assert len(answers[-1]) == 2


@pytest.mark.parametrize(
    ("types", "digest"),
    [
        (PERMIT, "d4dd8410bdcf861c48d353f8e3a9b738282a0fd9ba7239f59baa9099"),
        (
            typed(
                {
                    "PermitSingle": [("details", "PermitDetails"), ("spender", "address"), ("sigDeadline", "uint256")],
                    "PermitDetails": [
                        ("token", "address"),
                        ("amount", "uint160"),
                        ("expiration", "uint48"),
                        ("nonce", "uint48"),
                    ],
                },
                "PermitSingle",
                {
                    "details": {"token": DAI, "amount": 1, "expiration": 2**48 - 1, "nonce": 0},
                    "spender": DAI,
                    "sigDeadline": 1,
                },
                name="Permit2",
                chainId=1,
                verifyingContract=DAI,
            ),
            "4d593149e876e739220f3b5ede1b38a0213d76c4705b1547c4323df3",
        ),
    ],
    ids=["permit", "permit2"],
)
def test_the_schema_hash_is_the_one_that_ledger_signs_for(types: TypedData, digest: str) -> None:
    document, _ = document_of(types)
    assert document is not None
    assert schema_hash(document).hex() == digest


ENTRY = package(PERMITTED.payload, PERMITTED.title, PERMITTED.fields)
KEY = next(iter(ENTRY))


def changed(**fields: object) -> dict[str, Any]:
    entry = json.loads(json.dumps(ENTRY))
    entry[KEY]["fields"][0] |= fields
    found: dict[str, Any] = entry
    return found


BROKEN = [
    ("", "can not be read"),
    ("[]", "can not be read"),
    ("{}", "Ledger signed no filters"),
    ({KEY: []}, "are broken"),
    ({KEY: {"contractName": {"label": "x", "signature": "0g"}, "fields": []}}, "are broken"),
    (changed(coin_ref=256), "are broken"),
    (changed(label="x" * 200), "are broken"),
    (changed(label="Sénd"), "are broken"),
    (changed(format="calldata"), "are broken"),
    (changed(path="deadline"), "are broken"),
    (changed(label="Receive"), "not signed by Ledger"),
    (changed(path="nonce"), "not signed by Ledger"),
    (changed(coin_ref=0), "not signed by Ledger"),
    (changed(format="raw"), "not signed by Ledger"),
    (changed(signature="00"), "not signed by Ledger"),
    ({KEY: ENTRY[KEY] | {"fields": ENTRY[KEY]["fields"][:1]}}, "not signed by Ledger"),
    (package(PERMITTED.payload, "x", [("owner", "datetime", "Owner")]), "of other types"),
    (package(PERMITTED.payload, "x", [("other", "raw", "Other")]), "a field that it does not have"),
    (package(PERMITTED.payload, "x", [("value", "amount", "Send", "7")]), "more tokens than the app keeps"),
]


@pytest.mark.parametrize(("found", "why"), BROKEN)
def test_filters_that_can_not_be_used_are_said_and_left_out(found: Any, why: str, tmp_path: File) -> None:
    tokens = wrote(tmp_path, found, PERMITTED.tokens)
    off = shown_of(PERMITTED, tokens)
    assert (off.clarity, off.refuses, off.lines) == (Clarity.BLIND, DeviceState.BLIND_SIGNING_OFF, ())
    assert why in off.why
    blind = replace(INFO, blind_signing=True)
    on, without = shown_of(PERMITTED, tokens, blind), shown_of(PERMITTED, None, blind)
    assert (on.clarity, on.lines) == (without.clarity, without.lines)
    assert why in on.why
    assert why not in without.why


def test_a_permit_whose_token_is_not_described_a_far_date_and_other_apps_do_without(tmp_path: File) -> None:
    entry = package(PERMITTED.payload, PERMITTED.title, PERMITTED.fields)
    assert "Ledger describes no token" in shown_of(PERMITTED, wrote(tmp_path, entry)).why
    tokens = wrote(tmp_path, entry, PERMITTED.tokens)
    far = replace(PERMITTED, payload=TypedData(PERMITTED.payload.document.replace("1719756000", "253402300800")))
    assert "too far away" in shown_of(far, tokens).why
    forever = replace(PERMITTED, payload=TypedData(PERMITTED.payload.document.replace("1719756000", str(2**256 - 1))))
    assert DeviceLine("Deadline", "Unlimited") in shown_of(forever, tokens).lines
    for info in (replace(INFO, model="nanos"), replace(INFO, app_version="1.11.3")):
        assert "takes no filters" in shown_of(PERMITTED, tokens, info).why


def test_an_array_of_several_tokens_is_shown_without_names(tmp_path: File) -> None:
    legs = [{"token": SRC, "units": 5}, {"token": DST, "units": 6}]
    payload = typed(
        {"Leg": [("token", "address"), ("units", "uint256")], "Order": [("legs", "Leg[]")]},
        "Order",
        {"legs": legs},
        chainId=1,
        verifyingContract=DAI,
    )
    fields: Fields = [("legs.[].token", "token", "Pay", "0"), ("legs.[].units", "amount", "Pay", "0")]
    case = Case("legs", payload, "Order", fields, (token("SRC", SRC, 18), token("DST", DST, 18)), ())
    shown = shown_of(case, known(case, tmp_path))
    assert shown.lines[2:4] == (DeviceLine("Pay", "5 ???"), DeviceLine("Pay", "6 ???"))
    assert "of several tokens" in shown.why
    assert "Not shown: legs.[].token." in shown.why
    empty = replace(case, payload=TypedData(payload.document.replace(json.dumps(legs, separators=(",", ":")), "[]")))
    assert "An array is empty" in shown_of(empty, known(case, tmp_path)).why


def test_a_device_that_does_not_take_them_is_asked_without_from_then_on(
    emulator: LedgerEmulator, ledger: Callable[[Case], LedgerSigner], monkeypatch: pytest.MonkeyPatch
) -> None:
    signer, person = ledger(PERMITTED), Told()
    emulator.device.blind = True
    request = SignRequest(PERMITTED.payload, EVM_PATH)
    info = signer.open(Chain.EVM, person)
    assert signer.shown(request, "", info).clarity is Clarity.PARTLY
    with monkeypatch.context() as patched:
        patched.setattr(ledger_filters, "MAGICS", dict.fromkeys(ledger_filters.MAGICS, 1))
        with pytest.raises(Exception, match="reported an error") as caught:
            signer.sign(request, person)
    assert getattr(caught.value, "raw", "") == "0x6A00"
    assert person.states == []
    after = signer.shown(request, "", info)
    assert (after.clarity, after.lines[-1]) == (Clarity.BLIND, DeviceLine("Sign message"))
    assert "did not take Ledger's filters" in after.why
    verify(PERMITTED.payload, signer.sign(request, person), keys.address(Chain.EVM, EVM_PATH))
    emulator.device.blind = False
    with pytest.raises(NotReady, match="did not take"):
        signer.sign(request, person)


PAIRS = typed(
    {"Root": [("a", "address"), ("x", "uint256"), ("b", "address"), ("y", "uint256")]},
    "Root",
    {"a": SRC, "x": 5, "b": DST, "y": 6},
    chainId=1,
    verifyingContract=SRC,
)
LONG = "A name that is much too long"


def pairs(*fields: tuple[str, ...]) -> Case:
    return Case("pairs", PAIRS, "Pairs", list(fields), (token("SRC", SRC, 0), token("DST", DST, 1)), ())


@pytest.mark.parametrize(
    ("case", "lines", "described"),
    [
        (
            pairs(
                ("a", "token", "", "1"), ("x", "amount", "X", "1"), ("b", "token", "", "0"), ("y", "amount", "Y", "0")
            ),
            [("X", "5 ???"), ("Y", "0.6 DST")],
            1,
        ),
        (pairs(("x", "amount", "X", "255"), ("y", "amount", "Y", "255")), [("X", "5 SRC"), ("Y", "6 SRC")], 1),
        (pairs(("a", "token", "", "0"), ("x", "amount", LONG, "0")), [(LONG[:25], "5 SRC")], 1),
        (pairs(("b", "token", "", "0"), ("a", "raw", "")), [("a", SRC)], 1),
    ],
    ids=["slots_out_of_order", "the_contract_twice", "a_long_name", "a_token_without_an_amount"],
)
def test_tokens_go_into_the_slots_that_the_app_has_for_them(
    case: Case, lines: list[tuple[str, str]], described: int, emulator: LedgerEmulator, tmp_path: File
) -> None:
    whole = told(case, tmp_path)
    assert len([each for each in whole if each[1] == 0x0A]) == described
    assert [emulator.device.handle(each) for each in whole][-1] is not None
    assert emulator.device.lines == [("Contract", "Pairs"), *lines]
    shown = shown_of(case, known(case, tmp_path))
    assert [(each.label, each.value) for each in shown.lines[1:-1]] == emulator.device.lines


def test_a_slot_that_holds_another_token_and_too_many_filters_are_left_out(tmp_path: File) -> None:
    case = pairs(("x", "amount", "X", "255"), ("b", "token", "", "0"), ("y", "amount", "Y", "0"))
    assert "another token than its own" in shown_of(case, known(case, tmp_path)).why
    many = pairs(*[(f"f{number}", "raw", "") for number in range(51)])
    assert "are broken" in shown_of(many, known(many, tmp_path)).why


def test_an_answer_too_many_is_no_signature_and_ends_the_filters(
    emulator: LedgerEmulator, ledger: Callable[[Case], LedgerSigner], monkeypatch: pytest.MonkeyPatch
) -> None:
    signer, person = ledger(PERMITTED), Told()
    request = SignRequest(PERMITTED.payload, EVM_PATH)
    info, real = signer.open(Chain.EVM, person), emulator.device.handle
    with monkeypatch.context() as patched:
        patched.setattr(type(emulator.device), "handle", lambda _, each: b"\x90\x00" if each[1] == 0x0C else real(each))
        with pytest.raises(DeviceFault, match="signature"):
            signer.sign(request, person)
    assert "did not take Ledger's filters" in signer.shown(request, "", info).why


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    received=st.integers(0, 2**256 - 1),
    sent=st.one_of(st.integers(0, 10**30), st.just(2**256 - 1)),
    when=st.one_of(st.integers(0, 253402300799), st.just(2**64 - 1)),
)
def test_every_amount_and_date_is_shown_as_the_device_writes_it(
    emulator: LedgerEmulator, tmp_path: File, received: int, sent: int, when: int
) -> None:
    data = ADVANCED.payload.data
    data["message"] |= {"value_recv": received, "value_send": sent, "expires": when}
    case = replace(ADVANCED, payload=TypedData(json.dumps(data)))
    for each in told(case, tmp_path):
        answer = emulator.device.handle(each)
        assert answer is not None
        assert answer[-2:] == b"\x90\x00"
    lines = shown_of(case, known(case, tmp_path)).lines[1:-1]
    assert [(each.label, each.value) for each in lines] == emulator.device.lines
