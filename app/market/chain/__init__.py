"""What a chain tells modules beside its prices: cycles that pay, new pools, watched addresses, liquidity."""
