"""What every venue over a network shares: pure state machines, so the truth is arithmetic."""
