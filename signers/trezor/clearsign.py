"""What a Trezor shows of a payload, worked out without asking it.

The lines for the models with the newer firmware ("core": all but the Model One) are those that firmware 2.12.5 was
recorded to show on a Safe 5, screen by screen; where this goes on from them, the verdict is PARTLY and `why` says so.
The Model One's display could not be recorded: its lines are what it is known to show, unproven in wording and order.
"""

from __future__ import annotations

from typing import Final

from signers.base import Clarity, DeviceInfo, DeviceLine, DeviceState, Shown, SignRequest
from signers.evm import EvmFields, checksum
from signers.payloads import EvmTransaction, OffchainMessage, PersonalMessage, SolanaMessage, TypedData
from signers.trezor import clearsign_solana
from signers.trezor.amounts import grouped
from signers.trezor.options import Definitions

Lines = tuple[DeviceLine, ...]

MODEL_ONE: Final = "T1B1"
NO_OFFCHAIN: Final = "A Trezor does not sign Solana's off-chain messages in the form that is verified here."
_NO_SOLANA: Final = "A Trezor Model One knows nothing of Solana."

_COINS: Final = {1: "ETH", 56: "BNB"}
"""Chains whose coin tells them apart on the screen, as recorded."""
_ALSO_ETH: Final = {8453: "Base"}
"""Chains that are recorded to look like Ethereum."""
_TOKENS: Final = {(1, "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"): ("USDC", 6)}
"""Tokens that the firmware was recorded to know: chain and address -> symbol and decimals."""

_TRANSFER: Final = bytes.fromhex("a9059cbb")
_APPROVE: Final = bytes.fromhex("095ea7b3")
_UNLIMITED: Final = 2**256 - 1
_FIRST_DATA: Final = 51
"""Hex digits of calldata on the first page."""
_END: Final = DeviceLine("Sign transaction")


def shown(request: SignRequest, address: str, info: DeviceInfo, look_up: Definitions | None = None) -> Shown:
    """See `signers.base.Signer.shown`. Every screen's heading is a line too, without a value."""
    payload = request.payload
    one = info.model == MODEL_ONE
    if isinstance(payload, OffchainMessage):
        return Shown(Clarity.BLIND, (), NO_OFFCHAIN, DeviceState.UNSUPPORTED)
    if isinstance(payload, SolanaMessage):
        if one:
            return Shown(Clarity.BLIND, (), _NO_SOLANA, DeviceState.UNSUPPORTED)
        return clearsign_solana.shown(payload.fields, address)
    if isinstance(payload, PersonalMessage):
        label = "Message" if one else "Confirm message"
        lines = (DeviceLine("Signing address", address), DeviceLine(label, payload.text))
        return Shown(Clarity.CLEAR, lines if one else (*lines, DeviceLine("Confirm message")))
    if isinstance(payload, TypedData):
        return _typed_one(payload, address) if one else _typed(payload, address)
    return _one(payload.fields) if one else _core(payload, look_up)


# -- transactions, core ----------------------------------------------------------------------------------------------


def _core(payload: EvmTransaction, look_up: Definitions | None) -> Shown:
    fields = payload.fields
    called = _called(fields)
    described = look_up is not None and look_up(f"eip155:{fields.chain_id}", "0x" + fields.to.hex()) is not None
    if called is None:
        lines, why = _plain(fields)
    elif called[0] == _APPROVE:
        lines, why = _approval(fields, *called[1:])
    else:
        lines, why = _transfer(fields, *called[1:])
    if described:
        why = "The device is given its maker's description of this token; what it shows then was not recorded."
    why = _first(why, _of_chain(fields.chain_id))
    return Shown(Clarity.PARTLY if why else Clarity.CLEAR, lines, why)


