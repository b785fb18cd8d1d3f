"""The composition root: the only package that may import signers, strategies and storage."""

__version__ = "0.1.0"
