"""The terminal, driven by keys on the real engine: its market is moved by hand."""
