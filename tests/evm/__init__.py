"""Chains: what is true here is what anvil and the exchanges' own contracts do (`tests.evm.chain`)."""
