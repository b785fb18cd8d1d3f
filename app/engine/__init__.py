"""Module manager, supervisor, event bus and clock."""
