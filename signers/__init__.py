"""Devices and bytes to sign: no venue, no price, no screen."""
