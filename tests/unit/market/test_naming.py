"""File names, instruments and timeframes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.errors import DataError
from app.market.naming import NameParts, check_symbol, folder_timeframe, make_instrument, parse_name, parse_timeframe
from strategies.model import InstrumentKind


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("bittrex_ETH-BTC_1m_20180120.csv.gz", NameParts("bittrex", "ETH-BTC", 60_000)),
        ("binance_XRP-ETH_20191011.csv.gz", NameParts("binance", "XRP-ETH", None)),
        ("binance_spot_BTC-USDT_20240808.csv", NameParts("binance_spot", "BTC-USDT", None)),
        ("binance_usdm_BTC-USDT-PERP_20240808.csv.gz", NameParts("binance_usdm", "BTC-USDT-PERP", None)),
        ("kraken_BTC-USDT_4h_20251110.feather", NameParts("kraken", "BTC-USDT", 14_400_000)),
        # No quote: BTC-PERP is not an instrument of its own.
        ("ftx_BTC-PERP_1m_20211231.csv.gz", NameParts("ftx", None, 60_000)),
        ("binance_spot_BTCUSDT_20240808.jsonl.gz", NameParts("binance_spot", None, None)),
        ("candles.csv", NameParts("candles", None, None)),
    ],
)
def test_what_a_name_says(name: str, parts: NameParts) -> None:
    assert parse_name(name) == parts


@pytest.mark.parametrize("text", ["1M", "0m", "m", "-1m", "1.5h", "1 m", "99999m", "", "1m\n"])
def test_what_is_not_a_timeframe_says_what_is_allowed(text: str) -> None:
    with pytest.raises(DataError, match="--timeframe"):
        parse_timeframe(text)


@pytest.mark.parametrize(
    "text", ["BTCUSDT", "btc-usdt", "BTC-PERP", "BTC-", "-USDT", "BTC-USDT-SWAP", "BTC-USDT\n", ""]
)
def test_what_is_not_an_instrument_says_what_is_allowed(text: str) -> None:
    with pytest.raises(DataError, match="--instrument BASE-QUOTE"):
        check_symbol(text)


def test_only_a_folder_that_is_a_timeframe_gives_one() -> None:
    assert folder_timeframe("5m") == 300_000
    assert folder_timeframe("quotes_1m") == 60_000
    assert folder_timeframe("backup_1d") is None


def test_a_perpetual_is_an_asset_of_its_own() -> None:
    perpetual = make_instrument("BTC-USDT-PERP", Decimal("0.1"), Decimal("0.001"))
    assert (perpetual.base, perpetual.quote, perpetual.kind) == ("BTC-USDT-PERP", "USDT", InstrumentKind.PERPETUAL)
    spot = make_instrument("BTC-USDT", Decimal("0.1"), Decimal("0.001"))
    assert (spot.base, spot.quote, spot.kind) == ("BTC", "USDT", InstrumentKind.SPOT)
