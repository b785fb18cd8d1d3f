"""Alerts that leave this computer, against real servers on it."""
