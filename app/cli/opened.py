"""A session that a command opens where no trader runs: as its database remembers it. It concludes what the last one
left, as every start does, and takes no new trade."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import launch, paths
from app.cli import context
from app.errors import ConfigError, UsageError
from app.reconcile_commands import reconcile_handlers
from app.session import Session
from app.session_plan import SessionPlan, instruments_from_text, remembered

if TYPE_CHECKING:
    from app.config.load import Loaded

Ask = Callable[[dict[str, Any]], dict[str, Any]]


@contextmanager
def asking(options: argparse.Namespace, db: Path) -> Iterator[Ask]:
    """What a running trader would answer of its books. Between two questions everything stands still, so a person can
    be asked meanwhile.

    Raises:
        CountersignError, StorageFault: the session can not be opened; nothing was changed.
    """
    plan = paper_plan(options, db, emergency=False) or _chain_plan(options, db)
    with asyncio.Runner() as runner:
        session = Session(plan, lambda _: None, lambda _: None)
        runner.run(session.open())
        try:
            handlers = reconcile_handlers(session)
            yield lambda request: runner.run(_answer(handlers[request["op"]](request)))
        finally:
            runner.run(session.close("opened by a command"))


async def _answer(answering: Any) -> dict[str, Any]:
    found: dict[str, Any] = await answering
    return found


def paper_plan(options: argparse.Namespace, db: Path, *, emergency: bool) -> SessionPlan | None:
    """A session on the paper venue, with the settings that it ran with; None for one on a chain.

    Raises:
        UsageError: no session has begun there.
    """
    source, instruments = remembered(db, "source"), remembered(db, "instruments")
    if source is None or instruments is None:
        raise UsageError("session.none", f"No session has begun on {db}.")
    if source.startswith("chain:"):
        return None
    return SessionPlan(
        db=db,
        loaded=_settings(options, remembered(db, "config")),
        source_id=source,
        instruments=instruments_from_text(instruments),
        start_ms=int(remembered(db, "start_ms") or 0),
        auto_confirm=False,
        lockstep=True,
        emergency=emergency,
    )


def _chain_plan(options: argparse.Namespace, db: Path) -> SessionPlan:
    """On the chain that the database is of, by the nodes that the settings have now."""
    name, profile = (remembered(db, "source") or "").split(":")[1], remembered(db, "profile") or ""
    return launch.prepare(
        launch.Request(
            settings=lambda: context.settings(options, {"profile": profile}), db=db, chain=name, profile=profile
        )
    ).plan


def _settings(options: argparse.Namespace, text: str | None) -> Loaded:
    """The settings the session ran with: an emergency is no moment to take over others, nor to refuse a broken file,
    and the paper venue knows its account by them."""
    from app.config import load, sources  # noqa: PLC0415 -- pydantic behind it, 0.1 s

    if text is not None:
        try:
            return load.combine(paths.config_file(), sources.read_overrides(json.loads(text)))
        except ConfigError:
            pass  # remembered by another version: what the trader has now must do
    return context.settings(options)
