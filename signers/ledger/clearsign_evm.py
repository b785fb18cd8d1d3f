"""What the Ethereum app shows of transactions and typed data. Source: the recorded reviews, and app-ethereum 1.22.0
(ui_approve_tx.c, erc20_plugin.c, ui_logic.c) for what they leave open."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from signers import evm
from signers.base import Clarity, DeviceInfo, DeviceLine, DeviceState, Shown
from signers.ledger.clearsign import model_of
from signers.ledger.descriptors import Descriptors, Missing, Token
from signers.ledger.eip712 import DOMAIN, Document, Length, Value, document_of
from signers.ledger.networks import NETWORKS
from signers.payloads import EvmTransaction, TypedData

_MAINNET: Final = 1
_ETHER: Final = 18
_TRANSFER: Final = bytes.fromhex("a9059cbb")
_APPROVE: Final = bytes.fromhex("095ea7b3")
_ERC20_BYTES: Final = 4 + 32 + 32
_MOST_SHOWN: Final = 379
"""Characters of one typed value at most; the app cuts what is longer (shared_context.h)."""
_BLIND_OFF: Final = "The Ethereum app can not show this, and blind signing is off in its settings."


def transaction(
    payload: EvmTransaction, address: str, info: DeviceInfo, descriptors: Descriptors | None
) -> tuple[Shown, Token | None]:
    """The verdict, and the description that the device is sent first for it to hold."""
    fields = payload.fields
    if fields.data[:4] in {_TRANSFER, _APPROVE}:
        return _erc20(payload, address, info, descriptors)
    name, ticker = NETWORKS.get(fields.chain_id, (str(fields.chain_id), "???"))
    lines = [DeviceLine("From", address)]
    if fields.value or not fields.data:
        lines.append(DeviceLine("Amount", f"{amount(fields.value, _ETHER)} {ticker}"))
    lines.append(DeviceLine("To", evm.checksum(fields.to)))
    lines.append(_fees(payload))
    if fields.chain_id != _MAINNET:
        lines.append(DeviceLine("Network", name))
    if not fields.data:
        return Shown(Clarity.CLEAR, framed(info, "Review transaction", lines, "transaction")), None
    if not info.blind_signing:
        return _refused(), None
    label = "Transaction hash" if model_of(info).touch else "Tx hash"
    lines.append(DeviceLine(label, "0x" + payload.hash.hex()))
    why = "Of what the call does the device shows the hash only."
    return Shown(Clarity.BLIND, framed(info, "Review transaction", lines, "transaction", blind=True), why), None


def typed(payload: TypedData, info: DeviceInfo, why_unfiltered: str = "") -> Shown:
    """Typed data without filters signed by Ledger: blind signing to the app even where it shows every field."""
    if not info.blind_signing:
        return _refused(why_unfiltered)
    shown = _unfiltered(payload, info)
    return replace(shown, why=f"{shown.why} {why_unfiltered}".rstrip())


def _unfiltered(payload: TypedData, info: DeviceInfo) -> Shown:
    document, why_not = field_by_field(payload, info)
    if document is None:
        lines = [_hash("Domain hash", payload.domain_hash), _hash("Message hash", payload.message_hash)]
        why = f"The device shows two hashes only. {why_not}".rstrip()
        return Shown(Clarity.BLIND, framed(info, "Review typed message", lines, "typed message", blind=True), why)
    if not model_of(info).touch:
        lines = [*_values(document.domain), _hash("Message hash", payload.message_hash)]
        why = "Of the message the device shows the hash only."
        return Shown(Clarity.BLIND, framed(info, "Review typed message", lines, "typed message", blind=True), why)
    return _in_full(document, info)


def field_by_field(payload: TypedData, info: DeviceInfo) -> tuple[Document | None, str]:
    """The document as the device is told of it; None, and why where that lies in the document, where the device is
    asked to sign its two hashes instead. Those are all that a Nano S knows, whose app was left behind."""
    model = model_of(info)
    if model.code == "nanos":
        return None, ""
    document, why_not = document_of(payload)
    if document is not None and model.touch and not document.showable():
        return None, "It holds an integer of a width that the device can not show."
    return document, why_not


def amount(units: int, decimals: int) -> str:
    """`units` of the smallest part as a plain decimal without trailing zeros."""
    whole, part = divmod(units, 10**decimals)
    rest = f"{part:0{decimals}d}".rstrip("0") if decimals else ""
    return f"{whole}.{rest}" if rest else str(whole)


# -- pieces -----------------------------------------------------------------------------------------------------------


def _erc20(
    payload: EvmTransaction, address: str, info: DeviceInfo, descriptors: Descriptors | None
) -> tuple[Shown, Token | None]:
    fields = payload.fields
    odd = fields.value or len(fields.data) != _ERC20_BYTES or any(fields.data[4:16])
    if odd:
        why = "A token's transfer or approval with coins or more data besides: the device does not show it right."
        return Shown(Clarity.BLIND, (), why, DeviceState.UNSUPPORTED), None
    verb = "send" if fields.data[:4] == _TRANSFER else "approve"
    title = f"Review transaction to {verb} ERC20 token"
    lines = [DeviceLine("From", address)]
    try:
        token = _described(descriptors, fields.chain_id, fields.to)
    except Missing as missing:
        if not info.blind_signing:
            return _refused(str(missing)), None
        lines += [*network(fields.chain_id), _fees(payload)]
        why = f"The device shows no token, no amount and no recipient. {missing}"
        return Shown(
            Clarity.BLIND, framed(info, title, lines, f"transaction to {verb} ERC20 token", blind=True), why
        ), None
    units, other = int.from_bytes(fields.data[36:]), evm.checksum(fields.data[16:36])
    much = "Unlimited" if units == 2**256 - 1 else amount(units, token.decimals)
    lines.append(DeviceLine("Send" if verb == "send" else "Approve", f"{much} {token.ticker}"))
    lines.append(DeviceLine("To" if verb == "send" else "Approve to", other))
    lines += [*network(fields.chain_id), _fees(payload)]
    return Shown(Clarity.CLEAR, framed(info, title, lines, f"transaction to {verb} ERC20 token")), token


def _described(descriptors: Descriptors | None, chain_id: int, address: bytes) -> Token:
    if descriptors is None:
        raise Missing("No token descriptions are set up.")
    return descriptors.erc20(chain_id, address)


def _refused(more: str = "") -> Shown:
    return Shown(Clarity.BLIND, (), f"{_BLIND_OFF} {more}".rstrip(), DeviceState.BLIND_SIGNING_OFF)


def _fees(payload: EvmTransaction) -> DeviceLine:
    _, ticker = NETWORKS.get(payload.fields.chain_id, ("", "???"))
    return DeviceLine("Max fees", f"{amount(payload.fields.highest_fee, _ETHER)} {ticker}")


def network(chain_id: int) -> list[DeviceLine]:
    """The line that names the chain, where it is not the app's own."""
    if chain_id == _MAINNET:
        return []
    return [DeviceLine("Network", NETWORKS.get(chain_id, (str(chain_id), ""))[0])]


