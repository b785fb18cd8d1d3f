"""The practice chain while it runs: built once or gone on with, its blocks made at their time, kept on disk, and ended
when whoever started it is gone.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.practice.chain.anvil import Anvil
from app.practice.chain.deploy import Deployment, description, fund
from app.practice.chain.node import Node, hex_of
from app.practice.chain.parts import ChainFault, Parts
from app.practice.chain.traders import Traders
from app.venues.evm.described import SCHEMA

DEFAULT_CHAIN_ID: Final = 31337
BASE_FEE: Final = 5 * 10**9
"""Wei per unit of gas while nobody trades: an idle chain's own would fall to nothing within minutes."""
_IDLE_MS: Final = 2_000
"""Between two looks at a chain that makes its blocks itself."""
_KEEP_BLOCKS: Final = 30
"""Blocks that a killed process may lose when nothing but the practice traders was in them: a dump takes up to half a
second.
"""
_STATE, _DESCRIPTION, _LOCK = "state.json", "chain.json", "lock"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of the chain.

    Attributes:
        folder: where it is kept.
        port: 0 takes a free one.
        chain_id: None takes the kept chain's, or `DEFAULT_CHAIN_ID`.
        block_s: seconds between blocks; 0 makes one for each transaction at once.
        fund: addresses of 20 bytes.
        traders: seed of the background trading, if there is some.
        every: blocks between two of its turns.
    """

    folder: Path
    port: int = 0
    chain_id: int | None = None
    block_s: int = 2
    fund: tuple[bytes, ...] = ()
    traders: int | None = None
    every: int = 3


class Service:
    """One practice chain on one folder."""

    def __init__(self, wanted: Wanted, parts: Parts) -> None:
        """Nothing is started yet.

        Raises:
            ChainFault: the folder belongs to a running chain, or can not be used.
        """
        self._wanted, self._parts = wanted, parts
        wanted.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = wanted.folder.joinpath(_LOCK).open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ChainFault(f"another practice chain runs on {wanted.folder}") from error
        self._traders: Traders | None = None
        self._kept_at = -1
        self._done = False

    def run(self, stdin: int, say: Callable[[str], None]) -> None:
        """Start, say the description, and serve until `stdin` ends or SIGTERM comes.

        Raises:
            ChainFault: it can not be started, or the node ended.
        """
        signal.signal(signal.SIGTERM, lambda *_: self._end())
        wake, waker = socket.socketpair()
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())  # else a signal between the check and the wait is seen one block late
        kept = self._kept()
        chain_id = self._wanted.chain_id or (kept["chain_id"] if kept else DEFAULT_CHAIN_ID)
        if kept and kept["chain_id"] != chain_id:
            raise ChainFault(f"the chain kept in {self._wanted.folder} has id {kept['chain_id']}, not {chain_id}")
        state = self._path(_STATE) if kept else None
        anvil = Anvil(self._parts, chain_id=chain_id, port=self._wanted.port, state=state)
        try:
            described = kept or self._built(anvil.node, chain_id)
            described |= {"url": anvil.url, "ws_url": anvil.ws_url, "block_ms": self._wanted.block_s * 1000}
            self._prepare(anvil, described)
            say(json.dumps(described))
            self._serve(anvil, stdin, wake.fileno())
            self._keep(anvil)
        finally:
            anvil.stop()

    def _path(self, name: str) -> Path:
        return self._wanted.folder.joinpath(name)

    def _end(self) -> None:
        self._done = True

    def _kept(self) -> dict[str, Any]:
        """What an earlier run described; empty when there was none, or it ended before it was ready."""
        path = self._path(_DESCRIPTION)
        try:
            kept: dict[str, Any] = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ChainFault(f"{path} can not be read ({error}); remove its folder to begin a new chain") from error
        if kept.get("schema") != SCHEMA:
            raise ChainFault(f"{path} is not a {SCHEMA}; remove its folder to begin a new chain")
        if not self._path(_STATE).is_file():
            raise ChainFault(f"{self._path(_STATE)} is missing; remove its folder to begin a new chain")
        return kept

    def _built(self, node: Node, chain_id: int) -> dict[str, Any]:
        described = description(chain_id, self._wanted.block_s)
        Deployment(node, self._parts).run(described)
        return described

    def _prepare(self, anvil: Anvil, described: dict[str, Any]) -> None:
        """Whatever needs its blocks at once; then blocks come at their time."""
        for who in self._wanted.fund:
            fund(anvil.node, described, who)
        if self._wanted.traders is not None:
            self._traders = Traders(anvil.node, described, self._wanted.traders)
        self._keep(anvil)
        # After the state: a description says that there is one.
        _write(self._path(_DESCRIPTION), json.dumps(described, indent=1).encode())
        if self._wanted.block_s:
            anvil.node.rpc("evm_setAutomine", False)
            self._next_base_fee(anvil.node)

    def _serve(self, anvil: Anvil, stdin: int, wake: int) -> None:
        poll = select.poll()
        for each in (stdin, wake):
            poll.register(each, select.POLLIN)
        while not self._done:
            events = poll.poll(self._wanted.block_s * 1000 or _IDLE_MS)
            for file, _ in events:
                if file == stdin:
                    self._done = self._done or not os.read(stdin, 1 << 16)
            if not anvil.running:
                raise ChainFault("anvil ended by itself")
            if not events:
                self._tick(anvil)

    def _tick(self, anvil: Anvil) -> None:
        """One block, or a look at those that made themselves; kept on disk when there is something to keep."""
        node = anvil.node
        if not self._wanted.block_s:
            if node.number("eth_blockNumber") != self._kept_at:
                self._keep(anvil)
            return
        number = node.number("eth_blockNumber") + 1
        if self._traders is not None and number % self._wanted.every == 0:
            self._traders.trade(number)
        node.rpc("evm_mine")
        self._next_base_fee(node)
        ours = self._traders.owns if self._traders is not None else _nobodys
        if number >= self._kept_at + _KEEP_BLOCKS or not all(ours(each) for each in _senders(node)):
            self._keep(anvil)

    def _next_base_fee(self, node: Node) -> None:
        fee = self._traders.base_fee() if self._traders is not None else BASE_FEE
        node.rpc("anvil_setNextBlockBaseFeePerGas", hex(fee))

    def _keep(self, anvil: Anvil) -> None:
        self._kept_at = anvil.node.number("eth_blockNumber")
        _write(self._path(_STATE), anvil.dump())


def _nobodys(_: bytes) -> bool:
    return False


def _senders(node: Node) -> list[bytes]:
    block = node.rpc("eth_getBlockByNumber", "latest", True)
    return [bytes.fromhex(each["from"][2:]) for each in block["transactions"]]


def _write(path: Path, content: bytes) -> None:
    """The new content or the old, whatever happens."""
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def address_of(text: str) -> bytes:
    """An address of an option.

    Raises:
        ValueError: it is none, or mistyped (EIP-55).
    """
    raw = bytes.fromhex(text.removeprefix("0x"))
    plain = text in {text.lower(), f"0x{text[2:].upper()}"}
    if len(raw) != 20 or not text.startswith("0x") or not (plain or text == hex_of(raw)):
        raise ValueError
    return raw
