"""What the hot signer's keys are called in the keyring, for those who must not touch them."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "signer."
"""Names that only the commands for these keys may touch."""
