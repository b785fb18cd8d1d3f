"""``countersign secrets``: values go into the operating system's keyring and are never shown again."""

from __future__ import annotations

import argparse
import getpass
import re
import sys
from typing import Final

from app.alerts.model import CHANNEL, SECRET, Answer, Outcome
from app.cli import context
from app.errors import ConfigError, CountersignError, ErrorClass, SafetyError, UsageError
from app.hot_names import PREFIX
from app.text import escape_untrusted
from storage.secrets import Secret, SecretsError, SecretStore


class KeyringError(CountersignError):
    """The keyring refused or is not one we trust."""

    error_class = ErrorClass.SYSTEM
    exit_code = 3


_INPUT: Final = frozenset({"secrets.name", "secrets.value", "secrets.absent"})
"""What is wrong with what was typed, not with the keyring."""


def secrets(options: argparse.Namespace) -> int:
    """One of set, list, rm, rotate."""
    if options.action != "list" and options.name is None:
        raise UsageError("secrets.name", f"Which secret? For example: countersign secrets {options.action} kraken.api")
    if options.action != "list" and options.name.startswith(PREFIX):
        raise SafetyError(
            "secrets.hot",
            f"Names that begin with {PREFIX} are the hot signer's keys.",
            next_step="Nothing was changed. They are kept by: countersign hotkey",
        )
    if options.action in {"set", "rotate"} and options.name.startswith(SECRET):
        _check_channel(options.name)
    try:
        return _act(options, SecretStore())
    except SecretsError as error:
        raise refused(error) from None


def refused(error: SecretsError) -> CountersignError:
    """What the keyring said, as an error of a command."""
    kind = UsageError if error.code in _INPUT else KeyringError
    return kind(error.code, error.what, next_step=error.next_step)


def _act(options: argparse.Namespace, store: SecretStore) -> int:
    if options.action == "list":
        names = list(store.names())
        context.emit(options, "secrets", {"names": names}, names or ["No secrets stored."])
        return 0
    if options.action == "rm":
        store.delete(options.name)
    elif options.action == "rotate":
        store.get(options.name)  # a keyring or a name that will be refused is refused before the value is typed
        store.rotate(options.name, _judged(options.name, Secret(_value(options.name))))
    else:
        _check(store, options.name)
        store.set(options.name, _judged(options.name, Secret(_value(options.name))))
    done = {"set": "stored", "rm": "removed", "rotate": "replaced"}[options.action]
    context.emit(options, "secret", {"name": options.name, "done": done}, [f"{options.name}: {done}."])
    return 0


def _check(store: SecretStore, name: str) -> None:
    try:
        store.get(name)
    except SecretsError as error:
        if error.code != "secrets.absent":
            raise


def _check_channel(name: str) -> None:
    if not re.fullmatch(CHANNEL, name.removeprefix(SECRET)):
        raise ConfigError(
            "alerts.channel",
            f"{escape_untrusted(name)} names no channel of alerts; allowed: {SECRET} and then up to 32 lower-case "
            "letters, digits, _ and -, beginning with a letter.",
            next_step="Nothing was stored.",
        )


def _judged(name: str, value: Secret) -> Secret:
    """`value`, where it may be stored under that name: a channel of alerts is a URL that can be sent to.

    Raises:
        ConfigError: it is none, or none that is safe. It is not repeated.
    """
    if not name.startswith(SECRET):
        return value
    answer = _judge(value)
    if answer.outcome is Outcome.USABLE:
        return value
    raise ConfigError(
        "alerts.secret",
        f"{escape_untrusted(name)} can not be stored: {answer.words}; allowed: a URL such as tgram://TOKEN/CHAT, "
        "mailtos://USER:PASSWORD@HOST?to=ADDRESS or jsons://HOST/PATH.",
        next_step="Nothing was stored. The forms of all services: https://appriseit.com/services/",
    )


def _judge(value: Secret) -> Answer:
    import asyncio  # noqa: PLC0415 -- only for a channel of alerts

    from app.alerts.post import judge  # noqa: PLC0415 -- with it

    return asyncio.run(judge(value.reveal()))


def _value(name: str) -> str:
    return hidden(f"Value of {escape_untrusted(name)} (not shown): ")


def hidden(prompt: str) -> str:
    """What is typed after `prompt`, or the next line of a pipe.

    Raises:
        UsageError: nothing.
    """
    try:
        value = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    except (EOFError, OSError, UnicodeDecodeError):
        value = ""
    if not value:
        raise UsageError("secrets.empty", "An empty value is not stored.", next_step="Nothing was changed.")
    return value
