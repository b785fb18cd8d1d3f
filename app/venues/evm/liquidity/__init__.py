"""Liquidity in V3 pools, through the exchange's NonfungiblePositionManager: what can be done with it as values and as
bytes, what a position takes, holds and has earned to the last unit, and the positions of an account."""
