"""Transactions that are not shown to the public mempool: handed to one endpoint that gives them to those who build
blocks, and to nobody else, until the trader says otherwise."""
