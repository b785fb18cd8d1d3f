"""Venue clients behind one contract, `base.Venue`."""
