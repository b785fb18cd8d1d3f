"""Pure decisions: bars, quotes and fills in; signals out. No I/O and no clock of its own."""
