"""Documents with filters, their tokens and the lines that a Ledger makes of them. Most are those of app-ethereum's own
tests (test_eip712.py); the lines are what its screens in there show."""

from __future__ import annotations

from dataclasses import dataclass

from signers.payloads import TypedData
from tests.devices.cases import PERMIT, typed
from tests.devices.ledger_filters import token

WETH, DAI = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2", "0x6b175474e89094c44da98b954eedeac495271d0f"
ENS, SRC, DST = "0xc18360217d8f7ab5e7c516566761ea12ce7f9d72", "0x" + "11" * 20, "0x" + "22" * 20
VITALIK = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
ZERO = "0x" + "00" * 20
Fields = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Case:
    """A document, its filters, the tokens that are described, and the lines between the first page and the last."""

    name: str
    payload: TypedData
    title: str
    fields: Fields
    tokens: tuple[bytes, ...]
    lines: tuple[tuple[str, str], ...]
    hidden: str = ""


def swap(source: bytes, target: bytes, lines: tuple[tuple[str, str], ...], hidden: str) -> Case:
    kinds = [("token_from", "address"), ("value_from", "uint256"), ("token_to", "address"), ("value_to", "uint256")]
    message = {"token_from": SRC, "value_from": 365 * 10**16, "token_to": DST, "value_to": 1547 * 10**16}
    payload = typed({"Root": kinds}, "Root", message, name="test", version="1", chainId=1, verifyingContract=ZERO)
    fields: Fields = [("token_from", "token", "From", "0"), ("value_from", "amount", "From", "0")]
    fields += [("token_to", "token", "To", "1"), ("value_to", "amount", "To", "1")]
    described = tuple(each for each in (source, target) if each)
    shown = (("Contract", "Token not in CAL test"), *lines)
    return Case(f"missing_{hidden}", payload, "Token not in CAL test", fields, described, shown, hidden)


ADVANCED = Case(
    "advanced",
    typed(
        {
            "Transfer": [
                ("with", "address"),
                ("value_recv", "uint256"),
                ("token_send", "address"),
                ("value_send", "uint256"),
                ("token_recv", "address"),
                ("expires", "uint64"),
            ]
        },
        "Transfer",
        {
            "with": VITALIK,
            "value_recv": 10**16,
            "token_send": DAI,
            "value_send": 245 * 10**17,
            "token_recv": WETH,
            "expires": 1714559400,
        },
        name="Advanced test",
        version="1",
        chainId=1,
        verifyingContract="0x" + "cc" * 20,
    ),
    "Advanced Filtering",
    [
        ("value_send", "amount", "Send", "1"),
        ("token_send", "token", "", "1"),
        ("value_recv", "amount", "Receive", "0"),
        ("token_recv", "token", "", "0"),
        ("with", "raw", "With"),
        ("expires", "datetime", "Will Expire"),
    ],
    (token("WETH", WETH, 18), token("DAI", DAI, 18)),
    (
        ("Contract", "Advanced Filtering"),
        ("With", VITALIK),
        ("Send", "24.5 DAI"),
        ("Receive", "0.01 WETH"),
        ("Will Expire", "2024-05-01 10:30:00 AM UTC"),
    ),
)
PERMITTED = Case(
    "permit",
    typed(
        {key: [(each["name"], each["type"]) for each in PERMIT.data["types"][key]] for key in ("Permit",)},
        "Permit",
        {
            "owner": VITALIK,
            "spender": "0x5B38Da6a701c568545dCfcB03FcB875f56beddC4",
            "value": 42 * 10**17,
            "nonce": 0,
            "deadline": 1719756000,
        },
        name="ENS",
        version="1",
        chainId=1,
        verifyingContract=ENS,
    ),
    "Permit filtering",
    [("value", "amount", "Send", "255"), ("deadline", "datetime", "Deadline")],
    (token("ENS", ENS, 18),),
    (("Contract", "Permit filtering"), ("Send", "4.2 ENS"), ("Deadline", "2024-06-30 02:00:00 PM UTC")),
    "owner, spender, nonce",
)
UNLIMITED = Case(
    "unlimited",
    typed(
        {
            "Root": [
                ("token_big", "address"),
                ("value_big", "uint256"),
                ("token_biggest", "address"),
                ("value_biggest", "uint256"),
            ]
        },
        "Root",
        {"token_big": DAI, "value_big": 2**64 - 1, "token_biggest": DAI, "value_biggest": 2**256 - 1},
        name="test",
        version="1",
        chainId=1,
        verifyingContract=ZERO,
    ),
    "Unlimited test",
    [
        ("token_big", "token", "Big", "0"),
        ("value_big", "amount", "Big", "0"),
        ("token_biggest", "token", "Biggest", "0"),
        ("value_biggest", "amount", "Biggest", "0"),
    ],
    (token("DAI", DAI, 18),),
    (("Contract", "Unlimited test"), ("Big", "18.446744073709551615 DAI"), ("Biggest", "Unlimited DAI")),
)
EMPTY = Case(
    "empty_arrays",
    typed(
        {
            "Person": [("name", "string"), ("addr", "address")],
            "Message": [("title", "string"), ("to", "Person[]")],
            "Root": [
                ("text", "string"),
                ("subtext", "string[]"),
                ("msg_list1", "Message[]"),
                ("msg_list2", "Message[]"),
            ],
        },
        "Root",
        {
            "text": "This is a test",
            "subtext": [],
            "msg_list1": [{"title": "This is a test", "to": []}],
            "msg_list2": [],
        },
        name="test",
        version="1",
        chainId=1,
        verifyingContract=ZERO,
    ),
    "Empty array filtering",
    [
        ("text", "raw", "Text"),
        ("subtext.[]", "raw", "Sub-Text"),
        ("msg_list1.[].to.[].addr", "raw", "(1) Recipient addr"),
        ("msg_list2.[].to.[].addr", "raw", "(2) Recipient addr"),
    ],
    (),
    (("Contract", "Empty array filtering"), ("Text", "This is a test")),
    "msg_list1.[].title",
)
ORDER = Case(
    "arrays_on_polygon",
    typed(
        {"Leg": [("pair", "uint256[2]"), ("memo", "string")], "Order": [("legs", "Leg[]"), ("salt", "bytes32")]},
        "Order",
        {"legs": [{"pair": [1, 2], "memo": "a"}, {"pair": [3, 4], "memo": "b" * 400}], "salt": "0x" + "ab" * 32},
        name="Orders",
        chainId=137,
        verifyingContract=DAI,
    ),
    "Order",
    [("legs.[].pair.[]", "raw", "Amount"), ("legs.[].memo", "raw", ""), ("salt", "raw", "Salt")],
    (),
    (
        ("Contract", "Order"),
        ("Network", "Polygon"),
        ("Amount", "1"),
        ("Amount", "2"),
        ("memo", "a"),
        ("Amount", "3"),
        ("Amount", "4"),
        ("memo", "b" * 376 + "..."),
        ("Salt", "0x" + "AB" * 32),
    ),
)
CASES = [
    ADVANCED,
    PERMITTED,
    UNLIMITED,
    swap(token("SRC", SRC, 18), b"", (("From", "3.65 SRC"), ("To", "15470000000000000000 ???")), "token_to"),
    swap(b"", token("DST", DST, 18), (("From", "3650000000000000000 ???"), ("To", "15.47 DST")), "token_from"),
    EMPTY,
    ORDER,
]
