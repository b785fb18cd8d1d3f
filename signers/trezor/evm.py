"""What a Trezor is asked for Ethereum and the chains like it."""

from __future__ import annotations

from typing import Any, Final

from trezorlib import definitions
from trezorlib import ethereum as _ethereum

from signers import evm
from signers.base import DeviceState
from signers.faults import DeviceFault, NotReady
from signers.payloads import EvmTransaction, PersonalMessage, TypedData
from signers.trezor import typed
from signers.trezor.library import messages
from signers.trezor.options import Definitions
from signers.words import next_step_of

ethereum: Any = _ethereum
"""Untyped: the library's decorator loses its functions' types."""
_MODEL_ONE: Final = "T1B1"


def address(session: Any, path: list[int], *, show: bool) -> str:
    """EIP-55 address.

    Raises:
        DeviceFault: it answered something else.
    """
    found = str(ethereum.get_address(session, path, show_display=show))
    try:
        right = evm.checksum(bytes.fromhex(found.removeprefix("0x")))
    except ValueError:
        right = ""
    if right != found:
        raise bad("no address")
    return found


def signature_of(
    session: Any, path: list[int], payload: PersonalMessage | EvmTransaction | TypedData, look_up: Definitions | None
) -> bytes:
    """The signature, in the form of `signers.verify`.

    Raises:
        NotReady: this model can not sign it.
        DeviceFault: it answered something else.
    """
    if isinstance(payload, EvmTransaction):
        return _transaction(session, path, payload, look_up)
    if isinstance(payload, PersonalMessage):
        found = ethereum.sign_message(session, path, payload.text)
    elif session.model.internal_name == _MODEL_ONE:
        found = ethereum.sign_typed_data_hash(session, path, payload.domain_hash, payload.message_hash)
    else:
        problem = typed.problem(payload)
        if problem:
            raise NotReady(DeviceState.UNSUPPORTED, problem)
        found = ethereum.sign_typed_data(session, path, typed.as_library_takes_it(payload))
    return whole(found.signature, 65)


def described(payload: EvmTransaction, look_up: Definitions | None) -> dict[str, bytes]:
    """What the maker's signed descriptions there are for the transaction's chain and its contract."""
    if look_up is None:
        return {}
    chain = f"eip155:{payload.fields.chain_id}"
    asked = {"network": look_up(chain, ""), "token": look_up(chain, "0x" + payload.fields.to.hex())}
    return {name: blob for name, blob in asked.items() if blob}


class _Given(definitions.Source):
    """What was looked up before: the device may ask for the chain and the contract of the transaction only."""

    def __init__(self, chain_id: int, to: bytes, blobs: dict[str, bytes]) -> None:
        self._chain_id, self._to, self._blobs = chain_id, to, blobs

    def fetch_path(self, *components: str) -> bytes | None:  # noqa: ARG002 -- the library's signature
        return None

    def get_eth_network(self, chain_id: int) -> bytes | None:
        return self._blobs.get("network") if chain_id == self._chain_id else None

    def get_eth_token(self, chain_id: int, address: Any) -> bytes | None:
        return self._blobs.get("token") if (chain_id, bytes(address)) == (self._chain_id, self._to) else None


def _transaction(session: Any, path: list[int], payload: EvmTransaction, look_up: Definitions | None) -> bytes:
    fields = payload.fields
    asked: dict[str, Any] = {
        "nonce": fields.nonce,
        "gas_limit": fields.gas,
        "to": evm.checksum(fields.to),
        "value": fields.value,
        "data": fields.data,
        "chain_id": fields.chain_id,
    }
    if look_up is not None:
        blobs = described(payload, look_up)
        asked["supports_definition_request"] = True
        asked["definition_source"] = _Given(fields.chain_id, fields.to, blobs)
        if blobs:
            asked["definitions"] = messages.EthereumDefinitions(
                encoded_network=blobs.get("network"), encoded_token=blobs.get("token")
            )
    if fields.type == 0:
        v, r, s = ethereum.sign_tx(session, path, gas_price=fields.max_fee, **asked)
        v -= 35 + 2 * fields.chain_id
    else:
        listed = [
            messages.EthereumAccessList(address=evm.checksum(each), storage_keys=list(keys))
            for each, keys in fields.access_list
        ]
        v, r, s = ethereum.sign_tx_eip1559(
            session,
            path,
            max_gas_fee=fields.max_fee,
            max_priority_fee=fields.priority_fee,
            access_list=listed or None,
            **asked,
        )
    if v not in {0, 1}:
        raise bad("no parity")
    return whole(r, 32) + whole(s, 32) + bytes([v])


def whole(found: Any, size: int) -> bytes:
    """`found`, when it is that many bytes.

    Raises:
        DeviceFault: it is not.
    """
    if not isinstance(found, bytes) or len(found) != size:
        raise bad(f"no {size} bytes")
    return found


def bad(raw: str) -> DeviceFault:
    """An answer that is none."""
    what = "The device answered what it must not."
    return DeviceFault(what, next_step_of(DeviceState.BAD_ANSWER), raw=raw, state=DeviceState.BAD_ANSWER)
