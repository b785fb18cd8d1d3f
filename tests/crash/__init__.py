"""The crash campaign: the trader is SIGKILLed at chosen instants, restarted, and judged by the venue's own record."""
