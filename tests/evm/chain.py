"""A real EVM chain for one test: anvil with Uniswap's own contracts, some tokens and pools.

It is what `app.practice.chain` builds; built once per test session, loaded for each test (0.1 s).
"""

from __future__ import annotations

import asyncio
import fcntl
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from app.practice.chain.anvil import Anvil
from app.practice.chain.deploy import MOST, NO_DEADLINE, Deployment, description, fund
from app.practice.chain.node import Node, constructor, hex_of
from app.practice.chain.parts import Artifact, Parts, PartsMissing
from app.practice.chain.permit2 import permit2_code
from app.venues.evm.chain import Chain, Dex, Token
from app.venues.evm.described import chain_of
from app.venues.evm.nodes.settings import NodeSettings

CHAIN_ID: Final = 31337
CONTRACTS: Final = Path(__file__).resolve().parent / "contracts"
ADD_LIQUIDITY: Final = "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"


def endpoint(url: str, ws_url: str = "", *, timeout_ms: int = 5_000) -> NodeSettings:
    """A node on this machine. Its rate budget holds nobody up: at a paid endpoint's 20 requests a second a trade waits
    for its places longer than for everything else."""
    return NodeSettings(url, ws_url, requests_per_s=1_000, burst=1_000, timeout_ms=timeout_ms)


def installed() -> Parts:
    """The chain's parts, or a skip that names what is missing."""
    parts = Parts()
    try:
        parts.anvil()
        parts.artifact("UniswapV2Factory")
        parts.artifact("SwapRouter02")
        parts.artifact("UniversalRouter")
        permit2_code(parts, CHAIN_ID)
    except PartsMissing as missing:
        pytest.skip(str(missing))
    return parts