def _called(fields: EvmFields) -> tuple[bytes, str, int] | None:
    """A transfer or approval of a token as the firmware recognises it: what, whom, how much."""
    data = fields.data
    if fields.value or len(data) != 68 or data[:4] not in {_TRANSFER, _APPROVE} or any(data[4:16]):
        return None
    return data[:4], checksum(data[16:36]), int.from_bytes(data[36:])


def _plain(fields: EvmFields) -> tuple[Lines, str]:
    to = checksum(fields.to)
    if not fields.data:
        return (DeviceLine("Address"), DeviceLine("Recipient", to), *_summary(fields, fields.value)), ""
    digits = fields.data.hex()
    first = digits if len(digits) <= _FIRST_DATA + 3 else digits[:_FIRST_DATA] + "..."
    lines = (
        DeviceLine("Data"),
        DeviceLine("Size:", f"{len(fields.data)} bytes"),
        DeviceLine("View all data in the menu.", first),
        DeviceLine("Address"),
        DeviceLine("Interaction contract", to),
        *_summary(fields, fields.value),
    )
    return lines, "The device shows the call as raw bytes; what it does, and for how much, is shown here only."


def _transfer(fields: EvmFields, to: str, amount: int) -> tuple[Lines, str]:
    token = _TOKENS.get((fields.chain_id, checksum(fields.to)))
    if token is not None:
        symbol, decimals = token
        text = f"{grouped(amount, decimals)} {symbol}"
        return (DeviceLine("Address"), DeviceLine("Recipient", to), *_summary(fields, text)), ""
    lines = (
        *_unknown_contract(fields),
        DeviceLine("Address"),
        DeviceLine("Recipient", to),
        *_summary(fields, f"{grouped(amount, 0)} Wei UNKN"),
    )
    return lines, "The device is not proven to know this token: it shows the amount in its smallest unit, unnamed."


def _approval(fields: EvmFields, spender: str, amount: int) -> tuple[Lines, str]:
    token = _TOKENS.get((fields.chain_id, checksum(fields.to)))
    symbol, decimals = token or ("Wei UNKN", 0)
    why = "" if token else "The device is not proven to know this token: it shows its address and the bare amount."
    if not amount:
        why = why or "What the device shows for a revocation was not recorded."
    lines = [
        DeviceLine("Token approval", "Review details to approve token spending.")
        if amount
        else DeviceLine("Token revocation", "Review details to revoke token approval."),
        DeviceLine("Approve to" if amount else "Revoke from", spender),
    ]
    if token is None:
        lines += _unknown_contract(fields)
    if amount == _UNLIMITED:
        lines.append(DeviceLine("Important", f"Approving unlimited amount of {symbol}."))
    if amount:
        text = "Unlimited" if amount == _UNLIMITED else f"{grouped(amount, decimals)} {symbol}"
        lines += [DeviceLine("Approve"), DeviceLine("Amount allowance", text)]
    lines.append(DeviceLine("Chain", "Ethereum" if fields.chain_id == 1 else str(fields.chain_id)))
    return (*lines, *_summary(fields, None)), why


def _unknown_contract(fields: EvmFields) -> Lines:
    warning = "Unknown contract address. Continue only if you know what you are doing!"
    return (
        DeviceLine("Warning", warning),
        DeviceLine("Address"),
        DeviceLine("Token contract", "0x" + fields.to.hex()),
    )


def _summary(fields: EvmFields, amount: int | str | None) -> Lines:
    coin = _coin(fields.chain_id)
    fee = DeviceLine("Maximum fee", _money(fields.highest_fee, coin))
    if amount is None:
        return DeviceLine("Summary"), fee, _END
    text = amount if isinstance(amount, str) else _money(amount, coin)
    return DeviceLine("Summary"), DeviceLine("Amount", text), fee, _END


def _money(wei: int, coin: str) -> str:
    """As the firmware writes coins: below a billionth, in wei."""
    return f"{grouped(wei, 18)} {coin}" if wei >= 10**9 else f"{grouped(wei, 0)} Wei {coin}"


