"""Whether two intents of one module ask for the same."""

from __future__ import annotations

from strategies.model import Intent


def alike(one: Intent, other: Intent) -> bool:
    """Whether they are of one kind, so that one of them is enough: both buy or sell (their side is compared by who
    asks), both do the same with the same where nothing is at stake, both put something at stake by the same kind of
    act, or both take the place of the same transaction."""
    if one.replaces or other.replaces:
        return one.replaces == other.replaces
    if one.act is None or other.act is None:
        return one.act is other.act
    if one.reduce_only or other.reduce_only:
        return one.act == other.act
    return type(one.act) is type(other.act)