def _hash(label: str, digest: bytes) -> DeviceLine:
    return DeviceLine(label, "0x" + digest.hex().upper())


def framed(
    info: DeviceInfo, title: str, lines: list[DeviceLine], thing: str, *, blind: bool = False
) -> tuple[DeviceLine, ...]:
    """`lines` between the pages before and after them. `thing`: what the last page asks to sign."""
    touch = model_of(info).touch
    last = ("Accept risk and sign" if blind else "Sign") + f" {thing}?"
    if not touch:  # the Nano's last page is shorter
        short = "message" if thing == "typed message" else "transaction"
        last = f"{'Accept risk and sign' if blind and short == 'transaction' else 'Sign'} {short}"
    warning = (
        "If you sign this transaction, you could loose your assets. "
        "Explore safer alternatives: ledger.com/integrated-apps"
        if touch
        else "To accept risk, press both buttons"
    )
    return (
        *([DeviceLine("Blind signing ahead", warning)] if blind else []),
        DeviceLine(title, "Blind signing required." if blind and touch else ""),
        *lines,
        DeviceLine(last),
    )


def _in_full(document: Document, info: DeviceInfo) -> Shown:
    lines = [
        DeviceLine("Review struct", DOMAIN),
        *_values(document.domain),
        DeviceLine("Review struct", document.primary),
        *_values(document.message),
    ]
    why = "Every field is shown, but as raw values: amounts without their token's name and decimals."
    if any(len(each.value) > _MOST_SHOWN for each in lines):
        lines = [DeviceLine(each.label, cut(each.value)) for each in lines]
        why = f"A value is longer than the device shows. {why}"
    return Shown(Clarity.PARTLY, framed(info, "Review typed message", lines, "typed message", blind=True), why)


def _values(values: tuple[Value | Length, ...]) -> list[DeviceLine]:
    return [DeviceLine(each.name, text(each)) for each in values if isinstance(each, Value)]


def text(value: Value) -> str:
    """A value as the app writes it without a filter."""
    base, data = value.kind.base, value.data
    if base == "string":
        return data.decode()
    if base == "address":
        return evm.checksum(data)
    if base == "bool":
        return "true" if data[0] else "false"
    if base == "uint":
        return str(int.from_bytes(data))
    if base == "int":
        return str(int.from_bytes(data, signed=len(data) == value.kind.width))
    return "0x" + data.hex().upper()


def cut(value: str) -> str:
    """What the app keeps of it."""
    return value if len(value) <= _MOST_SHOWN else value[: _MOST_SHOWN - 3] + "..."
