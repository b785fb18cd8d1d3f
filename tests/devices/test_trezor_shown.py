"""What the driver foretells of a Trezor's screens: against the recorded ones, and where nothing is recorded."""

from __future__ import annotations

import json

import pytest
from solders.hash import Hash
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from signers.base import Clarity, DeviceInfo, DeviceLine, DeviceState, Shown, SignerKind, SignRequest
from signers.evm import checksum
from signers.payloads import OffchainMessage, Payload, PersonalMessage, SolanaMessage, TypedData
from signers.trezor.amounts import grouped
from signers.trezor.driver import TrezorSigner
from signers.trezor.options import Definitions
from tests.devices import trezor_cases as cases
from tests.devices.trezor_replay import load

CORE = DeviceInfo(SignerKind.TREZOR, "Trezor Safe 5", "2.12.5", real=True, model="T3T1")
ONE = DeviceInfo(SignerKind.TREZOR, "Trezor Model One", "1.14.2", real=True, model="T1B1")


def shown(payload: Payload, info: DeviceInfo = CORE, definitions: Definitions | None = None) -> Shown:
    own = cases.SOLANA_ADDRESS if isinstance(payload, SolanaMessage) else cases.ADDRESS
    path = cases.SOLANA_PATH if isinstance(payload, SolanaMessage) else cases.PATH
    return TrezorSigner(definitions=definitions).shown(SignRequest(payload, path), own, info)


def of_screens(screens: tuple[tuple[str, str], ...]) -> str:
    """All the recorded text in its order, without spaces: a heading once for the pages under it, and the last screen of
    a review, whose text is its heading, as that."""
    found, heading = "", ""
    for title, text in screens:
        if title == text:
            found += title
        else:
            found += text if title == heading else title + text
        heading = title
    return "".join(found.split())


def of_lines(lines: tuple[DeviceLine, ...]) -> str:
    return "".join("".join(f"{line.label}{line.value}".split()) for line in lines)


RECORDED = [*cases.EVM, *cases.TYPED, *cases.SOLANA]
CLEAR = {
    "eip1559-transfer",
    "eip1559-access-list",
    "eip1559-approve",
    "eip1559-approve-unlimited",
    "eip1559-erc20-transfer",
    "legacy-transfer",
    "legacy-bsc",
    "message-ascii",
    "solana-transfer-legacy",
    "solana-transfer-priority",
}
BLIND = {"solana-unknown-program"}


@pytest.mark.shared
@pytest.mark.parametrize(("name", "payload"), [pytest.param(name, p, id=name) for name, p, _ in RECORDED])
def test_every_recorded_screen_of_a_core_model_is_foretold(name: str, payload: Payload) -> None:
    found = shown(payload)
    screens = load(f"t3t1-{name}").screens
    assert of_lines(found.lines) == of_screens(screens)
    assert found.refuses is None


@pytest.mark.parametrize(("name", "payload"), [pytest.param(name, p, id=name) for name, p, _ in RECORDED])
def test_how_clearly(name: str, payload: Payload) -> None:
    found = shown(payload)
    expected = Clarity.CLEAR if name in CLEAR else Clarity.BLIND if name in BLIND else Clarity.PARTLY
    assert found.clarity is expected
    assert bool(found.why) == (expected is not Clarity.CLEAR)


@pytest.mark.shared
def test_an_unknown_token_is_shown_as_recorded() -> None:
    found = shown(cases.UNKNOWN_TOKEN)
    assert of_lines(found.lines) == of_screens(load("t3t1-eip1559-definition-request").screens)
    assert found.clarity is Clarity.PARTLY
    assert "know this token" in found.why
    assert "Base" in found.why


def test_a_token_that_is_not_proven_is_never_named() -> None:
    usdt = bytes.fromhex("dAC17F958D2ee523a2206206994597C13D831ec7")
    for selector in ("a9059cbb", "095ea7b3"):
        found = shown(cases.transaction(to=usdt, gas=70_000, data=cases.token_call(selector, 5)))
        assert found.clarity is Clarity.PARTLY
        assert "not proven to know this token" in found.why
        assert DeviceLine("Token contract", "0x" + usdt.hex()) in found.lines


def test_a_description_of_the_token_makes_no_promise() -> None:
    asked: list[tuple[str, str]] = []

    def look_up(chain: str, token: str) -> bytes | None:
        asked.append((chain, token))
        return b"signed"

    found = shown(cases.UNKNOWN_TOKEN, definitions=look_up)
    assert asked == [("eip155:8453", "0x" + cases.TO.hex())]
    assert found.clarity is Clarity.PARTLY
    assert "description" in found.why


