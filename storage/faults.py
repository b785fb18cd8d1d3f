"""What can be wrong with a database, in words. `app` maps these onto its own error tree.

StorageFault
  DatabaseLocked    another trader holds it
  DatabaseBroken    not a database, truncated, another program's, a newer version's
  DatabaseUnusable  no permission, disk full, read-only, I/O error
  TransitionLost    a commit failed: nothing of its group is on disk
"""

from __future__ import annotations


class StorageFault(Exception):
    """`code` is a stable word; `what` one sentence; `next_step` what the trader can do."""

    def __init__(self, code: str, what: str, next_step: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.next_step = next_step


class DatabaseLocked(StorageFault):
    """Another trader runs on this database."""


class DatabaseBroken(StorageFault):
    """The file is not a usable countersign database."""


class DatabaseUnusable(StorageFault):
    """The file can not be opened or written."""


class TransitionLost(StorageFault):
    """The commit failed and was rolled back; memory must be rebuilt from disk."""
