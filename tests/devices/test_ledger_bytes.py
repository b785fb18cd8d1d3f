"""Bytes: commands, answers of any kind, descriptions of tokens, versions."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path as File

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signers.base import Clarity, DeviceInfo, DeviceLine, DeviceState, SignerKind, SignRequest
from signers.faults import SignatureMismatch, SignerFault
from signers.ledger import Descriptors, LedgerSigner, apps, ethereum, solana
from signers.ledger.apdu import MOST, chunks
from signers.ledger.descriptors import Missing
from signers.ledger.transport import MODELS, Opened, bad_answer, timed_out, unplugged
from signers.ledger.verdict import verdict
from signers.payloads import Chain, PersonalMessage, SolanaMessage, TypedData
from signers.verify import verify
from tests.devices import cases as given_cases
from tests.devices.cases import EVM_PATH, NESTED, SOL_PATH, TRADE, cases, legacy, transaction
from tests.devices.keys import address
from tests.devices.ledger_device import LedgerDevice
from tests.unit.signers.told import Told

CASES = cases()
ACCOUNTS = {case.name: address(case.payload.chain, case.path) for case in CASES}
INFO = DeviceInfo(
    SignerKind.LEDGER, "", "", real=True, model="nanosp", app="Ethereum", app_version="1.22.0", blind_signing=True
)
FLEX = replace(INFO, model="flex")


class Wire:
    """A device whose answers are altered on their way."""

    name, emulator, switches = "wire", False, False

    def __init__(self, alter: Callable[[bytes], bytes], app: str = "Ethereum") -> None:
        self.device, self.alter = LedgerDevice(app=app, blind=True), alter
        self.opened = self.closed = 0

    def plugged(self) -> tuple[str, ...]:
        return (self.name,)

    def open(self) -> Opened:
        self.opened += 1
        return Opened(self, MODELS["nanosp"])

    def exchange(self, apdu: bytes, deadline: float) -> bytes:
        assert deadline > 0
        answer = self.device.handle(apdu)
        assert answer is not None
        return self.alter(answer)

    def drop(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    "broken", [timed_out(), unplugged(), bad_answer("x"), None], ids=["late", "gone", "bad", "odd"]
)
def test_a_line_that_may_still_bring_an_answer_is_never_used_again(broken: SignerFault | None) -> None:
    """`None`: it comes whole, and is the answer to something else."""
    wire = Wire(lambda answer: answer)
    signer = LedgerSigner(door=wire)
    signer.probe()
    calls = itertools.count()

    def alter(answer: bytes) -> bytes:
        if next(calls) != 1:
            return answer
        if broken is not None:
            raise broken
        return b"\x07\x90\x00"

    wire.alter = alter
    with pytest.raises(SignerFault):
        signer.probe()
    assert wire.closed == wire.opened == 1
    signer.probe()
    assert wire.opened == 2


@settings(max_examples=400)
@given(st.data())
def test_altered_answers_are_a_fault_or_a_right_signature(data: st.DataObject) -> None:
    """Random, cut, doubled, changed in a bit, or those of another command: never another exception, and a signature
    that is accepted is the right one."""
    case = data.draw(st.sampled_from(CASES))
    answers: list[bytes] = []

    def alter(answer: bytes) -> bytes:
        answers.append(answer)
        kind = data.draw(st.sampled_from(["as it is"] * 6 + ["random", "cut", "bit", "before", "twice"]))
        if kind == "random":
            return data.draw(st.binary(max_size=80))
        if kind == "cut":
            return answer[: data.draw(st.integers(0, len(answer)))]
        if kind == "bit":
            at = data.draw(st.integers(0, len(answer) * 8 - 1))
            return bytes(byte ^ (1 << at % 8) if n == at // 8 else byte for n, byte in enumerate(answer))
        if kind == "before":
            return data.draw(st.sampled_from(answers))
        return answer * 2 if kind == "twice" else answer

    wire = Wire(alter, "Ethereum" if case.payload.chain is Chain.EVM else "Solana")
    signer, person = LedgerSigner(door=wire), Told()
    try:
        signature = signer.sign(SignRequest(case.payload, case.path), person)
        verify(case.payload, signature, ACCOUNTS[case.name])
    except SignatureMismatch:
        assert DeviceState.SIGNED in person.states
    except SignerFault as found:
        refused = found.state is DeviceState.REJECTED
        assert (DeviceState.REJECTED in person.states) == refused


@settings(max_examples=200)
@given(st.data())
def test_an_address_is_right_or_a_fault(data: st.DataObject) -> None:
    chain, path = data.draw(st.sampled_from([(Chain.EVM, EVM_PATH), (Chain.SOLANA, SOL_PATH)]))
    length = 109 if chain is Chain.EVM else 34

    def alter(answer: bytes) -> bytes:
        if len(answer) != length or chain is Chain.SOLANA:
            return answer[: data.draw(st.sampled_from([len(answer)] * 5 + [0, 1, 20]))]
        at = data.draw(st.integers(0, len(answer) - 1))
        return answer[:at] + bytes([answer[at] ^ data.draw(st.integers(0, 255))]) + answer[at + 1 :]

    wire = Wire(alter, "Ethereum" if chain is Chain.EVM else "Solana")
    state = None
    try:
        assert LedgerSigner(door=wire).address(chain, path, Told()) == address(chain, path)
    except SignerFault as found:
        state = found.state
    assert state in {None, DeviceState.BAD_ANSWER, DeviceState.UNKNOWN, DeviceState.WRONG_APP}


@given(st.binary(max_size=3000), st.integers(1, MOST))
def test_chunks_are_the_data(data: bytes, size: int) -> None:
    pieces = chunks(data, size)
    assert b"".join(pieces) == data
    assert all(len(piece) <= size for piece in pieces)
    assert all(len(piece) == size for piece in pieces[:-1])


@pytest.mark.parametrize("version", [(1, 10, 2), (1, 12, 2), (1, 14, 0)])
def test_no_chunk_of_an_old_app_ends_before_the_chain_id(version: tuple[int, int, int]) -> None:
    """There it would sign what holds on every chain (EIP-155)."""
    for chain_id in (1, 137, 42_161):
        for size in range(150, 800):
            payload = legacy(chain_id, b"\x11" * size)
            sent = ethereum.transaction_commands(payload, EVM_PATH, version)
            assert b"".join(apdu[5:] for apdu in sent)[21:] == payload.unsigned
            if version < (1, 14, 0):
                border, ends = 0, set()
                for apdu in sent[:-1]:
                    border += len(apdu) - 5
                    ends.add(border - 21)
                tail = 3 if chain_id < 128 else 4 if chain_id < 256 else 5
                assert len(payload.unsigned) - tail not in ends


def test_the_last_chunk_of_a_solana_message_is_marked() -> None:
    for case in CASES:
        if isinstance(case.payload, SolanaMessage):
            sent = solana.sign_commands(case.payload, case.path)
            assert [apdu[3] & 2 for apdu in sent] == [2] * (len(sent) - 1) + [0]
            assert [apdu[3] & 1 for apdu in sent] == [0] + [1] * (len(sent) - 1)


@given(st.binary(max_size=60))
def test_what_runs_is_read_or_not(data: bytes) -> None:
    found = apps.running(data)
    if found is not None:
        assert data.startswith(b"\x01" + bytes([len(found.name)]) + found.name.encode())


@pytest.mark.parametrize(
    "url", ["tcp://", "tcp://host", "udp://127.0.0.1:1", "tcp://h:99999", "tcp://h:1/x", "tcp://h:1?model=blue"]
)
def test_another_form_of_address_is_an_error_with_words(url: str) -> None:
    with pytest.raises(ValueError, match="tcp://host:port"):
        LedgerSigner(url)


# -- what is shown ----------------------------------------------------------------------------------------------------


def test_a_message_keeps_its_lines_on_touch_screens_and_has_spaces_on_others() -> None:
    request = SignRequest(PersonalMessage(TRADE), EVM_PATH)
    shown, _ = verdict(request, "", INFO, None, short_keys=False)
    assert shown.lines[1] == DeviceLine("Message", TRADE.replace("\n", " "))
    assert verdict(request, "", FLEX, None, short_keys=False)[0].lines[1].value == TRADE
    assert shown.clarity is Clarity.CLEAR


@pytest.mark.parametrize(
    ("version", "clarity"), [("1.22.0", "CLEAR"), ("1.22.1", "CLEAR"), ("1.30.0", "CLEAR"), ("2.0.0", "PARTLY")]
)
def test_a_version_whose_screens_were_not_recorded_is_named(version: str, clarity: str) -> None:
    request = SignRequest(transaction(), EVM_PATH)
    shown, _ = verdict(request, "", replace(INFO, app_version=version), None, short_keys=False)
    assert shown.clarity.value == clarity
    assert (f"The screens of Ethereum {version} were not recorded" in shown.why) == (version != "1.22.0")


def test_public_keys_by_their_ends_are_not_clear() -> None:
    info = replace(INFO, app="Solana", app_version="1.9.0")
    request = SignRequest(given_cases.solana(given_cases.transfer(5)), SOL_PATH)
    shown, _ = verdict(request, given_cases.me(), info, None, short_keys=True)
    assert shown.clarity is Clarity.PARTLY
    assert shown.lines[1] == DeviceLine("Recipient", "9WzDXwB..zYtAWWM")


@pytest.mark.parametrize(("price", "clear"), [(1, True), (10**10, True), (2 * 10**10, False), (2**63, False)])
def test_a_fee_that_overflows_the_device_s_32_bits_is_not_clear(price: int, clear: bool) -> None:
    budget: list[given_cases.Told] = [
        (given_cases.BUDGET, [], b"\x02" + (300_000).to_bytes(4, "little")),
        (given_cases.BUDGET, [], b"\x03" + price.to_bytes(8, "little")),
    ]
    info = replace(INFO, app="Solana", app_version="1.9.0")
    request = SignRequest(given_cases.solana(*budget, given_cases.transfer(5)), SOL_PATH)
    shown, _ = verdict(request, given_cases.me(), info, None, short_keys=False)
    assert (shown.clarity is Clarity.CLEAR) == clear
    assert ("wrong fee" in shown.why) == (not clear)


def test_every_field_of_typed_data_is_shown_on_a_touch_screen_and_cut_where_it_is_too_long() -> None:
    shown, _ = verdict(SignRequest(NESTED, EVM_PATH), "", FLEX, None, short_keys=False)
    values = {line.label: line.value for line in shown.lines}
    assert shown.clarity is Clarity.PARTLY
    assert values["drift"] == "-5"
    assert values["flag"] == "true"
    assert len(values["note"]) == 379
    assert values["note"].endswith("...")
    assert "longer than the device shows" in shown.why


def test_what_the_device_can_not_be_told_is_signed_as_hashes() -> None:
    odd = given_cases.typed({"A": [("n", "int24")]}, "A", {"n": -1}, name="x")
    for info, label in ((INFO, "name"), (FLEX, "Domain hash"), (replace(INFO, model="nanos"), "Domain hash")):
        shown, _ = verdict(SignRequest(odd, EVM_PATH), "", info, None, short_keys=False)
        assert (shown.lines[2].label, shown.clarity) == (label, Clarity.BLIND)
    loose = TypedData(odd.document.replace("-1", '"-1"').replace("int24", "int24[]").replace('"-1"', "[]"))
    assert verdict(SignRequest(loose, EVM_PATH), "", INFO, None, short_keys=False)[0].clarity is Clarity.BLIND


# -- descriptions of tokens -------------------------------------------------------------------------------------------


def wrote(folder: File, text: str) -> Descriptors:
    file = folder / "evm" / "1" / "erc20-signatures.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return Descriptors(folder)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "can not be read"),
        ("{}", "can not be read"),
        ('"!"', "can not be read"),
        ("[" * 100_000, "can not be read"),
        (json.dumps(base64.b64encode(b"\0\0\0\xff\x04USDC").decode()), "are broken"),
        (json.dumps(base64.b64encode(b"\0\0\0\0").decode()), "are broken"),
        (json.dumps(base64.b64encode(b"\0\0\0\x02\x04U").decode()), "Ledger describes no token"),
    ],
)
def test_a_broken_file_is_said_in_the_verdict(text: str, why: str, tmp_path: File) -> None:
    payload = transaction(to=given_cases.USDC, value=0, data=given_cases.erc20("a9059cbb", given_cases.ROUTER, 1))
    known = wrote(tmp_path, text)
    shown, token = verdict(SignRequest(payload, EVM_PATH), "", INFO, known, short_keys=False)
    assert token is None
    assert (shown.clarity, shown.refuses) == (Clarity.BLIND, None)
    assert why in shown.why


def test_no_folder_and_no_chain_are_said(tmp_path: File) -> None:
    with pytest.raises(Missing, match="no file of token descriptions for chain 10"):
        Descriptors(tmp_path / "nowhere").erc20(10, given_cases.USDC)


@pytest.mark.parametrize(
    "change", [{"value": 1}, {"data": given_cases.erc20("a9059cbb", given_cases.ROUTER, 1) + b"\0"}]
)
def test_a_token_s_transfer_with_more_besides_is_refused(change: dict[str, object]) -> None:
    fields = {"to": given_cases.USDC, "value": 0, "data": given_cases.erc20("a9059cbb", given_cases.ROUTER, 1)}
    shown, _ = verdict(SignRequest(transaction(**fields | change), EVM_PATH), "", INFO, None, short_keys=False)
    assert shown.refuses is DeviceState.UNSUPPORTED
