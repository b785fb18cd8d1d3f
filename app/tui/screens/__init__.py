"""Screens: one file each, behind the number keys, and the dialogs in front of them."""
