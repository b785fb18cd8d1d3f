"""The pure parts of EVM chains."""
