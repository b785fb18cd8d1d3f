"""EVM chains: decentralised exchanges, their pools and routers, and what carries a transaction to them."""
