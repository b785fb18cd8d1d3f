"""Widgets: whole lines, drawn by us, because a DataTable repaints every visible cell on each change (50 ms)."""