def _coin(chain_id: int) -> str:
    return _COINS.get(chain_id) or ("ETH" if chain_id in _ALSO_ETH else "UNKN")


def _of_chain(chain_id: int) -> str:
    if chain_id in _COINS:
        return ""
    if chain_id in _ALSO_ETH:
        return f"The device does not say that this is {_ALSO_ETH[chain_id]}: it looks like Ethereum."
    return f"What the device calls chain {chain_id} and its coin was not recorded."


def _first(*reasons: str) -> str:
    return " ".join(each for each in reasons if each)


# -- typed data ------------------------------------------------------------------------------------------------------


def _typed(payload: TypedData, address: str) -> Shown:
    from signers.trezor.typed import problem  # noqa: PLC0415 -- trezorlib

    refused = problem(payload)
    if refused:
        return Shown(Clarity.BLIND, (), refused, DeviceState.UNSUPPORTED)
    data = payload.data
    named = data["types"].get("EIP712Domain") or [
        {"name": key, "type": kind} for key, kind in _DOMAIN.items() if key in data["domain"]
    ]
    domain = [
        DeviceLine(f"{each['name']} ({each['type']})", _text(data["domain"][each["name"]], each["type"]))
        for each in named
    ]
    keys = [each["name"] for each in data["types"][data["primaryType"]]]
    lines = (
        DeviceLine("Signing address", address.lower()),
        *((DeviceLine("EIP712Domain"), *domain) if domain else ()),
        DeviceLine("Confirm message"),
        DeviceLine(data["primaryType"], f"Contains {len(keys)} keys {', '.join(keys)}"),
        DeviceLine("Confirm typed data", "Really sign EIP-712 typed data?"),
        DeviceLine("Confirm typed data"),
    )
    why = "The message's own values are shown only when its menu is opened on the device: open it and compare them."
    return Shown(Clarity.PARTLY, lines, why)


_DOMAIN: Final = {
    "name": "string",
    "version": "string",
    "chainId": "uint256",
    "verifyingContract": "address",
    "salt": "bytes32",
}


def _text(value: object, kind: str) -> str:
    if kind == "address":
        return checksum(bytes.fromhex(str(value).removeprefix("0x")))
    if kind.startswith(("uint", "int")):
        text = str(value)
        return str(int(text, 16)) if text.lower().startswith("0x") else text
    return str(value).removeprefix("0x") if kind.startswith("bytes") else str(value)


# -- Model One -------------------------------------------------------------------------------------------------------

_UNRECORDED: Final = "What a Model One displays was not recorded: these lines are unproven in wording and order."


def _typed_one(payload: TypedData, address: str) -> Shown:
    lines = (
        DeviceLine("Signing address", address),
        DeviceLine("Domain hash", payload.domain_hash.hex()),
        DeviceLine("Message hash", payload.message_hash.hex()),
    )
    return Shown(Clarity.BLIND, lines, "A Model One shows two hashes of typed data and nothing of what it says.")


def _one(fields: EvmFields) -> Shown:
    coin = _coin(fields.chain_id)
    token, called = _TOKENS.get((fields.chain_id, checksum(fields.to))), _called(fields)
    known = called is not None and called[0] == _TRANSFER and token is not None
    if called is not None and token is not None and known:
        lines = [DeviceLine("Send", f"{grouped(called[2], token[1])} {token[0]}"), DeviceLine("to", called[1])]
    else:
        lines = [DeviceLine("Send", _money(fields.value, coin)), DeviceLine("to", checksum(fields.to))]
        if fields.data:
            lines.append(DeviceLine(f"Data ({len(fields.data)} bytes)", fields.data.hex()))
    lines.append(DeviceLine("Maximum fee", _money(fields.highest_fee, coin)))
    raw = "" if known or not fields.data else "It shows the call as raw bytes."
    return Shown(Clarity.PARTLY, tuple(lines), _first(_UNRECORDED, raw, _of_chain(fields.chain_id)))
