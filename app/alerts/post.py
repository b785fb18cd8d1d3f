"""Starts a courier for each message, and kills it when its time is over."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, Final

from app.alerts.message import Message
from app.alerts.model import Answer, Outcome

DEADLINE_S: Final = 30.0
"""For one attempt: the keyring, the connection, the server's answer."""


async def send(channel: str, message: Message, deadline_s: float = DEADLINE_S) -> Answer:
    """Send `message` over `channel`, once. Never raises, but when cancelled."""
    text = {"title": message.title, "body": message.body, "severity": message.severity.value}
    return await _ask({"op": "send", "channel": channel, **text}, deadline_s)


async def check(channel: str) -> Answer:
    """Whether `channel` could be sent to: USABLE where its URL is stored, understood and safe."""
    return await _ask({"op": "check", "channel": channel}, DEADLINE_S)


async def judge(url: str) -> Answer:
    """The same of a URL that is not stored yet."""
    return await _ask({"op": "judge", "url": url}, DEADLINE_S)


async def _ask(request: dict[str, Any], deadline_s: float) -> Answer:
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # no module of the folder we happen to be in takes the place of one of ours
            "-m",
            "app.alerts.courier",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # a traceback may hold the URL
            start_new_session=True,  # Ctrl-C in our terminal is ours to handle
        )
    except OSError:
        return Answer(Outcome.BROKEN)
    try:
        async with asyncio.timeout(deadline_s):
            said, _ = await process.communicate(json.dumps(request).encode())
    except TimeoutError:
        return Answer(Outcome.TIMEOUT)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _answer(said)


def _answer(said: bytes) -> Answer:
    try:
        document = json.loads(said)
        return Answer(Outcome(document["outcome"]), int(document["number"]))
    except (ValueError, TypeError, KeyError):
        return Answer(Outcome.BROKEN)