def test_a_token_call_that_also_pays_is_shown_as_raw_data() -> None:
    found = shown(cases.transaction(to=cases.USDC, value=1, gas=70_000, data=cases.token_call("a9059cbb", 5)))
    assert found.clarity is Clarity.PARTLY
    assert DeviceLine("Interaction contract", checksum(cases.USDC)) in found.lines


def test_a_token_call_with_dirt_before_the_address_is_shown_as_raw_data() -> None:
    data = bytearray(cases.token_call("a9059cbb", 5))
    data[10] = 1
    found = shown(cases.transaction(to=cases.USDC, gas=70_000, data=bytes(data)))
    assert any(line.label == "Data" for line in found.lines)


def test_a_revocation() -> None:
    found = shown(cases.transaction(to=cases.USDC, gas=70_000, data=cases.token_call("095ea7b3", 0)))
    assert found.lines[0].label == "Token revocation"
    assert found.clarity is Clarity.PARTLY


@pytest.mark.parametrize("chain_id", [137, 42161, 10, 11155111])
def test_a_chain_that_was_not_recorded_is_never_clear(chain_id: int) -> None:
    found = shown(cases.transaction(value=cases.ETH, chain_id=chain_id))
    assert found.clarity is Clarity.PARTLY
    assert str(chain_id) in found.why


def test_typed_data_that_can_not_be_taken() -> None:
    data = cases.PERMIT.data
    data["types"]["Permit"].append({"name": "grid", "type": "uint8[][]"})
    data["message"]["grid"] = [[1], [2]]
    found = shown(TypedData(json.dumps(data)))
    assert found.refuses is DeviceState.UNSUPPORTED
    assert "arrays of arrays" in found.why
    assert shown(TypedData(json.dumps(data)), ONE).refuses is None, "a Model One takes hashes only"


def test_numbers_as_text_are_no_obstacle() -> None:
    data = cases.PERMIT.data
    data["message"] |= {"value": "1000000000", "deadline": "0x77359400"}
    assert shown(TypedData(json.dumps(data))).refuses is None


def test_off_chain_messages() -> None:
    for info in (CORE, ONE):
        found = shown(OffchainMessage("hello", cases.SOLANA_ADDRESS), info)
        assert found.refuses is DeviceState.UNSUPPORTED


# -- Model One ---------------------------------------------------------------------------------------------------------


def test_a_model_one_shows_a_message_and_promises_nothing_else() -> None:
    text = "countersign trade 1\nBUY 1.5 ETH-BTC"
    found = shown(PersonalMessage(text), ONE)
    assert found == Shown(
        Clarity.CLEAR, (DeviceLine("Signing address", cases.ADDRESS), DeviceLine("Message", text)), "", None
    )
    for _, payload, _ in cases.EVM[:-1]:
        assert shown(payload, ONE).clarity is Clarity.PARTLY
        assert "not recorded" in shown(payload, ONE).why
    assert shown(cases.PERMIT, ONE).clarity is Clarity.BLIND
    assert DeviceLine("Message hash", cases.PERMIT.message_hash.hex()) in shown(cases.PERMIT, ONE).lines
    assert shown(cases.SOL_TRANSFER, ONE).refuses is DeviceState.UNSUPPORTED


# -- Solana ------------------------------------------------------------------------------------------------------------


def test_a_transfer_of_somebody_elses_money_is_not_clear() -> None:
    found = TrezorSigner().shown(SignRequest(cases.SOL_TRANSFER, cases.SOLANA_PATH), "1" * 32, CORE)
    assert found.clarity is Clarity.PARTLY


def test_two_instructions_are_not_clear() -> None:
    own = Pubkey.from_string(cases.SOLANA_ADDRESS)
    one = transfer(TransferParams(from_pubkey=own, to_pubkey=Pubkey([9] * 32), lamports=1))
    message = Message.new_with_blockhash([one, one], own, Hash.default())
    found = shown(SolanaMessage(bytes(message)))
    assert found.clarity is Clarity.PARTLY
    assert found.lines == ()


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [
        (0, 18, "0"),
        (10**16, 18, "0.01"),
        (10**9, 6, "1,000"),
        (1_234_567_890_123, 6, "1,234,567.890123"),
        (7, 0, "7"),
        (10**18, 18, "1"),
    ],
)
def test_amounts(amount: int, decimals: int, text: str) -> None:
    assert grouped(amount, decimals) == text
