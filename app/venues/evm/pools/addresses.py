"""Where pools are: CREATE2 (EIP-1014), as the periphery's `UniswapV2Library.pairFor` and `PoolAddress.computeAddress`
have it."""

from __future__ import annotations

from app.venues.evm.chain import Dex
from signers.evm import keccak


def create2(deployer: bytes, salt: bytes, init_code_hash: bytes) -> bytes:
    """Address of a contract made by CREATE2.

    Args:
        deployer: 20 bytes. salt, init_code_hash: 32.
    """
    return keccak(b"\xff" + deployer + salt + init_code_hash)[12:]


def sort_tokens(one: bytes, other: bytes) -> tuple[bytes, bytes]:
    """token0 and token1 of their pool.

    Raises:
        ValueError: they are the same.
    """
    if one == other:
        raise ValueError("a pool needs two different tokens")
    return (one, other) if one < other else (other, one)


def v2_pair(dex: Dex, one: bytes, other: bytes) -> bytes:
    """The pair of two tokens: the salt is both addresses, packed.

    Raises:
        ValueError: they are the same.
    """
    return create2(dex.deployer or dex.factory, keccak(b"".join(sort_tokens(one, other))), dex.init_code_hash)


def v3_pool(dex: Dex, one: bytes, other: bytes, fee: int) -> bytes:
    """The pool of two tokens and a fee tier: the salt is ``abi.encode(token0, token1, fee)``.

    Raises:
        ValueError: they are the same.
    """
    first, second = sort_tokens(one, other)
    salt = keccak(first.rjust(32, b"\0") + second.rjust(32, b"\0") + fee.to_bytes(32))
    return create2(dex.deployer or dex.factory, salt, dex.init_code_hash)
