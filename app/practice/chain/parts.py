"""The parts that are not Python: the node (anvil), the exchanges' compiled contracts and the Solidity compiler.

They are npm packages, installed from this folder's package.json into ``.chain`` beside the program.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
DEFAULT: Final = HERE.parents[2].joinpath(".chain")
"""Where `make .setup-chain` puts the parts."""
NO_ANVIL: Final = "anvil is not installed"
NO_CONTRACTS: Final = "Uniswap's contracts are not installed"
NO_COMPILER: Final = "the Solidity compiler is not installed"
_HOW: Final = "Run `make .setup-chain` in the program's folder (it needs npm)"
_ANVIL: Final = "@foundry-rs/anvil-linux-amd64/bin/anvil"
_COMPILE_S: Final = 120
EVM_VERSION: Final = "paris"
"""Oldest one that anvil and every chain we know still run; stated, so that a newer compiler changes nothing."""

ARTIFACTS: Final = {
    "WETH9": "@uniswap/v2-periphery/build/WETH9.json",
    "UniswapV2Factory": "@uniswap/v2-core/build/UniswapV2Factory.json",
    "UniswapV2Pair": "@uniswap/v2-core/build/UniswapV2Pair.json",
    "UniswapV2Router02": "@uniswap/v2-periphery/build/UniswapV2Router02.json",
    "UniswapV3Factory": "@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json",
    "UniswapV3Pool": "@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json",
    "NonfungiblePositionManager": "@uniswap/v3-periphery/artifacts/contracts/NonfungiblePositionManager.sol/"
    "NonfungiblePositionManager.json",
    "QuoterV2": "@uniswap/v3-periphery/artifacts/contracts/lens/QuoterV2.sol/QuoterV2.json",
    "TickLens": "@uniswap/v3-periphery/artifacts/contracts/lens/TickLens.sol/TickLens.json",
    "UniswapInterfaceMulticall": "@uniswap/v3-periphery/artifacts/contracts/lens/UniswapInterfaceMulticall.sol/"
    "UniswapInterfaceMulticall.json",
    "UniversalRouter": "@uniswap/universal-router/artifacts/contracts/UniversalRouter.sol/UniversalRouter.json",
    "SwapRouter02": "@uniswap/swap-router-contracts/artifacts/contracts/SwapRouter02.sol/SwapRouter02.json",
}
"""Contract and its file below node_modules: interface and creation code as its maker published them."""


class ChainFault(Exception):
    """The practice chain can not go on: one sentence for the trader."""


class PartsMissing(ChainFault):
    """A part is not installed. Begins with `NO_ANVIL`, `NO_CONTRACTS` or `NO_COMPILER`."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """One compiled contract.

    Attributes:
        abi: its interface, as solc writes it.
        code: its creation code, without constructor arguments.
    """

    abi: tuple[Mapping[str, Any], ...]
    code: bytes


@dataclass(frozen=True, slots=True)
class Parts:
    """The installed parts below one folder."""

    folder: Path = DEFAULT

    @property
    def _modules(self) -> Path:
        return self.folder.joinpath("node_modules")

    def anvil(self) -> str:
        """The node's program; one on PATH serves where there is no package for this machine.

        Raises:
            PartsMissing: there is none.
        """
        packaged = self._modules.joinpath(_ANVIL)
        found = str(packaged) if os.access(packaged, os.X_OK) else shutil.which("anvil")
        if found is None:
            raise PartsMissing(f"{NO_ANVIL} (looked for {packaged} and on PATH). {_HOW}, or install Foundry.")
        return found

    def artifact(self, name: str) -> Artifact:
        """A contract of `ARTIFACTS`.

        Raises:
            PartsMissing: it is not there, or not what it should be.
        """
        return self.packaged(ARTIFACTS[name])

    def packaged(self, file: str) -> Artifact:
        """A contract by its file below node_modules; Truffle's, Hardhat's and Waffle's forms are all known.

        Raises:
            PartsMissing: it is not there, or not what it should be.
        """
        path = self._modules.joinpath(file)
        try:
            read = json.loads(path.read_bytes())
            return Artifact(tuple(read["abi"]), bytes.fromhex(read["bytecode"].removeprefix("0x")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PartsMissing(f"{NO_CONTRACTS} ({path}: {type(error).__name__}). {_HOW}.") from error

    def source(self, file: str) -> str:
        """A source file below node_modules.

        Raises:
            PartsMissing: it is not there.
        """
        path = self._modules.joinpath(file)
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise PartsMissing(f"{NO_CONTRACTS} ({path}: {type(error).__name__}). {_HOW}.") from error

    def compile(self, source: Path) -> dict[str, Artifact]:
        """Every contract of one Solidity file that includes no other, by name. Kept by the hash of what went in.

        Raises:
            PartsMissing: no node, or no compiler.
            ChainFault: the file does not compile.
        """
        request = json.dumps(
            {
                "language": "Solidity",
                "sources": {source.name: {"content": source.read_text(encoding="utf-8")}},
                "settings": {
                    "evmVersion": EVM_VERSION,
                    "optimizer": {"enabled": True, "runs": 200},
                    "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object"]}},
                },
            }
        )
        kept = self.folder.joinpath("compiled", f"{hashlib.sha256(request.encode()).hexdigest()}.json")
        text = _read(kept) or self._solc(source, request, kept)
        contracts: dict[str, Any] = json.loads(text)["contracts"][source.name]
        return {
            name: Artifact(tuple(each["abi"]), bytes.fromhex(each["evm"]["bytecode"]["object"]))
            for name, each in contracts.items()
        }

    def _solc(self, source: Path, request: str, kept: Path) -> str:
        node, compiler = shutil.which("node"), self._modules.joinpath("solc", "solc.js")
        if node is None or not compiler.is_file():
            raise PartsMissing(f"{NO_COMPILER} ({'node' if node is None else compiler}). {_HOW}.")
        # Its output goes to a file: into a pipe it writes 64 kB and leaves out the rest.
        with tempfile.TemporaryFile() as output:
            try:
                done = subprocess.run(  # noqa: S603 -- our own compiler on our own source
                    [node, str(compiler), "--standard-json"],
                    input=request.encode(), stdout=output, stderr=subprocess.PIPE, check=False, timeout=_COMPILE_S,
                )  # fmt: skip
            except subprocess.TimeoutExpired as error:
                raise ChainFault(f"the Solidity compiler did not finish {source.name} in {_COMPILE_S} s") from error
            output.seek(0)
            text = output.read().decode(errors="replace")
        text = text[text.find("{") :]  # a line about the SMT checker may come first
        try:
            errors = [each for each in json.loads(text).get("errors", ()) if each["severity"] == "error"]
        except ValueError as error:
            raise ChainFault(
                f"the Solidity compiler failed on {source.name}: {done.stderr.decode(errors='replace').strip()[-500:]}"
            ) from error
        if errors:
            raise ChainFault(f"{source.name} does not compile: {errors[0]['formattedMessage'].strip()}")
        _keep(kept, text)
        return text


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _keep(path: Path, text: str) -> None:
    """Whole or not at all: several tests compile at once. A folder that can not be written costs time, nothing else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.write(text)
        Path(file.name).replace(path)
    except OSError:
        pass  # compiled anew next time
