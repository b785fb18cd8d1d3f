"""Nodes: what is true here is what anvil answers, and what a broken server on a real loopback socket does."""
