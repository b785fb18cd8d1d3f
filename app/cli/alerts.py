"""``countersign alerts``: what is stored, what reached the trader elsewhere, and a test that it does."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.cli import context, watch
from app.cli.watch import when
from app.errors import ConfigError, UsageError
from storage.database import reader, trader_pid
from storage.identity import is_there

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.alert_service import Tried

_PATIENCE_S: Final = 60.0
"""Twice what one message may take; all go out at the same time."""


def alerts(options: argparse.Namespace) -> int:
    """One of list, test, deliveries."""
    if options.channel is not None and options.action != "test":
        raise UsageError("alerts.words", f"alerts {options.action} takes no --channel.")
    return {"list": watch.alerts, "test": _test, "deliveries": _deliveries}[options.action](options)


def _deliveries(options: argparse.Namespace) -> int:
    from app import reports_alerts  # noqa: PLC0415 -- listing what is stored needs none

    with reader(context.database(options)) as data:
        found = reports_alerts.deliveries(data, limit=options.limit, offset=options.offset)
    lines = [
        f"{each.alert_id:>4} {when(each.updated_ms)}  {each.state:<9} {each.channel:<12} {each.severity:<8} "
        f"{each.kind}: {each.text[:80]}{' (' + each.reason + ')' if each.reason else ''}"
        for each in found
    ]
    documents = [each.document() for each in found]
    context.emit(options, "alert-deliveries", {"deliveries": documents}, lines or ["No alert was to be delivered."])
    return 0


# -- test -----------------------------------------------------------------------------------------------------------


def _test(options: argparse.Namespace) -> int:
    """Exit 0 when at least one arrived."""
    names = _channels(options)
    db = context.database(options)
    tried, recorded = _by_trader(db, names) if trader_pid(db) is not None else _alone(options, db, names)
    _check_settings(tried)
    lines = [_line(each) for each in tried]
    if not recorded:
        lines.append("Not on record: there is no database yet. Start a session, then test again.")
    context.emit(options, "alert-test", {"tried": tried, "recorded": recorded}, lines)
    return 0 if any(each["state"] == "DELIVERED" for each in tried) else 1


def _channels(options: argparse.Namespace) -> list[str]:
    """The channels that are meant.

    Raises:
        ConfigError: the settings name none, or not this one.
    """
    loaded = context.settings(options)
    names = list(loaded.settings.alerts.channels)
    where = loaded.sources["alerts.channels"]
    known = ", ".join(names) or "none"
    if options.channel is not None and options.channel not in names:
        raise ConfigError(
            "alerts.channel",
            f"{where}: alerts.channels = [{known}] has no channel {options.channel}; allowed: one of these.",
            next_step="Nothing was sent. Name it there: countersign config set alerts.channels NAME,NAME",
        )
    if not names:
        raise ConfigError(
            "alerts.channel",
            f"{where}: alerts.channels = [] names no channel; allowed: names such as phone.",
            next_step="Nothing was sent. First: countersign secrets set alert.phone; "
            "then: countersign config set alerts.channels phone",
        )
    if not loaded.settings.alerts.enabled:
        context.note("alerts.enabled is false, so nothing but this test is sent")
    return names if options.channel is None else [options.channel]


def _by_trader(db: Path, names: list[str]) -> tuple[list[dict[str, Any]], bool]:
    answer = context.ask_trader(db, {"op": "alert_test", "channels": names}, _PATIENCE_S)
    tried: list[dict[str, Any]] = answer["tried"]
    return tried, True


def _alone(options: argparse.Namespace, db: Path, names: list[str]) -> tuple[list[dict[str, Any]], bool]:
    import asyncio  # noqa: PLC0415 -- only to send

    from app.alert_service import try_channels  # noqa: PLC0415 -- as above
    from app.engine.clock import WallClock  # noqa: PLC0415 -- as above

    profile = context.settings(options).settings.profile.upper()
    tried = asyncio.run(try_channels(names, profile, WallClock().now_ms))
    recorded = is_there(db)
    if recorded:
        _record(db, tried)
    return [each.document() for each in tried], recorded


def _record(db: Path, tried: Sequence[Tried]) -> None:
    from app.alert_service import TESTED, change_of, rows_of, tested  # noqa: PLC0415 -- as above
    from app.cli.alone import change  # noqa: PLC0415 -- the writer, only to change something
    from storage.journal import canonical  # noqa: PLC0415 -- with it

    with reader(db) as data:
        number = (data.value("SELECT max(id) FROM alerts") or 0) + 1
    body = canonical({"set": [list(change_of(each)) for each in tried]})
    change(db, TESTED, "", body, lambda now_ms: rows_of(tried, tested(number, now_ms, tried)))


def _check_settings(tried: list[dict[str, Any]]) -> None:
    """A channel that can not be sent to as it stands is no failed delivery but a wrong setting, where it is the only
    reason that nothing arrived.

    Raises:
        ConfigError: every channel is one; what was tried is on record all the same.
    """
    steps = {
        "ABSENT": "store it: countersign secrets set alert.{channel}",
        "NOT_UNDERSTOOD": "store another: countersign secrets rotate alert.{channel}",
        "IN_CLEAR": "store its secure form (jsons://, mailtos://): countersign secrets rotate alert.{channel}",
        "NO_CHAT": "store tgram://TOKEN/CHAT: countersign secrets rotate alert.{channel}",
    }
    if not all(each["outcome"] in steps for each in tried):
        return
    what = "\n".join(f"alerts.channels = {each['channel']}: {each['reason']}." for each in tried)
    first = tried[0]
    raise ConfigError(
        "alerts.secret", what, next_step=f"Nothing was sent; {steps[first['outcome']].format(channel=first['channel'])}"
    )


def _line(tried: dict[str, Any]) -> str:
    reason = f": {tried['reason']}" if tried["reason"] else ""
    return f"{tried['state']:<9} {tried['channel']}{reason}"
