"""SQLite and the OS keyring: rows in, rows out, and no trading rules."""
