"""The practice chain: a real EVM chain on this machine, with the exchanges' own contracts on it. A process of its own:
``python -m app.practice chain``.
"""
