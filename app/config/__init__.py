"""One validated source of settings."""
