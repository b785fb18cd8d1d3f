"""The Trezor driver, on trezorlib (the maker's own library)."""
