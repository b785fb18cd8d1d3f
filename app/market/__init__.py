"""Market sources: everything a module's declared subscriptions need."""
