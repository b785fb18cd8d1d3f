"""Which way a trade goes: routes through pools, splits over several of them, and cycles that end with more than they
began with. Integers, pure, and deterministic: equal routes are ordered by the addresses of their pools.
"""
