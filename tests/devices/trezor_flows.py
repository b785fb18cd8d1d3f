"""What a Trezor does with each request, as it was recorded: its questions, its buttons and its answer."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak
from trezorlib import messages as m

from tests.devices import trezor_keys as keys
from tests.devices.trezor_wire import Message

Dialogue = Generator[Message | None, Any, None]
Flow = Callable[[Any, Any], Dialogue]
Asked = Generator[Message | None, Any, bool]


def buttons(device: Any, code: str, *names: str | None) -> Asked:
    """One button after the other; on a refusal it answers and says so."""
    for name in names:
        named: dict[str, Any] = {"pages": 1, "name": name} if device.model != "T1B1" else {}
        approved = yield from device.button(m.ButtonRequest(code=m.ButtonRequestType[code], **named))
        if not approved:
            yield m.Failure(code=m.FailureType.ActionCancelled, message="Cancelled")
            return False
    return True


def _allowed(device: Any, request: Any) -> Asked:
    """Whether the path is of Ethereum."""
    if request.address_n[1:2] == [60 | 0x80000000]:
        return True
    yield m.Failure(code=m.FailureType.DataError, message="Forbidden key path")
    return False


def _account(device: Any, request: Any) -> Any:
    return keys.ethereum(device.wallet, tuple(request.address_n))


def public_key(device: Any, request: m.GetPublicKey) -> Dialogue:
    assert request.address_n == [0x80000000]
    found = dict(keys.first_child(device.wallet))
    xpub = found.pop("xpub")
    yield m.PublicKey(node=m.HDNodeType(**found), xpub=xpub, root_fingerprint=found["fingerprint"])


def ethereum_address(device: Any, request: m.EthereumGetAddress) -> Dialogue:
    if not (yield from _allowed(device, request)):
        return
    if request.show_display and not (yield from buttons(device, "Address", "show_address")):
        return
    yield m.EthereumAddress(address=_account(device, request).address)


def ethereum_message(device: Any, request: m.EthereumSignMessage) -> Dialogue:
    if (yield from _allowed(device, request)) and (yield from buttons(device, "Other", "sign_message", "sign_message")):
        account = _account(device, request)
        signed = account.sign_message(encode_defunct(request.message))
        yield m.EthereumMessageSignature(address=account.address, signature=bytes(signed.signature))


def ethereum_transaction(device: Any, request: Any) -> Dialogue:
    if not (yield from _allowed(device, request)):
        return
    if request.to and len(request.to) != 42:
        yield m.Failure(code=m.FailureType.DataError, message="Invalid recipient address")
        return
    if request.supports_definition_request and device.model != "T1B1":
        yield m.EthereumDefinitionRequest(chain_id=request.chain_id, token_address=bytes.fromhex(request.to[2:]))
    data = bytes(request.data_initial_chunk or b"")
    while len(data) < (request.data_length or 0):
        ack = yield m.EthereumTxRequest(data_length=min(1024, request.data_length - len(data)))
        data += ack.data_chunk
    names = ["confirm_data", "confirm_output", "confirm_total"][0 if data else 1 :]
    if not (yield from buttons(device, "SignTx", *names)):
        return
    v, r, s = _signed(device, request, data)
    yield m.EthereumTxRequest(signature_v=v, signature_r=r.to_bytes(32), signature_s=s.to_bytes(32))


def _signed(device: Any, request: Any, data: bytes) -> tuple[int, int, int]:
    number = int.from_bytes
    transaction: dict[str, Any] = {
        "nonce": number(request.nonce),
        "gas": number(request.gas_limit),
        "to": request.to,
        "value": number(request.value or b""),
        "data": data,
        "chainId": request.chain_id,
    }
    if isinstance(request, m.EthereumSignTx):
        transaction["gasPrice"] = number(request.gas_price)
    else:
        transaction |= {
            "type": 2,
            "maxFeePerGas": number(request.max_gas_fee),
            "maxPriorityFeePerGas": number(request.max_priority_fee),
            "accessList": [
                {"address": each.address, "storageKeys": ["0x" + key.hex() for key in each.storage_keys]}
                for each in request.access_list
            ],
        }
    signed = Account.sign_transaction(transaction, _account(device, request).key)
    return signed.v, signed.r, signed.s


def typed_hash(device: Any, request: m.EthereumSignTypedHash) -> Dialogue:
    if not (yield from _allowed(device, request)):
        return
    if (yield from buttons(device, "ProtectCall", None)) and (yield from buttons(device, "Other", None, None, None)):
        yield _typed_signature(device, request, request.domain_separator_hash + (request.message_hash or b""))


def _typed_signature(device: Any, request: Any, hashes: bytes) -> m.EthereumTypedDataSignature:
    account = _account(device, request)
    signed = account.unsafe_sign_hash(keccak(b"\x19\x01" + hashes))
    return m.EthereumTypedDataSignature(signature=bytes(signed.signature), address=account.address)


def typed_data(device: Any, request: m.EthereumSignTypedData) -> Dialogue:
    if not (yield from _allowed(device, request)):
        return
    if not (yield from buttons(device, "SignTx", "confirm_address")):
        return
    types: dict[str, list[Any]] = {}
    for root in ("EIP712Domain", request.primary_type):
        yield from _learn(root, types)
    domain = yield from _struct("EIP712Domain", types, [0])
    if not (yield from buttons(device, "Other", "confirm_typed_value", "should_show_struct")):
        return
    message = yield from _struct(request.primary_type, types, [1])
    if (yield from buttons(device, "Other", "confirm_typed_data_final")):
        yield _typed_signature(device, request, domain + message)


def _learn(name: str, types: dict[str, list[Any]]) -> Generator[Message, Any, None]:
    if name not in types:
        types[name] = (yield m.EthereumTypedDataStructRequest(name=name)).members
        for member in types[name]:
            inner = member.type.entry_type or member.type
            if inner.data_type == m.EthereumDataType.STRUCT:
                yield from _learn(inner.struct_name, types)


def _struct(name: str, types: dict[str, list[Any]], path: list[int]) -> Generator[Message, Any, bytes]:
    """hashStruct of EIP-712, asking for each value."""
    used = sorted(_used(name, types, set()) - {name})
    text = "".join(f"{each}({','.join(f'{_named(x.type)} {x.name}' for x in types[each])})" for each in [name, *used])
    found = keccak(text.encode())
    for index, member in enumerate(types[name]):
        found += yield from _encoded(member.type, types, [*path, index])
    return keccak(found)


def _used(name: str, types: dict[str, list[Any]], found: set[str]) -> set[str]:
    if name not in found:
        found.add(name)
        for member in types[name]:
            inner = member.type.entry_type or member.type
            if inner.data_type == m.EthereumDataType.STRUCT:
                _used(inner.struct_name, types, found)
    return found


def _named(kind: Any) -> str:
    of = m.EthereumDataType
    if kind.data_type == of.ARRAY:
        return f"{_named(kind.entry_type)}[{'' if kind.size is None else kind.size}]"
    if kind.data_type in {of.UINT, of.INT}:
        return f"{of(kind.data_type).name.lower()}{kind.size * 8}"
    if kind.data_type == of.STRUCT:
        return str(kind.struct_name)
    return f"{of(kind.data_type).name.lower()}{'' if kind.size is None else kind.size}"


def _encoded(kind: Any, types: dict[str, list[Any]], path: list[int]) -> Generator[Message, Any, bytes]:
    of = m.EthereumDataType
    if kind.data_type == of.STRUCT:
        return (yield from _struct(kind.struct_name, types, path))
    value = (yield m.EthereumTypedDataValueRequest(member_path=path)).value
    if kind.data_type == of.ARRAY:
        items = b""
        for index in range(int.from_bytes(value)):
            items += yield from _encoded(kind.entry_type, types, [*path, index])
        return keccak(items)
    if kind.data_type == of.STRING or (kind.data_type == of.BYTES and kind.size is None):
        return keccak(value)
    if kind.data_type == of.BYTES:
        return bytes(value).ljust(32, b"\0")
    negative = kind.data_type == of.INT and value[0] >> 7
    return bytes(value).rjust(32, b"\xff" if negative else b"\0")


def solana_address(device: Any, request: m.SolanaGetAddress) -> Dialogue:
    if request.show_display and not (yield from buttons(device, "Address", "show_address")):
        return
    yield m.SolanaAddress(address=str(keys.solana(device.wallet, tuple(request.address_n)).pubkey()))


def solana_transaction(device: Any, request: m.SolanaSignTx) -> Dialogue:
    if (yield from buttons(device, "SignTx", "confirm_solana_recipient", "confirm_solana_tx")):
        pair = keys.solana(device.wallet, tuple(request.address_n))
        yield m.SolanaTxSignature(signature=bytes(pair.sign_message(request.serialized_tx)))


_BOTH: dict[str, Flow] = {
    "GetPublicKey": public_key,
    "EthereumGetAddress": ethereum_address,
    "EthereumSignMessage": ethereum_message,
    "EthereumSignTx": ethereum_transaction,
    "EthereumSignTxEIP1559": ethereum_transaction,
}
FLOWS: dict[tuple[str, str], Flow] = {
    **{(model, name): flow for model in ("T1B1", "T3T1") for name, flow in _BOTH.items()},
    ("T1B1", "EthereumSignTypedHash"): typed_hash,
    ("T3T1", "EthereumSignTypedData"): typed_data,
    ("T3T1", "SolanaGetAddress"): solana_address,
    ("T3T1", "SolanaSignTx"): solana_transaction,
}
