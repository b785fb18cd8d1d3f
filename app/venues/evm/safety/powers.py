"""Functions by which whoever controls a token can change it for those who hold it, by what they are able to do.

Names are from contracts that are deployed in numbers: OpenZeppelin's ERC20PresetMinterPauser, Ownable and Pausable;
Tether's TetherToken and Circle's FiatToken (issue, mint, pause, addBlackList, blacklist); and the taxed tokens of
launchpads (SafeMoon and what was copied from it: setTaxFeePercent, setMaxTxPercent, updateBuyFees, ...). A selector
that is missing here is not found: no finding does not mean no power.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from app.venues.evm.safety.findings import Rule
from signers.evm import keccak

POWERS: Final = {
    Rule.MINT: (
        "mint(address,uint256)", "mint(uint256)", "mintTo(address,uint256)", "issue(uint256)",
        "issue(address,uint256)", "_mint(address,uint256)", "mintTokens(address,uint256)", "increaseSupply(uint256)",
        "configureMinter(address,uint256)",
    ),
    Rule.PAUSE: (
        "pause()", "unpause()", "setPaused(bool)", "pause(bool)", "freeze()", "unfreeze()", "enableTrading()",
        "disableTrading()", "setTrading(bool)", "setTradingEnabled(bool)", "tradingStatus(bool)", "openTrading()",
        "setTradingStatus(bool)", "pauseTrading()", "setTransfersEnabled(bool)", "enableTransfers(bool)",
    ),
    Rule.BLOCKLIST: (
        "blacklist(address)", "blacklist(address,bool)", "blacklistAddress(address,bool)", "addBlackList(address)",
        "addToBlacklist(address)", "addBlacklist(address)", "setBlacklist(address,bool)",
        "setBlackList(address,bool)", "blackList(address)", "setBlacklisted(address,bool)",
        "updateBlacklist(address,bool)", "blocklist(address)", "blocklist(address,bool)", "blockList(address)",
        "setBlocklist(address,bool)", "addToBlocklist(address)", "setBots(address[])", "setBots(address[],bool)",
        "addBots(address[])", "setBot(address,bool)", "addBot(address)", "blockBots(address[])",
        "manage_blacklist(address[],bool)", "multiBlacklist(address[],bool)", "destroyBlackFunds(address)",
        "freezeAccount(address,bool)", "freeze(address)", "denylist(address)", "bulkBlacklist(address[],bool)",
        "blacklistMany(address[])", "setIsBot(address,bool)",
    ),
    Rule.SET_TAX: (
        "setTax(uint256)", "setTaxes(uint256,uint256)", "setFee(uint256)", "setFees(uint256,uint256)",
        "setFees(uint256,uint256,uint256)", "setFees(uint256)", "setTaxFee(uint256)", "setTaxFeePercent(uint256)",
        "setLiquidityFeePercent(uint256)", "setBuyFee(uint256)", "setSellFee(uint256)", "setBuyTax(uint256)",
        "setSellTax(uint256)", "setBuyFees(uint256,uint256)", "setSellFees(uint256,uint256)",
        "updateFees(uint256,uint256)", "updateBuyFees(uint256,uint256,uint256)",
        "updateSellFees(uint256,uint256,uint256)", "updateBuyFees(uint256)", "updateSellFees(uint256)",
        "updateBuyFees(uint256,uint256)", "updateSellFees(uint256,uint256)", "setFee(uint256,uint256)",
        "setTaxRate(uint256)", "setTransferFee(uint256)", "setParams(uint256,uint256)",
        "setMarketingFeePercent(uint256)", "changeTax(uint256,uint256)", "updateTax(uint256)",
        "setTaxFee(uint256,uint256)", "setBuyTaxes(uint256,uint256)", "setSellTaxes(uint256,uint256)",
        "editTaxes(uint256,uint256)", "setFinalTax(uint256)",
    ),
    Rule.SET_LIMITS: (
        "setMaxTxAmount(uint256)", "setMaxTxPercent(uint256)", "setMaxTx(uint256)", "setMaxWallet(uint256)",
        "setMaxWalletSize(uint256)", "setMaxWalletPercent(uint256)", "updateMaxTxnAmount(uint256)",
        "updateMaxWalletAmount(uint256)", "setTxLimit(uint256)", "setCooldownEnabled(bool)",
        "setMaxSellAmount(uint256)", "updateMaxSellAmount(uint256)", "setSwapAndLiquifyEnabled(bool)",
    ),
}  # fmt: skip

WORDS: Final = {
    Rule.MINT: "more of it can be made",
    Rule.PAUSE: "its transfers can be stopped",
    Rule.BLOCKLIST: "addresses can be forbidden to sell it",
    Rule.SET_TAX: "what a transfer loses can be changed",
    Rule.SET_LIMITS: "how much can be sold at once can be changed",
}


@lru_cache(maxsize=1)
def selectors() -> dict[int, tuple[Rule, str]]:
    """What a selector allows, and the function's name."""
    return {
        int.from_bytes(keccak(each.encode())[:4]): (rule, each)
        for rule, functions in POWERS.items()
        for each in functions
    }