def built(parts: Parts, shared: Path) -> Path:
    """Folder with ``state.json`` and ``chain.json`` of a deployed chain; several workers build it once."""
    folder = shared / "practice-chain"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "chain.json").exists():
            anvil = Anvil(parts, chain_id=CHAIN_ID)
            try:
                described = description(CHAIN_ID, 0)
                Deployment(anvil.node, parts).run(described)
                (folder / "state.json").write_bytes(anvil.dump())
            finally:
                anvil.stop()
            (folder / "chain.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


def out_of_pool(rpc: Callable[..., Any], depth: int) -> None:
    """Until no transaction of the last `depth` blocks is in anvil's pool as well, as it is for a moment: one that is
    taken out of its block then would be mined again by itself."""
    head = int(rpc("eth_blockNumber"), 16)
    for number in range(head - depth + 1, head + 1):
        for tx in rpc("eth_getBlockByNumber", hex(number), False)["transactions"]:
            assert any(rpc("eth_getTransactionByHash", tx)["blockNumber"] for _ in range(10_000)), f"{tx} in the pool"


class LocalChain:
    """One running chain. Addresses are 20 bytes, amounts base units or wei; an account of the node's own needs no key.

    A contract is called by its signature in text: ``chain.call(token, "balanceOf(address)(uint256)", who)``.

    Attributes:
        described: what the practice chain says of itself (`app.practice.chain.deploy`), with `url` and `ws_url`.
        chain: the same as the product reads it.
        accounts: the node's own; the first deployed everything, the five after it hold tokens.
        node: the connection, for what is not here.
    """

    def __init__(self, parts: Parts, state: Path | None, chain_id: int = CHAIN_ID, *options: str) -> None:
        self.parts = parts
        self.anvil = Anvil(
            parts, chain_id=chain_id, state=state / "state.json" if state is not None else None, options=options
        )
        self.node = self.anvil.node
        self.accounts = self.node.accounts()
        self.described: dict[str, Any] = description(chain_id, 0)
        if state is not None:
            self.described = json.loads((state / "chain.json").read_text(encoding="utf-8")) | {"chain_id": chain_id}
        self.described |= {"url": self.url, "ws_url": self.ws_url}

    def stop(self) -> None:
        """End it, as a machine that is switched off."""
        self.anvil.stop()

    @property
    def url(self) -> str:
        """Where it answers over HTTP."""
        return self.anvil.url

    @property
    def ws_url(self) -> str:
        """Where it answers over a websocket."""
        return self.anvil.ws_url

    @property
    def chain(self) -> Chain:
        """As the product knows it."""
        return chain_of(json.dumps(self.described))

    def contract(self, name: str) -> bytes:
        """Address of a deployed contract: ``SwapRouter02``, ``UniswapV2Factory``, ``V2bRouter02``, ..."""
        return bytes.fromhex(self.described["contracts"][name][2:])

    def token(self, symbol: str) -> Token:
        """A token of the chain: ETH (native), WETH, USDC (6 decimals), DAI, WBTC (8), PUP, TAX (2 % burnt)."""
        found = self.chain.token(symbol)
        assert found is not None, symbol
        return found

    def dex(self, name: str) -> Dex:
        """``uniswap-v2``, ``v2b`` or ``uniswap-v3``."""
        return next(each for each in self.chain.dexes if each.name == name)

    def pool(self, dex: str, a: str, b: str, fee: int = 3000) -> bytes:
        """Address of a pool of two of the chain's tokens; `fee` in hundredths of a basis point."""
        sides = {hex_of(self.token(each).address) for each in (a, b)}
        (found,) = (
            each["address"]
            for each in self.described["pools"]
            if each["dex"] == dex and {each["token0"], each["token1"]} == sides and each["fee"] == fee
        )
        return bytes.fromhex(found[2:])

    # JSON-RPC

    def rpc(self, method: str, *params: Any) -> Any:
        """One call; `NodeRefused` when the node says no."""
        return self.node.rpc(method, *params)

    async def arpc(self, method: str, *params: Any) -> Any:
        """The same beside a running loop, on a connection of its own."""
        return await asyncio.to_thread(self._once, method, params)

    def _once(self, method: str, params: Sequence[Any]) -> Any:
        node = Node(self.url)
        try:
            return node.rpc(method, *params)
        finally:
            node.close()

    def number(self) -> int:
        """Height."""
        return self.node.number("eth_blockNumber")

    def block(self, which: int | str = "latest") -> dict[str, Any]:
        """One block, without its transactions."""
        found: dict[str, Any] = self.rpc("eth_getBlockByNumber", hex(which) if isinstance(which, int) else which, False)
        return found

    def balance(self, who: bytes) -> int:
        """Wei."""
        return self.node.number("eth_getBalance", hex_of(who), "latest")

    def nonce(self, who: bytes, block: str = "latest") -> int:
        """Transactions mined, or with ``pending`` those that wait as well."""
        return self.node.number("eth_getTransactionCount", hex_of(who), block)

    def held(self, token: bytes, who: bytes) -> int:
        """Base units of a token."""
        return int(self.call(token, "balanceOf(address)(uint256)", who))

    def receipt(self, tx: bytes) -> dict[str, Any] | None:
        """None while it is not mined, and when it is no more."""
        found: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", f"0x{tx.hex()}")
        return found

    def send_raw(self, raw: bytes) -> bytes:
        """A signed transaction; its hash. With automine on it is mined soon after, not before this returns."""
        return bytes.fromhex(self.rpc("eth_sendRawTransaction", f"0x{raw.hex()}")[2:])

    # blocks and time

    def mine(self, blocks: int = 1) -> int:
        """Make blocks; the height after them."""
        self.rpc("anvil_mine", hex(blocks))
        return self.number()

    def automine(self, *, on: bool) -> None:
        """Off: transactions wait for `mine`."""
        self.rpc("evm_setAutomine", on)

    def next_base_fee(self, wei: int) -> None:
        """Of the next block alone."""
        self.rpc("anvil_setNextBlockBaseFeePerGas", hex(wei))

    def reorg(self, depth: int, transactions: Sequence[tuple[str, int]] = ()) -> None:
        """Replace the last `depth` blocks by others. Their transactions are gone, not waiting; those given (raw signed
        0x text, and in which of the new blocks) are in the new ones.
        """
        out_of_pool(self.rpc, depth)
        self.rpc("anvil_reorg", depth, [list(each) for each in transactions])

    def drop(self, tx: bytes) -> None:
        """Forget a waiting transaction."""
        self.rpc("anvil_dropTransaction", f"0x{tx.hex()}")

    def next_timestamp(self, seconds: int) -> None:
        """Of the next block; what comes after goes on from there."""
        self.rpc("evm_setNextBlockTimestamp", hex(seconds))

    def snapshot(self) -> str:
        """A point to come back to with `revert`, once."""
        return str(self.rpc("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Back to `snapshot`."""
        assert self.rpc("evm_revert", snapshot) is True

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever is done inside never was."""
        snapshot = self.snapshot()
        yield
        self.revert(snapshot)

    # accounts

    def set_balance(self, who: bytes, wei: int) -> None:
        """As if it had always been so."""
        self.rpc("anvil_setBalance", hex_of(who), hex(wei))

    def impersonate(self, who: bytes) -> None:
        """From now on `transact` may name it as sender."""
        self.rpc("anvil_impersonateAccount", hex_of(who))

    def deal(self, token: bytes, who: bytes, amount: int) -> None:
        """Make an address hold exactly this much of an ordinary ERC-20."""
        self.rpc("anvil_dealERC20", hex_of(who), hex_of(token), hex(amount))

    def fund(self, who: bytes) -> None:
        """100 ETH and some of every token, as ``--fund`` gives it."""
        fund(self.node, self.described, who)

    # contracts

    def call(self, to: bytes, signature: str, *args: Any, sender: bytes | None = None, block: str = "latest") -> Any:
        """What a function answers: one value, a tuple of several, or None."""
        return self.node.call(to, signature, *args, sender=sender, block=block)

    def transact(
        self, to: bytes, signature: str, *args: Any, sender: bytes | None = None, value: int = 0
    ) -> dict[str, Any]:
        """Mined at once, by the first account unless another is named; `Reverted` when it fails. Needs automine."""
        return self.node.transact(sender or self.accounts[0], to, signature, *args, value=value)

    def deploy(self, made: Artifact, *args: Any, sender: bytes | None = None) -> bytes:
        """Address of a new contract, by the first account unless another is named."""
        return self.node.create(sender or self.accounts[0], constructor(made, args))

    def deploy_source(self, file: str, contract: str, *args: Any) -> bytes:
        """The same from a Solidity file of `CONTRACTS`."""
        return self.deploy(self.parts.compile(CONTRACTS / file)[contract], *args)

    def pair(self, token: bytes, amount: int, weth: int, router: str = "UniswapV2Router02") -> bytes:
        """A V2 pool of a token of the first account with WETH; its address."""
        giver, wrapped = self.accounts[0], self.contract("WETH9")
        self.transact(wrapped, "deposit()", value=weth)
        for each in (token, wrapped):
            self.transact(each, "approve(address,uint256)", self.contract(router), 0)
            self.transact(each, "approve(address,uint256)", self.contract(router), MOST)
        ends = (amount, weth, 0, 0, giver, NO_DEADLINE)
        self.transact(self.contract(router), ADD_LIQUIDITY, token, wrapped, *ends)
        factory = self.contract(router.replace("Router02", "Factory"))
        return bytes(self.call(factory, "getPair(address,address)(address)", token, wrapped))
