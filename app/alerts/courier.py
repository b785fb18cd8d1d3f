"""``python -m app.alerts.courier``: sends one message, in a process of its own.

So no server and no library can hold up the trader: the process is killed when its time is over. It reads the channel's
URL from the keyring itself, so that it is in no other process's memory, log or traceback; what goes back is one of a
closed list of outcomes. One JSON document in on stdin, one out on stdout:

    {"op": "send", "channel": NAME, "title": T, "body": B, "severity": S}    send
    {"op": "check", "channel": NAME}                                         only whether it could be sent to
    {"op": "judge", "url": URL}                                              the same of a URL that is not stored yet
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, Final

from app.alerts.model import SECRET, Answer, Outcome
from app.errors import Severity
from storage.secrets import SecretsError, SecretStore

_LIFE_S: Final = 60
"""Then it ends by itself: whoever started it may have died."""
_KEYRING_S: Final = 10.0
_MOST_BYTES: Final = 64 * 1024


def main() -> None:
    """Answer the one request."""
    signal.alarm(_LIFE_S)
    os.nice(10)  # trading goes first
    answer = act(json.loads(sys.stdin.buffer.read(_MOST_BYTES)), SecretStore(timeout_s=_KEYRING_S))
    sys.stdout.write(json.dumps(answer.document()))
    sys.stdout.flush()
    os._exit(0)  # a library's thread that still waits for a server is not waited for


def act(request: dict[str, Any], keyring: SecretStore) -> Answer:
    """Do it."""
    from app.alerts import forms  # noqa: PLC0415 -- what is not needed of a name that is not stored

    try:
        url = request["url"] if request["op"] == "judge" else keyring.get(f"{SECRET}{request['channel']}").reveal()
    except SecretsError as error:
        return Answer(Outcome.ABSENT if error.code == "secrets.absent" else Outcome.KEYRING)
    plugin = forms.read(url)
    if isinstance(plugin, Outcome):
        return Answer(plugin)
    if request["op"] != "send":
        return Answer(Outcome.USABLE)
    return forms.send(plugin, request["title"], request["body"], Severity(request["severity"]))


if __name__ == "__main__":
    main()
