"""Pools of automated market makers: what is in them, and what they would pay, to the smallest unit.

Everything here is integers and pure, but for `batch` and `reader`, which ask the chain. Where a contract would revert
there is a named failure (`NoQuote`), never a number.
"""
