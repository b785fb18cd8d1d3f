"""Alerts that reach the trader away from the screen."""
