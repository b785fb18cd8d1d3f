"""The nodes of one chain: `pool.Nodes` is what the rest of the package knows as `app.venues.evm.rpc.Rpc`, `heads.Heads`
follows its blocks. aiohttp speaks to them, not web3: web3 costs 3.6 s to import, sends a transaction again by itself,
and reads replies of any size."""
