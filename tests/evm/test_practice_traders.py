"""The practice chain's background trading, on the chain itself, block by block."""

from __future__ import annotations

from app.practice.chain.traders import Traders
from tests.evm.chain import LocalChain
from tests.evm.conftest import StartChain

SLOT0 = "slot0()(uint160,int24,uint16,uint16,uint16,uint8,bool)"
RESERVES = "getReserves()(uint112,uint112,uint32)"


def ether(chain: LocalChain, dex: str, fee: int = 3000) -> int:
    """USDC base units for one ETH, by a pool's price."""
    pool = chain.pool(dex, "WETH", "USDC", fee)
    if dex == "uniswap-v3":
        root: int = chain.call(pool, SLOT0)[0]
        return root * root * 10**18 >> 192
    weth, usdc, _ = chain.call(pool, RESERVES)
    return int(usdc * 10**18 // weth)


def live(chain: LocalChain, seed: int, blocks: int) -> list[int]:
    """Let the traders trade for some blocks; every price of ETH after each."""
    traders = Traders(chain.node, chain.described, seed)
    chain.automine(on=False)
    found = []
    for _ in range(blocks):
        traders.trade(chain.number() + 1)
        chain.next_base_fee(traders.base_fee())
        chain.mine()
        found += [ether(chain, "uniswap-v2"), ether(chain, "v2b"), ether(chain, "uniswap-v3", 500)]
        block = chain.rpc("eth_getBlockByNumber", "latest", True)
        assert 1 <= len(block["transactions"]) <= 3
        for each in block["transactions"]:
            assert chain.rpc("eth_getTransactionReceipt", each["hash"])["status"] == "0x1"
            assert traders.owns(bytes.fromhex(each["from"][2:]))
    assert chain.rpc("txpool_status") == {"pending": "0x0", "queued": "0x0"}
    return found


def test_prices_move_and_the_exchanges_stay_near_one_another(anvil: LocalChain) -> None:
    prices = live(anvil, 7, 150)
    assert len(set(prices)) > 40
    assert all(2_200 * 10**6 < each < 2_800 * 10**6 for each in prices)
    late = [prices[at : at + 3] for at in range(150, len(prices), 3)]
    apart = [(max(each) - min(each)) * 10_000 // min(each) for each in late]
    assert sum(apart) // len(apart) < 150, "basis points"


def test_the_same_seed_does_the_same(start_chain: StartChain) -> None:
    first, second, third = (live(start_chain(), seed, 12) for seed in (1, 1, 2))
    assert first == second
    assert first != third


def test_a_price_that_is_pushed_away_comes_back(anvil: LocalChain) -> None:
    router, weth, usdc = anvil.contract("V2bRouter02"), anvil.contract("WETH9"), anvil.token("USDC").address
    anvil.transact(weth, "deposit()", value=100 * 10**18)
    for sell, amount in ((weth, 60 * 10**18), (usdc, 150_000 * 10**6)):
        snapshot = anvil.snapshot()
        take = usdc if sell == weth else weth
        anvil.transact(
            router,
            "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)(uint256[])",
            amount, 0, (sell, take), anvil.accounts[0], 2**63,
        )  # fmt: skip
        assert abs(ether(anvil, "v2b") - 2_500 * 10**6) > 350 * 10**6
        live(anvil, 5, 120)
        assert abs(ether(anvil, "v2b") - ether(anvil, "uniswap-v2")) < 50 * 10**6
        anvil.revert(snapshot)
        anvil.automine(on=True)
